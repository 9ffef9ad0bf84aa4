//! The progress and the result of a task.

use super::error::ControlError;
use super::get::Accepted;
use super::share::Shared;
use serde::{Deserialize, Serialize};

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
    },
    /// The file under the name of a download was compared. Either it is the wanted content, or it was removed and the
    /// download begins.
    Found(Accepted),
    /// It failed.
    Failed(ControlError),
}
