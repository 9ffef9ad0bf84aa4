//! The watch of the shared directory: what is put into it is shared.

use crate::name::ResourceName;
use serde::{Deserialize, Serialize};

/// The state of the watch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchState {
    /// Why changes are found by scans only; `None` if the system tells of them as well.
    pub scans_only: Option<String>,
    /// Why nothing is shared now.
    pub waits: Option<String>,
    /// Files that are shared when they have stood still for a while.
    pub settling: u32,
    /// Files that wait until those before them are hashed, with the one that is being hashed.
    pub waiting: u32,
    /// The file that is being hashed.
    pub now: Option<ResourceName>,
    /// Files that are shared as they lie there.
    pub shared: u32,
    /// Files that cannot be shared, and the first of them.
    pub refused: u32,
    pub first_refused: Vec<NotShared>,
    /// Files that are not shared because there are too many.
    pub beyond: u32,
}

/// A file that cannot be shared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotShared {
    /// The name of the file; what is not UTF-8 in it is replaced.
    pub name: String,
    /// Why.
    pub why: String,
}
