//! The requests of peers at this machine: picks that wait, grants that are reserved, and chunks on their way.

use super::answers::Answers;
use super::event::{AskId, PeerAddr};
use super::rate::Mean;
use super::time::Time;
use crate::chunk::ChunkIndex;
use crate::id::SwarmKey;
use crate::window::Window;
use std::collections::{BTreeMap, VecDeque};

/// Limits the peers that are remembered as slow; the oldest is forgotten beyond that, and counts as usual again. A
/// machine serves fewer at once.
const SLOW_MAX: usize = 64;

/// The requests of peers at this machine, in all swarms.
#[derive(Default)]
pub(super) struct Uploads {
    /// Picks that wait for a slot, oldest first; at most one per peer and swarm.
    pub(super) queue: VecDeque<QueuedPick>,
    /// Whether the next grant goes to the oldest pick; otherwise to the peer that lacks most chunks.
    pub(super) oldest_is_next: bool,
    /// Chunks that were granted and not requested yet. Each reserves a slot.
    pub(super) grants: Vec<GrantKept>,
    pub(super) serving: BTreeMap<AskId, Serving>,
    /// How long an upload of a chunk takes.
    pub(super) serve_time: Mean,
    /// The peer that was served last, and when.
    pub(super) served: Option<(PeerAddr, Time)>,
    /// When a peer other than the last one was served.
    pub(super) served_another: Option<Time>,
    /// How long peers take to request what they were granted, as a mean.
    pub(super) grant_time: Mean,
    /// The latest of these times, for their median.
    pub(super) grants_used: Answers,
    /// Peers whose last chunk from here took much longer than usual, latest last.
    pub(super) slow: VecDeque<PeerAddr>,
}

pub(super) struct QueuedPick {
    pub(super) ask: AskId,
    pub(super) peer: PeerAddr,
    pub(super) key: SwarmKey,
    pub(super) wanted: Window,
    pub(super) since: Time,
}

pub(super) struct GrantKept {
    pub(super) ask: AskId,
    pub(super) peer: PeerAddr,
    pub(super) key: SwarmKey,
    pub(super) index: ChunkIndex,
    pub(super) since: Time,
    /// How much it adds to the chunk's count of copies given away.
    pub(super) given: u16,
}

pub(super) struct Serving {
    pub(super) peer: PeerAddr,
    pub(super) key: SwarmKey,
    pub(super) index: ChunkIndex,
    pub(super) since: Time,
    /// Whether it takes so long that its slot was given to others.
    pub(super) overdue: bool,
    /// How much it adds to the chunk's count of copies given away.
    pub(super) given: u16,
}

impl Uploads {
    /// Upload slots in use.
    pub(super) fn slots(&self) -> usize {
        self.serving.len() - self.overdue() + self.grants.len()
    }

    /// Uploads that take so long that they no longer occupy a slot.
    pub(super) fn overdue(&self) -> usize {
        self.serving.values().filter(|serving| serving.overdue).count()
    }

    /// Whether an upload to this peer is overdue. It gets no other chunk until that ends.
    pub(super) fn is_overdue(&self, peer: PeerAddr) -> bool {
        self.serving.values().any(|serving| serving.overdue && serving.peer == peer)
    }

    /// Notes that a peer was served.
    pub(super) fn note_served(&mut self, peer: PeerAddr, now: Time) {
        let another = self.served.filter(|&(last, _)| last != peer).map(|(_, at)| at);
        self.served_another = another.or(self.served_another);
        self.served = Some((peer, now));
    }

    /// When a peer other than this one was last served.
    pub(super) fn others_served_at(&self, peer: PeerAddr) -> Option<Time> {
        let other = self.served.filter(|&(last, _)| last != peer).map(|(_, at)| at);
        other.or(self.served_another)
    }

    /// Notes whether this peer took long for its last chunk.
    pub(super) fn note_speed(&mut self, peer: PeerAddr, is_slow: bool) {
        self.slow.retain(|&slow| slow != peer);
        if is_slow {
            if self.slow.len() == SLOW_MAX {
                self.slow.pop_front();
            }
            self.slow.push_back(peer);
        }
    }

    /// Chunks of a swarm that are on their way to a peer.
    pub(super) fn in_flight(&self, key: SwarmKey, peer: PeerAddr) -> u32 {
        self.serving.values().filter(|serving| serving.peer == peer && serving.key == key).count() as u32
    }

    pub(super) fn queue_len(&self) -> usize {
        self.queue.len()
    }

    /// Slots in use for one swarm.
    pub(super) fn slots_of(&self, key: SwarmKey) -> usize {
        let serving = self.serving.values().filter(|serving| serving.key == key && !serving.overdue).count();
        serving + self.grants.iter().filter(|grant| grant.key == key).count()
    }

    pub(super) fn grants_unused(&self, peer: PeerAddr, key: SwarmKey) -> usize {
        self.grants.iter().filter(|grant| grant.peer == peer && grant.key == key).count()
    }

    pub(super) fn knows(&self, ask: AskId) -> bool {
        self.serving.contains_key(&ask) || self.queue.iter().any(|pick| pick.ask == ask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_slow_peers_are_remembered() {
        let mut uploads = Uploads::default();
        let peer = |port: usize| PeerAddr::from(([10, 0, 0, 1], port as u16));
        (0..SLOW_MAX + 3).for_each(|port| uploads.note_speed(peer(port), true));
        uploads.note_speed(peer(9), true);
        uploads.note_speed(peer(5), false);
        let expected: Vec<PeerAddr> =
            (3..SLOW_MAX + 3).filter(|port| ![5, 9].contains(port)).chain([9]).map(peer).collect();
        assert_eq!(uploads.slow, expected);
    }
}
