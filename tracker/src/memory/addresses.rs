//! Translates peers' addresses between the tracker's view and a caller's.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A peer's address as a caller can use it. A peer that reached the tracker over loopback is on the tracker's machine.
/// A caller on that machine uses the loopback address; any other caller uses the address by which it reached the
/// tracker.
pub fn seen_from(peer: SocketAddr, asker: IpAddr, tracker: IpAddr) -> SocketAddr {
    if peer.ip().is_loopback() && !asker.is_loopback() {
        return SocketAddr::new(tracker, peer.port());
    }
    peer
}

/// The addresses under which the tracker may know a peer that a caller names by this address. The inverse of
/// [`seen_from`].
pub fn known_as(peer: SocketAddr, tracker: IpAddr) -> impl Iterator<Item = SocketAddr> {
    let near = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let near = near.into_iter().filter(move |_| peer.ip() == tracker);
    std::iter::once(peer.ip()).chain(near).map(move |ip| SocketAddr::new(ip, peer.port()))
}
