//! The daemon that answers, and its state as a whole.

use super::limit::Limits;
use super::status::{State, TrackerStatus};
use super::watching::WatchState;
use crate::id::PeerId;
use crate::identity::NodeName;
use crate::tls_mode::TlsMode;
use crate::url::TrackerUrl;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::PathBuf;

/// The daemon that answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaemonInfo {
    /// The daemon's protocol version.
    pub version: u16,
    /// Its software version, as shown to users.
    pub software: String,
    /// Its shared directory.
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
    /// When it was started, in milliseconds since 1970, by the clock as it was then.
    pub started_at_ms: u64,
}

/// The state of the daemon as a whole, in addition to [`DaemonInfo`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overview {
    /// Seconds since it was started, by a clock that does not jump.
    pub uptime_s: u64,
    /// The user that it runs as, and that user's name if the machine knows one.
    pub uid: u32,
    pub user: Option<String>,
    /// Its control socket.
    pub socket: PathBuf,
    /// Its zone; empty if none is configured.
    pub zone: String,
    /// Bytes available to unprivileged users on the shared directory's file system, and its size; `None` if the system
    /// does not say.
    pub free_bytes: Option<u64>,
    pub disk_bytes: Option<u64>,
    /// The limits in force.
    pub limits: Limits,
    /// The file that keeps the limits of `ttctl limit --save`, if there are any.
    pub limits_file: Option<PathBuf>,
    /// The config file and its drop-ins, in the order in which they were read.
    pub config_files: Vec<PathBuf>,
    /// The state of the trackers: first those of the configuration, then all others that it talks to.
    pub trackers: Vec<TrackerStatus>,
    /// The number of names in each state; states without names are left out.
    pub states: Vec<(State, u32)>,
    /// Peers that it has a link to, or that fetch from it.
    pub peers: u32,
    /// Bytes of chunks that it received and sent since it was started, including those of removed resources.
    pub downloaded_bytes: u64,
    pub uploaded_bytes: u64,
    /// With what its connections begin.
    pub tls: TlsState,
    /// The watch of the shared directory; `None` if it is not watched.
    pub watch: Option<WatchState>,
}

/// With what the daemon's connections begin: whether they are encrypted, and by which certificate it is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsState {
    /// Whether others must, may or cannot speak TLS with it.
    pub mode: TlsMode,
    /// Its name in its certificate; `None` while it has none that can be used.
    pub node: Option<NodeName>,
    /// The end of the life of that certificate, in seconds since 1970.
    pub not_after: Option<u64>,
    /// What is wrong with its files, and what to do.
    pub fault: Option<String>,
    /// All of that in one line.
    pub line: String,
}
