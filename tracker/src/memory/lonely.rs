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
