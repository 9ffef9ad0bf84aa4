//! The protocols between processes: three tarpc services on one transport.
//!
//! [`wire`] carries frames over any byte stream. [`peer`] is the service between daemons, [`tracker`] the one between a
//! daemon and a tracker, and [`control`] the one between ttctl and its daemon, over the Unix socket of [`local`].
//! docs/protocol.md describes every message. `tls` (with the feature of that name) encrypts connections between machines.

pub mod control;
mod listen;
pub mod local;
mod message;
pub mod peer;
#[cfg(feature = "tls")]
pub mod tls;
pub mod tracker;
pub mod wire;

pub use listen::listen;
pub use message::{Message, PROTOCOL_VERSION, Payload, Written, WrongVersion};
