//! The peers of a resource.

use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// Which way chunks go between this machine and a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// They are fetched from it.
    Download,
    /// It fetches them from here.
    Upload,
}

/// A peer of a resource. One that chunks go to and come from is two entries.
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
    /// Chunks that it got from here since it began to ask; 0 of one that is fetched from.
    pub chunks_sent: u64,
}
