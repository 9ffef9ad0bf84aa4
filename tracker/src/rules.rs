//! What the configuration says of callers: their rights, and who may name another address of its own. Pure.

use crate::rights::Rights;
use shared::host::config::{Network, TrackerConfig};
use shared::rpc::tracker::TrackedPeer;
use std::net::{IpAddr, SocketAddr};

/// What the configuration says of callers.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    /// Who may do what.
    pub(crate) rights: Rights,
    /// The networks whose machines may name another address of theirs.
    advertise_networks: Vec<Network>,
}

impl Rules {
    /// Those of a configuration.
    pub(crate) fn of(config: &TrackerConfig) -> Rules {
        let rights = Rights::new(config.allow.clone());
        Rules { rights, advertise_networks: config.advertise_networks.clone() }
    }

    /// The address of a peer that is told to others, where it connects from `asker`: the one that it advertises if it may, and
    /// otherwise that of its connection, with its listening port. It may if it has a certificate.
    pub(crate) fn address_of(&self, asker: IpAddr, has_certificate: bool, peer: &TrackedPeer) -> SocketAddr {
        let may = has_certificate || self.advertise_networks.iter().any(|network| network.contains(asker));
        match peer.advertise.filter(|_| may) {
            Some(addr) => SocketAddr::new(addr.ip().to_canonical(), addr.port()),
            None => SocketAddr::new(asker, peer.listen_port),
        }
    }
}

/// Whether a machine can listen at an address.
pub(crate) fn is_dialable(addr: SocketAddr) -> bool {
    let ip = addr.ip().to_canonical();
    let is_broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    addr.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !is_broadcast
}
