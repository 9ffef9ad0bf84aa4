//! One swarm: our chunks of its resource, the peers that we know in it, and our requests.

use super::chunks::Chunks;
use super::event::{PeerAddr, RequestId};
use super::members::{Member, Members};
use super::place::Place;
use super::rate::Mean;
use super::time::Time;
use super::zone::ZoneState;
use crate::chunk::{CHUNK_BYTES, ChunkIndex};
use crate::have::HaveMap;
use crate::window::Window;
use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

/// Small resources, as (largest number of chunks, limit): the limit applies to both open requests and upload slots. In
/// a small resource it matters more to finish the first copies soon, so that they are passed on, than to have many
/// transfers at once.
const SMALL: [(u32, u32); 2] = [(16, 2), (48, 3)];
/// A seeder of a small resource with more chunks than this has one upload slot more than a leecher.
const TINY_CHUNKS: u32 = 8;

/// A swarm that this machine takes part in.
pub(super) struct Swarm {
    pub(super) chunks: Chunks,
    /// How many chunks from the beginning are preferred.
    pub(super) preferred: u32,
    /// Whether we fetch the missing chunks. A seeder that lost a chunk does not: the driver decides that.
    pub(super) leeching: bool,
    /// Peers of the swarm that we may dial, connected or not. Empty unless we are leeching.
    pub(super) candidates: BTreeMap<PeerAddr, Candidate>,
    /// Connected peers that told which chunks they have.
    pub(super) members: Members,
    pub(super) requests: BTreeMap<RequestId, Request>,
    /// What the rules about other zones need to know.
    pub(super) zone: ZoneState,
    /// How long our chunks take, from the request to the last byte.
    pub(super) chunk_time: Mean,
    /// For each chunk, the copies that we gave away, in half copies. Empty until the first pick.
    pub(super) given: Vec<u16>,
    /// Upload slots in use for this swarm.
    pub(super) uploads: u32,
    /// Whether it waits to be scheduled.
    pub(super) queued: bool,
    /// When the tracker was last asked for more peers.
    pub(super) found_at: Time,
    /// When a byte last came for this swarm or a chunk was stored; before that, when we joined.
    pub(super) moved_at: Time,
}

/// What we remember of a peer in this swarm, even while it is not connected.
#[derive(Default)]
pub(super) struct Candidate {
    /// Correct chunks that came from it.
    pub(super) received: u64,
    /// Corrupt chunks that came from it.
    pub(super) corrupt: u64,
    /// The chunks that it sent corrupt, and the time until which it is not asked for them again.
    pub(super) suspects: BTreeMap<ChunkIndex, Time>,
    /// Whether it said that it is not in this swarm.
    pub(super) gone: bool,
}

/// An open request of ours.
pub(super) struct Request {
    pub(super) peer: PeerAddr,
    /// Whether the seeder chooses, or chose, the chunk.
    pub(super) picked: bool,
    /// Whether the peer is in another zone.
    pub(super) across: bool,
    /// Whether it was opened because the zone waited too long for the homes of its chunks.
    pub(super) overtakes: bool,
    pub(super) stage: RequestStage,
}

/// The stage of a request.
pub(super) enum RequestStage {
    /// A pick was sent; the seeder has not chosen yet.
    Picking { wanted: Window, since: Time },
    /// The chunk was requested.
    Getting { index: ChunkIndex, since: Time, bytes: u64 },
}

impl Swarm {
    pub(super) fn new(have: HaveMap, own: Option<Place>, now: Time) -> Swarm {
        Swarm {
            preferred: 0,
            leeching: !have.is_full(),
            members: Members::new(have.count()),
            chunks: Chunks::new(have),
            candidates: BTreeMap::new(),
            requests: BTreeMap::new(),
            zone: ZoneState::new(own, now),
            chunk_time: Mean::default(),
            given: Vec::new(),
            uploads: 0,
            queued: false,
            found_at: now,
            moved_at: now,
        }
    }

    /// The requests that count against the depth: all except one at a seeder, whose queue may be long.
    pub(super) fn requests_counted(&self) -> u32 {
        let free = self.requests.values().any(|request| request.picked);
        self.requests.len() as u32 - u32::from(free)
    }

    /// The number of requests to keep open: `limit`, or fewer for a small resource.
    pub(super) fn depth_limit(&self, limit: u32) -> u32 {
        self.small().map_or(limit, |small| limit.min(small))
    }

    /// The number of upload slots: `limit`, or fewer for a small resource. The chunk of a one-chunk resource is sent to
    /// one peer at a time, so that the number of its holders doubles with each upload.
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

    /// The number of open requests up to which more picks are sent, for a depth of `depth`. In a small resource, picks
    /// at several seeders would bring chunks that leechers are about to have. A single chunk can only come from
    /// seeders.
    pub(super) fn picks_until(&self, depth: u32, depth_max: u32) -> u32 {
        match self.chunks.count().get() {
            1 => depth_max,
            2..=TINY_CHUNKS => 1,
            _ => depth,
        }
    }

    /// The missing chunks within `window` that this member can give, as words with their positions.
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

    /// The useful chunks that we may request from this member: all, unless it is in another zone.
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

    /// The preferred chunks of a window.
    pub(super) fn preferred_of(&self, window: &Range<u32>) -> Range<u32> {
        window.start..self.preferred.clamp(window.start, window.end)
    }

    /// Whether the rules about zones let us request this chunk from this member.
    pub(super) fn may_ask(&self, member: &Member, index: ChunkIndex) -> bool {
        let allowed = || self.zone.allowed(index.slot() / 64) >> (index.0 % 64) & 1 == 1;
        !self.zone.is_across(member) || allowed()
    }

    /// The first missing chunk that any member can give, now or after its rest.
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

    /// Whether a peer sent this chunk corrupt and must not be asked for it again yet.
    pub(super) fn is_suspect(&self, peer: PeerAddr, index: ChunkIndex, now: Time) -> bool {
        let candidate = self.candidates.get(&peer);
        candidate.is_some_and(|candidate| candidate.suspects.get(&index).is_some_and(|&until| until > now))
    }

    /// Opens a request. `across_max` is the limit of open requests to other zones, if this one goes to another zone.
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

    /// Closes a request. Its chunk, unless it arrived, may be requested from others.
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

    /// Panics unless chunks, requests and members agree. It reads everything, so only tests call it.
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
    /// The estimated time until the chunk is complete; `None` before it was requested.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remaining_time_is_that_of_the_missing_bytes_at_the_rate_so_far() {
        let (ms, total) = (Duration::from_millis, u64::from(CHUNK_BYTES));
        for (bytes, elapsed, expected) in [
            (0, ms(20), ms(20)), // the usual time, since it may still begin
            (0, ms(21), Duration::MAX),
            (total / 4, ms(10), ms(30)),
            (total / 2, ms(10), ms(10)),
            (total, ms(10), ms(0)),
            (u64::MAX, ms(10), ms(0)),
        ] {
            let stage = RequestStage::Getting { index: ChunkIndex(0), since: Time(5), bytes };
            let peer = PeerAddr::from(([10, 0, 0, 1], 7987));
            let request = Request { peer, picked: false, across: false, overtakes: false, stage };
            let remaining = request.remaining(Time(5) + elapsed, ms(20));
            assert_eq!(remaining, Some(expected), "{bytes} bytes within {elapsed:?}");
        }
    }
}
