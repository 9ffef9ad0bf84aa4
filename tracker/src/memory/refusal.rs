//! Why the tracker's memory does not do what it was asked for.

use shared::rpc::tracker::Namesake;
use std::net::SocketAddr;

/// Why the registry does not do what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The request makes no sense; the text says why.
    Malformed(String),
    /// A limit is reached; the text says which.
    Full(String),
    /// There is no such publication, or no such page.
    Unknown,
    /// Another machine shares other content under the name, and the caller did not ask for the name.
    Taken(Box<Namesake>),
    /// The caller did not share what it would take back; the machine that did, or that published it.
    NotYours(SocketAddr),
}
