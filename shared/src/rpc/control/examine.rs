//! What `ttctl doctor` is told of the daemon's place on the machine.

use serde::{Deserialize, Serialize};

/// The daemon's place on the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Examined {
    /// Why it cannot write into its shared folder; `None` if it can.
    pub folder_trouble: Option<String>,
    /// Room for ordinary users on the folder's file system, and its size; 0 if it does not tell.
    pub free_bytes: u64,
    pub total_bytes: u64,
    /// Files and sockets that it has open, and how many it may have.
    pub descriptors: u64,
    pub descriptors_max: u64,
    /// Its user.
    pub uid: u32,
}
