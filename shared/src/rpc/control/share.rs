//! The request to share a file, and its result.

use crate::id::ResourceId;
use crate::name::ResourceName;
use crate::tree::TreeOptions;
use crate::url::TrackerUrl;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What to share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareRequest {
    /// The file's name in the shared directory.
    pub name: ResourceName,
    /// The manifest's trackers. If empty, the daemon's configured trackers are used.
    pub trackers: Vec<TrackerUrl>,
    /// Whether an import may replace another resource of this name.
    pub replace: bool,
    /// The size of an import in bytes; 0 for a file that is in the shared directory.
    pub bytes: u64,
    /// How many of these bytes `import_part` sends at most. Room is reserved for them. The others are zeros, for which
    /// `import_zeros` sends only their number.
    pub data_bytes: u64,
    /// Set if it is a directory: `name` is its name with `.tar`, and an import has the bytes of its tar. What becomes part
    /// of it is decided here for one in the shared directory, and by the caller for an import.
    pub tree: Option<TreeOptions>,
    /// Whether its signature follows with `sign`. Until then it is not published under its name.
    pub to_be_signed: bool,
}

/// The result of a share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shared {
    pub name: ResourceName,
    pub resource: ResourceId,
    /// The path of the manifest.
    pub manifest: PathBuf,
    /// Warnings for the user, such as an unreachable tracker or a loopback address in the manifest.
    pub warnings: Vec<String>,
    /// Why new machines cannot find the file under its name although it is shared: trackers that did not publish it, or
    /// on which the name means other content.
    pub refused: Vec<String>,
}
