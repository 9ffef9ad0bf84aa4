//! What was said and is not read: a bound over many connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many bytes of answers may wait for sockets that take no more, over all connections that share it. Clones are
/// the same one. Each connection has bounds of its own, but there may be very many.
#[derive(Debug, Clone)]
pub struct Unread(Arc<Total>);

#[derive(Debug)]
struct Total {
    bytes: AtomicUsize,
    bytes_max: usize,
}

impl Unread {
    /// Nothing waits, and so many bytes may.
    pub fn new(bytes_max: usize) -> Unread {
        Unread(Arc::new(Total { bytes: AtomicUsize::new(0), bytes_max }))
    }

    /// How many bytes wait.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.0.bytes.load(Ordering::Relaxed)
    }

    /// The part of one connection.
    pub(super) fn share(&self) -> UnreadShare {
        UnreadShare { all: self.clone(), bytes: 0 }
    }
}

/// What waits at one connection; given back when it ends.
#[derive(Debug)]
pub(super) struct UnreadShare {
    all: Unread,
    bytes: usize,
}

impl UnreadShare {
    /// So many bytes wait now. `false` when they are more than before, and too many with those of all others.
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
