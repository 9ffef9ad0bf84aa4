//! The daemon's environment on its machine, for `ttctl doctor`.

use serde::{Deserialize, Serialize};

/// The daemon's environment on its machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Examined {
    /// Why it cannot write to its shared directory; `None` if it can.
    pub folder_trouble: Option<String>,
    /// Bytes available to unprivileged users on the directory's file system, and its size; 0 if the system does not
    /// say.
    pub free_bytes: u64,
    pub total_bytes: u64,
    /// Open files and sockets, and their limit.
    pub descriptors: u64,
    pub descriptors_max: u64,
    /// Its user id.
    pub uid: u32,
}
