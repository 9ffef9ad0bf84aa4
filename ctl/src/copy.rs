//! Copies a complete file or directory out of the shared directory: a file with the caller's rights, or through ttd if the
//! caller may not read it; a directory always through ttd, as a directory or as the tar that it is sent as.

use crate::chunks::{self, AfterInterrupt, Chunks};
use crate::error::{Error, Kind};
use crate::files::{self, NewFile, write_error};
use crate::link::Link;
use crate::output::Output;
use crate::progress::{Now, Progress};
use crate::staged::Staged;
use crate::unpack::Unpacking;
use shared::host::sparse;
use shared::name::{MANIFEST_SUFFIX, ResourceName};
use shared::rpc::control::{Accepted, DaemonInfo};
use shared::tree::TreeName;
use shared::zeros::{self, Part};
use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
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

/// Refuses to make a directory in the place of something that would be lost.
fn refuse_early_tree(target: &Path, replace: bool) -> Result<(), Error> {
    match std::fs::symlink_metadata(target) {
        Ok(metadata) if metadata.is_dir() && replace => Ok(()),
        Ok(metadata) if metadata.is_dir() => Err(files::exists(target)),
        Ok(_) => Err(Error::refused(format!("{} exists and is not a directory", target.display()))
            .hint("move it away, or name another path with -o")),
        Err(_) => Ok(()),
    }
}

fn no_folder(path: &Path) -> Error {
    let what = if path.exists() { "is not a directory" } else { "does not exist" };
    Error::refused(format!("{} {what}", path.display()))
        .hint("create it first, or name a path in an existing directory")
}

/// Where a complete file or directory is.
pub(crate) fn place_of(daemon: &DaemonInfo, name: &ResourceName, is_tree: bool) -> PathBuf {
    let tree = TreeName::of_resource(name).filter(|_| is_tree);
    daemon.folder.join(tree.as_ref().map_or(name.as_str(), TreeName::as_str))
}

/// What is copied.
#[derive(Debug, Clone)]
pub(crate) struct Done {
    pub(crate) accepted: Accepted,
    /// Whether it is a directory.
    pub(crate) is_tree: bool,
    /// Whether the copy of a directory is its tar.
    pub(crate) as_file: bool,
    /// Its size in bytes, or the largest that it may have, for the progress.
    pub(crate) bytes: u64,
}

/// A copy.
pub(crate) struct Copied {
    pub(crate) path: PathBuf,
    pub(crate) warning: Option<String>,
}

/// Copies it and returns where the copy is. After ^C or a failure nothing is left of it.
pub(crate) async fn copy_out(
    link: &Link<'_>,
    done: Done,
    target: &Path,
    replace: bool,
    output: &Output,
) -> Result<Copied, Error> {
    let daemon = link.daemon().info.clone();
    let source = place_of(&daemon, &done.accepted.name, done.is_tree);
    let makes_tree = done.is_tree && !done.as_file;
    let name = if makes_tree {
        source.file_name().unwrap_or_default()
    } else {
        done.accepted.name.as_str().as_ref()
    };
    let target = if target.is_dir() { target.join(name) } else { target.to_owned() };
    must_be_outside(&target, &daemon)?;
    match makes_tree {
        true => refuse_early_tree(&target, replace)?,
        false => refuse_early(&target, replace)?,
    }
    let copying = Copying { source: source.clone(), target, replace, bytes: done.bytes };
    let progress = || Progress::new(output, done.accepted.name.as_str());
    let copied = match (done.is_tree, makes_tree) {
        // Through ttd, so that the copy is what was shared, without what somebody has changed in it.
        (true, true) => {
            let progress = progress();
            let unpack = move |chunks| copying.unpack(chunks, progress);
            chunks::read(link, &done.accepted, AfterInterrupt::Wait, unpack).await
        }
        (false, _) if may_read(&source) => until_interrupted(copying, progress(), Copying::file).await,
        _ => {
            let progress = progress();
            let write = move |chunks| copying.write(chunks, progress);
            chunks::read(link, &done.accepted, AfterInterrupt::Wait, write).await
        }
    };
    copied.map_err(|error| match error.kind {
        Kind::Interrupted => Error::new(Kind::Interrupted, "interrupted while copying; no copy was made")
            .hint(format!("the complete {} is {}", what(&source), source.display())),
        _ => error,
    })
}

fn what(complete: &Path) -> &'static str {
    if complete.is_dir() { "directory" } else { "file" }
}

/// Whether the caller may read a file. It may be missing, too.
pub(crate) fn may_read(path: &Path) -> bool {
    !File::open(path).is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

/// Refuses a copy in the shared directory, where the original is, and in a directory that is shared there: it would
/// change it.
fn must_be_outside(target: &Path, daemon: &DaemonInfo) -> Result<(), Error> {
    let parent = files::parent(target);
    let parent = parent.canonicalize().unwrap_or_else(|_| parent.to_owned());
    let is_shared = |folder: &Path| files::is_folder(folder, daemon.folder_device, daemon.folder_inode);
    if is_shared(&parent) {
        return Err(Error::refused(format!("{} is in the shared directory", target.display()))
            .hint("it is there already; omit -o"));
    }
    let mut above = parent.ancestors().zip(parent.ancestors().skip(1));
    let Some((top, folder)) = above.find(|(_, folder)| is_shared(folder)) else { return Ok(()) };
    let name = top.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let manifest = name.parse().map(|name: TreeName| format!("{}{MANIFEST_SUFFIX}", name.resource_name()));
    if name == ".tinytorrent" || manifest.is_ok_and(|manifest| folder.join(manifest).exists()) {
        return Err(Error::refused(format!(
            "{} is in {}, which belongs to ttd",
            target.display(),
            top.display()
        ))
        .hint("a copy there would change it; name another place with -o"));
    }
    Ok(())
}

/// A copy that is being made.
#[derive(Clone)]
struct Copying {
    source: PathBuf,
    target: PathBuf,
    replace: bool,
    bytes: u64,
}

impl Copying {
    fn done(self, warning: Option<String>) -> Copied {
        Copied { path: self.target, warning }
    }

    /// Makes a copy of a directory from the bytes of its tar.
    fn unpack(self, mut chunks: Chunks, mut progress: Progress) -> Result<Copied, Error> {
        let staged = Staged::create(&self.target)?;
        let mut unpacking = Unpacking::new(&staged.new_path(), &self.target);
        let mut bytes_done = 0;
        while let Some(chunk) = chunks.next()? {
            unpacking.add(&chunk)?;
            bytes_done += chunk.len() as u64;
            progress.update(&copied_so_far(bytes_done, self.bytes));
        }
        unpacking.finish()?;
        let warning = staged.publish(self.replace)?;
        Ok(self.done(warning))
    }

    /// Copies a file. Setting `stop` ends it.
    fn file(self, mut progress: Progress, stop: &AtomicBool) -> Result<Copied, Error> {
        let (file, metadata) = files::open_regular(&self.source).map_err(|error| {
            match std::fs::symlink_metadata(&self.source) {
                Err(gone) if gone.kind() == io::ErrorKind::NotFound => {
                    error.hint("it was deleted a moment ago; `ttctl get` fetches it again")
                }
                _ => error,
            }
        })?;
        let mut new = NewFile::create(&self.target)?;
        let copied = sparse::copy(&file, new.file(), metadata.len(), &mut |bytes_done| {
            progress.update(&copied_so_far(bytes_done, metadata.len()));
            if stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        copied.map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => Error::new(Kind::Interrupted, "interrupted"),
            _ => write_error(&self.target, &error),
        })?;
        new.publish(self.replace)?;
        Ok(self.done(None))
    }

    /// Writes a file from its bytes. Runs of zeros become holes.
    fn write(self, mut chunks: Chunks, mut progress: Progress) -> Result<Copied, Error> {
        let mut new = NewFile::create(&self.target)?;
        let failed = |error: io::Error| write_error(&self.target, &error);
        let mut end = 0;
        while let Some(chunk) = chunks.next()? {
            for piece in zeros::parts(&chunk) {
                if let Part::Data(range) = piece {
                    let offset = end + range.start as u64;
                    new.file().write_all_at(&chunk[range], offset).map_err(failed)?;
                }
            }
            end += chunk.len() as u64;
            progress.update(&copied_so_far(end, self.bytes));
        }
        new.file().set_len(end).map_err(failed)?;
        new.publish(self.replace)?;
        Ok(self.done(None))
    }
}

fn copied_so_far(bytes_done: u64, bytes_total: u64) -> Now<'static> {
    Now { bytes_done, bytes_total, doing: "copying", ..Now::default() }
}

/// Stops the copy when it is dropped.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Copies in a thread of its own, so that ^C can end it. If the future is dropped earlier, no copy is left.
async fn until_interrupted(
    copying: Copying,
    progress: Progress,
    copy: impl FnOnce(Copying, Progress, &AtomicBool) -> Result<Copied, Error> + Send + 'static,
) -> Result<Copied, Error> {
    let stop = Arc::new(AtomicBool::new(false));
    let _stop_on_drop = StopOnDrop(stop.clone());
    let mut copying = {
        let stop = stop.clone();
        tokio::task::spawn_blocking(move || copy(copying, progress, &stop))
    };
    let panicked = |error: tokio::task::JoinError| Err(Error::internal(error.to_string()));
    let interrupted = tokio::select! {
        copied = &mut copying => return copied.unwrap_or_else(panicked),
        interrupted = tokio::signal::ctrl_c() => interrupted,
    };
    stop.store(interrupted.is_ok(), Ordering::Relaxed);
    copying.await.unwrap_or_else(panicked)
}
