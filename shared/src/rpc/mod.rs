//! What travels between processes: three tarpc services over one transport.
//!
//! [`wire`] carries frames over any byte stream; [`peer`] is between daemons, [`tracker`] between a daemon
//! and a tracker, [`control`] between ttctl and its daemon, over the Unix socket of [`local`].
//! docs/protocol.md describes every message for a second implementation.

pub mod control;
mod listen;
pub mod local;
mod message;
pub mod peer;
pub mod tracker;
pub mod wire;

pub use listen::listen;
pub use message::{Message, PROTOCOL_VERSION, Payload, Written, WrongVersion};
