//! The state of a swarm as users see it.

use super::drop_reason::DropReason;
use super::event::PeerAddr;
use super::machine::Machine;
use super::peer::{LinkState, PeerState};
use super::state::{Request, RequestStage, Swarm};
use super::takers::{Taker, is_recent};
use super::time::Time;
use crate::chunk::{ChunkCount, ChunkIndex};
use crate::id::SwarmKey;
use std::collections::BTreeSet;
use std::time::Duration;

/// Limits the chunk indices in a reason. Of more chunks only the total is given: a longer list helps nobody.
const NAMED_MAX: usize = 8;

/// After this time without a byte, a swarm with open requests is reported as getting nothing. Even slow links bring
/// bytes more often.
const QUIET: Duration = Duration::from_secs(5);

impl Machine {
    /// The state of a swarm; `None` if this machine is not in it.
    pub fn status(&self, key: SwarmKey) -> Option<SwarmStatus> {
        let swarm = self.swarms.get(&key)?;
        Some(SwarmStatus {
            have: swarm.chunks.have().len(),
            count: swarm.chunks.count(),
            in_flight: swarm.chunks.in_flight().len() as u32,
            verifying: swarm.chunks.verifying().len() as u32,
            peers: self.peers_up(swarm),
            seeders: swarm.members.seeders(),
            asked: swarm.members.iter().filter(|(_, member)| member.gets > 0).count() as u32,
            moved_at: swarm.moved_at,
            waiting: self.waiting(swarm),
        })
    }

    /// The peers of a swarm that we dialed, ordered by address.
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

    /// The number of peers that fetch chunks of a swarm from this machine.
    pub fn takers_count(&self, now: Time, key: SwarmKey) -> u32 {
        self.takers.of(key).filter(|&(peer, taker)| self.takes(key, peer, taker, now)).count() as u32
    }

    /// The peers that fetch chunks of a swarm from this machine, ordered by address.
    pub fn takers(&self, now: Time, key: SwarmKey) -> Vec<TakerStatus> {
        let takers = self.takers.of(key).filter(|&(peer, taker)| self.takes(key, peer, taker, now));
        let status = takers.map(|(peer, taker)| TakerStatus {
            peer,
            in_flight: self.uploads.in_flight(key, peer),
            chunks_sent: taker.sent,
            active: now.since(taker.since),
            lately: taker.lately(now),
        });
        status.collect()
    }

    /// Whether a peer still fetches from here. A chunk on its way to it counts, however long it takes.
    fn takes(&self, key: SwarmKey, peer: PeerAddr, taker: &Taker, now: Time) -> bool {
        is_recent(taker, now) || self.uploads.in_flight(key, peer) > 0
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
        if swarm.chunks.missing().is_empty() {
            return Some(Waiting::Withheld { chunks: swarm.chunks.withheld() });
        }
        if swarm.zone.waits() {
            return Some(Waiting::Zone);
        }
        if swarm.first_useful(self.now).is_some() {
            return Some(self.waiting_for_turn(swarm));
        }
        if let Some(only_corrupt) = only_corrupt(swarm) {
            return Some(only_corrupt);
        }
        if self.peers_up(swarm) == 0 {
            return Some(self.waiting_for_peers(swarm));
        }
        // No member has any of them: each would be useful or suspect.
        let missing = swarm.chunks.missing();
        Some(Waiting::NoSource { chunks: missing.iter().take(NAMED_MAX).collect(), total: missing.len() })
    }

    /// The reason why nothing is in flight although a member has a missing chunk.
    fn waiting_for_turn(&self, swarm: &Swarm) -> Waiting {
        if self.verifying >= self.config.verifying_max {
            return Waiting::Disk { chunks: self.verifying };
        }
        let whole = 0..swarm.chunks.count().get();
        let is_useful = |peer, member| {
            let mut words = swarm.useful_words(peer, member, whole.clone(), self.now);
            words.any(|(_, word)| word != 0)
        };
        let useful: Vec<PeerAddr> = swarm
            .members
            .iter()
            .filter(|&(peer, member)| is_useful(peer, member))
            .map(|(peer, _)| peer)
            .collect();
        let peers = useful.len() as u32;
        // A pick may wait in a seeder's queue for `pick_wait_max`. One that is open longer is in no queue.
        let is_lost = |request: &Request| match request.stage {
            RequestStage::Picking { since, .. } => self.now.since(since) > self.config.pick_wait_max,
            RequestStage::Getting { .. } => false,
        };
        let is_silent = |peer: &PeerAddr| {
            swarm.members.get(*peer).is_some_and(|member| member.unanswered)
                || swarm.requests.values().any(|request| request.peer == *peer && is_lost(request))
        };
        if useful.iter().all(is_silent) {
            return Waiting::Silent { peers };
        }
        // If this swarm has no open request and all of `requests_max` are in use, other swarms have them.
        let asks = !swarm.requests.is_empty();
        if !asks && self.owners.len() >= self.config.requests_max as usize {
            return Waiting::Turn;
        }
        Waiting::Busy { peers }
    }

    /// The reason when no peer is connected.
    fn waiting_for_peers(&self, swarm: &Swarm) -> Waiting {
        let known = || swarm.candidates.keys().filter_map(|peer| Some((*peer, self.peers.get(peer)?)));
        let dropped: Vec<_> = known().filter_map(|(peer, it)| Some((peer, it.dropped?))).collect();
        if !dropped.is_empty() && dropped.len() == swarm.candidates.len() {
            return Waiting::Dropped { peers: dropped };
        }
        let is_new = |peer: &PeerState| {
            peer.failures == 0 && matches!(peer.link, LinkState::Idle | LinkState::Dialling | LinkState::Held)
        };
        match known().filter(|(_, peer)| is_new(peer)).count() as u32 {
            0 => Waiting::NoPeers { known: swarm.candidates.len() as u32 },
            peers => Waiting::Connecting { peers },
        }
    }
}

/// The missing chunks that came corrupt from every peer that has them.
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

/// The state of a swarm.
#[derive(Debug, Clone, PartialEq)]
pub struct SwarmStatus {
    /// Chunks that are verified and written.
    pub have: u32,
    /// The number of chunks of the resource.
    pub count: ChunkCount,
    /// Chunks that are requested and have not arrived.
    pub in_flight: u32,
    /// Chunks that arrived and are being verified.
    pub verifying: u32,
    /// Peers that we are connected to.
    pub peers: u32,
    /// The seeders among them.
    pub seeders: u32,
    /// The peers among them with an open request for a chunk.
    pub asked: u32,
    /// When a byte last came for it, or a chunk was stored; before that, when it was joined.
    pub moved_at: Time,
    /// Why nothing is requested; `None` while something is in flight or when there is nothing to fetch.
    pub waiting: Option<Waiting>,
}

impl SwarmStatus {
    /// Why nothing arrives at this time, also when chunks are in flight but no bytes come.
    pub fn waiting_at(&self, now: Time) -> Option<Waiting> {
        let is_quiet = now.since(self.moved_at) >= QUIET;
        match &self.waiting {
            Some(waiting) => Some(waiting.clone()),
            None if self.in_flight > 0 && is_quiet => Some(Waiting::Silent { peers: self.asked }),
            None if self.verifying > 0 && self.in_flight == 0 && is_quiet => {
                Some(Waiting::Disk { chunks: self.verifying })
            }
            None => None,
        }
    }
}

/// Why a swarm gets nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waiting {
    /// No peer is known, or none of the known ones can be reached.
    NoPeers {
        /// The number of known addresses.
        known: u32,
    },
    /// No peer is connected yet; these peers have not failed so far.
    Connecting {
        /// How many peers.
        peers: u32,
    },
    /// All known peers were dropped for misbehavior and are not dialed for a while.
    Dropped {
        /// The peers and their offenses.
        peers: Vec<(PeerAddr, DropReason)>,
    },
    /// Peers are connected, but none of them has what is missing.
    NoSource {
        /// The first chunks that nobody has, at most `NAMED_MAX`.
        chunks: Vec<ChunkIndex>,
        /// The number of all such chunks.
        total: u32,
    },
    /// The only peers that claim these chunks sent corrupt bytes for them.
    OnlyCorrupt {
        /// The first such chunks, at most `NAMED_MAX`.
        chunks: Vec<ChunkIndex>,
        /// The peers that sent them.
        peers: Vec<PeerAddr>,
    },
    /// Only other zones have what is missing, and other machines of our zone are to fetch it.
    Zone,
    /// All peers that have what is missing are busy.
    Busy {
        /// How many peers.
        peers: u32,
    },
    /// All peers that have what is missing, or were asked for it, send nothing.
    Silent {
        /// How many peers.
        peers: u32,
    },
    /// Chunks that arrived are not written yet, and the limit of such chunks is reached.
    Disk {
        /// Chunks that wait for the disk; those of all swarms if none of this swarm does.
        chunks: u32,
    },
    /// Other swarms use all requests that may be open at once.
    Turn,
    /// All missing chunks are expected to be found on this machine.
    Withheld {
        /// How many chunks.
        chunks: u32,
    },
}

/// A peer of a swarm, as `ttctl peers` shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct PeerStatus {
    /// Where it listens.
    pub peer: PeerAddr,
    /// The number of chunks that it has.
    pub have: u32,
    /// Chunks of this swarm that are requested from it and have not arrived.
    pub in_flight: u32,
    /// Chunks of this swarm that came from it and were correct.
    pub chunks_received: u64,
    /// Chunks of this swarm that came from it and were corrupt.
    pub chunks_corrupt: u64,
    /// Whether the link is up.
    pub connected: bool,
}

/// A peer that fetches from this machine, as `ttctl peers` shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct TakerStatus {
    /// Where it listens.
    pub peer: PeerAddr,
    /// Chunks that are on their way to it.
    pub in_flight: u32,
    /// Chunks that it has received from here since it began to ask.
    pub chunks_sent: u64,
    /// For how long it has asked.
    pub active: Duration,
    /// How many chunks it got lately, and in which span.
    pub lately: (u64, Duration),
}
