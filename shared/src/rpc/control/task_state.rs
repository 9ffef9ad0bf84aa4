//! How far a task is, and how it ended.

use super::error::ControlError;
use super::get::Accepted;
use super::share::Shared;
use serde::{Deserialize, Serialize};

/// How far a task is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaskState {
    /// It goes on.
    Running {
        bytes_done: u64,
        bytes_total: u64,
        /// What it does now, for people: "hashing", "announcing".
        doing: String,
    },
    /// A share ended well.
    Shared(Shared),
    /// A verify ended.
    Verified {
        /// How many chunks are as the manifest says.
        chunks_good: u32,
        /// How many there are.
        chunks_total: u32,
    },
    /// The file under a wanted name was compared: it is what was wanted, or it is gone and the download begins.
    Found(Accepted),
    /// It failed.
    Failed(ControlError),
}
