//! The bandwidth limits.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The bandwidth limit of one direction, for all peers together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Limit {
    /// No limit.
    None,
    /// At most this many bytes per second; 0 pauses all transfers in this direction.
    BytesPerS(u64),
}

/// The limits to change; `None` keeps the current one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LimitChange {
    pub download: Option<Limit>,
    pub upload: Option<Limit>,
}

/// How long changed limits apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Keep {
    /// Until the daemon ends or reads its configuration again.
    #[default]
    ForNow,
    /// Also after restarts: they are saved. Without any change, the limits in force are saved.
    Saved,
    /// Before the change, the saved limits are deleted and those of the configuration apply again.
    Configured,
}

/// The limits in force and those that are saved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitsKept {
    pub limits: Limits,
    /// What `limit --save` has saved; `None` in a direction where the configuration counts.
    pub saved: LimitChange,
    /// The file of the saved limits; it exists only while something is saved.
    pub file: PathBuf,
    /// Options of the daemon's command line that come before what is saved: "--upload-limit".
    pub overridden_by: Vec<String>,
}

/// The current limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    pub download: Limit,
    pub upload: Limit,
    /// When the configuration changes the download limit, in milliseconds since 1970; `None` if no hour changes it.
    pub download_until_ms: Option<u64>,
    /// The same for the upload limit.
    pub upload_until_ms: Option<u64>,
}
