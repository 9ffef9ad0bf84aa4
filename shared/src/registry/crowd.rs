//! Who makes way where there is no room for a newcomer: nobody can keep the others out by being there first, or often.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// One of those that take up the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place<K, R> {
    pub(super) key: K,
    /// Who took it.
    pub(super) by: SocketAddr,
    /// A peer takes part in it.
    pub(super) is_alive: bool,
    /// How new it is.
    pub(super) rank: R,
}

/// The one that makes way: one without a living peer, else one of the machine that has taken the most places, and
/// among those the oldest.
pub(super) fn makes_way<K: Copy, R: Ord + Copy>(places: &[Place<K, R>]) -> Option<Place<K, R>> {
    let mut hosts: BTreeMap<IpAddr, usize> = BTreeMap::new();
    let mut machines: BTreeMap<SocketAddr, usize> = BTreeMap::new();
    for place in places {
        *hosts.entry(place.by.ip()).or_default() += 1;
        *machines.entry(place.by).or_default() += 1;
    }
    let taken = |place: &Place<K, R>| (hosts[&place.by.ip()], machines[&place.by]);
    let order = |place: &&Place<K, R>| (place.is_alive, std::cmp::Reverse(taken(place)), place.rank);
    places.iter().min_by_key(order).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(key: u32, by: &str, is_alive: bool) -> Place<u32, u32> {
        Place { key, by: by.parse().unwrap(), is_alive, rank: key }
    }

    fn first(places: &[Place<u32, u32>]) -> Option<u32> {
        makes_way(places).map(|place| place.key)
    }

    #[test]
    fn what_nobody_has_goes_first_then_the_oldest_of_whoever_has_most() {
        assert_eq!(first(&[]), None);
        let (honest, many, other) = ("10.0.0.1:7987", "10.0.0.2:7987", "10.0.0.2:1");
        let places =
            [place(1, honest, true), place(3, many, true), place(2, many, true), place(4, other, true)];
        assert_eq!(first(&places), Some(2));
        assert_eq!(first(&[&places[..], &[place(9, honest, false)]].concat()), Some(9));
        let same_host = [place(1, "10.0.0.2:5", true), place(2, many, true), place(3, many, true)];
        assert_eq!(first(&same_host), Some(2), "ports of one host are told apart after the hosts");
        assert_eq!(first(&[place(2, honest, true), place(1, many, true)]), Some(1));
    }
}
