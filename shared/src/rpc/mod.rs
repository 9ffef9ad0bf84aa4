//! The protocols between processes: three tarpc services on one transport.
//!
//! [`wire`] carries frames over any byte stream. [`peer`] is the service between daemons, [`tracker`] the one between a
//! daemon and a tracker, and [`control`] the one between ttctl and its daemon, over the Unix socket of [`local`].
//! docs/protocol.md describes every message.

pub mod control;
mod listen;
pub mod local;
mod message;
pub mod peer;
pub mod tracker;
pub mod wire;

pub use listen::listen;
pub use message::{Message, PROTOCOL_VERSION, Payload, Written, WrongVersion};
