//! TLS 1.3 between machines, as a layer of a connection.
//!
//! **Files.** [`Identity`], [`Authorities`] and [`Revoked`] are read from bytes, without effects; [`FileFault`] says what
//! is wrong with a file. [`Setup`] is made of the three, and checks them against each other and against the clock. A
//! changed file makes a new setup; connections that exist keep theirs.
//!
//! **Connections.** [`accept()`] turns an accepted stream into a [`Secured`] one, encrypted or not, according to its first
//! byte and to what is allowed. [`dial()`] does the same with a stream that we made. [`Refusal`] says in plain words why
//! a connection did not come about.
//!
//! ```text
//! wire (frames)
//! Secured            Plain, or rustls
//!   Below            a large buffer for what is received; counts records and bytes
//!     Replay         gives back the byte by which the caller was recognized
//!       bandwidth limits, Ahead, Batched, the socket
//! ```
//!
//! Nothing here decides who may do what. A connection carries the [`Node`](crate::identity::Node) of a certificate that
//! one of the authorities signed, that is neither expired nor revoked, and that has the role that was demanded. The role
//! is demanded through rustls' ordinary check of the server's name; there is no verifier of our own.
//!
//! Reading order: `read` → `setup` → `refusal` → `accept`, `dial` → `secured`, `below`; `shown` is what is remembered of
//! whoever is at the other side.

mod accept;
mod below;
mod common;
mod dial;
mod fault;
mod read;
mod refusal;
mod replay;
mod secured;
mod setup;
mod shown;

#[cfg(test)]
mod tests;

pub use crate::utc::Utc;
pub use accept::{Accepting, accept};
pub use common::{HANDSHAKE_TIMEOUT, provider};
pub use dial::{Dialing, dial};
pub use fault::{FileFault, PemFault};
pub use read::{
    AUTHORITIES_MAX, Authorities, CHAIN_MAX, IDENTITY_BYTES_MAX, Identity, REVOKED_BYTES_MAX, Revoked,
    check_mode,
};
pub use refusal::{CertificateFault, JOIN, Refusal};
pub use secured::Secured;
pub use setup::Setup;
pub use shown::Shown;
