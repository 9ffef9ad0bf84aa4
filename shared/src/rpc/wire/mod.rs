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
mod end;
mod frames;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod greeted;
mod heads;
mod limits;
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
pub use end::LinkEnd;
pub use greeted::Greeted;
pub use limits::{HELLO_BYTES_MAX, TIMEOUT_MAX};
pub use meter::Meter;
pub use server::{Ended, ServerOptions, serve};
pub use tcp::{set_congestion_control, tune};
pub use unread::Unread;
