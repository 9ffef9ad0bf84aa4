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
    /// Why others still find the file under its name: trackers that keep it because another machine shares it too.
    pub kept: Vec<String>,
}
