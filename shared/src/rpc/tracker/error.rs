//! Why a tracker refuses a call.

use super::not_allowed::NotAllowed;
use super::types::Namesake;
use crate::rpc::message::WrongVersion;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// Why a call is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TrackerError {
    /// Another protocol version.
    Version(WrongVersion),
    /// The call is malformed: too many entries, port 0, pages out of order, a caller that is no peer.
    Malformed(String),
    /// A limit of the tracker is reached; the text says which.
    Full(String),
    /// There is no such publication, or it has no such page.
    Unknown,
    /// Another machine shares other content under the name, and the caller did not ask to take the name over.
    Taken(Namesake),
    /// The caller did not share this under this name; the machine that did, or that published it.
    NotYours(SocketAddr),
    /// The tracker's rules do not allow it to this caller.
    NotAllowed(NotAllowed),
    /// The tracker requires a certificate for this, and the caller has none.
    NoCertificate,
}

impl std::fmt::Display for TrackerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            TrackerError::Version(wrong) => wrong.fmt(f),
            TrackerError::Malformed(what) => write!(f, "it rejected the request: {what}"),
            TrackerError::Full(what) => write!(f, "it is full: {what}"),
            TrackerError::Unknown => f.write_str("it does not know this file"),
            TrackerError::Taken(Namesake { name, .. }) => {
                write!(f, "another machine shares different content as {name}")
            }
            TrackerError::NotYours(by) => {
                write!(f, "it was shared by {by}: only that machine can take it back")
            }
            TrackerError::NotAllowed(why) => why.fmt(f),
            TrackerError::NoCertificate => {
                f.write_str("it requires a certificate of its fleet, and this machine has none")
            }
        }
    }
}

impl std::error::Error for TrackerError {}
