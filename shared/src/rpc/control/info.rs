//! Who answers.

use crate::id::PeerId;
use crate::url::TrackerUrl;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Who answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaemonInfo {
    /// The daemon's protocol version.
    pub version: u16,
    /// Its software version, as shown to users.
    pub software: String,
    /// Its shared folder.
    pub folder: PathBuf,
    /// The shared directory's device and inode, by which ttctl recognizes a path that leads into it.
    pub folder_device: u64,
    pub folder_inode: u64,
    /// Where it listens for peers.
    pub listen: SocketAddr,
    /// Its id, drawn at its start.
    pub peer_id: PeerId,
    /// Its process id.
    pub pid: u32,
    /// The trackers that it was configured with.
    pub trackers: Vec<TrackerUrl>,
    /// The mode of the files that it publishes, and their group if one is configured. ttctl gives the same to files
    /// that it writes.
    pub file_mode: u32,
    pub file_group: Option<u32>,
}
