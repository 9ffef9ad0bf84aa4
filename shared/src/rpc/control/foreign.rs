//! What is in a directory and does not belong to it.

use crate::name::ResourceName;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Files in a finished directory that ttd did not put there, or that were edited. `remove` does not delete them. A new
/// version of the directory deletes of them only files that were edited and that it has, too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Foreign {
    /// The resource.
    pub name: ResourceName,
    /// The path of its directory.
    pub directory: PathBuf,
    /// How many files, links and empty directories there are.
    pub files: u64,
    /// The path of one of them, below the directory.
    pub first: PathBuf,
}
