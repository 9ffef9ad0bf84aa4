//! The transport under all services: tarpc's messages as frames over any byte stream.
//!
//! **How to use it.** The one who asks calls [`client`] with its end of the stream; it gets a [`Caller`] (cheap
//! to clone, with one method per call of the service: `PeerCaller`, `TrackerCaller`, `ControlCaller`) and a
//! future that carries the connection: spawn it. It ends with the reason why the connection ended, and dropping
//! (or aborting) it closes the connection at once; every open call then fails with [`CallError::Closed`]. A call
//! whose future is dropped is cancelled at the other side. The one who is asked awaits [`serve`] with its end of
//! the stream and a service (`MyPeer { greeted, .. }.serve()`, as tarpc makes it from the trait): one task per
//! connection, which owns its handlers; dropping the future closes the connection and drops the handlers. Each
//! connection has a [`Greeted`] of its own, shared by the options and the service: `hello`'s handler calls
//! [`Greeted::accept`], or [`Greeted::refuse`] when the connection is to end after its answer. Until then only
//! hello is read at all. Bytes in a message's `Payload` are written without a copy and dropped the moment that
//! the last of them was written, so a guard inside of them (`Bytes::from_owner`) tells when that was; on the
//! way in a [`Meter`] counts them as they come, before their message is whole. TCP connections want [`tune`].
//!
//! ```text
//! frame = head_len u32 | body_len u32 | head (postcard) | body (raw bytes)         big endian
//! ```
//!
//! Reading order: `heads` (what is in a head) → `frames` (bytes to messages, pure) → `transport` (the byte
//! stream) → `client` and `server`.

mod batched;
mod budget;
pub mod buffers;
mod client;
mod crowd;
mod frames;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod greeted;
mod heads;
mod meter;
mod server;
mod tcp;
mod transport;
mod unread;

#[cfg(test)]
mod tests;

pub use batched::Batched;
pub use budget::Budget;
pub(super) use client::calls;
pub use client::{CallError, Caller, ClientOptions, client};
pub use crowd::{Admitted, Crowd};
pub use greeted::Greeted;
pub use meter::Meter;
pub use server::{Ended, ServerOptions, serve};
pub use tcp::{set_congestion_control, tune};
pub use unread::Unread;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tarpc::ChannelError;

/// The longest time that a call may take. A longer one that is asked for, by us or by a peer, is cut to this.
pub const TIMEOUT_MAX: Duration = Duration::from_secs(600);

/// The longest head that is read before hello was accepted, in bytes.
pub const HELLO_BYTES_MAX: usize = 1024;

/// Why a connection ended.
#[derive(Debug, Clone)]
pub enum LinkEnd {
    /// The other side closed it, or all callers are gone.
    Closed,
    /// We refused its hello.
    Refused,
    /// The other side did not get through hello in time.
    NoHello,
    /// Nothing was asked for too long.
    Idle,
    /// Bytes were waiting, and the other side took none for too long.
    Stalled,
    /// The other side sent what it must not send.
    Malformed(String),
    /// The other side closed in the middle of a frame.
    Cut,
    /// The other side asked for more than its budget.
    Flooded,
    /// The stream failed.
    Failed(Arc<io::Error>),
}

impl LinkEnd {
    fn of(error: ChannelError<io::Error>) -> LinkEnd {
        let (ChannelError::Read(error)
        | ChannelError::Ready(error)
        | ChannelError::Write(error)
        | ChannelError::Flush(error)
        | ChannelError::Close(error)) = error;
        match error.kind() {
            io::ErrorKind::InvalidData => LinkEnd::Malformed(error.to_string()),
            io::ErrorKind::TimedOut => LinkEnd::Stalled,
            io::ErrorKind::UnexpectedEof => LinkEnd::Cut,
            io::ErrorKind::QuotaExceeded => LinkEnd::Flooded,
            _ => LinkEnd::Failed(error),
        }
    }
}

impl fmt::Display for LinkEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LinkEnd::Closed => f.write_str("closed"),
            LinkEnd::Refused => f.write_str("its hello was refused"),
            LinkEnd::NoHello => f.write_str("it did not say hello in time"),
            LinkEnd::Idle => f.write_str("idle"),
            LinkEnd::Stalled => f.write_str("it took no bytes for too long"),
            LinkEnd::Malformed(what) => write!(f, "it broke the protocol: {what}"),
            LinkEnd::Cut => f.write_str("it broke off in the middle of a frame"),
            LinkEnd::Flooded => f.write_str("it asked for too much"),
            LinkEnd::Failed(error) => error.fmt(f),
        }
    }
}

/// An error that ends a connection because of what the other side sent.
fn malformed(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}
