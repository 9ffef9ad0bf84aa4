//! A limit on unread answers over many connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Limits the bytes of answers that wait for sockets that take no more, over all connections that share it. Each
/// connection has limits of its own, but there may be very many connections. Clones share one count.
#[derive(Debug, Clone)]
pub struct Unread(Arc<Total>);

#[derive(Debug)]
struct Total {
    bytes: AtomicUsize,
    bytes_max: usize,
}

impl Unread {
    /// A limit of `bytes_max` bytes. Nothing is waiting yet.
    pub fn new(bytes_max: usize) -> Unread {
        Unread(Arc::new(Total { bytes: AtomicUsize::new(0), bytes_max }))
    }

    /// The number of waiting bytes.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.0.bytes.load(Ordering::Relaxed)
    }

    /// The share of one connection.
    pub(super) fn share(&self) -> UnreadShare {
        UnreadShare { all: self.clone(), bytes: 0 }
    }
}

/// The waiting bytes of one connection. They are subtracted when it is dropped.
#[derive(Debug)]
pub(super) struct UnreadShare {
    all: Unread,
    bytes: usize,
}

impl UnreadShare {
    /// Sets the number of waiting bytes. Returns `false` if it grew and the total is above the limit.
    pub(super) fn set(&mut self, bytes: usize) -> bool {
        let (total, before) = (&self.all.0, self.bytes);
        self.bytes = bytes;
        if bytes <= before {
            total.bytes.fetch_sub(before - bytes, Ordering::Relaxed);
            return true;
        }
        let more = bytes - before;
        total.bytes.fetch_add(more, Ordering::Relaxed).saturating_add(more) <= total.bytes_max
    }
}

impl Drop for UnreadShare {
    fn drop(&mut self) {
        self.set(0);
    }
}
