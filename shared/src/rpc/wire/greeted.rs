//! Whether a connection has got through hello.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// What it is at first is 0: nothing was said yet.
const ACCEPTED: u8 = 1;
const REFUSED: u8 = 2;

/// Whether a connection's hello was accepted: set by the handler of hello, watched by the transport. Until then
/// the transport reads hello and nothing else, so that a stranger cannot make us reserve memory. One per
/// connection; clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct Greeted(Arc<AtomicU8>);

impl Greeted {
    /// A connection that has not said hello.
    pub fn new() -> Greeted {
        Greeted::default()
    }

    /// Hello was accepted: all calls are let through from now on.
    pub fn accept(&self) {
        self.0.store(ACCEPTED, Ordering::Release);
    }

    /// The connection is to end: as soon as the open calls were answered and the answers are written.
    pub fn refuse(&self) {
        self.0.store(REFUSED, Ordering::Release);
    }

    /// Whether hello was accepted.
    pub fn is_accepted(&self) -> bool {
        self.0.load(Ordering::Acquire) == ACCEPTED
    }

    /// Whether the connection is to end.
    pub fn is_refused(&self) -> bool {
        self.0.load(Ordering::Acquire) == REFUSED
    }
}
