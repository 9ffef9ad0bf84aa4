//! What travels between processes: three tarpc services over one transport.
//!
//! [`wire`] carries frames over any byte stream; [`peer`] is between daemons, [`tracker`] between a daemon (or
//! ttctl) and a tracker, [`control`] between ttctl and its daemon, over the Unix socket of [`local`].
//! docs/protocol.md describes every message for a second implementation.

pub mod control;
mod listen;
pub mod local;
pub mod peer;
pub mod tracker;
pub mod wire;

pub use listen::listen;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The version of all three protocols. Peers of another version are refused at hello.
pub const PROTOCOL_VERSION: u16 = 2;

/// Bytes that travel as a frame's body, outside serde: never copied in user space, and bounded by the limit of
/// their service and direction. A message has at most one.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    /// The bytes.
    #[serde(skip)]
    pub bytes: Bytes,
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Payload {
        Payload { bytes }
    }
}

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
