//! The greeting of a caller and a tracker.

use crate::id::PeerId;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// The first message of a caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackerHello {
    /// The protocol version that it speaks.
    pub version: u16,
    /// Bits for optional features. None is defined yet; unknown bits are ignored.
    pub capabilities: u64,
    /// The caller as a peer; `None` for a caller that only asks questions, as a daemon does for ttctl. Such a caller
    /// cannot announce.
    pub peer: Option<TrackedPeer>,
}

/// A caller that is a peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackedPeer {
    /// Its id, drawn when its process started.
    pub peer_id: PeerId,
    /// The port on which it listens for peers. Its IP address is taken from the connection.
    pub listen_port: u16,
    /// Its zone, empty if none is configured.
    pub zone: String,
    /// Its host name, at most [`HOSTNAME_BYTES_MAX`](crate::hostname::HOSTNAME_BYTES_MAX) bytes, empty if unknown. It
    /// is shown to people only: nothing proves it.
    pub host: String,
    /// The address at which others reach it, where that is not the connection's with the listening port. The tracker
    /// takes it only from callers whom it trusts with that.
    pub advertise: Option<SocketAddr>,
}

/// The answer to hello.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackerWelcome {
    /// The protocol version that the tracker speaks.
    pub version: u16,
    /// As in [`TrackerHello`].
    pub capabilities: u64,
    /// A random number drawn when the tracker started. Another epoch means that the tracker restarted and has forgotten
    /// everything.
    pub epoch: u64,
    /// The tracker's software version, as shown to users.
    pub software: String,
    /// The caller's address as the tracker tells it to others.
    pub your_address: SocketAddr,
    /// For a caller that only asks: how many machines are connected that show its node in their certificates, and say
    /// different ids. More than one are copies of one machine. 0 for other callers, and without a certificate.
    pub of_your_node: u32,
}
