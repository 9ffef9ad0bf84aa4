//! What to share, and what became of it.

use crate::id::ResourceId;
use crate::name::ResourceName;
use crate::url::TrackerUrl;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What to share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareRequest {
    /// The file's name, in the shared folder.
    pub name: ResourceName,
    /// The manifest's trackers; empty: those that the daemon was configured with.
    pub trackers: Vec<TrackerUrl>,
    /// Whether an import may take the place of another resource of this name.
    pub replace: bool,
    /// The size of an import in bytes, to reserve room; 0 for a share in place.
    pub bytes: u64,
}

/// What a share made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shared {
    pub name: ResourceName,
    pub resource: ResourceId,
    /// Where the manifest was written.
    pub manifest: PathBuf,
    /// What the user should know: a tracker that was not reached, a loopback address in the manifest.
    pub warnings: Vec<String>,
    /// Why new machines cannot find it under its name, although it is shared: trackers that do not publish it, or where
    /// the name means other content.
    pub refused: Vec<String>,
}
