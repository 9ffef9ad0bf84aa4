//! `ttctl check`: checks that a manifest is valid, and compares a file or a directory with it.

use crate::cli::CheckArgs;
use crate::documents::{Check, CheckedFile, Document};
use crate::error::Error;
use crate::files;
use crate::human;
use crate::output::Output;
use crate::progress::{Now, Progress};
use crate::tree::{self, Purpose};
use shared::chunk::ChunkIndex;
use shared::have::HaveMap;
use shared::host::hashing::{Checked, check_file};
use shared::host::tree::{hash_tree, hash_tree_for};
use shared::manifest::Manifest;
use shared::tree::{Symlinks, TreeName};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Limits the indices of bad chunks that one line lists; the others are left out. Eight fit on one line.
const NAMED_MAX: usize = 8;

pub(crate) fn check(args: &CheckArgs, output: &mut Output) -> Result<(), Error> {
    let manifest = files::read_manifest(&args.manifest)?;
    let Some(path) = args.file.clone().or_else(|| beside(&args.manifest, &manifest)) else {
        return not_checked(&manifest, output);
    };
    let checked = match path.is_dir() {
        true => compare_directory(&path, &manifest, args, output)?,
        false => compare(&path, &manifest, output)?,
    };
    if output.is_json() {
        output.json(&Document::new(Check::new(
            &manifest,
            Some(CheckedFile {
                file: path.display().to_string(),
                bytes: checked.bytes,
                matches: checked.whole_matches && checked.bad.is_empty(),
                chunks_bad: checked.bad.iter().map(|index| index.0).collect(),
            }),
        )))?;
    } else {
        output.line(&describe(&manifest, output))?;
    }
    verdict(&path, &manifest, &checked)?;
    if !output.is_json() {
        let size = human::bytes(checked.bytes);
        output.line(&format!("{} matches ({size})", human::clean(&path.display().to_string())))?;
    }
    Ok(())
}

/// Ends the command if only the manifest was checked, because what it names is not beside it.
fn not_checked(manifest: &Manifest, output: &mut Output) -> Result<(), Error> {
    if output.is_json() {
        return output.json(&Document::new(Check::new(manifest, None)));
    }
    output.line(&describe(manifest, output))?;
    let name = human::clean(manifest.name().as_str());
    let why = match TreeName::of_resource(manifest.name()) {
        Some(directory) => format!(
            "{name} was not checked: neither it nor the directory {} is beside the manifest",
            human::clean(directory.as_str())
        ),
        None => format!("{name} was not checked: it is not beside the manifest"),
    };
    output.warning(&why);
    Ok(())
}

fn describe(manifest: &Manifest, output: &Output) -> String {
    let trackers: Vec<&str> = manifest.trackers().iter().map(|url| url.as_str()).collect();
    format!(
        "the manifest is valid: {}, {}, {}, {}",
        human::clean(manifest.name().as_str()),
        output.id(&manifest.resource()),
        human::count(manifest.count().get().into(), "chunk"),
        trackers.join(" ")
    )
}

fn compare(path: &Path, manifest: &Manifest, output: &Output) -> Result<Checked, Error> {
    let (file, metadata) = files::open_regular(path)?;
    let bytes_total = metadata.len().min(manifest.count().bytes_max());
    let progress = Mutex::new(Progress::new(output, &path.display().to_string()));
    check_file(&file, manifest, &|bytes_done| {
        let now = Now { bytes_done, bytes_total, doing: "checking", ..Now::default() };
        progress.lock().unwrap_or_else(PoisonError::into_inner).update(&now);
        ControlFlow::Continue(())
    })
    .map_err(|error| Error::io(format!("cannot check {}", path.display()), &error))
}

/// Compares a directory as the tar that it would be.
///
/// Links that lead outside are carried, unless they are to be left out: the manifest does not say whether it has some.
fn compare_directory(
    path: &Path,
    manifest: &Manifest,
    args: &CheckArgs,
    output: &Output,
) -> Result<Checked, Error> {
    let path = tree::named(path)?;
    let own = path.file_name().and_then(|name| name.to_str()?.parse().ok());
    let mut names: Vec<TreeName> = TreeName::of_resource(manifest.name()).into_iter().chain(own).collect();
    names.dedup();
    if TreeName::of_resource(manifest.name()).is_none() {
        let message = format!("{} is a directory, and the manifest is that of a file", path.display());
        return Err(Error::bad_data(message));
    }
    let mut options = args.tree.options();
    if options.symlinks == Symlinks::Inside {
        options.symlinks = Symlinks::Any;
    }
    let (top, again) = (tree::open(&path)?, tree::open(&path)?);
    let found = tree::with_progress(&path, Purpose::Check, output, |progress| {
        match hash_tree_for(manifest, top, &names, options, progress) {
            Ok(Some(found)) => Ok(found),
            Ok(None) => hash_tree(again, &names[0], options, progress),
            Err(error) => Err(error),
        }
    })?;
    let mut good = HaveMap::empty(manifest.count());
    for (index, (found, wanted)) in
        manifest.count().indices().zip(found.hashed.hashes.iter().zip(manifest.hashes()))
    {
        if found == wanted {
            good.insert(index);
        }
    }
    Ok(Checked {
        bad: good.missing_from(ChunkIndex(0)).collect(),
        good,
        unreadable: Vec::new(),
        whole_matches: found.hashed.resource == manifest.resource(),
        bytes: found.hashed.bytes,
        found: found.hashed,
    })
}

fn verdict(path: &Path, manifest: &Manifest, checked: &Checked) -> Result<(), Error> {
    let is_directory = path.is_dir();
    let whole = if is_directory { "the tar as a whole" } else { "the whole file" };
    let path = path.display();
    if !checked.bad.is_empty() {
        let bad = checked.bad.len();
        let total = human::count(manifest.count().get().into(), "chunk");
        let named = indices(&checked.bad);
        let how = if bad == 1 { "differs or is missing" } else { "differ or are missing" };
        let message = format!("{path} does not match: {bad} of {total} {how}: {named}");
        let hint = match is_directory {
            true => {
                "names, permissions and times count, too; a tar that another program made is checked as a file"
            }
            false => "fetch it again, or make a new manifest for it",
        };
        return Err(Error::bad_data(message).hint(hint));
    }
    if checked.bytes > manifest.count().bytes_max() {
        let message = format!("{path} does not match: it is longer than the manifest says");
        return Err(Error::bad_data(message));
    }
    if !checked.whole_matches {
        let message = format!("the chunks of {path} match the manifest but {whole} does not");
        return Err(Error::bad_data(message).hint("the manifest is wrong; do not use it"));
    }
    Ok(())
}

/// What a manifest names, if it is beside it: a file, or the directory that the file would be the tar of.
fn beside(path: &Path, manifest: &Manifest) -> Option<PathBuf> {
    let directory = TreeName::of_resource(manifest.name());
    let names = [Some(manifest.name().as_str()), directory.as_ref().map(TreeName::as_str)];
    names.into_iter().flatten().map(|name| path.with_file_name(name)).find(|beside| beside.exists())
}

/// The first few indices, as text.
fn indices(bad: &[ChunkIndex]) -> String {
    let named: Vec<String> = bad.iter().take(NAMED_MAX).map(|index| index.to_string()).collect();
    let more = if bad.len() > NAMED_MAX { ", …" } else { "" };
    format!("{}{more}", named.join(", "))
}
