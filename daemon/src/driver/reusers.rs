//! The places for work on chunks of downloads that are on this machine: how much of it is done at once.

use super::hashing::Hashing;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Limits the searches at once; further ones wait. Each takes a processor for some milliseconds, or for a second if it
/// is for terabytes.
const SEARCHES_MAX: usize = 2;

/// Limits the downloads at once whose repeated chunks are written; further ones wait. Each takes a thread.
const REPEATING_MAX: usize = 2;

/// Limits the time for which a download waits for a place to copy chunks that are on this machine. After that it joins
/// its swarm without them, because the copies before it may take hours, and peers may be faster. Most copies end sooner.
const COPY_WITHIN: Duration = Duration::from_secs(30);

/// Limits the downloads at once whose chunks of zeros are made; further ones wait. Each takes a thread, and where the file
/// system cannot make holes also the disk.
pub(super) const ZEROS_MAX: usize = 2;

/// The places for work on chunks that are on this machine.
#[derive(Debug)]
pub(super) struct Reusers {
    /// For searches.
    pub(super) searches: Arc<Semaphore>,
    /// For copies, a few at a time, because each takes a processor.
    pub(super) copies: Hashing,
    /// How long a download waits for a place among the copies.
    pub(super) copy_within: Duration,
    /// For writing repeated chunks.
    pub(super) repeating: Arc<Semaphore>,
    /// For making chunks of zeros.
    pub(super) zeros: Arc<Semaphore>,
}

impl Default for Reusers {
    fn default() -> Reusers {
        let places = |max| Arc::new(Semaphore::new(max));
        let (searches, repeating) = (places(SEARCHES_MAX), places(REPEATING_MAX));
        let zeros = places(ZEROS_MAX);
        Reusers { searches, copies: Hashing::default(), copy_within: COPY_WITHIN, repeating, zeros }
    }
}
