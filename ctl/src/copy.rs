//! Copies a complete file out of the shared directory, with the caller's rights.

use crate::copy_tree;
use crate::error::{Error, Kind};
use crate::files::{self, NewFile};
use crate::output::Output;
use crate::progress::{Now, Progress};
use shared::host::sparse;
use shared::name::ResourceName;
use shared::rpc::control::DaemonInfo;
use shared::tree::TreeName;
use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Refuses an unusable target before anything is fetched, as far as that can be known.
pub(crate) fn refuse_early(target: &Path, replace: bool) -> Result<(), Error> {
    match std::fs::metadata(target) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) if replace => files::must_be_replaceable(target),
        Ok(_) => Err(files::exists(target)),
        Err(_) if target.as_os_str().as_encoded_bytes().ends_with(b"/") => Err(no_folder(target)),
        Err(_) if files::parent(target).is_dir() => Ok(()),
        Err(_) => Err(no_folder(files::parent(target))),
    }
}

fn no_folder(path: &Path) -> Error {
    let what = if path.exists() { "is not a directory" } else { "does not exist" };
    Error::refused(format!("{} {what}", path.display()))
        .hint("create it first, or name a file in an existing directory")
}

/// Where a complete file or directory is.
pub(crate) fn place_of(daemon: &DaemonInfo, name: &ResourceName, is_tree: bool) -> PathBuf {
    let tree = TreeName::of_resource(name).filter(|_| is_tree);
    daemon.folder.join(tree.as_ref().map_or(name.as_str(), TreeName::as_str))
}

/// What is copied.
#[derive(Debug, Clone)]
pub(crate) struct Done {
    pub(crate) name: ResourceName,
    pub(crate) is_tree: bool,
    /// Its size, for the progress; 0 if unknown.
    pub(crate) bytes: u64,
}

/// Copies the file or directory of this name and returns the target's path. Setting `stop` ends it; then nothing is left behind.
pub(crate) fn copy_out(
    daemon: &DaemonInfo,
    done: &Done,
    target: &Path,
    replace: bool,
    progress: Progress,
    stop: &AtomicBool,
) -> Result<PathBuf, Error> {
    let source = place_of(daemon, &done.name, done.is_tree);
    let name = source.file_name().unwrap_or_default();
    let target = if target.is_dir() { target.join(name) } else { target.to_owned() };
    if !done.is_tree {
        refuse_early(&target, replace)?;
    }
    if files::is_folder(files::parent(&target), daemon.folder_device, daemon.folder_inode) {
        return Err(Error::refused(format!("{} is in the shared directory", target.display()))
            .hint("the file is there already; omit -o"));
    }
    if done.is_tree {
        copy_tree::copy_tree(&source, &target, replace, done.bytes, progress, stop)?;
        return Ok(target);
    }
    let (file, metadata) = files::open_regular(&source).map_err(|error| unreadable(&source, error))?;
    let mut new = NewFile::create(&target)?;
    copy(&file, new.file(), metadata.len(), progress, stop).map_err(|error| match error.kind() {
        io::ErrorKind::Interrupted => Error::new(Kind::Interrupted, "interrupted"),
        _ => files::write_error(&target, &error),
    })?;
    new.publish(replace)?;
    Ok(target)
}

/// The error with a hint when a complete file cannot be opened.
fn unreadable(source: &Path, error: Error) -> Error {
    let is_gone =
        std::fs::symlink_metadata(source).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    error.hint(match is_gone {
        true => "it was deleted a moment ago; `ttctl get` fetches it again",
        false => "ttd can read the file but you cannot; see file_mode and file_group in ttd.toml(5)",
    })
}

fn copy(
    source: &File,
    target: &File,
    bytes_total: u64,
    mut progress: Progress,
    stop: &AtomicBool,
) -> io::Result<()> {
    sparse::copy(source, target, bytes_total, &mut |bytes_done| {
        progress.update(&Now { bytes_done, bytes_total, doing: "copying", ..Now::default() });
        if stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
}

/// Stops the copy when it is dropped.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs [`copy_out`] in a thread of its own, so that ^C can end it. If the future is dropped earlier, no copy is left.
pub(crate) async fn copy_out_until_interrupted(
    daemon: DaemonInfo,
    done: Done,
    target: PathBuf,
    replace: bool,
    output: &Output,
) -> Result<PathBuf, Error> {
    let stop = Arc::new(AtomicBool::new(false));
    let _stop_on_drop = StopOnDrop(stop.clone());
    let progress = Progress::new(output, done.name.as_str());
    let complete = place_of(&daemon, &done.name, done.is_tree);
    let mut copying = {
        let stop = stop.clone();
        tokio::task::spawn_blocking(move || copy_out(&daemon, &done, &target, replace, progress, &stop))
    };
    let interrupted = tokio::select! {
        copied = &mut copying => return copied.unwrap_or_else(|error| Err(Error::internal(error.to_string()))),
        interrupted = tokio::signal::ctrl_c() => interrupted,
    };
    stop.store(interrupted.is_ok(), Ordering::Relaxed);
    let copied = copying.await.unwrap_or_else(|error| Err(Error::internal(error.to_string())));
    copied.map_err(|error| match error.kind {
        Kind::Interrupted => Error::new(Kind::Interrupted, "interrupted while copying; no copy was made")
            .hint(format!("the complete {} is {}", what(&complete), complete.display())),
        _ => error,
    })
}

fn what(complete: &Path) -> &'static str {
    if complete.is_dir() { "directory" } else { "file" }
}
