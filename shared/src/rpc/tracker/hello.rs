//! How a caller and a tracker greet each other.

use crate::id::PeerId;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// What a caller says first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackerHello {
    /// The protocol version that it speaks.
    pub version: u16,
    /// Bits for optional features; none is defined yet. Unknown bits are ignored.
    pub capabilities: u64,
    /// Its id; `None` for a caller that only asks, as a daemon does for ttctl: it cannot announce.
    pub peer: Option<TrackedPeer>,
}

/// A caller that is a peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackedPeer {
    /// Its id, drawn at this start of its process.
    pub peer_id: PeerId,
    /// The port that it listens on for peers. Its address is the connection's.
    pub listen_port: u16,
    /// Its zone, empty if none is configured.
    pub zone: String,
}

/// The answer to hello.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackerWelcome {
    /// The protocol version that the tracker speaks.
    pub version: u16,
    /// As in [`TrackerHello`].
    pub capabilities: u64,
    /// Drawn at random at the tracker's start: another epoch means that it has forgotten everything.
    pub epoch: u64,
    /// The tracker's software version, for people.
    pub software: String,
    /// The caller's address as the tracker sees it.
    pub your_address: SocketAddr,
}
