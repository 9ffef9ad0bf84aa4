//! Waits for work that the daemon does.

use crate::connect::{Daemon, PART_TIMEOUT, POLL_TIMEOUT, WAIT_MS};
use crate::error::Error;
use crate::progress::{Now, Progress};
use shared::rpc::control::{Accepted, EditedFiles, Shared, TaskId, TaskState};

/// The result of a successful task.
#[derive(Debug)]
pub(crate) enum Ended {
    Shared(Shared),
    Verified { chunks_good: u32, chunks_total: u32, edited: Option<EditedFiles> },
    Found(Accepted),
}

/// Waits until the task has ended, and shows its progress.
pub(crate) async fn wait(daemon: &Daemon, task: TaskId, mut progress: Progress) -> Result<Ended, Error> {
    // The first answers come soon, so that something is shown early.
    let mut wait_ms = 300;
    loop {
        match daemon.caller.task(task, wait_ms, POLL_TIMEOUT).await?? {
            TaskState::Running { bytes_done, bytes_total, doing } => {
                progress.update(&Now { bytes_done, bytes_total, doing: &doing, ..Now::default() });
            }
            TaskState::Shared(shared) => return Ok(Ended::Shared(shared)),
            TaskState::Verified { chunks_good, chunks_total, edited } => {
                return Ok(Ended::Verified { chunks_good, chunks_total, edited });
            }
            TaskState::Found(accepted) => return Ok(Ended::Found(accepted)),
            TaskState::Failed(error) => return Err(error.into()),
        }
        wait_ms = if progress.is_bar() { 300 } else { WAIT_MS };
    }
}

/// Waits until something is shared.
pub(crate) async fn shared(daemon: &Daemon, task: TaskId, progress: Progress) -> Result<Shared, Error> {
    match wait(daemon, task, progress).await? {
        Ended::Shared(shared) => Ok(shared),
        ended => Err(unexpected(&ended)),
    }
}

/// Cancels an import that has failed, and waits until its room is free. There is nothing to do when that fails: ttd
/// cancels it when nothing more comes.
pub(crate) async fn cancel_import(daemon: &Daemon, task: TaskId) {
    drop(daemon.caller.import_cancel(task, PART_TIMEOUT).await);
}

/// The error when the daemon's answer belongs to another kind of task.
pub(crate) fn unexpected(ended: &Ended) -> Error {
    Error::internal(format!("ttd sent an unexpected result: {ended:?}"))
}
