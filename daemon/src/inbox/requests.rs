//! The door through which the driver is asked for something, whoever asks: a caller of the control socket, or a part of
//! the daemon that shares, fetches or removes for a reason of its own. Each request is answered when the driver has done it,
//! or says why it has not.

use super::command::{Command, Reply, ToShare, Wanted};
use super::context::Context;
use super::input::Input;
use super::refusals::unknown;
use crate::snapshot::Snapshot;
use crate::store::Import;
use crate::tasks::TaskHandle;
use shared::name::ResourceName;
use shared::rpc::control::{
    Accepted, ControlError, ErrorKind, PeerInfo, ResourceStatus, TaskId, TaskState, Watched,
};
use shared::wanted::WantedBy;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// The longest wait for the end of a task.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// Asks the driver. Never to be waited for inside of the driver's loop: it would wait for itself.
#[derive(Debug, Clone)]
pub struct Requests {
    context: Arc<Context>,
}

impl Requests {
    /// A door to the driver of this context.
    pub fn new(context: &Arc<Context>) -> Requests {
        Requests { context: context.clone() }
    }

    /// Puts a command to the driver and waits for its answer.
    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, ControlError> {
        let (reply, answer) = oneshot::channel();
        self.context.tell(Input::Command(command(reply))).await;
        answer.await.unwrap_or_else(|_| {
            Err(ControlError {
                kind: ErrorKind::Internal,
                message: "the daemon is ending".to_owned(),
                hint: None,
            })
        })
    }

    // -- share

    /// Shares a file that lies in the shared folder. It is shared when the task has ended.
    pub async fn share(&self, request: ToShare) -> Result<TaskId, ControlError> {
        self.ask(|reply| Command::Share { request, reply }).await
    }

    /// Begins to share a file from elsewhere: there is room for it. Its bytes go into an [`Import`].
    pub async fn import(&self, request: ToShare) -> Result<(TaskId, TaskHandle), ControlError> {
        self.ask(|reply| Command::Import { request, reply }).await
    }

    /// All bytes of an import are here. It is shared when the task has ended.
    pub async fn import_end(
        &self,
        task: TaskId,
        request: ToShare,
        import: Import,
    ) -> Result<(), ControlError> {
        self.ask(|reply| Command::ImportEnd { task, request, import, reply }).await
    }

    /// How far a task is: when it has ended, or after this time, but no longer than a minute.
    pub async fn task(&self, task: TaskId, wait: Duration) -> Result<TaskState, ControlError> {
        let mut state = self.ask(|reply| Command::Task { task, reply }).await?;
        let ended = state.wait_for(|state| !matches!(state, TaskState::Running { .. }));
        let _ = tokio::time::timeout(wait.min(WAIT_MAX), ended).await;
        let now = state.borrow().clone();
        Ok(now)
    }

    // -- get

    /// Fetches a resource, unless it is here.
    pub async fn get(&self, wanted: Wanted) -> Result<Accepted, ControlError> {
        self.ask(|reply| Command::Get { wanted, reply }).await
    }

    /// As [`get`](Requests::get) of what is known here under a name or an id, without any tracker.
    pub async fn find_locally(
        &self,
        what: String,
        replace: bool,
        by: WantedBy,
    ) -> Result<Accepted, ControlError> {
        self.ask(|reply| Command::FindLocally { what, replace, by, reply }).await
    }

    // -- everything else; `what` is a name or an id

    /// How resources are doing at this moment: all of them without `what`.
    pub async fn status(&self, what: Option<String>) -> Result<Vec<ResourceStatus>, ControlError> {
        known(&*self.snapshot(what.clone()).await?, what.as_deref())
    }

    /// As [`status`](Requests::status), with the number of the snapshot: when that says something new to whoever has seen
    /// the snapshot of the number `seen`, or after this time.
    pub async fn watch(
        &self,
        mut snapshots: watch::Receiver<Arc<Snapshot>>,
        what: Option<String>,
        seen: u64,
        wait: Duration,
    ) -> Result<Watched, ControlError> {
        let is_news = |snapshot: &Arc<Snapshot>| snapshot.is_news(what.as_deref(), seen);
        let news = async { snapshots.wait_for(is_news).await.is_ok() };
        if tokio::time::timeout(wait, news).await == Ok(true) && seen != 0 {
            let snapshot = snapshots.borrow().clone();
            let resources = snapshot.of(what.as_deref());
            if what.is_none() || !resources.is_empty() {
                return Ok(Watched { seen: snapshot.number(), resources });
            }
        }
        // What is not in the published one may have gone, or be in the next one only: the driver knows.
        let snapshot = self.snapshot(what.clone()).await?;
        Ok(Watched { seen: snapshot.number(), resources: known(&snapshot, what.as_deref())? })
    }

    /// As [`status`](Requests::status), after a look at the files.
    pub async fn inspect(&self, what: String) -> Result<Vec<ResourceStatus>, ControlError> {
        let wanted = what.clone();
        known(&*self.ask(|reply| Command::Inspect { what: wanted, reply }).await?, Some(&what))
    }

    async fn snapshot(&self, what: Option<String>) -> Result<Arc<Snapshot>, ControlError> {
        self.ask(|reply| Command::Status { what, reply }).await
    }

    /// The peers of a resource.
    pub async fn peers(&self, what: String) -> Result<Vec<PeerInfo>, ControlError> {
        self.ask(|reply| Command::Peers { what, reply }).await
    }

    /// Stops for a while; returns the names that it is about.
    pub async fn pause(&self, what: String) -> Result<Vec<ResourceName>, ControlError> {
        self.ask(|reply| Command::Pause { what, reply }).await
    }

    /// Goes on; returns the names that it is about.
    pub async fn resume(&self, what: String) -> Result<Vec<ResourceName>, ControlError> {
        self.ask(|reply| Command::Resume { what, reply }).await
    }

    /// Stops sharing and forgets, with `delete` also the finished file. A user removes for all; any other takes back what
    /// it wanted itself, and the names that somebody else wants stay. Returns those that are gone.
    pub async fn remove(
        &self,
        what: String,
        delete: bool,
        by: WantedBy,
    ) -> Result<Vec<ResourceName>, ControlError> {
        self.ask(|reply| Command::Remove { what, delete, by, reply }).await
    }

    /// Hashes again what is on disk. The task ends with what was found.
    pub async fn verify(&self, what: String) -> Result<TaskId, ControlError> {
        self.ask(|reply| Command::Verify { what, reply }).await
    }
}

/// How what somebody means is doing.
fn known(snapshot: &Snapshot, what: Option<&str>) -> Result<Vec<ResourceStatus>, ControlError> {
    match (snapshot.of(what), what) {
        (found, Some(what)) if found.is_empty() => Err(unknown(what)),
        (found, _) => Ok(found),
    }
}
