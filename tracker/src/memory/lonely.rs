//! Lonely leechers, which found no peer with a chunk they need. Seeders are told of them. Invented peers may be many,
//! but they have few networks, so they push out one another.

use super::draw::Draw;
use super::network::{PeerKey, network};
use std::collections::VecDeque;
use std::net::IpAddr;

/// Limits the lonely leechers that are remembered; beyond it the first of the network with the most makes way. Seeders
/// are told of four at a time.
const LONELY_MAX: usize = 64;
/// Limits the lonely leechers of one network, so that one network leaves room for others. Beyond it the first of that
/// network makes way.
const LONELY_PER_NETWORK_MAX: usize = 16;
/// Limits the lonely leechers of one host, so that invented ports leave room for others. Beyond it the first of that
/// host makes way.
const LONELY_PER_HOST_MAX: usize = 4;

/// Lonely leechers, latest last.
#[derive(Debug, Default)]
pub(super) struct Lonely(VecDeque<PeerKey>);

impl Lonely {
    /// Adds a lonely leecher. It replaces another process at its address. Otherwise, if a limit is reached, it replaces
    /// the first leecher of its host, of its network, or of the network with the most.
    pub(super) fn add(&mut self, peer: PeerKey) {
        self.0.retain(|other| other.0 != peer.0);
        let network_of = |peer: &PeerKey| network(peer.0.ip()).0;
        let is_of_host = |other: &PeerKey| other.0.ip() == peer.0.ip();
        let of = |network: IpAddr| self.0.iter().filter(|other| network_of(other) == network).count();
        let own = network_of(&peer);
        let first = if self.0.iter().filter(|other| is_of_host(other)).count() >= LONELY_PER_HOST_MAX {
            self.0.iter().position(is_of_host)
        } else if of(own) >= LONELY_PER_NETWORK_MAX {
            self.0.iter().position(|other| network_of(other) == own)
        } else if self.0.len() >= LONELY_MAX {
            let most = self.0.iter().map(|other| of(network_of(other))).max();
            self.0.iter().position(|other| Some(of(network_of(other))) == most)
        } else {
            None
        };
        if let Some(first) = first {
            self.0.remove(first);
        }
        self.0.push_back(peer);
    }

    pub(super) fn remove(&mut self, peer: PeerKey) {
        self.0.retain(|other| *other != peer);
    }

    /// A random selection: one of each network, starting at a random one, then more.
    pub(super) fn draw(&self, draw: &mut Draw, wanted: usize) -> Vec<PeerKey> {
        let mut left = self.0.clone();
        if !left.is_empty() {
            left.rotate_left(draw.below(left.len()));
        }
        let mut drawn = Vec::new();
        while drawn.len() < wanted && !left.is_empty() {
            let mut networks = Vec::new();
            left.retain(|&peer| {
                let network = network(peer.0.ip()).0;
                let is_next = drawn.len() < wanted && !networks.contains(&network);
                if is_next {
                    networks.push(network);
                    drawn.push(peer);
                }
                !is_next
            });
        }
        drawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::id::PeerId;
    use std::collections::BTreeSet;

    fn peer(addr: &str) -> PeerKey {
        (addr.parse().unwrap(), PeerId([1; 16]))
    }

    fn lonely(of: &[String]) -> Lonely {
        let mut lonely = Lonely::default();
        of.iter().for_each(|addr| lonely.add(peer(addr)));
        lonely
    }

    /// Who is remembered of these, the first one first.
    fn left(of: &[String]) -> Vec<String> {
        lonely(of).0.iter().map(|(addr, _)| addr.to_string()).collect()
    }

    /// The hosts of a network.
    fn hosts(network: u8, hosts: std::ops::Range<u8>) -> Vec<String> {
        hosts.map(|host| format!("10.{network}.0.{host}:7987")).collect()
    }

    #[test]
    fn the_first_of_a_crowded_host_makes_way() {
        let ports =
            |ports: std::ops::RangeInclusive<u16>| ports.map(|port| format!("10.1.0.9:{port}")).collect();
        let others: Vec<String> = hosts(1, 1..3);
        let all: Vec<String> = [others.clone(), ports(1..=6)].concat();
        assert_eq!(left(&all), [others, ports(3..=6)].concat());
    }

    #[test]
    fn the_first_of_a_crowded_network_makes_way() {
        let others = hosts(2, 1..3);
        let all = [others.clone(), hosts(1, 1..19)].concat();
        assert_eq!(left(&all), [others, hosts(1, 3..19)].concat());
    }

    #[test]
    fn the_first_of_the_largest_network_makes_way_if_there_are_too_many() {
        let few = [hosts(5, 1..2), hosts(4, 1..16)].concat();
        let many = [hosts(1, 1..17), hosts(2, 1..17), hosts(3, 1..17)].concat();
        let all = [few.clone(), many.clone()].concat();
        assert_eq!((all.len(), left(&all)), (LONELY_MAX, all.clone()));
        let late = hosts(6, 1..2);
        let expected = [few, many[1..].to_vec(), late.clone()].concat();
        assert_eq!(left(&[all, late].concat()), expected);
    }

    #[test]
    fn a_process_takes_the_place_of_the_former_one_at_its_address() {
        let mut lonely = lonely(&hosts(1, 1..4));
        let (former, new) = (peer("10.1.0.2:7987"), (peer("10.1.0.2:7987").0, PeerId([2; 16])));
        lonely.add(new);
        assert_eq!(lonely.0, [peer("10.1.0.1:7987"), peer("10.1.0.3:7987"), new]);
        lonely.remove(former);
        assert_eq!(lonely.0.len(), 3, "it is not there any more");
        lonely.remove(new);
        assert_eq!(lonely.0, [peer("10.1.0.1:7987"), peer("10.1.0.3:7987")]);
    }

    #[test]
    fn one_of_each_network_is_drawn_before_two_of_any() {
        let lonely = lonely(&[hosts(1, 1..4), hosts(2, 1..2)].concat());
        let mut draw = Draw::new([1; 32]);
        let mut first = BTreeSet::new();
        for wanted in (0..9).cycle().take(900) {
            let drawn = lonely.draw(&mut draw, wanted);
            assert_eq!(drawn.iter().collect::<BTreeSet<_>>().len(), wanted.min(4), "{wanted} wanted");
            let networks: BTreeSet<_> = drawn.iter().map(|(addr, _)| network(addr.ip())).collect();
            assert_eq!(networks.len(), wanted.min(2), "{wanted} wanted");
            first.extend(drawn.first().copied());
        }
        assert_eq!(first.len(), 4, "each may be the first one");
        assert!(Lonely::default().draw(&mut draw, 5).is_empty());
    }
}
