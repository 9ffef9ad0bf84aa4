//! Divides the entries among networks, hosts and peers: when all are taken, those with far more than others make way.

use super::network::{PeerKey, from, network, to};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// The entries that a host, or one of several peers at a host, keeps in any case: more than most machines share.
const HOST_FAIR: usize = 10_000;
/// The entries that a network keeps in any case: those of ten such hosts, or of many usual ones.
const NETWORK_FAIR: usize = 100_000;

/// The number of entries of each network, host and peer, in order.
#[derive(Debug, Default)]
pub(super) struct EntryShares {
    networks: BTreeMap<IpAddr, usize>,
    hosts: BTreeMap<IpAddr, usize>,
    /// Networks by number of entries.
    network_order: BTreeSet<(usize, IpAddr)>,
    /// The hosts of each network by number of entries.
    host_order: BTreeSet<(IpAddr, usize, IpAddr)>,
    /// The peers of each host by number of entries.
    peer_order: BTreeSet<(IpAddr, usize, PeerKey)>,
}

impl EntryShares {
    /// Changes the number of a peer's entries from `before` to `after`.
    pub(super) fn set(&mut self, peer: PeerKey, before: usize, after: usize) {
        let (host, network) = (peer.0.ip(), network(peer.0.ip()).0);
        self.peer_order.remove(&(host, before, peer));
        if after > 0 {
            self.peer_order.insert((host, after, peer));
        }
        let (was, is) = change(&mut self.hosts, host, before, after);
        self.host_order.remove(&(network, was, host));
        if is > 0 {
            self.host_order.insert((network, is, host));
        }
        let (was, is) = change(&mut self.networks, network, before, after);
        self.network_order.remove(&(was, network));
        if is > 0 {
            self.network_order.insert((is, network));
        }
    }

    /// The peer whose entries are evicted for new entries of another, and how many of them may go.
    pub(super) fn makes_way(&self, newcomer: PeerKey, own: usize, new: usize) -> Option<(PeerKey, usize)> {
        let host = newcomer.0.ip();
        let network = network(host).0;
        let of = |counts: &BTreeMap<IpAddr, usize>, of: IpAddr| counts.get(&of).copied().unwrap_or(0);
        let &(count, largest) = self.network_order.last()?;
        let fair = NETWORK_FAIR.max(of(&self.networks, network) + new);
        if largest != network && count > fair {
            return Some((self.largest_peer(self.largest_host(largest)?.0)?.0, count - fair));
        }
        let fair = HOST_FAIR.max(of(&self.hosts, host) + new);
        let mut hosts = [largest, network].into_iter().filter_map(|network| self.largest_host(network));
        if let Some((other, count)) = hosts.find(|&(other, count)| other != host && count > fair) {
            return Some((self.largest_peer(other)?.0, count - fair));
        }
        let fair = HOST_FAIR.max(own + new);
        let (other, count) = self.largest_peer(host)?;
        (other != newcomer && count > fair).then(|| (other, count - fair))
    }

    /// The peer with the most entries: of the largest network the largest host, and of that the largest peer. If the
    /// newcomer's are as many, it is the newcomer, so that whoever was there first stays.
    pub(super) fn largest(&self, newcomer: PeerKey) -> Option<PeerKey> {
        let (host, own) = (newcomer.0.ip(), network(newcomer.0.ip()).0);
        let of = |counts: &BTreeMap<IpAddr, usize>, of: IpAddr| counts.get(&of).copied().unwrap_or(0);
        let (count, mut largest) = *self.network_order.last()?;
        if of(&self.networks, own) == count {
            largest = own;
        }
        let (mut largest, count) = self.largest_host(largest)?;
        if network(largest).0 == own && of(&self.hosts, host) == count {
            largest = host;
        }
        let (peer, count) = self.largest_peer(largest)?;
        let ties = self.peer_order.contains(&(largest, count, newcomer));
        Some(if ties { newcomer } else { peer })
    }

    fn largest_host(&self, network: IpAddr) -> Option<(IpAddr, usize)> {
        let (first, last) = super::network::network(network);
        let of_network = self.host_order.range((network, 0, first)..=(network, usize::MAX, last));
        of_network.last().map(|(_, count, host)| (*host, *count))
    }

    fn largest_peer(&self, host: IpAddr) -> Option<(PeerKey, usize)> {
        let of_host = self.peer_order.range((host, 0, from(host))..=(host, usize::MAX, to(host)));
        of_host.last().map(|(_, count, peer)| (*peer, *count))
    }
}

/// Replaces `before` by `after` in a count. Returns its former and its new value.
fn change(counts: &mut BTreeMap<IpAddr, usize>, of: IpAddr, before: usize, after: usize) -> (usize, usize) {
    let count = counts.entry(of).or_default();
    let was = *count;
    *count = was + after - before;
    let is = *count;
    if is == 0 {
        counts.remove(&of);
    }
    (was, is)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::id::PeerId;

    fn peer(addr: &str) -> PeerKey {
        (addr.parse().unwrap(), PeerId([1; 16]))
    }

    /// A peer's address, and how many entries it has.
    type Entries = (&'static str, usize);

    fn shares(of: &[Entries]) -> EntryShares {
        let mut shares = EntryShares::default();
        of.iter().for_each(|(addr, entries)| shares.set(peer(addr), 0, *entries));
        shares
    }

    /// Who makes way for five new entries of `10.2.0.1:1`, and how many entries may go.
    #[test]
    fn whoever_has_more_than_its_fair_share_makes_way() {
        let cases: [(&str, &[Entries], Option<Entries>); 11] = [
            ("nobody has anything", &[], None),
            (
                "the largest peer of the largest host of another network",
                &[("10.1.0.1:1", 90_000), ("10.1.0.1:2", 20_000), ("10.1.0.2:1", 40_000)],
                Some(("10.1.0.1:1", 50_000)),
            ),
            (
                "a network keeps as much as the newcomer's has",
                &[("10.1.0.1:1", 130_000), ("10.2.0.9:1", 120_000)],
                Some(("10.1.0.1:1", 9_995)),
            ),
            (
                "a network with its fair share makes way as a host",
                &[("10.1.0.1:1", 100_000)],
                Some(("10.1.0.1:1", 90_000)),
            ),
            (
                "another host of the newcomer's network, which keeps as much as the newcomer's host",
                &[("10.2.0.1:1", 12_000), ("10.2.0.2:1", 30_000)],
                Some(("10.2.0.2:1", 17_995)),
            ),
            (
                "a host of the newcomer's network, if the largest network has none that is too large",
                &[("10.1.0.1:1", 10_000), ("10.1.0.2:1", 9_000), ("10.2.0.2:1", 10_001)],
                Some(("10.2.0.2:1", 1)),
            ),
            ("a host with its fair share stays", &[("10.2.0.2:1", 10_000)], None),
            ("a host with less stays", &[("10.2.0.2:1", 9_000), ("10.2.0.1:1", 1)], None),
            (
                "another peer of the newcomer's host, which keeps as much as the newcomer",
                &[("10.2.0.1:1", 11_000), ("10.2.0.1:2", 30_000)],
                Some(("10.2.0.1:2", 18_995)),
            ),
            ("a peer with its fair share stays", &[("10.2.0.1:2", 10_000)], None),
            ("nobody makes way for itself", &[("10.2.0.1:1", 30_000), ("10.2.0.1:2", 9_000)], None),
        ];
        for (what, entries, expected) in cases {
            let newcomer = "10.2.0.1:1";
            let own = entries.iter().find(|(addr, _)| *addr == newcomer).map_or(0, |(_, entries)| *entries);
            let found = shares(entries).makes_way(peer(newcomer), own, 5);
            assert_eq!(found, expected.map(|(addr, entries)| (peer(addr), entries)), "{what}");
        }
    }

    #[test]
    fn the_newcomer_is_the_largest_where_it_has_as_many() {
        let entries = [("10.1.0.1:1", 3), ("10.1.0.2:1", 3), ("10.2.0.1:1", 6), ("10.3.0.1:1", 3)];
        for (newcomer, largest) in [
            ("10.1.0.1:1", "10.1.0.1:1"),
            ("10.1.0.2:1", "10.1.0.2:1"),
            ("10.1.0.3:1", "10.1.0.2:1"),
            ("10.2.0.1:1", "10.2.0.1:1"),
            ("10.3.0.1:1", "10.2.0.1:1"),
            ("10.9.0.1:1", "10.2.0.1:1"),
        ] {
            assert_eq!(shares(&entries).largest(peer(newcomer)), Some(peer(largest)), "for {newcomer}");
        }
        let few = [("10.1.0.1:1", 3), ("10.1.0.2:1", 2), ("10.2.0.1:1", 3)];
        let largest = shares(&few).largest(peer("10.2.0.1:1"));
        assert_eq!(largest, Some(peer("10.1.0.1:1")), "its host has as many, but its network has fewer");
    }

    #[test]
    fn whoever_has_nothing_leaves_nothing_behind() {
        let mut shares = shares(&[("10.1.0.1:1", 3), ("10.1.0.1:2", 1)]);
        shares.set(peer("10.1.0.1:1"), 3, 2);
        shares.set(peer("10.1.0.1:2"), 1, 0);
        assert_eq!(shares.peer_order, [("10.1.0.1".parse().unwrap(), 2, peer("10.1.0.1:1"))].into());
        shares.set(peer("10.1.0.1:1"), 2, 0);
        assert!(
            shares.peer_order.is_empty() && shares.host_order.is_empty() && shares.network_order.is_empty()
        );
        assert!(shares.hosts.is_empty() && shares.networks.is_empty());
    }
}
