//! Counts the bytes of bodies as they arrive.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the body bytes that arrive on one connection, even before their frames are complete: a slow chunk is no
/// stall, a lack of bytes is. Clones share one count.
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<AtomicU64>);

impl Meter {
    /// A meter at zero.
    pub fn new() -> Meter {
        Meter::default()
    }

    /// The body bytes that have arrived so far.
    pub fn received_bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn count_received(&self, bytes: usize) {
        self.0.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}
