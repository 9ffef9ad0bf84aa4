//! Whether a connection's hello was accepted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// The state is 0 before the answer to hello.
const ACCEPTED: u8 = 1;
const REFUSED: u8 = 2;
const NARROW: u8 = 3;

/// Whether a connection's hello was accepted. The handler of hello sets it and the transport reads it. Before that the
/// transport reads nothing but hello, so that a stranger cannot make us reserve memory. Each connection has one; clones
/// share it.
#[derive(Debug, Clone, Default)]
pub struct Greeted(Arc<AtomicU8>);

impl Greeted {
    /// The state of a connection that has not said hello.
    pub fn new() -> Greeted {
        Greeted::default()
    }

    /// Accepts hello: from now on all calls are read.
    pub fn accept(&self) {
        self.0.store(ACCEPTED, Ordering::Release);
    }

    /// Accepts the hello of a caller that has not proved who it is: from now on calls with short heads
    /// ([`NARROW_HEAD_BYTES_MAX`](super::NARROW_HEAD_BYTES_MAX)) and without bodies are read. Which calls it may make is
    /// decided by the service.
    pub fn accept_narrow(&self) {
        self.0.store(NARROW, Ordering::Release);
    }

    /// Refuses hello: the connection ends as soon as the open calls are answered and the answers are written.
    pub fn refuse(&self) {
        self.0.store(REFUSED, Ordering::Release);
    }

    /// Whether hello was accepted.
    pub fn is_accepted(&self) -> bool {
        matches!(self.0.load(Ordering::Acquire), ACCEPTED | NARROW)
    }

    /// Whether hello was accepted for calls with short heads only.
    pub fn is_narrow(&self) -> bool {
        self.0.load(Ordering::Acquire) == NARROW
    }

    /// Whether hello was refused.
    pub fn is_refused(&self) -> bool {
        self.0.load(Ordering::Acquire) == REFUSED
    }
}
