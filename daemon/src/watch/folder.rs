//! What is known of the shared folder: whether it is there, answers, and has room.

use crate::store::{NotHere, StoreError};
use shared::id::SwarmKey;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A folder that has not answered for so long is named as what everything waits for, and nobody is promised anything
/// that needs it.
const SLOW_AFTER: Duration = Duration::from_secs(5);

/// What is known of the shared folder.
#[derive(Debug, Default)]
pub struct Folder {
    /// Why nothing takes part in its swarm, while that is so.
    pub away: Option<Away>,
    /// Since when it has not answered whether it is there.
    pub silent_since: Option<Instant>,
    /// When it was asked last.
    pub asked_at: Option<Instant>,
    /// The last question, and the last one that was answered: an older answer comes too late.
    pub asked: u64,
    pub heard: u64,
    /// Questions that wait.
    pub waiting: u32,
    /// Bytes that are free in it, or why nobody knows; `None` before it was asked.
    pub free: Option<Result<u64, Arc<StoreError>>>,
    /// Its device and inode.
    pub place: Option<(u64, u64)>,
    /// The files that are served are being looked at, for this time of that many.
    pub looking: bool,
    pub look: u64,
    /// The last resource whose files were looked at; none at the beginning and at the end of all of them.
    pub looked_at: Option<SwarmKey>,
}

/// Why nothing takes part in its swarm.
#[derive(Debug)]
pub enum Away {
    /// The folder is not there.
    NotHere(NotHere),
    /// It has only not answered: what was open is open still.
    Silent,
}

impl Folder {
    /// Whether nothing can be done with it.
    pub fn is_away(&self) -> bool {
        self.away.is_some()
    }

    /// For how long it has not answered, when that is long.
    pub fn silent_for(&self, now: Instant) -> Option<Duration> {
        let silent = now.saturating_duration_since(self.silent_since?);
        Some(silent).filter(|&silent| silent >= SLOW_AFTER)
    }
}
