//! Which peers to serve: the upload slots, the seeder's queue of picks, and the grants that were not used yet.

use super::action::Action;
use super::alarms::Alarm;
use super::event::{AskEnd, AskId, PeerAddr, RequestRefusal};
use super::machine::Machine;
use super::state::Swarm;
use super::time::Time;
use super::uploads::{GrantKept, QueuedPick, Serving};
use crate::chunk::ChunkIndex;
use crate::id::SwarmKey;
use crate::window::Window;
use std::cmp::Reverse;
use std::time::Duration;

/// Limits the chunks that are granted to one peer in one swarm and not yet requested. Two keep a long link busy without
/// one peer holding many slots.
const GRANTS_UNUSED_MAX: usize = 2;
/// A slot stays reserved for a granted chunk for the usual time between grant and request, multiplied by this. Then it
/// is free for others.
const GRANT_PATIENCE: u32 = 8;
/// The shortest time that a slot stays reserved for a granted chunk, since on a fast network the usual time is less
/// than a process may be delayed.
const GRANT_WAIT_MIN: Duration = Duration::from_millis(50);
/// An upload frees its slot for others after the usual time of an upload, multiplied by this. It is large, because this
/// machine may be the one that stands still.
const SERVE_PATIENCE: u32 = 16;
/// The shortest time after which an upload frees its slot, since on a fast network the usual time is less than a
/// process may be delayed.
const SERVE_WAIT_MIN: Duration = Duration::from_secs(1);
/// Replaces [`SERVE_PATIENCE`] while other peers receive chunks: then this machine is not the slow one. Over real
/// links, 3 needed more memory and gained nothing.
const OVERTAKEN_PATIENCE: u32 = 6;
/// Replaces `SERVE_WAIT_MIN` in the same case.
const OVERTAKEN_WAIT_MIN: Duration = Duration::from_millis(100);
/// How long an upload may take while none was measured yet. Beyond it its slot is given to others. It is longer than a
/// chunk takes on any but the slowest links.
const SERVE_WAIT_UNMEASURED: Duration = Duration::from_secs(5);
/// How much a grant adds to a chunk's count of copies given away. A chunk granted to a slow peer counts half: that peer
/// passes it on late, so it is granted once more, but only after all other chunks were given away.
const GIVEN: u16 = 2;
/// How much a grant to a slow peer adds to the count.
const GIVEN_TO_SLOW: u16 = 1;
/// When picks are ranked by how many chunks the peer still lacks, counts are rounded down to multiples of this, so that
/// a difference of one chunk does not reorder the queue.
const ALIKE: usize = 2;
/// The shortest `retry_after` of a busy refusal: asking more often would only cost messages.
const RETRY_MIN: Duration = Duration::from_micros(500);
/// The longest `retry_after` of a busy refusal: a slot that becomes free must not stay unused for long.
const RETRY_MAX: Duration = Duration::from_millis(50);
/// The `retry_after` before any upload was measured.
const RETRY_UNMEASURED: Duration = Duration::from_millis(5);

impl Machine {
    pub(super) fn pick_asked(&mut self, ask: AskId, peer: PeerAddr, key: SwarmKey, wanted: Window) {
        if self.uploads.knows(ask) {
            return;
        }
        let refusal = match self.swarms.get(&key) {
            None => Some(RequestRefusal::Unknown),
            Some(swarm) if swarm.leeching => Some(RequestRefusal::NotHere),
            Some(_) => None,
        };
        if let Some(refusal) = refusal {
            return self.actions.push_back(Action::Refuse { ask, refusal });
        }
        self.takers.asked(key, peer, self.now);
        if wanted.is_empty() {
            let declined = (peer, key, wanted.first());
            self.release_grants(|grant| (grant.peer, grant.key, grant.index) == declined);
            self.actions.push_back(Action::Refuse { ask, refusal: RequestRefusal::NotHere });
            return self.grant_waiting();
        }
        let pick = QueuedPick { ask, peer, key, wanted, since: self.now };
        if let Some(queued) =
            self.uploads.queue.iter_mut().find(|queued| queued.peer == peer && queued.key == key)
        {
            // The new pick keeps the place of the old one in the queue: the peer only updates what it wants.
            let ask = std::mem::replace(queued, pick).ask;
            self.refuse_busy(ask);
        } else if self.uploads.queue.len() >= self.config.pick_queue_max as usize {
            return self.refuse_busy(ask);
        } else {
            self.uploads.queue.push_back(pick);
        }
        self.alarms.set(Alarm::Uploads, self.now + self.config.pick_wait_max);
        self.grant_waiting();
    }

    pub(super) fn chunk_asked(&mut self, ask: AskId, peer: PeerAddr, key: SwarmKey, index: ChunkIndex) {
        if self.uploads.knows(ask) {
            return;
        }
        let Some(swarm) = self.swarms.get(&key) else {
            return self.actions.push_back(Action::Refuse { ask, refusal: RequestRefusal::Unknown });
        };
        self.takers.asked(key, peer, self.now);
        let granted = self
            .uploads
            .grants
            .iter()
            .position(|grant| (grant.peer, grant.key, grant.index) == (peer, key, index));
        if !swarm.chunks.have().contains(index) {
            self.actions.push_back(Action::Refuse { ask, refusal: RequestRefusal::NotHere });
        } else if let Some(granted) = granted {
            let grant = self.uploads.grants.remove(granted);
            self.uploads.grant_time.add(self.now.since(grant.since));
            self.note_grant_used(grant.since);
            self.serve(ask, grant);
        } else if self.slot_is_free(swarm) && !self.uploads.is_overdue(peer) {
            if let Some(swarm) = self.swarms.get_mut(&key) {
                swarm.uploads += 1;
            }
            self.serve(ask, GrantKept { ask, peer, key, index, since: self.now, given: 0 });
        } else {
            self.refuse_busy(ask);
        }
    }

    pub(super) fn ask_ended(&mut self, ask: AskId, end: AskEnd) {
        if let Some(serving) = self.uploads.serving.remove(&ask) {
            match end {
                AskEnd::Served => {
                    self.uploads.serve_time.add(self.now.since(serving.since));
                    self.uploads.note_served(serving.peer, self.now);
                    self.takers.sent(serving.key, serving.peer, self.now);
                    self.let_go_of_overdue();
                }
                AskEnd::BrokenOff => {
                    let Serving { key, index, given, overdue, .. } = serving;
                    self.not_given(key, index, if overdue { given.min(GIVEN_TO_SLOW) } else { given });
                }
                AskEnd::TakenBack => {} // the peer got it from somebody else, so it counts as given
            }
            if !serving.overdue {
                self.uploads.note_speed(serving.peer, false);
                self.free_slot(serving.key);
            }
            self.grant_waiting();
        } else {
            self.uploads.queue.retain(|pick| pick.ask != ask);
            self.release_grants(|grant| grant.ask == ask);
            self.grant_waiting();
        }
    }

    /// Refuses picks, frees grants and marks uploads as overdue that have waited too long, and sets the next alarm.
    pub(super) fn expire_uploads(&mut self) {
        let (now, grant_wait) = (self.now, self.grant_wait());
        let waited = |since: Time, max: Duration| since + max <= now;
        let pick_wait = self.config.pick_wait_max;
        let is_old = |pick: &QueuedPick| waited(pick.since, pick_wait);
        let old: Vec<AskId> =
            self.uploads.queue.iter().filter(|pick| is_old(pick)).map(|pick| pick.ask).collect();
        self.uploads.queue.retain(|pick| !is_old(pick));
        for ask in old {
            self.actions.push_back(Action::Refuse { ask, refusal: RequestRefusal::NotHere });
        }
        self.release_grants(|grant| waited(grant.since, grant_wait));
        self.let_go_of_overdue();
        self.grant_waiting();
        let picks = self.uploads.queue.iter().map(|pick| pick.since + pick_wait);
        let grants = self.uploads.grants.iter().map(|grant| grant.since + grant_wait);
        let serving = self.uploads.serving.values().filter(|serving| !serving.overdue);
        let serving = serving.map(|serving| serving.since + self.serve_patience(serving.peer));
        let serving = serving.filter(|&at| at > now);
        if let Some(next) = picks.chain(grants).chain(serving).min() {
            self.alarms.set(Alarm::Uploads, next);
        }
    }

    /// Frees the slots of uploads that take much longer than others. A slow peer then keeps nobody waiting, and gets no
    /// other chunk until that upload ends.
    fn let_go_of_overdue(&mut self) {
        let room = (self.config.overdue_max as usize).saturating_sub(self.uploads.overdue());
        let is_late = |serving: &Serving| {
            !serving.overdue && serving.since + self.serve_patience(serving.peer) <= self.now
        };
        let late = self.uploads.serving.iter().filter(|(_, serving)| is_late(serving));
        let late: Vec<AskId> = late.take(room).map(|(&ask, _)| ask).collect();
        for ask in late {
            let Some(serving) = self.uploads.serving.get_mut(&ask) else { continue };
            serving.overdue = true;
            let Serving { peer, key, index, given, .. } = *serving;
            self.uploads.note_speed(peer, true);
            self.free_slot(key);
            self.not_given(key, index, given.saturating_sub(GIVEN_TO_SLOW));
        }
    }

    /// Reduces a chunk's count of copies given away.
    fn not_given(&mut self, key: SwarmKey, index: ChunkIndex, less: u16) {
        let swarm = self.swarms.get_mut(&key);
        if let Some(given) = swarm.and_then(|swarm| swarm.given.get_mut(index.slot())) {
            *given = given.saturating_sub(less);
        }
    }

    /// How long an upload to this peer may take before its slot is freed.
    fn serve_patience(&self, peer: PeerAddr) -> Duration {
        let Some(usual) = self.uploads.serve_time.get() else { return SERVE_WAIT_UNMEASURED };
        let overtaken = (usual * OVERTAKEN_PATIENCE).max(OVERTAKEN_WAIT_MIN);
        match self.uploads.others_served_at(peer) {
            Some(at) if self.now.since(at) < overtaken / 2 => overtaken,
            _ => (usual * SERVE_PATIENCE).max(SERVE_WAIT_MIN),
        }
    }

    /// Frees the slots of granted chunks that will not be requested. They no longer count as given away.
    fn release_grants(&mut self, which: impl Fn(&GrantKept) -> bool) {
        let released: Vec<GrantKept> = self.uploads.grants.extract_if(.., |grant| which(grant)).collect();
        for grant in released {
            self.free_slot(grant.key);
            self.not_given(grant.key, grant.index, grant.given);
        }
    }

    /// Refuses everything that waits in a swarm that this machine leaves. Uploads that are running continue to their
    /// end.
    pub(super) fn stop_serving(&mut self, key: SwarmKey) {
        for pick in self.uploads.queue.iter().filter(|pick| pick.key == key) {
            self.actions.push_back(Action::Refuse { ask: pick.ask, refusal: RequestRefusal::Unknown });
        }
        self.uploads.queue.retain(|pick| pick.key != key);
        self.uploads.grants.retain(|grant| grant.key != key);
    }

    /// Gives free slots to waiting picks.
    pub(super) fn grant_waiting(&mut self) {
        while self.uploads.slots() < self.config.seeder_slots.max(self.config.far_slots) as usize {
            let Some(next) = self.next_pick() else { return };
            let Some(pick) = self.uploads.queue.remove(next) else { return };
            self.uploads.oldest_is_next ^= true;
            self.grant(pick);
        }
    }

    /// The pick that is next: the oldest, and the one of the peer that lacks most chunks, in alternation. Once all
    /// links are full, a peer that has fallen behind stays behind. Only the seeder can help it before that, since all
    /// chunks come from here. A peer that falsely claims to lack many chunks gets at most every other one.
    fn next_pick(&self) -> Option<usize> {
        let may = |pick: &QueuedPick| {
            let unused = self.uploads.grants_unused(pick.peer, pick.key);
            let swarm = self.swarms.get(&pick.key);
            unused < GRANTS_UNUSED_MAX
                && !self.uploads.is_overdue(pick.peer)
                && swarm.is_some_and(|swarm| self.slot_is_free(swarm))
        };
        let mut waiting = self.uploads.queue.iter().enumerate().filter(|(_, pick)| may(pick));
        if self.uploads.oldest_is_next {
            return waiting.next().map(|(at, _)| at);
        }
        // A slow peer always lacks most, and passes on late what it gets. So it is not preferred.
        let lacks = |pick: &QueuedPick| match self.uploads.slow.contains(&pick.peer) {
            true => 0,
            false => pick.wanted.len() / ALIKE,
        };
        waiting.max_by_key(|(at, pick)| (lacks(pick), Reverse(*at))).map(|(at, _)| at)
    }

    fn grant(&mut self, pick: QueuedPick) {
        let QueuedPick { ask, peer, key, .. } = pick;
        let Some(index) = self.least_given(key, &pick.wanted) else {
            return self.actions.push_back(Action::Refuse { ask, refusal: RequestRefusal::NotHere });
        };
        let Some(swarm) = self.swarms.get_mut(&key) else { return };
        swarm.uploads += 1;
        let given = if self.uploads.slow.contains(&peer) { GIVEN_TO_SLOW } else { GIVEN };
        swarm.given[index.slot()] = swarm.given[index.slot()].saturating_add(given);
        self.uploads.grants.push(GrantKept { ask, peer, key, index, since: self.now, given });
        self.alarms.set(Alarm::Uploads, self.now + self.grant_wait());
        self.actions.push_back(Action::Grant { ask, index });
    }

    /// The chunk of the window that was given away least often. Ties are broken by availability, as far as it is known,
    /// then by order. For the swarm any order is as good, since each chunk is given once before any twice; ascending
    /// order suits the disks and the hash of the whole file.
    fn least_given(&mut self, key: SwarmKey, wanted: &Window) -> Option<ChunkIndex> {
        let swarm = self.swarms.get_mut(&key)?;
        if swarm.given.is_empty() {
            swarm.given = vec![0; swarm.chunks.count().get() as usize];
        }
        let there = wanted.iter().filter(|&index| swarm.chunks.have().contains(index));
        there.min_by_key(|&index| (swarm.given[index.slot()], swarm.members.availability(index)))
    }

    fn serve(&mut self, ask: AskId, granted: GrantKept) {
        let GrantKept { peer, key, index, given, .. } = granted;
        let serving = Serving { peer, key, index, since: self.now, overdue: false, given };
        self.uploads.serving.insert(ask, serving);
        self.alarms.set(Alarm::Uploads, self.now + self.serve_patience(peer));
        self.actions.push_back(Action::Serve { ask, key, index });
    }

    /// Whether another chunk of this swarm may be uploaded now.
    fn slot_is_free(&self, swarm: &Swarm) -> bool {
        let limit = if swarm.leeching { self.config.leecher_slots } else { self.config.seeder_slots };
        let limit = limit.max(self.far_slots(swarm));
        self.uploads.slots() < limit as usize && swarm.uploads < swarm.slots_limit(limit)
    }

    fn free_slot(&mut self, key: SwarmKey) {
        if let Some(swarm) = self.swarms.get_mut(&key) {
            swarm.uploads = swarm.uploads.saturating_sub(1);
        }
    }

    fn refuse_busy(&mut self, ask: AskId) {
        // A slot becomes free about every (serve time / slots). Half of that is half a chunk time.
        let slots = self.uploads.slots().max(1) as u32;
        let retry_after = self.uploads.serve_time.get().map_or(RETRY_UNMEASURED, |time| time / slots / 2);
        let retry_after = retry_after.clamp(RETRY_MIN, RETRY_MAX);
        self.actions.push_back(Action::Refuse { ask, refusal: RequestRefusal::Busy { retry_after } });
    }

    /// How long a slot stays reserved for a granted chunk. Most grants that are not used belong to chunks that the peer
    /// got elsewhere meanwhile, so a long wait would leave the uplink idle.
    fn grant_wait(&self) -> Duration {
        let max = self.config.grant_wait_max;
        let usual = self.uploads.grant_time.get().map_or(max / 4, |time| time.min(max) * GRANT_PATIENCE);
        usual.max(GRANT_WAIT_MIN).min(max)
    }
}
