//! What to get, and what became of it.

use super::task::TaskId;
use crate::chunk::ChunkCount;
use crate::id::ResourceId;
use crate::name::ResourceName;
use crate::url::TrackerUrl;
use serde::{Deserialize, Serialize};

/// What to get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetRequest {
    pub what: GetWhat,
    /// Whether other content of this name may be replaced when the new one is complete.
    pub replace: bool,
}

/// How the wanted resource is named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum GetWhat {
    /// By the manifest whose text was sent with `manifest_part` on this connection.
    Manifest,
    /// By a name, from the catalogue of this tracker, or of those that the daemon was configured with.
    Name { name: ResourceName, tracker: Option<TrackerUrl> },
    /// By its id, from the catalogue of this tracker, or of those that the daemon was configured with.
    Resource { resource: ResourceId, tracker: Option<TrackerUrl> },
}

/// A download was accepted, or is there already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    pub name: ResourceName,
    pub resource: ResourceId,
    pub count: ChunkCount,
    /// It is complete and published already.
    pub complete: bool,
    /// A file that ttd does not know lies under the name. It is compared with what is wanted before anything else
    /// happens: this task ends as [`TaskState::Found`](super::TaskState::Found), or says why the file stands in the way.
    pub comparing: Option<TaskId>,
}
