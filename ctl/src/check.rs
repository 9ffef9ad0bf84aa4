//! `ttctl check`: checks that a manifest is valid, and compares a file with it.

use crate::cli::CheckArgs;
use crate::documents::{Check, CheckedFile, Document};
use crate::error::Error;
use crate::files;
use crate::human;
use crate::output::Output;
use crate::progress::{Now, Progress};
use shared::chunk::ChunkIndex;
use shared::host::hashing::{Checked, check_file};
use shared::manifest::Manifest;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Limits the indices of bad chunks that one line lists; the others are left out. Eight fit on one line.
const NAMED_MAX: usize = 8;

pub(crate) fn check(args: &CheckArgs, output: &mut Output) -> Result<(), Error> {
    let manifest = files::read_manifest(&args.manifest)?;
    let beside = args.manifest.with_file_name(manifest.name().as_str());
    let file = args.file.clone().or_else(|| beside.exists().then_some(beside));
    let Some(path) = file else {
        return match output.is_json() {
            true => output.json(&Document::new(Check::new(&manifest, None))),
            false => {
                output.line(&describe(&manifest, output))?;
                output.warning(&format!(
                    "{} is not in the same directory and was not checked",
                    manifest.name()
                ));
                Ok(())
            }
        };
    };
    let checked = compare(&path, &manifest, output)?;
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

fn verdict(path: &Path, manifest: &Manifest, checked: &Checked) -> Result<(), Error> {
    let path = path.display();
    if !checked.bad.is_empty() {
        let bad = checked.bad.len();
        let total = human::count(manifest.count().get().into(), "chunk");
        let named = indices(&checked.bad);
        let how = if bad == 1 { "differs or is missing" } else { "differ or are missing" };
        let message = format!("{path} does not match: {bad} of {total} {how}: {named}");
        return Err(Error::bad_data(message).hint("fetch it again, or make a new manifest for it"));
    }
    if checked.bytes > manifest.count().bytes_max() {
        let message = format!("{path} does not match: it is longer than the manifest says");
        return Err(Error::bad_data(message));
    }
    if !checked.whole_matches {
        let message = format!("the chunks of {path} match the manifest but the whole file does not");
        return Err(Error::bad_data(message).hint("the manifest is wrong; do not use it"));
    }
    Ok(())
}

/// The first few indices, as text.
fn indices(bad: &[ChunkIndex]) -> String {
    let named: Vec<String> = bad.iter().take(NAMED_MAX).map(|index| index.to_string()).collect();
    let more = if bad.len() > NAMED_MAX { ", …" } else { "" };
    format!("{}{more}", named.join(", "))
}
