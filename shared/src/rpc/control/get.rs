//! The request to get a resource, and its answer.

use super::task::TaskId;
use crate::chunk::ChunkCount;
use crate::id::ResourceId;
use crate::name::ResourceName;
use crate::signature::SignatureText;
use crate::url::TrackerUrl;
use serde::{Deserialize, Serialize};

/// What to get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetRequest {
    pub what: GetWhat,
    /// Whether other content under this name may be replaced once the new content is complete.
    pub replace: bool,
    /// Whether chunks may be taken from other files of the daemon's machine, as far as its configuration allows it.
    pub reuse: bool,
    /// Whether it stays a file even if its bytes are those of a directory. Refused if it is here as a directory.
    pub as_file: bool,
    /// Whether it may be a directory with symbolic links that lead outside of it.
    pub links_outside: bool,
    /// Whether the caller makes a copy of it elsewhere. Then `as_file` is not refused: the copy is the file.
    pub is_copied: bool,
    /// Whether it may be older than what was accepted under its name before, by its signature.
    pub allows_older: bool,
}

/// How the wanted resource is identified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum GetWhat {
    /// By the manifest whose text was sent with `manifest_part` on this connection, and the signature beside it.
    Manifest { signature: Option<SignatureText> },
    /// By a name in the catalogue of this tracker, or of the daemon's configured trackers.
    Name { name: ResourceName, tracker: Option<TrackerUrl> },
    /// By its id in the catalogue of this tracker, or of the daemon's configured trackers.
    Resource { resource: ResourceId, tracker: Option<TrackerUrl> },
}

/// A download that was accepted, or that is complete already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    pub name: ResourceName,
    pub resource: ResourceId,
    pub count: ChunkCount,
    /// Whether it is complete and published already.
    pub complete: bool,
    /// Whether it is known to be a directory.
    pub is_tree: bool,
    /// Set if an unknown file has this name. The file is compared with the wanted content before anything else happens.
    /// The task ends as [`TaskState::Found`](super::TaskState::Found), or fails and says why the file is in the way.
    pub comparing: Option<TaskId>,
}
