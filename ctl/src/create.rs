//! `ttctl create`: makes the manifest of a file or a directory.

use crate::cli::CreateArgs;
use crate::documents::{Created, Document};
use crate::error::Error;
use crate::files::{self, NewFile};
use crate::output::Output;
use crate::progress::{Now, Progress};
use crate::tree::{self, Directory, Purpose};
use shared::host::config::{DaemonConfig, Files};
use shared::host::environment;
use shared::host::hashing::{Hashed, hash_file};
use shared::host::paths::Places;
use shared::host::tree::hash_tree;
use shared::manifest::Manifest;
use shared::name::ResourceName;
use shared::url::TrackerUrl;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

pub(crate) fn create(args: &CreateArgs, output: &mut Output) -> Result<(), Error> {
    let trackers = trackers(&args.trackers)?;
    let is_directory = args.file.is_dir();
    let (path, name, hashed) = if is_directory { hash_directory(args, output) } else { hash(args, output) }?;
    let (resource, bytes) = (hashed.resource, hashed.bytes);
    let manifest = Manifest::new(name, resource, trackers, hashed.hashes)
        .map_err(|why| Error::usage(format!("cannot make a manifest of {}: {why}", path.display())))?;
    for url in manifest.trackers().iter().filter(|url| url.is_loopback()) {
        output.warning(&format!("{url} is a loopback address: other machines cannot reach it"));
    }
    if args.output.as_deref() == Some(Path::new("-")) {
        return manifest.text_parts().try_for_each(|part| output.text(&part));
    }
    let path = match &args.output {
        Some(path) if path.is_dir() => path.join(manifest.name().manifest_name()),
        Some(path) => path.clone(),
        None => path.with_file_name(manifest.name().manifest_name()),
    };
    write(&manifest, &path)?;
    if output.is_json() {
        return output.json(&Document::new(Created {
            name: manifest.name().to_string(),
            kind: if is_directory { "tree" } else { "file" },
            resource: resource.to_string(),
            manifest: path.display().to_string(),
            bytes,
            chunks_total: manifest.count().get(),
        }));
    }
    output.line(&format!("{}  {}", output.id(&resource), path.display()))
}

/// The trackers of the command line, else those of the environment, else those of the daemon's config file.
fn trackers(args: &[TrackerUrl]) -> Result<Vec<TrackerUrl>, Error> {
    let named = environment::trackers(args).map_err(|error| Error::usage(error.to_string()))?;
    if !named.is_empty() {
        return Ok(named);
    }
    let path: PathBuf = Places::of_process().daemon_config();
    let config = Files::read_if_any(&path).and_then(|files| DaemonConfig::of(&files)).map_err(|error| {
        Error::usage(error.to_string()).hint("name the trackers with --tracker, or correct the config file")
    })?;
    if config.trackers.is_empty() {
        return Err(Error::usage("no tracker is named and none is configured")
            .hint(format!("use --tracker tt://HOST, or set `trackers` in {}", path.display())));
    }
    Ok(config.trackers)
}

fn hash(args: &CreateArgs, output: &Output) -> Result<(PathBuf, ResourceName, Hashed), Error> {
    let path = &args.file;
    let name = files::name_of(path)?;
    let (file, metadata) = files::open_regular(path)?;
    let progress = Mutex::new(Progress::new(output, name.as_str()));
    let hashed = hash_file(&file, &|bytes_done| {
        let now = Now { bytes_done, bytes_total: metadata.len(), doing: "hashing", ..Now::default() };
        progress.lock().unwrap_or_else(PoisonError::into_inner).update(&now);
        ControlFlow::Continue(())
    });
    let hashed = hashed.map_err(|error| Error::io(format!("cannot hash {}", path.display()), &error))?;
    Ok((path.clone(), name, hashed))
}

fn hash_directory(args: &CreateArgs, output: &Output) -> Result<(PathBuf, ResourceName, Hashed), Error> {
    let Directory { path, name } = Directory::new(&args.file, Purpose::Create)?;
    let top = tree::open(&path)?;
    let hashed = tree::with_progress(&path, Purpose::Create, output, |progress| {
        hash_tree(top, &name, args.tree.options(), progress)
    })?;
    tree::warn(&path, &hashed.walked.notes, output);
    Ok((path, name.resource_name(), hashed.hashed))
}

fn write(manifest: &Manifest, path: &Path) -> Result<(), Error> {
    let mut new = NewFile::create(path)?;
    for part in manifest.text_parts() {
        new.file().write_all(part.as_bytes()).map_err(|error| files::write_error(path, &error))?;
    }
    new.publish(true)
}
