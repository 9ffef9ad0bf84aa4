//! The parts of the configuration that the driver and the control service receive.

use shared::host::config::{DaemonConfig, Glob, ReuseScope, SubscribeRule, WatchMode};
use shared::url::TrackerUrl;
use std::path::PathBuf;
use std::time::Duration;

/// The current configuration, as far as other parts of the daemon need it.
#[derive(Debug, Clone)]
pub struct Configured {
    /// The trackers for what is shared and fetched by name.
    pub trackers: Vec<TrackerUrl>,
    /// The mode of finished files, and their group if one is configured.
    pub file_mode: u32,
    pub file_group: Option<u32>,
    /// The rules of `[[subscribe]]`, each with the place where it is written, as FILE:LINE.
    pub subscribe: Vec<(SubscribeRule, String)>,
    /// The config file and its drop-ins, in the order in which they were read.
    pub files: Vec<PathBuf>,
    /// Whether and how the shared directory is watched.
    pub watch: WatchSettings,
}

/// Whether and how the shared directory is watched.
#[derive(Debug, Clone, PartialEq)]
pub struct WatchSettings {
    /// Whether it is, and by what.
    pub mode: WatchMode,
    /// Whether directories are shared, too.
    pub has_trees: bool,
    /// The time between two scans.
    pub interval: Duration,
    /// How long a file must stand still after it was closed.
    pub settle: Duration,
    /// The names that are not shared.
    pub ignore: Vec<Glob>,
}

impl WatchSettings {
    /// Those of a configuration.
    pub fn of(config: &DaemonConfig) -> WatchSettings {
        WatchSettings {
            mode: config.watch,
            has_trees: config.watch_directories,
            interval: config.watch_interval.duration(),
            settle: config.watch_settle.duration(),
            ignore: config.watch_ignore.clone(),
        }
    }
}

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
    /// From which files of this machine downloads take chunks.
    pub reuse: ReuseScope,
    /// The most links of one swarm that we dial.
    pub neighbours_max: u32,
}
