//! A peer that calls the tracker.

use super::network::PeerKey;
use shared::id::PeerId;
use shared::identity::NodeName;
use std::net::SocketAddr;
use std::sync::Arc;

/// A peer that calls, as identified by its connection and its hello.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// The connection's IP address with the announced port.
    pub addr: SocketAddr,
    /// Its id, drawn when its process started.
    pub peer_id: PeerId,
    /// Its zone; empty if none is configured.
    pub zone: Arc<str>,
    /// The host name that it reported, empty if none. It is only shown.
    pub host: Arc<str>,
    /// The node that its certificate names; `None` without a certificate.
    pub node: Option<NodeName>,
}

impl Who {
    pub(super) fn key(&self) -> PeerKey {
        (self.addr, self.peer_id)
    }
}
