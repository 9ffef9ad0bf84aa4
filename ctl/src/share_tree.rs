//! Shares a directory: where it is, if that is the shared directory; otherwise its tar is sent to ttd, which lays it out
//! there. It is read with the caller's rights, and each of its files once.

use crate::connect::{CALL_TIMEOUT, Daemon, PART_TIMEOUT};
use crate::error::{Error, Kind};
use crate::files;
use crate::output::Output;
use crate::progress::{Now, Progress};
use crate::tasks;
use crate::tree::{self, Directory, Purpose};
use bytes::Bytes;
use shared::host::tree::{Notes, TreeError, TreeFiles, Walked, read_tree, walk};
use shared::name::ResourceName;
use shared::rpc::control::{ControlError, ShareRequest, Shared, TaskId};
use shared::rpc::wire::CallError;
use shared::tree::{TreeName, TreeOptions};
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use tokio::sync::mpsc;

/// Limits the chunks of 1 MiB that are read before ttd took those before them. The reader waits when there are more.
const READ_AHEAD_MAX: usize = 4;

/// Shares the directory at a path.
pub(crate) async fn share_tree(
    daemon: &Daemon,
    path: &Path,
    request: impl FnOnce(ResourceName) -> ShareRequest,
    options: TreeOptions,
    moves: bool,
    output: &Output,
) -> Result<Shared, Error> {
    let directory = Directory::new(path, Purpose::Share)?;
    must_be_apart(&directory.path, daemon)?;
    let request = ShareRequest { tree: Some(options), ..request(directory.name.resource_name()) };
    if files::is_folder(files::parent(&directory.path), daemon.info.folder_device, daemon.info.folder_inode) {
        let label = request.name.to_string();
        let task = daemon.caller.share(request, CALL_TIMEOUT).await??;
        return tasks::shared(daemon, task, Progress::new(output, &label)).await;
    }
    if moves {
        let message = format!("{} is a directory; --move is for files", directory.path.display());
        let hint = format!("move it to {} yourself, and share it there", daemon.info.folder.display());
        return Err(Error::usage(message).hint(hint));
    }
    let result = match import(daemon, &directory, request.clone(), options, output).await {
        Err(Failed::Tree(changed @ TreeError::Changed { .. })) => {
            match import(daemon, &directory, request, options, output).await {
                // The first attempt had the room. That the directory changed is why it was to begin again.
                Err(Failed::NotBegun(error)) if error.kind == Kind::NoSpace => Err(Failed::Tree(changed)),
                again => again,
            }
        }
        result => result,
    };
    let (mut shared, notes) = result.map_err(|failed| match failed {
        Failed::Tree(error) => tree::failed(&directory.path, error, Purpose::Share),
        Failed::NotBegun(error) | Failed::Other(error) => error,
    })?;
    shared.warnings.extend(tree::sentences(&directory.path, &notes));
    Ok(shared)
}

/// Refuses the shared directory itself and what it is in: its copy would be a part of itself.
fn must_be_apart(path: &Path, daemon: &Daemon) -> Result<(), Error> {
    let metadata =
        path.metadata().map_err(|error| Error::io(format!("cannot access {}", path.display()), &error))?;
    let (device, inode) = (metadata.dev(), metadata.ino());
    let folder = daemon.info.folder.canonicalize().unwrap_or_else(|_| daemon.info.folder.clone());
    if !folder.ancestors().any(|above| files::is_folder(above, device, inode)) {
        return Ok(());
    }
    let is_itself = files::is_folder(path, daemon.info.folder_device, daemon.info.folder_inode);
    let what = if is_itself { "is" } else { "contains" };
    let message = format!("{} {what} ttd's shared directory", path.display());
    Err(Error::refused(message).hint("share the files and directories in it one by one"))
}

enum Failed {
    Tree(TreeError),
    /// ttd did not accept it.
    NotBegun(Error),
    Other(Error),
}

impl From<TreeError> for Failed {
    fn from(error: TreeError) -> Failed {
        Failed::Tree(error)
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Failed {
        Failed::Other(error)
    }
}

impl From<ControlError> for Failed {
    fn from(error: ControlError) -> Failed {
        Failed::Other(error.into())
    }
}

impl From<CallError> for Failed {
    fn from(error: CallError) -> Failed {
        Failed::Other(error.into())
    }
}

/// Imports a directory. Also returns what its tar does not carry.
async fn import(
    daemon: &Daemon,
    directory: &Directory,
    request: ShareRequest,
    options: TreeOptions,
    output: &Output,
) -> Result<(Shared, Notes), Failed> {
    let label = request.name.to_string();
    let (top, name) = (tree::open(&directory.path)?, directory.name.clone());
    let (files, walked) = off_the_runtime(move || walk_in(top, name, options)).await??;
    let bytes_total = walked.layout.contents_end(); // ttd makes the sums
    let request = ShareRequest { bytes: bytes_total, data_bytes: bytes_total, ..request };
    let asked = daemon.caller.import(request, CALL_TIMEOUT).await;
    let task = asked.map_err(Error::from).and_then(|begun| Ok(begun?)).map_err(Failed::NotBegun)?;
    let notes = match send(daemon, task, (files, walked), Progress::new(output, &label)).await {
        Ok(notes) => notes,
        Err(failed) => {
            tasks::cancel_import(daemon, task).await;
            return Err(failed);
        }
    };
    daemon.caller.import_end(task, CALL_TIMEOUT).await??;
    Ok((tasks::shared(daemon, task, Progress::new(output, &label)).await?, notes))
}

/// Sends a directory's tar. Returns what it does not carry.
async fn send(
    daemon: &Daemon,
    task: TaskId,
    (files, walked): (TreeFiles, Walked),
    mut progress: Progress,
) -> Result<Notes, Failed> {
    let bytes_total = walked.layout.contents_end();
    let (chunks, parts) = mpsc::channel(READ_AHEAD_MAX);
    let reading = off_the_runtime(move || {
        let mut send = |chunk: Vec<u8>| match chunks.blocking_send(chunk) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()), // ttd has refused one
        };
        read_tree(&files, &walked, &mut send).map(|capabilities| Notes { capabilities, ..walked.notes })
    });
    let sending = async move {
        let mut bytes_done = 0;
        let mut parts = parts; // dropped with this block, so that the reader ends if ttd refuses a part
        while let Some(part) = parts.recv().await {
            bytes_done += part.len() as u64;
            daemon.caller.import_part(task, Bytes::from(part).into(), PART_TIMEOUT).await??;
            progress.update(&Now { bytes_done, bytes_total, doing: "importing", ..Now::default() });
        }
        Ok::<(), Error>(())
    };
    let (read, sent) = tokio::join!(reading, sending);
    match (sent, read?) {
        (Err(error), _) => Err(error.into()),
        (Ok(()), notes) => Ok(notes?),
    }
}

fn walk_in(top: OwnedFd, name: TreeName, options: TreeOptions) -> Result<(TreeFiles, Walked), TreeError> {
    let files = TreeFiles::new(top);
    let walked = walk(files.top(), name, options, &|_| ControlFlow::Continue(()))?;
    Ok((files, walked))
}

async fn off_the_runtime<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::internal(format!("cannot read the directory: {error}")))
}
