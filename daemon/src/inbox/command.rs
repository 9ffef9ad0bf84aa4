//! The commands that callers and other parts of the daemon give to the driver.

use super::found::Hit;
use super::holding::Holding;
use crate::jobs;
use crate::snapshot::Snapshot;
use crate::store::{Import, PublishedFile, Signed};
use crate::tasks::TaskHandle;
use shared::id::ResourceId;
use shared::manifest::Manifest;
use shared::name::ResourceName;
use shared::rpc::control::{
    Accepted, ControlError, Foreign, PeerInfo, ShareRequest, State, TaskId, TaskState, TrackerStatus,
    Unpublished,
};
use shared::signature::SignatureText;
use shared::tree::TreeOptions;
use shared::url::TrackerUrl;
use shared::wanted::WantedBy;
use std::sync::Arc;
use tokio::sync::{oneshot, watch};

/// Where the driver sends the answer to a command.
pub type Reply<T> = oneshot::Sender<Result<T, ControlError>>;

/// A command to the driver.
#[derive(Debug)]
pub enum Command {
    /// Shares a file of the shared directory.
    Share { request: ToShare, reply: Reply<TaskId> },
    /// Begins an import: a file from elsewhere that is sent in parts.
    Import { request: ToShare, reply: Reply<(TaskId, TaskHandle)> },
    /// Shares an import whose parts have all arrived.
    ImportEnd { task: TaskId, request: ToShare, import: Box<Import>, reply: Reply<()> },
    /// Follows a task.
    Task { task: TaskId, reply: Reply<watch::Receiver<TaskState>> },
    /// Fetches a resource.
    Get { wanted: Wanted, reply: Reply<Accepted> },
    /// Fetches the resource that this daemon knows under a name or an id, without asking a tracker.
    FindLocally { what: String, manner: Manner, by: WantedBy, reply: Reply<Accepted> },
    /// Says what ttd has under a name.
    Holding { name: ResourceName, reply: Reply<Holding> },
    /// Finds the manifest of a name, as it was signed or is to be signed.
    Manifest { what: String, reply: Reply<Manifest> },
    /// Adds a signature, which was checked, to a name that is shared here and has this manifest.
    Sign { manifest: Manifest, signature: SignatureText, by: WantedBy, reply: Reply<TaskId> },
    /// Finds a complete resource, so that its chunks can be read.
    Complete { what: ResourceId, reply: Reply<Arc<PublishedFile>> },
    /// Reports the state of the resources.
    Status { what: Option<String>, reply: Reply<Arc<Snapshot>> },
    /// Reports the state of the resources after checking their files for changes.
    Inspect { what: String, reply: Reply<Arc<Snapshot>> },
    /// Lists the peers of a resource, or those of all resources.
    Peers { what: Option<String>, reply: Reply<Vec<PeerInfo>> },
    /// Tells the state of the daemon as a whole.
    Overview { reply: Reply<Whole> },
    /// Pauses resources.
    Pause { what: String, reply: Reply<Vec<ResourceName>> },
    /// Resumes paused resources.
    Resume { what: String, reply: Reply<Vec<ResourceName>> },
    /// Withdraws what `by` wants, and removes the resources that nobody wants any more.
    Remove { what: String, delete: bool, by: WantedBy, reply: Reply<Vec<ResourceName>> },
    /// Says what is in directories and does not belong to them.
    Foreign { what: String, reply: Reply<Vec<Foreign>> },
    /// Hashes files again and compares them with their manifests.
    Verify { what: String, by: WantedBy, reply: Reply<TaskId> },
    /// Takes the names of files that were shared here back from the trackers.
    Unpublish { what: String, by: WantedBy, reply: Reply<Unpublished> },
}

/// How the daemon is doing as a whole, as far as the driver knows.
#[derive(Debug)]
pub struct Whole {
    /// The trackers that it talks to, in order.
    pub trackers: Vec<TrackerStatus>,
    /// How many names are in each state; states without any are left out.
    pub states: Vec<(State, u32)>,
    /// Peers that it has a link to, or that fetch from it.
    pub peers: u32,
    /// Bytes of chunks that were received and sent since the start.
    pub traffic: (u64, u64),
}

/// What to share.
#[derive(Debug, Clone)]
pub struct ToShare {
    /// Its name in the shared directory.
    pub name: ResourceName,
    /// The manifest's trackers; if empty, those of the configuration.
    pub trackers: Vec<TrackerUrl>,
    /// Whether it may replace another resource of this name.
    pub replace: bool,
    /// The size of an import in bytes; 0 for a file that is already in the shared directory.
    pub bytes: u64,
    /// How many of these bytes are sent and need room; the others are zeros.
    pub data_bytes: u64,
    /// Set if it is a directory: its name has `.tar` in addition, and an import has the bytes of its tar.
    pub tree: Option<TreeOptions>,
    /// Whether its signature follows: until then it is not published under its name.
    pub to_be_signed: bool,
    /// What the directory loses by being shared, as sentences for whoever shares it.
    pub lost: Vec<String>,
    /// Who wants it shared.
    pub by: WantedBy,
}

impl ToShare {
    /// What lies in the shared directory under this name, at the configured trackers, in the place of what had the name
    /// before.
    pub fn in_place(name: ResourceName, tree: Option<TreeOptions>, by: WantedBy) -> ToShare {
        ToShare {
            name,
            trackers: Vec::new(),
            replace: true,
            bytes: 0,
            data_bytes: 0,
            tree,
            to_be_signed: false,
            lost: Vec::new(),
            by,
        }
    }

    /// From a caller's request.
    pub fn new(request: ShareRequest, by: WantedBy) -> ToShare {
        let ShareRequest { name, trackers, replace, bytes, data_bytes, tree, to_be_signed } = request;
        ToShare { name, trackers, replace, bytes, data_bytes, tree, to_be_signed, lost: Vec::new(), by }
    }
}

/// In which manner a resource is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// Whether it may replace other content of its name.
    pub replace: bool,
    /// Whether its chunks may be taken from other files of this machine, as far as the configuration allows it.
    pub reuse: bool,
    /// Whether it stays a file even if its bytes are those of a directory.
    pub as_file: bool,
    /// Whether it may be a directory with symbolic links that lead outside of it.
    pub links_outside: bool,
    /// Whether the caller makes a copy of it, which is then the file.
    pub is_copied: bool,
    /// Whether it may be older than what was accepted under its name before, by its signature.
    pub allows_older: bool,
}

/// A resource to fetch.
#[derive(Debug)]
pub struct Wanted {
    /// Its manifest.
    pub manifest: Manifest,
    /// The signature that came with the manifest.
    pub signature: Option<SignatureText>,
    /// The tracker in whose catalogue it was found, if it was.
    pub tracker: Option<TrackerUrl>,
    /// When it was shared, in milliseconds since 1970; 0 if the catalogue does not know.
    pub shared_at_ms: u64,
    /// Whether it may replace other content of this name.
    pub replace: bool,
    /// Whether its chunks may be taken from other files of this machine, as far as the configuration allows it.
    pub reuse: bool,
    /// Whether it stays a file even if its bytes are those of a directory.
    pub as_file: bool,
    /// Whether it may be a directory with symbolic links that lead outside of it.
    pub links_outside: bool,
    /// Whether whoever wants it makes a copy of it. Then a directory that is here will do although a file is wanted.
    pub is_copied: bool,
    /// Whether it may be older than what was accepted under its name before, by its signature.
    pub allows_older: bool,
    /// Who wants it, in addition to those who want its name already; `None` if nobody does.
    pub by: Option<WantedBy>,
}

impl Wanted {
    /// From a manifest that a caller sent or that is already here.
    pub fn known(manifest: Manifest, replace: bool, by: WantedBy) -> Wanted {
        Wanted {
            manifest,
            signature: None,
            tracker: None,
            shared_at_ms: 0,
            replace,
            as_file: false,
            links_outside: false,
            is_copied: false,
            allows_older: false,
            reuse: true,
            by: Some(by),
        }
    }

    /// The same, wanted in this manner.
    pub fn in_manner(self, manner: Manner) -> Wanted {
        let Manner { replace, reuse, as_file, links_outside, is_copied, allows_older } = manner;
        Wanted { replace, reuse, as_file, links_outside, is_copied, allows_older, ..self }
    }

    /// From an entry of a catalogue.
    pub fn found(hit: Hit, replace: bool, by: Option<WantedBy>) -> Wanted {
        let Hit { manifest, signature, shared_at_ms, tracker } = hit;
        let (tracker, as_file, links_outside, is_copied, reuse) = (Some(tracker), false, false, false, true);
        Wanted {
            manifest,
            signature,
            tracker,
            shared_at_ms,
            replace,
            as_file,
            links_outside,
            is_copied,
            allows_older: false,
            reuse,
            by,
        }
    }

    /// Its signature, as its record keeps it.
    pub fn signed(&self) -> Option<Signed> {
        self.signature.clone().map(|signature| Signed::new(&self.manifest, signature))
    }
}

/// The resource that a command is about, for the log.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// A name or an id; `None` for commands about all resources or about a task.
    pub what: Option<&'a str>,
    /// The resource's id, if the command contains it.
    pub resource: Option<ResourceId>,
}

impl Command {
    /// What the command is about.
    pub fn subject(&self) -> Subject<'_> {
        let (what, resource) = match self {
            Command::Share { request, .. }
            | Command::Import { request, .. }
            | Command::ImportEnd { request, .. } => (Some(request.name.as_str()), None),
            Command::Holding { name, .. } => (Some(name.as_str()), None),
            Command::Sign { manifest, .. } => (Some(manifest.name().as_str()), Some(manifest.resource())),
            Command::Get { wanted, .. } => {
                (Some(wanted.manifest.name().as_str()), Some(wanted.manifest.resource()))
            }
            Command::FindLocally { what, .. }
            | Command::Manifest { what, .. }
            | Command::Pause { what, .. }
            | Command::Resume { what, .. }
            | Command::Remove { what, .. }
            | Command::Foreign { what, .. }
            | Command::Inspect { what, .. }
            | Command::Unpublish { what, .. }
            | Command::Verify { what, .. } => (Some(what.as_str()), None),
            Command::Status { what, .. } | Command::Peers { what, .. } => (what.as_deref(), None),
            Command::Complete { what, .. } => (None, Some(*what)),
            Command::Task { .. } | Command::Overview { .. } => (None, None),
        };
        Subject { what, resource }
    }

    /// Answers the command with an error.
    pub fn refuse(self, error: ControlError) {
        // The caller may have gone; then the answer is dropped.
        match self {
            Command::Share { reply, .. } | Command::Verify { reply, .. } | Command::Sign { reply, .. } => {
                drop(reply.send(Err(error)));
            }
            Command::Manifest { reply, .. } => drop(reply.send(Err(error))),
            Command::Holding { reply, .. } => drop(reply.send(Err(error))),
            Command::Import { reply, .. } => drop(reply.send(Err(error))),
            Command::ImportEnd { reply, import, .. } => {
                // Dropping the import deletes its file, which blocks as long as the shared directory does.
                jobs::detach(move || drop(import));
                drop(reply.send(Err(error)));
            }
            Command::Task { reply, .. } => drop(reply.send(Err(error))),
            Command::Get { reply, .. } | Command::FindLocally { reply, .. } => drop(reply.send(Err(error))),
            Command::Status { reply, .. } | Command::Inspect { reply, .. } => drop(reply.send(Err(error))),
            Command::Unpublish { reply, .. } => drop(reply.send(Err(error))),
            Command::Peers { reply, .. } => drop(reply.send(Err(error))),
            Command::Complete { reply, .. } => drop(reply.send(Err(error))),
            Command::Overview { reply } => drop(reply.send(Err(error))),
            Command::Foreign { reply, .. } => drop(reply.send(Err(error))),
            Command::Pause { reply, .. } | Command::Resume { reply, .. } | Command::Remove { reply, .. } => {
                drop(reply.send(Err(error)));
            }
        }
    }
}
