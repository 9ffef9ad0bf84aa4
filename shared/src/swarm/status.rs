//! What a person is told about a swarm.

use super::state::Swarm;
use super::{Machine, PeerAddr};
use crate::chunk::{ChunkCount, ChunkIndex};
use crate::id::SwarmKey;
use std::collections::BTreeSet;

/// So many chunks are named; of the others the number is told.
const NAMED_MAX: usize = 8;

impl Machine {
    /// How a swarm is doing; `None` if this machine is not in it.
    pub fn status(&self, key: SwarmKey) -> Option<SwarmStatus> {
        let swarm = self.swarms.get(&key)?;
        Some(SwarmStatus {
            have: swarm.chunks.have().len(),
            count: swarm.chunks.count(),
            in_flight: swarm.chunks.in_flight().len() as u32,
            verifying: swarm.chunks.verifying().len() as u32,
            peers: self.peers_up(swarm),
            seeders: swarm.members.seeders(),
            waiting: self.waiting(swarm),
        })
    }

    /// The peers of a swarm that we dialled, in order of their addresses.
    pub fn peers(&self, key: SwarmKey) -> Vec<PeerStatus> {
        let Some(swarm) = self.swarms.get(&key) else { return Vec::new() };
        let linked =
            swarm.candidates.iter().filter(|&(peer, _)| self.peers.get(peer).is_some_and(|p| p.is_linked()));
        let status = linked.map(|(&peer, candidate)| PeerStatus {
            peer,
            have: swarm.members.get(peer).map_or(0, |member| member.holds.len(swarm.chunks.count())),
            in_flight: swarm.members.get(peer).map_or(0, |member| member.gets),
            chunks_received: candidate.received,
            chunks_corrupt: candidate.corrupt,
            connected: self.peers.get(&peer).is_some_and(|peer| peer.is_up()),
        });
        status.collect()
    }

    fn peers_up(&self, swarm: &Swarm) -> u32 {
        let up = swarm.candidates.keys().filter(|peer| self.peers.get(peer).is_some_and(|peer| peer.is_up()));
        up.count() as u32
    }

    fn waiting(&self, swarm: &Swarm) -> Option<Waiting> {
        let idle = swarm.chunks.in_flight().is_empty() && swarm.chunks.verifying().is_empty();
        if !(swarm.leeching && idle) {
            return None;
        }
        if swarm.zone.waits() {
            return Some(Waiting::Zone);
        }
        if swarm.first_useful(self.now).is_some() {
            return Some(Waiting::Busy { peers: swarm.members.len() as u32 });
        }
        if let Some(only_corrupt) = only_corrupt(swarm) {
            return Some(only_corrupt);
        }
        if self.peers_up(swarm) == 0 {
            return Some(Waiting::NoPeers { known: swarm.candidates.len() as u32 });
        }
        let missing = || swarm.chunks.missing().iter().filter(|&index| !swarm.members.any_has(index));
        Some(Waiting::NoSource {
            chunks: missing().take(NAMED_MAX).collect(),
            total: missing().count() as u32,
        })
    }
}

/// The missing chunks that came corrupt from all that have them.
fn only_corrupt(swarm: &Swarm) -> Option<Waiting> {
    let (mut chunks, mut peers) = (BTreeSet::new(), BTreeSet::new());
    for (&peer, candidate) in &swarm.candidates {
        for &index in candidate.suspects.keys().filter(|&&index| swarm.chunks.missing().contains(index)) {
            chunks.insert(index);
            peers.insert(peer);
        }
    }
    let chunks: Vec<ChunkIndex> = chunks.into_iter().take(NAMED_MAX).collect();
    (!chunks.is_empty()).then(|| Waiting::OnlyCorrupt { chunks, peers: peers.into_iter().collect() })
}

/// How a swarm is doing.
#[derive(Debug, Clone, PartialEq)]
pub struct SwarmStatus {
    /// Chunks that are verified and written.
    pub have: u32,
    /// All chunks of the resource.
    pub count: ChunkCount,
    /// Chunks that are asked for, not arrived.
    pub in_flight: u32,
    /// Chunks that arrived and are being verified.
    pub verifying: u32,
    /// Peers that we are connected to.
    pub peers: u32,
    /// Of these, the seeders.
    pub seeders: u32,
    /// Why nothing is asked for; `None` while something is in flight, or when there is nothing to fetch.
    pub waiting: Option<Waiting>,
}

/// Why a swarm has nothing in flight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waiting {
    /// No peer is known, or none of those known can be reached.
    NoPeers {
        /// How many addresses are known.
        known: u32,
    },
    /// Peers are there, but none of them has what is missing.
    NoSource {
        /// The first few chunks that nobody has.
        chunks: Vec<ChunkIndex>,
        /// How many there are in all.
        total: u32,
    },
    /// The only peers that claim to have these chunks sent corrupt bytes for them.
    OnlyCorrupt {
        /// The first few such chunks.
        chunks: Vec<ChunkIndex>,
        /// Who sent them.
        peers: Vec<PeerAddr>,
    },
    /// Only other zones have what is missing, and it is left to others of our zone to fetch it.
    Zone,
    /// All peers that have what is missing are busy or slow to answer.
    Busy {
        /// How many peers.
        peers: u32,
    },
}

/// A peer of a swarm, as `ttctl peers` shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct PeerStatus {
    /// Where it listens.
    pub peer: PeerAddr,
    /// How many chunks it has.
    pub have: u32,
    /// How many chunks of this swarm are asked of it and have not arrived.
    pub in_flight: u32,
    /// Chunks of this swarm that came from it and were right.
    pub chunks_received: u64,
    /// Chunks of this swarm that came from it and were corrupt.
    pub chunks_corrupt: u64,
    /// Whether the link is up.
    pub connected: bool,
}
