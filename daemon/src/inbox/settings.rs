//! What the driver is told of the configuration.

use shared::url::TrackerUrl;
use std::time::Duration;

/// What the operator settled.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The trackers for what is shared and fetched by name.
    pub trackers: Vec<TrackerUrl>,
    /// Room that is left on the disk, in bytes.
    pub min_free_bytes: u64,
    /// How often what has arrived is synced.
    pub sync_every: Duration,
    /// How long a download may be without progress before the log warns of it.
    pub stall_warning: Duration,
    /// Links of one swarm that we dial.
    pub neighbours_max: u32,
}
