//! The number of a task.

use serde::{Deserialize, Serialize};

/// A piece of work in the daemon that takes its time. Forgotten some minutes after it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TaskId(pub u64);
