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
    /// Why other machines still find the file by its name: messages about trackers that keep the name because another
    /// machine shares the file too.
    pub kept: Vec<String>,
}
