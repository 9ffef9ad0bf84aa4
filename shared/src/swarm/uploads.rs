//! What peers ask of this machine: the picks that wait, the grants that are kept, and the chunks on their way.

use super::answers::Answers;
use super::event::{AskId, PeerAddr};
use super::rate::Mean;
use super::time::Time;
use crate::chunk::ChunkIndex;
use crate::id::SwarmKey;
use crate::window::Window;
use std::collections::{BTreeMap, VecDeque};

/// How many peers are remembered as slow: the latest.
const SLOW_MAX: usize = 64;

/// What peers ask of this machine, all swarms together.
#[derive(Default)]
pub(super) struct Uploads {
    /// Picks that wait for a slot, the oldest first; one for each peer and swarm.
    pub(super) queue: VecDeque<QueuedPick>,
    /// Whether the oldest of them is the next one, or that of who lacks most.
    pub(super) oldest_is_next: bool,
    /// Slots that are kept for chunks that were granted and not asked for yet.
    pub(super) grants: Vec<GrantKept>,
    pub(super) serving: BTreeMap<AskId, Serving>,
    /// How long serving a chunk takes.
    pub(super) serve_time: Mean,
    /// Who was served last, and when; and when somebody else was.
    pub(super) served: Option<(PeerAddr, Time)>,
    pub(super) served_another: Option<Time>,
    /// How long peers take to ask for what they were granted.
    pub(super) grant_time: Mean,
    /// The last of these times.
    pub(super) grants_used: Answers,
    /// Peers whose last chunk from here took much longer than usual, the latest last.
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
    /// What it counts as given away.
    pub(super) given: u16,
}

pub(super) struct Serving {
    pub(super) peer: PeerAddr,
    pub(super) key: SwarmKey,
    pub(super) index: ChunkIndex,
    pub(super) since: Time,
    /// It takes so long that its slot is free for others.
    pub(super) overdue: bool,
    /// What it counts as given away.
    pub(super) given: u16,
}

impl Uploads {
    /// Upload slots that are in use.
    pub(super) fn slots(&self) -> usize {
        self.serving.len() - self.overdue() + self.grants.len()
    }

    /// Uploads that take so long that they keep no slot any more.
    pub(super) fn overdue(&self) -> usize {
        self.serving.values().filter(|serving| serving.overdue).count()
    }

    /// Whether this peer takes so long for a chunk that it gets no other one meanwhile.
    pub(super) fn is_overdue(&self, peer: PeerAddr) -> bool {
        self.serving.values().any(|serving| serving.overdue && serving.peer == peer)
    }

    /// Remembers who was served now.
    pub(super) fn note_served(&mut self, peer: PeerAddr, now: Time) {
        let another = self.served.filter(|&(last, _)| last != peer).map(|(_, at)| at);
        self.served_another = another.or(self.served_another);
        self.served = Some((peer, now));
    }

    /// When somebody else than this peer was served last.
    pub(super) fn others_served_at(&self, peer: PeerAddr) -> Option<Time> {
        let other = self.served.filter(|&(last, _)| last != peer).map(|(_, at)| at);
        other.or(self.served_another)
    }

    /// Remembers whether this peer took long for its last chunk.
    pub(super) fn note_speed(&mut self, peer: PeerAddr, is_slow: bool) {
        self.slow.retain(|&slow| slow != peer);
        if is_slow {
            if self.slow.len() == SLOW_MAX {
                self.slow.pop_front();
            }
            self.slow.push_back(peer);
        }
    }

    /// Chunks that are on their way to a peer.
    pub(super) fn in_flight(&self, key: SwarmKey, peer: PeerAddr) -> u32 {
        self.serving.values().filter(|serving| serving.peer == peer && serving.key == key).count() as u32
    }

    pub(super) fn queue_len(&self) -> usize {
        self.queue.len()
    }

    /// Slots that are in use for one swarm.
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
