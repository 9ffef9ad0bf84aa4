//! The progress and the result of a task.

use super::error::ControlError;
use super::get::Accepted;
use super::share::Shared;
use serde::{Deserialize, Serialize};

/// Files of a directory that somebody has edited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditedFiles {
    /// Their number; 0 if it is not known which.
    pub files: u64,
    /// The paths of the first of them, below the directory.
    pub first: Vec<String>,
}

/// The state of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaskState {
    /// It is running.
    Running {
        bytes_done: u64,
        bytes_total: u64,
        /// The current activity as shown to users, such as "hashing" or "announcing".
        doing: String,
    },
    /// A share succeeded.
    Shared(Shared),
    /// A verify ended.
    Verified {
        /// The number of chunks that match the manifest.
        chunks_good: u32,
        /// The number of chunks of the resource.
        chunks_total: u32,
        /// The files that somebody edited, if it is a directory and not all of it is right.
        edited: Option<EditedFiles>,
    },
    /// The file under the name of a download was compared. Either it is the wanted content, or it was removed and the
    /// download begins.
    Found(Accepted),
    /// It failed.
    Failed(ControlError),
}
