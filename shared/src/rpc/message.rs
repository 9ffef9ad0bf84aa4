//! What the messages of all services share: a payload, size limits, and the protocol version.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The version of all three protocols. A peer with another version is refused at hello.
pub const PROTOCOL_VERSION: u16 = 2;

/// Whether the last byte of a payload was written. It does not say whether the other side has read it.
#[derive(Debug, Clone, Default)]
pub struct Written(Arc<AtomicBool>);

impl Written {
    /// Whether the last byte was written.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Notes that the last byte was written. The transport calls it, or a test in its place.
    pub fn set(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Bytes that are sent as a frame's body, without serde and without being copied in user space. Their number is limited
/// per service and direction. A message has at most one payload.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Payload {
    /// The bytes.
    #[serde(skip)]
    pub bytes: Bytes,
    /// Set by the transport when all bytes are written, before it drops them.
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

/// A message of a service as the transport sees it: whether it has a body, and its size limits.
pub trait Message: Sized {
    /// Limits the bytes of a body. A longer one ends the connection.
    const BODY_BYTES_MAX: usize;
    /// Limits the bytes of a head. A longer one ends the connection.
    const HEAD_BYTES_MAX: usize;

    /// The message's payload, if it has one.
    fn payload(&mut self) -> Option<&mut Payload>;

    /// Whether it is a hello, the only message that is read before hello was accepted.
    fn is_hello(&self) -> bool {
        false
    }
}

/// A refusal because the versions differ.
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
