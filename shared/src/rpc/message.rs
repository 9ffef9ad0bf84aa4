//! What the messages of all services have in common: a payload, limits, and a version.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The version of all three protocols. Peers of another version are refused at hello.
pub const PROTOCOL_VERSION: u16 = 2;

/// Whether a payload was written to its last byte. It says nothing of whether the other side has read it.
#[derive(Debug, Clone, Default)]
pub struct Written(Arc<AtomicBool>);

impl Written {
    /// Whether the last byte was written.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// The last byte is written. The transport says so, and whoever takes its place in a test.
    pub fn set(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Bytes that travel as a frame's body, outside serde: never copied in user space, and bounded by the limit of
/// their service and direction. A message has at most one.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Payload {
    /// The bytes.
    #[serde(skip)]
    pub bytes: Bytes,
    /// What the transport sets when it has written all of them, before it drops them.
    #[serde(skip)]
    pub written: Option<Written>,
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Payload {
        Payload { bytes, written: None }
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Payload) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Payload {}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.bytes.len())
    }
}

/// A message of one of our services, as the transport sees it: which body it may have, and which limits hold.
pub trait Message: Sized {
    /// The most bytes that its body may have.
    const BODY_BYTES_MAX: usize;
    /// The most bytes that its head may have.
    const HEAD_BYTES_MAX: usize;

    /// Where the message's payload is, if this message has one.
    fn payload(&mut self) -> Option<&mut Payload>;

    /// Whether it is a request to be greeted: the only one that is read before hello was accepted.
    fn is_hello(&self) -> bool {
        false
    }
}

/// The version that the other side speaks is not ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrongVersion {
    /// The version that the refusing side speaks.
    pub ours: u16,
}

impl fmt::Display for WrongVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it speaks protocol version {}, not {PROTOCOL_VERSION}", self.ours)
    }
}
