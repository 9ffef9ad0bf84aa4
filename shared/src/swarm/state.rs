//! One swarm: what we have of its resource, whom we know in it, what we asked for.

use super::chunks::Chunks;
use super::event::{PeerAddr, RequestId};
use super::members::{Member, Members};
use super::place::Place;
use super::rate::Mean;
use super::time::Time;
use super::zone::Zone;
use crate::chunk::{CHUNK_BYTES, ChunkIndex};
use crate::have::HaveMap;
use crate::window::Window;
use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

/// Small resources: up to how many chunks, and how many requests and uploads they have at once. The sooner their first
/// copies are out, the sooner these are passed on, which counts more for them than many transfers at once.
const SMALL: [(u32, u32); 2] = [(16, 2), (48, 3)];
/// How many chunks a resource has at most of which a seeder uploads no more at once than a leecher does. Of a larger one
/// it uploads one more.
const TINY_CHUNKS: u32 = 8;

/// A swarm that this machine is in.
pub(super) struct Swarm {
    pub(super) chunks: Chunks,
    /// Whether we want what is missing. A seeder that lost a chunk does not: the driver decides.
    pub(super) leeching: bool,
    /// The peers of the swarm that we may dial, connected or not. Empty unless we are leeching.
    pub(super) candidates: BTreeMap<PeerAddr, Candidate>,
    /// The connected ones that told what they have.
    pub(super) members: Members,
    pub(super) requests: BTreeMap<RequestId, Request>,
    /// The rules for asking other zones.
    pub(super) zone: Zone,
    /// How long our chunks take, from asking to the last byte.
    pub(super) chunk_time: Mean,
    /// How often each chunk was given away here, in halves; empty until a pick is asked.
    pub(super) given: Vec<u16>,
    /// Upload slots that are in use for this swarm.
    pub(super) uploads: u32,
    /// Whether it waits to be scheduled.
    pub(super) queued: bool,
    /// When more peers were last asked for.
    pub(super) found_at: Time,
    /// When a byte last came for it, or a chunk was stored; before that, when it was joined.
    pub(super) moved_at: Time,
}

/// What we remember of a peer in this swarm, whether or not it is connected.
#[derive(Default)]
pub(super) struct Candidate {
    /// Right chunks that came from it.
    pub(super) received: u64,
    /// Corrupt ones.
    pub(super) corrupt: u64,
    /// The chunks that it sent corrupt, and until when they are not asked of it.
    pub(super) suspects: BTreeMap<ChunkIndex, Time>,
    /// It said that it is not in this swarm.
    pub(super) gone: bool,
}

/// An open request of ours.
pub(super) struct Request {
    pub(super) peer: PeerAddr,
    /// Whether the seeder chooses (or chose) the chunk.
    pub(super) picked: bool,
    /// Whether the peer is of another zone.
    pub(super) across: bool,
    pub(super) stage: RequestStage,
}

/// How far a request is.
pub(super) enum RequestStage {
    /// The seeder has not chosen yet.
    Picking { wanted: Window, since: Time },
    /// The chunk is asked for.
    Getting { index: ChunkIndex, since: Time, bytes: u64 },
}

impl Swarm {
    pub(super) fn new(have: HaveMap, own: Option<Place>, now: Time) -> Swarm {
        Swarm {
            leeching: !have.is_full(),
            members: Members::new(have.count()),
            chunks: Chunks::new(have),
            candidates: BTreeMap::new(),
            requests: BTreeMap::new(),
            zone: Zone::new(own, now),
            chunk_time: Mean::default(),
            given: Vec::new(),
            uploads: 0,
            queued: false,
            found_at: now,
            moved_at: now,
        }
    }

    /// How many requests count against the depth: all but one at a seeder, whose queue may be long.
    pub(super) fn requests_counted(&self) -> u32 {
        let free = self.requests.values().any(|request| request.picked);
        self.requests.len() as u32 - u32::from(free)
    }

    /// How many requests are kept open: `limit`, or fewer for a small resource.
    pub(super) fn depth_limit(&self, limit: u32) -> u32 {
        self.small().map_or(limit, |small| limit.min(small))
    }

    /// How many chunks are uploaded at once: `limit`, or fewer of a small resource. A single chunk goes to one after
    /// the other, which doubles those that have it in the time of one upload.
    pub(super) fn slots_limit(&self, limit: u32) -> u32 {
        match (self.small(), self.chunks.count().get()) {
            (None, _) => limit,
            (_, 1) => limit.min(1),
            (Some(small), ..=TINY_CHUNKS) => limit.min(small),
            (Some(small), _) => limit.min(small + u32::from(!self.leeching)),
        }
    }

    fn small(&self) -> Option<u32> {
        let count = self.chunks.count().get();
        SMALL.iter().find(|&&(chunks, _)| count <= chunks).map(|&(_, limit)| limit)
    }

    /// Up to how many requests further picks are sent, where the depth is `depth`. In a small resource picks at
    /// several seeders would bring what leechers are about to have; a single chunk can only come from seeders.
    pub(super) fn picks_until(&self, depth: u32, depth_max: u32) -> u32 {
        match self.chunks.count().get() {
            1 => depth_max,
            2..=TINY_CHUNKS => 1,
            _ => depth,
        }
    }

    /// The missing chunks within `window` that this member can give, as words with their places.
    pub(super) fn useful_words<'a>(
        &'a self,
        peer: PeerAddr,
        member: &'a Member,
        window: Range<u32>,
        now: Time,
    ) -> impl Iterator<Item = (usize, u64)> + 'a {
        let suspects = self.candidates.get(&peer).map(|candidate| &candidate.suspects);
        let suspects = suspects.filter(|suspects| !suspects.is_empty());
        self.members.words_of(member, self.chunks.missing(), window).map(move |(at, word)| {
            let Some(suspects) = suspects else { return (at, word) };
            let first = ChunkIndex(at as u32 * 64);
            let here = suspects.range(first..=ChunkIndex(first.0 + 63)).filter(|&(_, &until)| until > now);
            (at, here.fold(word, |word, (index, _)| word & !(1 << (index.0 % 64))))
        })
    }

    /// Of the useful chunks, those that we may ask this member for: all, unless it is of another zone.
    pub(super) fn askable_words<'a>(
        &'a self,
        peer: PeerAddr,
        member: &'a Member,
        window: Range<u32>,
        now: Time,
    ) -> impl Iterator<Item = (usize, u64)> + 'a {
        let across = self.zone.is_across(member);
        let allowed = move |at| if across { self.zone.allowed(at) } else { u64::MAX };
        self.useful_words(peer, member, window, now).map(move |(at, word)| (at, word & allowed(at)))
    }

    /// Whether we may ask this member for this chunk, by the rules of zones.
    pub(super) fn may_ask(&self, member: &Member, index: ChunkIndex) -> bool {
        let allowed = || self.zone.allowed(index.slot() / 64) >> (index.0 % 64) & 1 == 1;
        !self.zone.is_across(member) || allowed()
    }

    /// The first missing chunk that any member can give now or after a rest.
    pub(super) fn first_useful(&self, now: Time) -> Option<ChunkIndex> {
        let whole = 0..self.chunks.count().get();
        let first = |(peer, member)| {
            let mut words = self.useful_words(peer, member, whole.clone(), now);
            words
                .find(|&(_, word)| word != 0)
                .map(|(at, word)| ChunkIndex(at as u32 * 64 + word.trailing_zeros()))
        };
        self.members.iter().filter_map(first).min()
    }

    /// Whether a peer sent this chunk corrupt and is not to be asked for it yet.
    pub(super) fn is_suspect(&self, peer: PeerAddr, index: ChunkIndex, now: Time) -> bool {
        let candidate = self.candidates.get(&peer);
        candidate.is_some_and(|candidate| candidate.suspects.get(&index).is_some_and(|&until| until > now))
    }

    /// Opens a request. `across_max` is how many requests to other zones may be open, if this one goes to another zone.
    pub(super) fn open(&mut self, id: RequestId, request: Request, across_max: Option<u32>) {
        if let Some(max) = across_max {
            self.zone.opened(max);
        }
        if let Some(member) = self.members.get_mut(request.peer) {
            match request.stage {
                RequestStage::Picking { .. } => member.picks += 1,
                RequestStage::Getting { .. } => member.gets += 1,
            }
        }
        self.requests.insert(id, request);
    }

    /// Ends a request; its chunk, unless it arrived, is free for others.
    pub(super) fn close(&mut self, id: RequestId) -> Option<Request> {
        let request = self.requests.remove(&id)?;
        if let RequestStage::Getting { index, .. } = request.stage {
            self.chunks.release(index, id);
        }
        if request.across {
            self.zone.closed();
        }
        if let Some(member) = self.members.get_mut(request.peer) {
            match request.stage {
                RequestStage::Picking { .. } => member.picks = member.picks.saturating_sub(1),
                RequestStage::Getting { .. } => member.gets = member.gets.saturating_sub(1),
            }
        }
        Some(request)
    }

    /// That chunks, requests and members agree. Reads everything: for tests.
    pub(super) fn check_invariants(&self) {
        self.chunks.check_invariants();
        self.members.check_invariants();
        let in_flight = self.chunks.in_flight();
        for (id, request) in &self.requests {
            assert!(self.members.get(request.peer).is_some(), "requests are open at members only");
            if let RequestStage::Getting { index, .. } = request.stage {
                assert!(in_flight.get(&index).is_some_and(|requests| requests.contains(id)));
            }
        }
        let gets =
            self.requests.values().filter(|request| matches!(request.stage, RequestStage::Getting { .. }));
        assert_eq!(
            in_flight.values().map(Vec::len).sum::<usize>(),
            gets.count(),
            "what is in flight was asked for"
        );
        assert!(self.members.iter().all(|(peer, _)| self.candidates.contains_key(&peer)));
        let across = self.requests.values().filter(|request| request.across).count();
        assert_eq!(self.zone.across() as usize, across, "requests to other zones are counted");
        assert!(self.leeching || self.requests.is_empty(), "a seeder asks for nothing");
    }
}

impl Request {
    /// How long the rest of the chunk will take; `None` before it is asked for.
    pub(super) fn remaining(&self, now: Time, usual: Duration) -> Option<Duration> {
        let RequestStage::Getting { since, bytes, .. } = self.stage else { return None };
        let (elapsed, total) = (now.since(since), u64::from(CHUNK_BYTES));
        Some(match bytes.min(total) {
            0 if elapsed <= usual => usual,
            0 => Duration::MAX,
            bytes => Duration::from_micros(elapsed.as_micros() as u64 * (total - bytes) / bytes),
        })
    }
}
