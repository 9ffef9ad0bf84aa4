//! Under which address a peer is known, and to whom.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A peer's address as an asker should use it. A peer that reached the tracker over loopback is on the tracker's
/// machine: askers from there use the address as it is, all others the one by which they reached the tracker.
pub fn seen_from(peer: SocketAddr, asker: IpAddr, tracker: IpAddr) -> SocketAddr {
    if peer.ip().is_loopback() && !asker.is_loopback() {
        return SocketAddr::new(tracker, peer.port());
    }
    peer
}

/// The addresses under which a peer may be known that an asker names so: the reverse of [`seen_from`].
pub fn known_as(peer: SocketAddr, tracker: IpAddr) -> impl Iterator<Item = SocketAddr> {
    let near = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let near = near.into_iter().filter(move |_| peer.ip() == tracker);
    std::iter::once(peer.ip()).chain(near).map(move |ip| SocketAddr::new(ip, peer.port()))
}
