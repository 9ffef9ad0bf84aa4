//! The driver's part of the configuration.

use shared::url::TrackerUrl;
use std::time::Duration;

/// Settings that a reload may change.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The trackers for resources that are shared here or fetched by name.
    pub trackers: Vec<TrackerUrl>,
    /// Bytes that must stay free on the disk.
    pub min_free_bytes: u64,
    /// How often the arrived chunks of a download are synced.
    pub sync_every: Duration,
    /// How long a download may make no progress before the log warns.
    pub stall_warning: Duration,
    /// The most links of one swarm that we dial.
    pub neighbours_max: u32,
}
