//! The peers of a resource.

use crate::id::ResourceId;
use crate::name::ResourceName;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// Which way chunks go between this machine and a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Chunks come from the peer.
    Download,
    /// Chunks go to the peer.
    Upload,
}

/// A peer of a resource. A peer with transfers in both directions has two entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerInfo {
    pub addr: SocketAddr,
    pub connected: bool,
    pub chunks_have: u32,
    pub chunks_total: u32,
    pub in_flight: u32,
    pub chunks_received: u64,
    pub chunks_corrupt: u64,
    pub direction: Direction,
    /// Chunks that it has received from here since it began to ask. 0 in an entry for downloads.
    pub chunks_sent: u64,
    /// The resource, and its first name.
    pub name: ResourceName,
    pub resource: ResourceId,
    /// How fast it gets chunks from here, over the last few seconds; `None` in an entry for downloads.
    pub bytes_per_s: Option<u64>,
    /// Seconds since it began to ask; `None` in an entry for downloads.
    pub active_s: Option<u64>,
}
