//! Chooses what is evicted for a new item where there is no room, so that nobody can keep others out by being first or
//! by coming often.

use super::network::network;
use shared::swarm::Time;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// An item that takes up room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Occupant<K, R> {
    pub(super) key: K,
    /// The machine that put it there.
    pub(super) by: SocketAddr,
    /// Whether a peer takes part in its swarm.
    pub(super) is_alive: bool,
    /// Since when it has been here with a peer.
    pub(super) since: Time,
    /// Its age relative to other items of the same machine.
    pub(super) newness: R,
}

/// The item that is evicted: one without a peer if there is any. Otherwise the oldest item of one machine, chosen by
/// the most items: first the network, in it the host, in it the machine. Among machines with equally many items, the
/// one that came last is chosen, so whoever was there before strangers stays, and the strangers compete among
/// themselves.
pub(super) fn makes_way<K: Copy, R: Ord + Copy>(occupants: &[Occupant<K, R>]) -> Option<Occupant<K, R>> {
    let mut networks: BTreeMap<IpAddr, usize> = BTreeMap::new();
    let mut hosts: BTreeMap<IpAddr, usize> = BTreeMap::new();
    let mut machines: BTreeMap<SocketAddr, (usize, Time, R)> = BTreeMap::new();
    for occupant in occupants {
        *networks.entry(network(occupant.by.ip()).0).or_default() += 1;
        *hosts.entry(occupant.by.ip()).or_default() += 1;
        let machine = machines.entry(occupant.by).or_insert((0, occupant.since, occupant.newness));
        *machine = (machine.0 + 1, machine.1.min(occupant.since), machine.2.min(occupant.newness));
    }
    let order = |occupant: &&Occupant<K, R>| {
        let host = occupant.by.ip();
        let taken = (networks[&network(host).0], hosts[&host], machines[&occupant.by]);
        (occupant.is_alive, Reverse(taken), occupant.newness)
    };
    occupants.iter().min_by_key(order).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn occupant(key: u32, by: &str, is_alive: bool) -> Occupant<u32, u32> {
        Occupant { key, by: by.parse().unwrap(), is_alive, since: Time(key.into()), newness: key }
    }

    fn first(occupants: &[Occupant<u32, u32>]) -> Option<u32> {
        makes_way(occupants).map(|occupant| occupant.key)
    }

    #[test]
    fn what_nobody_has_goes_first_then_the_oldest_of_whoever_has_most() {
        assert_eq!(first(&[]), None);
        let (honest, many, other) = ("10.0.0.1:7987", "10.0.0.2:7987", "10.0.0.2:1");
        let occupants = [
            occupant(1, honest, true),
            occupant(3, many, true),
            occupant(2, many, true),
            occupant(4, other, true),
        ];
        assert_eq!(first(&occupants), Some(2));
        assert_eq!(first(&[&occupants[..], &[occupant(9, honest, false)]].concat()), Some(9));
        let same_host = [occupant(1, "10.0.0.2:5", true), occupant(2, many, true), occupant(3, many, true)];
        assert_eq!(first(&same_host), Some(2), "ports of one host are told apart after the hosts");
        let two_machines = [occupant(1, many, true), occupant(2, other, true), occupant(3, honest, true)];
        assert_eq!(first(&two_machines), Some(2), "the last one of the host with two machines");
        assert_eq!(
            first(&[occupant(2, honest, true), occupant(1, many, true)]),
            Some(2),
            "the last that came"
        );
    }

    #[test]
    fn many_addresses_of_one_network_count_together() {
        let strangers = (10..25).map(|host| occupant(host, &format!("[2001:db8:1:2::{host}]:7987"), true));
        let occupants: Vec<_> =
            [occupant(1, "[2001:db9::1]:7987", true)].into_iter().chain(strangers).collect();
        assert_eq!(first(&occupants), Some(24));
        let late = occupant(99, "[2001:db9::1]:7987", true);
        let occupants: Vec<_> = occupants[1..].iter().copied().chain([late]).collect();
        assert_eq!(first(&occupants), Some(24), "also if the one of another network came last");
        let strangers = (10..25).map(|host| occupant(host, &format!("127.1.2.{host}:7987"), true));
        let occupants: Vec<_> = strangers.chain([occupant(1, "127.1.3.1:7987", true)]).collect();
        assert_eq!(first(&occupants), Some(24), "who is of the same network, and came before them, stays");
    }
}
