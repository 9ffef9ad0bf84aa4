//! The number of a task.

use serde::{Deserialize, Serialize};

/// A long-running piece of work in the daemon. It is forgotten some minutes after it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TaskId(pub u64);
