//! Counts the bytes of bodies as they come.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the body bytes that come over one connection, before their frames are whole: a peer stalls when no byte comes,
/// not when a chunk takes its time. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<AtomicU64>);

impl Meter {
    /// A meter at zero.
    pub fn new() -> Meter {
        Meter::default()
    }

    /// How many body bytes came in so far.
    pub fn received_bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn count_received(&self, bytes: usize) {
        self.0.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}
