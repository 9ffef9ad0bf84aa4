//! What became of names that were taken back from the trackers.

use crate::name::ResourceName;
use serde::{Deserialize, Serialize};

/// What became of names that were taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unpublished {
    /// The names that this machine does not publish any more.
    pub names: Vec<ResourceName>,
    /// What the user should know: a tracker that was not reached, and will be told later.
    pub warnings: Vec<String>,
    /// Why others find the file under its name even so: trackers that keep it, since another machine shares it, too.
    pub kept: Vec<String>,
}
