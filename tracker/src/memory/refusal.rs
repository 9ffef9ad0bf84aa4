//! The registry's reasons for refusing a call.

use shared::rpc::tracker::Namesake;
use std::net::SocketAddr;

/// Why the registry refuses a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The request is invalid; the text says why.
    Malformed(String),
    /// A limit is reached; the text says which.
    Full(String),
    /// There is no such publication, or no such page.
    Unknown,
    /// Another machine shares other content under the name, and the caller did not ask to take the name over.
    Taken(Box<Namesake>),
    /// The caller did not share what it would take back. The address is that of the machine that shared or published
    /// it.
    NotYours(SocketAddr),
}
