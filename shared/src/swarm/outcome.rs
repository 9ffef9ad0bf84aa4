//! What happens to our requests: their answers, their timeouts, and the rests of peers that failed.

use super::action::Action;
use super::alarms::Alarm;
use super::chunks::ChunkState;
use super::drop_reason::DropReason;
use super::event::{News, PeerAddr, RequestId, RequestRefusal};
use super::machine::Machine;
use super::request::STALLS_MAX;
use super::state::{Request, RequestStage};
use super::time::Time;
use crate::chunk::{CHUNK_BYTES, ChunkIndex};
use crate::id::SwarmKey;
use std::collections::BTreeSet;
use std::time::Duration;

/// The longest `retry_after` that is honored. A peer that names a longer time is asked again after this, so that it
/// cannot be lost through one answer.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(10);
/// The shortest chunk time that a back-off is computed from: even on the fastest links a busy peer is not asked more
/// often. A back-off starts at half a chunk time.
const CHUNK_TIME_MIN: Duration = Duration::from_millis(1);
/// The longest chunk time that a back-off is computed from: on slow links, too, a slot that becomes free is noticed
/// within seconds.
const CHUNK_TIME_MAX: Duration = Duration::from_secs(2);
/// Limits how many times the back-off is doubled: from half a chunk time up to two. A longer one would leave a slot
/// unused that becomes free meanwhile.
const DOUBLINGS_MAX: u32 = 2;
/// The first rest of a peer that stalled or failed. It doubles with each stall, up to [`LONG_REST_MAX`].
const LONG_REST: Duration = Duration::from_secs(1);
/// The longest rest of a peer that stalled or failed. After it a peer that works again is used again.
const LONG_REST_MAX: Duration = Duration::from_secs(30);
/// If another peer's copy of a chunk arrived first while this peer had sent nothing for this many usual chunk times,
/// this peer rests as if it had stalled.
const SILENT_FOR: u32 = 3;
/// A chunk is given up if, at the rate at which its bytes come, it would take longer than this: less than 1.8 kB/s. It
/// is then requested from another peer.
const CRAWL_MAX: Duration = Duration::from_secs(600);
/// How long a request must be open before its rate is judged: a short pause must not count as a slow peer.
const CRAWL_LOOK: Duration = Duration::from_secs(30);
/// A peer is dropped after this many chunks that were given up because they came too slowly: the first may be an
/// accident.
const CRAWLS_MAX: u32 = 2;
/// If a seeder answers a pick with `NotHere` sooner than this, the pick did not wait for a slot. The seeder does not
/// have the chunks that it claimed.
const PICK_IN_VAIN: Duration = Duration::from_secs(5);
/// A pick found no queue at the seeder if its answer took at most one and a half round trips and this. It covers the
/// time that both processes need.
const AT_ONCE: Duration = Duration::from_millis(1);
/// How long a peer is not asked again for a chunk that it sent corrupt. Meanwhile other peers can deliver it; if there
/// is no other, the same peer is asked once more after this.
const SUSPECT_FOR: Duration = Duration::from_secs(60);

impl Machine {
    // -- answers

    pub(super) fn picked(&mut self, id: RequestId, index: ChunkIndex) {
        let Some((key, swarm)) = self.owners.get(&id).and_then(|&key| Some((key, self.swarms.get(&key)?)))
        else {
            return;
        };
        let Some(Request { peer, stage: RequestStage::Picking { wanted, since }, .. }) =
            swarm.requests.get(&id)
        else {
            return;
        };
        let (peer, since, was_wanted) = (*peer, *since, wanted.contains(index));
        let is_missing = swarm.chunks.missing().contains(index);
        if !was_wanted {
            return self.drop_peer(peer, DropReason::Nonsense);
        }
        let Some((_, pick)) = self.close(id) else { return };
        self.succeeded(key, peer);
        self.note_pick_time(key, peer, since);
        if is_missing {
            self.owners.insert(id, key);
            self.open_get(key, id, peer, index, Some(&pick));
        } else {
            self.decline(key, peer, index);
        }
    }

    /// Notes whether the pick's answer came at once, which means that no queue is ahead of us.
    fn note_pick_time(&mut self, key: SwarmKey, peer: PeerAddr, since: Time) {
        let round_trip = self.peers.get(&peer).map_or(Duration::ZERO, |peer| peer.round_trip);
        let at_once = self.now.since(since) <= round_trip * 3 / 2 + AT_ONCE;
        if let Some(member) = self.swarms.get_mut(&key).and_then(|swarm| swarm.members.get_mut(peer)) {
            member.grants_at_once = at_once;
        }
    }

    pub(super) fn refused(&mut self, id: RequestId, refusal: RequestRefusal) {
        let Some((key, request)) = self.close(id) else { return };
        let peer = request.peer;
        if let (RequestRefusal::Busy { .. }, RequestStage::Getting { since, .. }) = (refusal, &request.stage)
        {
            self.note_answer(*since);
        }
        match (refusal, request.stage) {
            (RequestRefusal::Busy { retry_after }, _) => self.rest(key, peer, retry_after),
            (RequestRefusal::NotHere, RequestStage::Getting { index, .. }) => {
                if let Some(swarm) = self.swarms.get_mut(&key) {
                    swarm.members.lacks(peer, index);
                }
                self.rest(key, peer, Duration::ZERO);
                self.came_empty(peer);
            }
            (RequestRefusal::NotHere, RequestStage::Picking { since, .. }) => {
                self.rest(key, peer, Duration::ZERO);
                if self.now.since(since) < PICK_IN_VAIN {
                    self.came_empty(peer);
                }
            }
            (RequestRefusal::Unknown, _) => self.news(peer, key, News::Gone),
            (RequestRefusal::Failed, RequestStage::Picking { since, .. })
                if self.now.since(since) > self.config.pick_wait_max =>
            {
                self.stalled(key, peer);
            }
            (RequestRefusal::Failed, _) => self.rest_long(key, peer),
        }
    }

    pub(super) fn progress(&mut self, from: PeerAddr, bytes: u64) {
        self.downlink.arrived(self.now, bytes);
        let Some(peer) = self.peers.get_mut(&from) else { return };
        peer.heard(self.now);
        // Chunks arrive one after the other on a link, so these bytes belong to the oldest request that is not
        // complete.
        for id in &peer.gets {
            let swarm = self.owners.get(id).and_then(|key| self.swarms.get_mut(key));
            let Some(swarm) = swarm else { continue };
            if let Some(Request { stage: RequestStage::Getting { bytes: so_far, .. }, .. }) =
                swarm.requests.get_mut(id)
                && *so_far < u64::from(CHUNK_BYTES)
            {
                *so_far = so_far.saturating_add(bytes);
                swarm.moved_at = self.now;
                return;
            }
        }
    }

    pub(super) fn received(&mut self, id: RequestId) {
        let Some((key, swarm)) =
            self.owners.get(&id).and_then(|&key| Some((key, self.swarms.get_mut(&key)?)))
        else {
            return;
        };
        let Some(&Request { peer, across, stage: RequestStage::Getting { index, since, .. }, .. }) =
            swarm.requests.get(&id)
        else {
            return;
        };
        let superfluous = swarm.chunks.arrive(index, id, peer);
        swarm.moved_at = self.now;
        swarm.chunk_time.add(self.now.since(since));
        if across {
            swarm.zone.came(self.now.since(since));
        }
        self.verifying += 1;
        self.close(id);
        self.rest_overtaken(key, &superfluous);
        self.cancel(superfluous);
        self.succeeded(key, peer);
        if let Some(peer) = self.peers.get_mut(&peer) {
            peer.heard(self.now);
            (peer.failures, peer.empty) = (0, 0);
        }
    }

    pub(super) fn stored(&mut self, key: SwarmKey, index: ChunkIndex) {
        let Some(swarm) = self.swarms.get_mut(&key) else { return };
        swarm.moved_at = self.now;
        match swarm.chunks.store(index) {
            None | Some(ChunkState::Have) => return,
            Some(ChunkState::Missing | ChunkState::Withheld) => {}
            Some(ChunkState::InFlight(requests)) => self.cancel(requests),
            Some(ChunkState::Verifying(from)) => {
                self.verifying -= 1;
                if let Some(candidate) = swarm.candidates.get_mut(&from) {
                    candidate.received += 1;
                }
            }
        }
        self.actions.push_back(Action::TellHave { key, index });
        let Some(swarm) = self.swarms.get_mut(&key) else { return };
        swarm.candidates.values_mut().for_each(|candidate| _ = candidate.suspects.remove(&index));
        if swarm.leeching && swarm.chunks.have().is_full() {
            self.stop_leeching(key);
            self.actions.push_back(Action::Complete { key });
        } else {
            self.enqueue(key);
        }
    }

    pub(super) fn not_stored(&mut self, key: SwarmKey, index: ChunkIndex) -> bool {
        let spoilt = self.swarms.get_mut(&key).is_some_and(|swarm| swarm.chunks.spoil(index));
        if spoilt {
            self.verifying -= 1;
            self.enqueue(key);
        }
        spoilt
    }

    pub(super) fn corrupt(&mut self, key: SwarmKey, index: ChunkIndex, from: PeerAddr) {
        if !self.not_stored(key, index) {
            return;
        }
        let swarm = self.swarms.get_mut(&key);
        if let Some(candidate) = swarm.and_then(|swarm| swarm.candidates.get_mut(&from)) {
            candidate.corrupt += 1;
            candidate.suspects.insert(index, self.now + SUSPECT_FOR);
        }
        let Some(peer) = self.peers.get_mut(&from) else { return };
        peer.corrupt += 1;
        if peer.corrupt >= self.config.corrupt_max {
            self.drop_peer(from, DropReason::Corrupt);
        }
    }

    pub(super) fn lost(&mut self, key: SwarmKey, index: ChunkIndex) {
        if self.swarms.get_mut(&key).is_some_and(|swarm| swarm.chunks.lose(index)) {
            self.actions.push_back(Action::TellLost { key, index });
            self.enqueue(key);
        }
    }

    // -- back-off and stalls

    fn succeeded(&mut self, key: SwarmKey, peer: PeerAddr) {
        let Some(swarm) = self.swarms.get_mut(&key) else { return };
        swarm.note_answer(peer, true);
        if let Some(member) = swarm.members.get_mut(peer) {
            member.busy = 0;
        }
    }

    /// Lets a busy peer rest for half a chunk time, doubled each time up to two chunk times, and for at least
    /// `at_least`.
    fn rest(&mut self, key: SwarmKey, peer: PeerAddr, at_least: Duration) {
        let Some(member) = self.swarms.get_mut(&key).and_then(|swarm| swarm.members.get_mut(peer)) else {
            return;
        };
        if std::mem::take(&mut member.grants_at_once) && member.picks > 0 {
            return; // a newer pick replaced this one in the queue
        }
        let chunk_time = self.downlink.chunk_time().clamp(CHUNK_TIME_MIN, CHUNK_TIME_MAX);
        let span = self.chance.jitter(chunk_time / 2 * (1 << member.busy.min(DOUBLINGS_MAX)));
        member.busy = member.busy.saturating_add(1);
        member.rests_until = self.now + span.max(at_least.min(RETRY_AFTER_MAX));
        if let Some(swarm) = self.swarms.get_mut(&key) {
            swarm.note_answer(peer, true);
        }
    }

    fn rest_long(&mut self, key: SwarmKey, peer: PeerAddr) {
        let stalls = self.peers.get(&peer).map_or(0, |peer| peer.stalls);
        let span = self.chance.jitter((LONG_REST * (1 << stalls.min(5))).min(LONG_REST_MAX));
        let Some(swarm) = self.swarms.get_mut(&key) else { return };
        swarm.note_answer(peer, false);
        if let Some(member) = swarm.members.get_mut(peer) {
            member.rests_until = self.now + span;
        }
    }

    /// Another copy of a chunk arrived first. Peers whose request for it had brought nothing for a while rest. They
    /// need not have stalled yet, but near the end of a download it would be wrong to wait for them.
    fn rest_overtaken(&mut self, key: SwarmKey, requests: &[RequestId]) {
        let Some(swarm) = self.swarms.get(&key) else { return };
        let Some(usual) = swarm.chunk_time.get() else { return };
        let silent = requests.iter().filter_map(|id| swarm.requests.get(id)).filter(|request| {
            let RequestStage::Getting { since, bytes: 0, .. } = request.stage else { return false };
            let heard = self.peers.get(&request.peer).map_or(since, |peer| peer.heard_at.max(since));
            self.now.since(heard) > usual * SILENT_FOR
        });
        let silent: Vec<PeerAddr> = silent.map(|request| request.peer).collect();
        silent.into_iter().for_each(|peer| self.rest_long(key, peer));
    }

    /// Cancels the requests at peers of a swarm that send nothing, or too slowly, and sets the alarm for the next look.
    pub(super) fn pass_over_stalled(&mut self, key: SwarmKey) {
        let Some(swarm) = self.swarms.get(&key) else { return };
        let (mut stalled, mut crawling) = (Vec::new(), Vec::new());
        let mut next: Option<Time> = None;
        for (&id, request) in &swarm.requests {
            let RequestStage::Getting { since, bytes, .. } = request.stage else { continue };
            if is_crawling(bytes, self.now.since(since)) {
                crawling.push((id, request.peer));
                continue;
            }
            let heard = self.peers.get(&request.peer).map_or(since, |peer| peer.heard_at.max(since));
            let deadline = heard + self.patience(request.peer);
            if deadline <= self.now {
                stalled.push((id, request.peer));
            } else {
                next = Some(next.map_or(deadline, |next| next.min(deadline)));
            }
        }
        next.into_iter().for_each(|time| self.alarms.set(Alarm::Swarm(key), time));
        let peers = |of: &[(RequestId, PeerAddr)]| of.iter().map(|&(_, peer)| peer).collect::<BTreeSet<_>>();
        let (silent, slow) = (peers(&stalled), peers(&crawling));
        self.cancel(stalled.into_iter().chain(crawling).map(|(id, _)| id));
        silent.into_iter().for_each(|peer| self.stalled(key, peer));
        slow.into_iter().for_each(|peer| self.crawled(key, peer));
    }

    /// Counts that a peer did not have a chunk that it claimed. Honest peers do that too, when they lost it or left a
    /// moment ago.
    fn came_empty(&mut self, from: PeerAddr) {
        let Some(peer) = self.peers.get_mut(&from) else { return };
        peer.empty += 1;
        if peer.empty >= self.config.empty_max {
            self.drop_peer(from, DropReason::Empty);
        }
    }

    /// Counts a chunk that was given up because it came too slowly.
    fn crawled(&mut self, key: SwarmKey, from: PeerAddr) {
        self.rest_long(key, from);
        let Some(peer) = self.peers.get_mut(&from) else { return };
        peer.crawls += 1;
        if peer.crawls >= CRAWLS_MAX {
            self.drop_peer(from, DropReason::Stalled);
        }
    }

    fn stalled(&mut self, key: SwarmKey, from: PeerAddr) {
        self.rest_long(key, from);
        let Some(peer) = self.peers.get_mut(&from) else { return };
        peer.stalls += 1;
        if peer.stalls >= STALLS_MAX {
            self.drop_peer(from, DropReason::Stalled);
        }
    }
}

/// Whether a chunk, of which `bytes` came within `elapsed`, would take too long to complete. A chunk of which no byte
/// came is not meant: it may wait behind others, or its peer has stalled.
fn is_crawling(bytes: u64, elapsed: Duration) -> bool {
    let needed = u128::from(CHUNK_BYTES) * elapsed.as_micros() / CRAWL_MAX.as_micros();
    elapsed >= CRAWL_LOOK && bytes > 0 && u128::from(bytes) < needed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_crawls_if_it_would_take_more_than_ten_minutes() {
        let second = Duration::from_secs(1);
        for (bytes, elapsed, crawls) in [
            (52_427, second * 30, true), // a twentieth of ten minutes
            (52_428, second * 30, false),
            (52_427, second * 30 - Duration::from_micros(1), false),
            (0, second * 3600, false),
            (1, second * 3600, true),
            (u64::from(CHUNK_BYTES) - 1, second * 600, true),
            (u64::from(CHUNK_BYTES), second * 600, false),
            (u64::MAX, second * 600, false),
        ] {
            assert_eq!(is_crawling(bytes, elapsed), crawls, "{bytes} bytes within {elapsed:?}");
        }
    }
}
