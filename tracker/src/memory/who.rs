//! A peer that speaks to the tracker.

use super::network::PeerKey;
use shared::id::PeerId;
use std::net::SocketAddr;
use std::sync::Arc;

/// A peer that speaks: what it is keyed by, and what hello said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// The connection's address with the announced port.
    pub addr: SocketAddr,
    /// Its id, drawn at this start of its process.
    pub peer_id: PeerId,
    /// Its zone, empty if none is configured.
    pub zone: Arc<str>,
}

impl Who {
    pub(super) fn key(&self) -> PeerKey {
        (self.addr, self.peer_id)
    }
}
