//! Ranges of addresses: peers, hosts and networks.

use super::draw::Draw;
use shared::id::PeerId;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The key of a peer: its address as the tracker sees it, and its id. Several peers may share an address.
pub(super) type PeerKey = (SocketAddr, PeerId);

/// The range of all peers at an address and port.
pub(super) fn peers_at(addr: SocketAddr) -> std::ops::RangeInclusive<PeerKey> {
    (addr, PeerId([0; 16]))..=(addr, PeerId([255; 16]))
}

/// The range of all peers at a host.
pub(super) fn at_host(host: IpAddr) -> std::ops::RangeInclusive<PeerKey> {
    from(host)..=to(host)
}

pub(super) fn from(host: IpAddr) -> PeerKey {
    (SocketAddr::new(host, 0), PeerId([0; 16]))
}

pub(super) fn to(host: IpAddr) -> PeerKey {
    let last = match SocketAddr::new(host, u16::MAX) {
        SocketAddr::V6(v6) => std::net::SocketAddrV6::new(*v6.ip(), v6.port(), u32::MAX, u32::MAX).into(),
        v4 => v4,
    };
    (last, PeerId([255; 16]))
}

/// The first and the last address of a host's network, taken as the range that one party may own: a /16 of IPv4, a /32
/// of IPv6.
pub(super) fn network(host: IpAddr) -> (IpAddr, IpAddr) {
    match host {
        IpAddr::V4(v4) => {
            let first = v4.to_bits() & 0xffff_0000;
            (Ipv4Addr::from(first).into(), Ipv4Addr::from(first | 0xffff).into())
        }
        IpAddr::V6(v6) => {
            let rest = u128::MAX >> 32;
            let first = v6.to_bits() & !rest;
            (Ipv6Addr::from(first).into(), Ipv6Addr::from(first | rest).into())
        }
    }
}

pub(super) fn between(draw: &mut Draw, first: IpAddr, last: IpAddr) -> IpAddr {
    match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => {
            let span = (last.to_bits() - first.to_bits()) as usize;
            Ipv4Addr::from(first.to_bits() + draw.below(span + 1) as u32).into()
        }
        // Only bits 64 to 95 vary: they select customers' networks, not machines in them.
        (IpAddr::V6(first), _) => {
            let high = (draw.below(1 << 32) as u128) << 64;
            Ipv6Addr::from(first.to_bits() | high).into()
        }
        (first, _) => first,
    }
}

/// The next address. IPv6 addresses follow after IPv4 addresses.
pub(super) fn after(host: IpAddr) -> Option<IpAddr> {
    match host {
        IpAddr::V4(v4) => Some(
            v4.to_bits()
                .checked_add(1)
                .map_or(Ipv6Addr::UNSPECIFIED.into(), |next| Ipv4Addr::from(next).into()),
        ),
        IpAddr::V6(v6) => v6.to_bits().checked_add(1).map(|next| Ipv6Addr::from(next).into()),
    }
}
