//! What somebody asks the driver to do, and what the command is about.

use super::found::Hit;
use crate::snapshot::Snapshot;
use crate::store::Import;
use crate::tasks::TaskHandle;
use shared::id::ResourceId;
use shared::manifest::Manifest;
use shared::name::ResourceName;
use shared::rpc::control::{Accepted, ControlError, PeerInfo, ShareRequest, TaskId, TaskState};
use shared::url::TrackerUrl;
use shared::wanted::WantedBy;
use std::sync::Arc;
use tokio::sync::{oneshot, watch};

/// The answer to a command.
pub type Reply<T> = oneshot::Sender<Result<T, ControlError>>;

/// What the driver is asked for.
#[derive(Debug)]
pub enum Command {
    /// Share a file of the folder.
    Share { request: ToShare, reply: Reply<TaskId> },
    /// Begin an import.
    Import { request: ToShare, reply: Reply<(TaskId, TaskHandle)> },
    /// All parts of an import are here.
    ImportEnd { task: TaskId, request: ToShare, import: Import, reply: Reply<()> },
    /// How far is a task?
    Task { task: TaskId, reply: Reply<watch::Receiver<TaskState>> },
    /// Fetch a resource.
    Get { wanted: Wanted, reply: Reply<Accepted> },
    /// What is known of a name or an id, without any tracker.
    FindLocally { what: String, replace: bool, by: WantedBy, reply: Reply<Accepted> },
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
    /// Forget what this one wants, and then what nobody wants any more.
    Remove { what: String, delete: bool, by: WantedBy, reply: Reply<Vec<ResourceName>> },
    /// Hash again what is on disk.
    Verify { what: String, reply: Reply<TaskId> },
}

/// A file that is to be shared.
#[derive(Debug, Clone)]
pub struct ToShare {
    /// Its name in the shared folder.
    pub name: ResourceName,
    /// The manifest's trackers; empty: those of the configuration.
    pub trackers: Vec<TrackerUrl>,
    /// Whether it may take the place of another resource of this name.
    pub replace: bool,
    /// The size of an import in bytes, to reserve room; 0 for a share in place.
    pub bytes: u64,
    /// Who wants it to be shared.
    pub by: WantedBy,
}

impl ToShare {
    /// What somebody asks for.
    pub fn new(request: ShareRequest, by: WantedBy) -> ToShare {
        let ShareRequest { name, trackers, replace, bytes } = request;
        ToShare { name, trackers, replace, bytes, by }
    }
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
    /// Who wants it. `None`: nobody but those who want its name already.
    pub by: Option<WantedBy>,
}

impl Wanted {
    /// What a manifest names that is here already.
    pub fn known(manifest: Manifest, replace: bool, by: WantedBy) -> Wanted {
        Wanted { manifest, tracker: None, shared_at_ms: 0, replace, by: Some(by) }
    }

    /// What a catalogue has.
    pub fn found(hit: Hit, replace: bool, by: Option<WantedBy>) -> Wanted {
        let Hit { manifest, shared_at_ms, tracker } = hit;
        Wanted { manifest, tracker: Some(tracker), shared_at_ms, replace, by }
    }
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
