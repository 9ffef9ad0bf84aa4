//! The outcome of `ttctl unpublish`.

use crate::name::ResourceName;
use serde::{Deserialize, Serialize};

/// The outcome of unpublishing names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unpublished {
    /// The names that this machine does not publish any more.
    pub names: Vec<ResourceName>,
    /// Warnings about trackers that could not be reached; they are told later.
    pub warnings: Vec<String>,
    /// The names by which other machines still find the file, each with a message about a tracker that keeps it, because
    /// another machine shares the file too or because the tracker refused. A name is here once for each such tracker.
    pub kept: Vec<(ResourceName, String)>,
}
