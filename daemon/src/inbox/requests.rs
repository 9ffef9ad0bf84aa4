//! The functions through which callers at the control socket, and parts of the daemon that share, fetch or remove
//! resources, ask the driver. Each waits until the driver has done it or says why not.

use super::command::{Command, Manner, Reply, ToShare, Wanted, Whole};
use super::context::Context;
use super::holding::Holding;
use super::input::Input;
use super::refusals::{internal, unknown};
use crate::jobs;
use crate::snapshot::Snapshot;
use crate::store::{Import, PublishedFile};
use crate::tasks::{ANNOUNCING, TaskHandle};
use shared::id::ResourceId;
use shared::manifest::Manifest;
use shared::name::ResourceName;
use shared::rpc::control::{
    Accepted, ControlError, ErrorKind, Foreign, PeerInfo, ResourceStatus, TaskId, TaskState, Unpublished,
    Watched,
};
use shared::signature::SignatureText;
use shared::wanted::WantedBy;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// The longest wait for the end of a task in one call, so that no call stays open for a caller that has gone. A caller
/// who wants to wait longer asks again.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// Asks the driver. The driver's own loop must never wait for one of these functions: it would wait for itself.
#[derive(Debug, Clone)]
pub struct Requests {
    context: Arc<Context>,
}

impl Requests {
    /// For the driver of this context.
    pub fn new(context: &Arc<Context>) -> Requests {
        Requests { context: context.clone() }
    }

    /// Sends a command to the driver and waits for the answer.
    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, ControlError> {
        let (reply, answer) = oneshot::channel();
        self.context.tell(Input::Command(command(reply))).await;
        answer.await.unwrap_or_else(|_| {
            Err(ControlError { kind: ErrorKind::Stopping, message: "ttd is stopping".to_owned(), hint: None })
        })
    }

    // -- share

    /// Shares a file of the shared directory. It is shared when the task has ended.
    pub async fn share(&self, request: ToShare) -> Result<TaskId, ControlError> {
        self.ask(|reply| Command::Share { request, reply }).await
    }

    /// Begins to share a file from elsewhere, and reserves room for it. Its bytes go into an [`Import`].
    pub async fn import(&self, request: ToShare) -> Result<(TaskId, TaskHandle), ControlError> {
        self.ask(|reply| Command::Import { request, reply }).await
    }

    /// Shares an import whose bytes have all arrived. It is shared when the task has ended.
    pub async fn import_end(
        &self,
        task: TaskId,
        request: ToShare,
        import: Import,
    ) -> Result<(), ControlError> {
        let import = Box::new(import);
        self.ask(|reply| Command::ImportEnd { task, request, import, reply }).await
    }

    /// Waits until what a task shares is hashed and shared here, whatever the trackers say; for as long as `wait` at most.
    /// `None` if it is not over then.
    pub async fn hashed(&self, task: TaskId, wait: Duration) -> Result<Option<TaskState>, ControlError> {
        let mut state = self.ask(|reply| Command::Task { task, reply }).await?;
        let is_hashing =
            |state: &TaskState| matches!(state, TaskState::Running { doing, .. } if doing != ANNOUNCING);
        let hashed = state.wait_for(|state| !is_hashing(state));
        let _ = tokio::time::timeout(wait.min(WAIT_MAX), hashed).await;
        let now = state.borrow().clone();
        Ok(Some(now).filter(|now| !is_hashing(now)))
    }

    /// What ttd has under a name.
    pub async fn holding(&self, name: ResourceName) -> Result<Holding, ControlError> {
        self.ask(|reply| Command::Holding { name, reply }).await
    }

    /// The state of a task: at its end, or after `wait`, which is at most [`WAIT_MAX`].
    pub async fn task(&self, task: TaskId, wait: Duration) -> Result<TaskState, ControlError> {
        let mut state = self.ask(|reply| Command::Task { task, reply }).await?;
        let ended = state.wait_for(|state| !matches!(state, TaskState::Running { .. }));
        let _ = tokio::time::timeout(wait.min(WAIT_MAX), ended).await;
        let now = state.borrow().clone();
        Ok(now)
    }

    // -- get

    /// Fetches a resource, unless it is already here.
    ///
    /// This is where every manifest comes in: before anything else happens it is judged by whose signature its name needs.
    pub async fn get(&self, wanted: Wanted) -> Result<Accepted, ControlError> {
        let trust = self.context.trust.clone();
        if !trust.asks_for(wanted.manifest.name()) {
            return self.ask(|reply| Command::Get { wanted, reply }).await;
        }
        let (judge, signature) = (trust.clone(), wanted.signature.clone());
        let (manifest, older) = (wanted.manifest.clone(), wanted.allows_older);
        let judged = jobs::run(move || judge.judge(&manifest, signature.as_ref(), older)).await;
        let judged = judged.map_err(|error| internal(&error))?.map_err(|refused| refused.error())?;
        let name = wanted.manifest.name().clone();
        let accepted = self.ask(|reply| Command::Get { wanted, reply }).await?;
        jobs::run(move || trust.note(&name, judged)).await.map_err(|error| internal(&error))?;
        Ok(accepted)
    }

    /// Like [`get`](Requests::get), for the resource that this daemon knows under a name or an id, without asking a
    /// tracker.
    pub async fn find_locally(
        &self,
        what: String,
        manner: Manner,
        by: WantedBy,
    ) -> Result<Accepted, ControlError> {
        self.ask(|reply| Command::FindLocally { what, manner, by, reply }).await
    }

    /// The manifest of a name.
    pub async fn manifest(&self, what: String) -> Result<Manifest, ControlError> {
        self.ask(|reply| Command::Manifest { what, reply }).await
    }

    /// Adds a signature, which was checked, to a name that is shared here and has this manifest.
    pub async fn sign(
        &self,
        manifest: Manifest,
        signature: SignatureText,
        by: WantedBy,
    ) -> Result<TaskId, ControlError> {
        self.ask(|reply| Command::Sign { manifest, signature, by, reply }).await
    }

    /// A complete resource, so that its chunks can be read.
    pub async fn complete(&self, what: ResourceId) -> Result<Arc<PublishedFile>, ControlError> {
        self.ask(|reply| Command::Complete { what, reply }).await
    }

    // -- everything else; `what` is a name or an id

    /// The present state of the resources that `what` means; of all of them without it.
    pub async fn status(&self, what: Option<String>) -> Result<Vec<ResourceStatus>, ControlError> {
        known(&*self.snapshot(what.clone()).await?, what.as_deref())
    }

    /// Like [`status`](Requests::status), with the number of the snapshot. Waits until a snapshot says something new to
    /// a reader who has seen the one with the number `seen`, but at most for `wait`.
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
        // A name that the published snapshot lacks may have been removed, or may be in the next snapshot; only the
        // driver knows.
        let snapshot = self.snapshot(what.clone()).await?;
        Ok(Watched { seen: snapshot.number(), resources: known(&snapshot, what.as_deref())? })
    }

    /// Like [`status`](Requests::status), after checking the files for changes.
    pub async fn inspect(&self, what: String) -> Result<Vec<ResourceStatus>, ControlError> {
        let wanted = what.clone();
        known(&*self.ask(|reply| Command::Inspect { what: wanted, reply }).await?, Some(&what))
    }

    async fn snapshot(&self, what: Option<String>) -> Result<Arc<Snapshot>, ControlError> {
        self.ask(|reply| Command::Status { what, reply }).await
    }

    /// The state of the daemon as a whole.
    pub async fn overview(&self) -> Result<Whole, ControlError> {
        self.ask(|reply| Command::Overview { reply }).await
    }

    /// The peers of a resource, or of all resources.
    pub async fn peers(&self, what: Option<String>) -> Result<Vec<PeerInfo>, ControlError> {
        self.ask(|reply| Command::Peers { what, reply }).await
    }

    /// Pauses resources, and returns their names.
    pub async fn pause(&self, what: String) -> Result<Vec<ResourceName>, ControlError> {
        self.ask(|reply| Command::Pause { what, reply }).await
    }

    /// Resumes resources, and returns their names.
    pub async fn resume(&self, what: String) -> Result<Vec<ResourceName>, ControlError> {
        self.ask(|reply| Command::Resume { what, reply }).await
    }

    /// Stops sharing and forgets resources; with `delete` their finished files are deleted too. A user removes a name
    /// for everybody. Any other `by` withdraws only its own wish, and names that somebody else wants stay. Returns the
    /// names that are gone.
    pub async fn remove(
        &self,
        what: String,
        delete: bool,
        by: WantedBy,
    ) -> Result<Vec<ResourceName>, ControlError> {
        self.ask(|reply| Command::Remove { what, delete, by, reply }).await
    }

    /// What is in directories and does not belong to them.
    pub async fn foreign(&self, what: String) -> Result<Vec<Foreign>, ControlError> {
        self.ask(|reply| Command::Foreign { what, reply }).await
    }

    /// Hashes files again. The task ends with the result.
    pub async fn verify(&self, what: String, by: WantedBy) -> Result<TaskId, ControlError> {
        self.ask(|reply| Command::Verify { what, by, reply }).await
    }

    /// Takes the names of what was shared here back from the trackers; the file stays, and is still served.
    pub async fn unpublish(&self, what: String, by: WantedBy) -> Result<Unpublished, ControlError> {
        self.ask(|reply| Command::Unpublish { what, by, reply }).await
    }
}

/// The states of the resources that `what` means; an error if it is a name or an id that this daemon does not know.
fn known(snapshot: &Snapshot, what: Option<&str>) -> Result<Vec<ResourceStatus>, ControlError> {
    match (snapshot.of(what), what) {
        (found, Some(what)) if found.is_empty() => Err(unknown(what)),
        (found, _) => Ok(found),
    }
}
