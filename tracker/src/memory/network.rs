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

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_is_what_one_party_may_own() {
        for (host, first, last) in [
            ("10.1.2.3", "10.1.0.0", "10.1.255.255"),
            ("255.255.0.0", "255.255.0.0", "255.255.255.255"),
            ("2001:db8:1:2::3", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
        ] {
            assert_eq!(network(ip(host)), (ip(first), ip(last)), "{host}");
        }
    }

    #[test]
    fn after_the_last_address_of_a_family_comes_the_next_family() {
        for (host, next) in [
            ("10.1.255.255", Some("10.2.0.0")),
            ("255.255.255.255", Some("::")),
            ("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", Some("2001:db9::")),
            ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None),
        ] {
            assert_eq!(after(ip(host)), next.map(ip), "{host}");
        }
    }

    #[test]
    fn every_point_of_a_range_is_drawn() {
        let mut draw = Draw::new([1; 32]);
        let mut drawn: Vec<IpAddr> =
            (0..100).map(|_| between(&mut draw, ip("10.0.255.255"), ip("10.1.0.1"))).collect();
        drawn.sort();
        drawn.dedup();
        assert_eq!(drawn, ["10.0.255.255", "10.1.0.0", "10.1.0.1"].map(ip));
    }

    #[test]
    fn of_an_ipv6_network_the_customers_networks_are_drawn() {
        let mut draw = Draw::new([1; 32]);
        let (first, last) = network(ip("2001:db8::"));
        let mut low = 0;
        for _ in 0..1000 {
            let IpAddr::V6(drawn) = between(&mut draw, first, last) else { panic!("another family") };
            let [a, b, third, _, rest @ ..] = drawn.segments();
            assert_eq!(([a, b], rest), ([0x2001, 0xdb8], [0; 4]), "{drawn}");
            low += u32::from(third < 0x8000);
        }
        assert!((400..600).contains(&low), "{low} of 1000 are in the first half");
    }
}
