//! What somebody asks the driver to do, and what the command is about.

use crate::snapshot::Snapshot;
use crate::store::Import;
use crate::tasks::TaskHandle;
use shared::id::ResourceId;
use shared::manifest::Manifest;
use shared::name::ResourceName;
use shared::rpc::control::{Accepted, ControlError, PeerInfo, ShareRequest, TaskId, TaskState};
use shared::url::TrackerUrl;
use std::sync::Arc;
use tokio::sync::{oneshot, watch};

/// The answer to a command.
pub type Reply<T> = oneshot::Sender<Result<T, ControlError>>;

/// What ttctl asks for.
#[derive(Debug)]
pub enum Command {
    /// Share a file of the folder.
    Share { request: ShareRequest, reply: Reply<TaskId> },
    /// Begin an import.
    Import { request: ShareRequest, reply: Reply<(TaskId, TaskHandle)> },
    /// All parts of an import are here.
    ImportEnd { task: TaskId, request: ShareRequest, import: Import, reply: Reply<()> },
    /// How far is a task?
    Task { task: TaskId, reply: Reply<watch::Receiver<TaskState>> },
    /// Fetch a resource.
    Get { wanted: Wanted, reply: Reply<Accepted> },
    /// What is known of a name or an id, without any tracker.
    FindLocally { what: String, replace: bool, reply: Reply<Accepted> },
    /// How are the resources doing at this moment?
    Status { what: Option<String>, reply: Reply<Arc<Snapshot>> },
    /// As `Status`, after a look at the files.
    Inspect { what: String, reply: Reply<Arc<Snapshot>> },
    /// Who are a resource's peers?
    Peers { what: String, reply: Reply<Vec<PeerInfo>> },
    /// Stop for a while.
    Pause { what: String, reply: Reply<Vec<ResourceName>> },
    /// Go on.
    Resume { what: String, reply: Reply<Vec<ResourceName>> },
    /// Forget.
    Remove { what: String, delete: bool, reply: Reply<Vec<ResourceName>> },
    /// Hash again what is on disk.
    Verify { what: String, reply: Reply<TaskId> },
}

/// A resource that is wanted here.
#[derive(Debug)]
pub struct Wanted {
    /// What it is.
    pub manifest: Manifest,
    /// The tracker whose catalogue named it, if one did.
    pub tracker: Option<TrackerUrl>,
    /// When it was shared, as far as that catalogue knows; else 0.
    pub shared_at_ms: u64,
    /// Whether other content of this name may be replaced.
    pub replace: bool,
}

/// What a command is about.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// A name or an id; none if it is about no resource, or all of them.
    pub what: Option<&'a str>,
    /// The resource itself, where the command says which.
    pub resource: Option<ResourceId>,
}

impl Command {
    /// What it is about.
    pub fn subject(&self) -> Subject<'_> {
        let (what, resource) = match self {
            Command::Share { request, .. }
            | Command::Import { request, .. }
            | Command::ImportEnd { request, .. } => (Some(request.name.as_str()), None),
            Command::Get { wanted, .. } => {
                (Some(wanted.manifest.name().as_str()), Some(wanted.manifest.resource()))
            }
            Command::FindLocally { what, .. }
            | Command::Peers { what, .. }
            | Command::Pause { what, .. }
            | Command::Resume { what, .. }
            | Command::Remove { what, .. }
            | Command::Inspect { what, .. }
            | Command::Verify { what, .. } => (Some(what.as_str()), None),
            Command::Status { what, .. } => (what.as_deref(), None),
            Command::Task { .. } => (None, None),
        };
        Subject { what, resource }
    }

    /// Answers that it is not carried out.
    pub fn refuse(self, error: ControlError) {
        // an answer that nobody waits for any more is of no interest
        match self {
            Command::Share { reply, .. } | Command::Verify { reply, .. } => drop(reply.send(Err(error))),
            Command::Import { reply, .. } => drop(reply.send(Err(error))),
            Command::ImportEnd { reply, import, .. } => {
                // its file goes with it, which may take as long as the folder does
                tokio::task::spawn_blocking(move || drop(import));
                drop(reply.send(Err(error)));
            }
            Command::Task { reply, .. } => drop(reply.send(Err(error))),
            Command::Get { reply, .. } | Command::FindLocally { reply, .. } => drop(reply.send(Err(error))),
            Command::Status { reply, .. } | Command::Inspect { reply, .. } => drop(reply.send(Err(error))),
            Command::Peers { reply, .. } => drop(reply.send(Err(error))),
            Command::Pause { reply, .. } | Command::Resume { reply, .. } | Command::Remove { reply, .. } => {
                drop(reply.send(Err(error)));
            }
        }
    }
}
