//! The transport of all services: tarpc's messages as frames on any byte stream.
//!
//! **Calling.** [`client()`] returns a [`Caller`] and a future that runs the connection. The caller is cheap to clone
//! and has one method per call (`PeerCaller`, `TrackerCaller`, `ControlCaller`). Spawn the future: it returns the
//! reason why the connection ended, and dropping it closes the connection. Every open call then fails with
//! [`CallError::Closed`]. If a call's future is dropped, the call is canceled at the other side.
//!
//! **Serving.** Await [`serve`] with a service (`MyPeer { greeted, .. }.serve()`, which tarpc generates from the trait)
//! in one task per connection. The task owns the handlers; dropping its future closes the connection and drops them.
//! Each connection has its own [`Greeted`], shared by the options and the service. The handler of `hello` calls
//! [`Greeted::accept`], or [`Greeted::refuse`] to end the connection after its answer. Before that, only hello is read.
//!
//! **Payloads.** The bytes of a message's `Payload` are written without a copy and dropped when the last of them has left
//! all layers of the connection, so a guard inside them (`Bytes::from_owner`) notices that. On the receiving side a [`Meter`] counts bytes
//! as they arrive, before their message is complete. For TCP connections call [`tune`].
//!
//! **Layers.** Between the transport and the socket there may be TLS and bandwidth limits. [`Ahead`] is the lowest of
//! them. The transport and it share a [`Sideband`]: through it the socket learns how many bytes of a body are still to
//! come ([`Gather`]), and the transport how many of its bytes the layers hold.
//!
//! ```text
//! frame = head_len u32 | body_len u32 | head (postcard) | body (raw bytes)         big endian
//! ```
//!
//! Reading order: `heads` (what is in a head) → `frames` (bytes to messages, pure) → `transport` (the byte
//! stream) → `client` and `server`; below them `sideband`, `ahead` and `batched`.

mod ahead;
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
mod sideband;
mod tcp;
mod transport;
mod unread;

#[cfg(test)]
mod tests;

pub use ahead::{Ahead, Gather};
pub use batched::Batched;
pub use budget::Budget;
pub(super) use client::calls;
pub use client::{CallError, Caller, ClientOptions, client};
pub use crowd::{Admitted, Crowd};
pub use end::LinkEnd;
pub use greeted::Greeted;
pub use limits::{HELLO_BYTES_MAX, NARROW_HEAD_BYTES_MAX, TIMEOUT_MAX};
pub use meter::Meter;
pub use server::{Ended, ServerOptions, serve};
pub use sideband::Sideband;
pub use tcp::{mark, set_congestion_control, tune};
pub use unread::Unread;
