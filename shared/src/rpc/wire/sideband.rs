//! What the two ends of a connection's layers tell each other past the layers between them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What the decoder at the top of a connection and the socket at its bottom tell each other. Each connection has one;
/// clones share it.
///
/// Only the decoder knows where a body ends, and only the socket can wait for many bytes at once. Between them lie
/// layers that hold bytes back: TLS, bandwidth limits. So both count the bytes of the connection from its first one, and
/// the decoder names the *offset* at which the body ends. What any layer holds is then counted already. TLS adds bytes
/// of its own, and says how many.
///
/// In the other direction a layer between may have taken bytes that the socket did not take yet. It says how many.
#[derive(Debug, Clone, Default)]
pub struct Sideband(Arc<Values>);

#[derive(Debug, Default)]
struct Values {
    /// The offset in the received bytes at which the body under way ends; 0 if none is.
    body_end: AtomicU64,
    /// The received bytes that a layer between keeps for itself.
    skipped: AtomicU64,
    /// The bytes that a layer took and the socket did not.
    held: AtomicU64,
}

impl Sideband {
    /// That of a new connection.
    pub fn new() -> Sideband {
        Sideband::default()
    }

    /// The number of bytes of the body under way that the socket has not read, where `received` bytes were read from it
    /// in all. The other side is bound to send them. 0 if no body is under way.
    pub fn missing(&self, received: u64) -> usize {
        match self.0.body_end.load(Ordering::Relaxed) {
            0 => 0,
            end => {
                let end = end.saturating_add(self.0.skipped.load(Ordering::Relaxed));
                usize::try_from(end.saturating_sub(received)).unwrap_or(usize::MAX)
            }
        }
    }

    /// Whether a body is under way.
    pub fn is_in_body(&self) -> bool {
        self.0.body_end.load(Ordering::Relaxed) != 0
    }

    /// Notes that this many of the received bytes are kept by a layer between, and never reach the decoder. They may
    /// still be to come, if the other side is bound to send them. Too few are better than too many: the socket would
    /// wait for what does not come.
    pub fn skip(&self, bytes: u64) {
        self.0.skipped.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The bytes that were skipped.
    #[cfg(all(test, feature = "tls"))]
    pub(in crate::rpc) fn skipped(&self) -> u64 {
        self.0.skipped.load(Ordering::Relaxed)
    }

    /// Notes that the body under way ends at this offset.
    pub(super) fn begin_body(&self, end: u64) {
        self.0.body_end.store(end, Ordering::Relaxed);
    }

    /// Notes that no body is under way.
    pub(super) fn end_body(&self) {
        self.0.body_end.store(0, Ordering::Relaxed);
    }

    /// The bytes that a layer between took and the socket did not, because the other side takes none.
    pub fn held(&self) -> u64 {
        self.0.held.load(Ordering::Relaxed)
    }

    /// Notes how many bytes a layer took that the socket did not take.
    pub fn set_held(&self, bytes: u64) {
        self.0.held.store(bytes, Ordering::Relaxed);
    }
}
