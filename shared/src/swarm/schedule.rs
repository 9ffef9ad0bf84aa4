//! Which chunk to request next, and from which peer. The strategy and its figures are in docs/strategy.md.

use super::action::Action;
use super::alarms::Alarm;
use super::chunks::indices_of;
use super::event::PeerAddr;
use super::machine::Machine;
use super::members::Member;
use super::state::{RequestStage, Swarm};
use super::time::Time;
use crate::chunk::ChunkIndex;
use crate::id::SwarmKey;
use crate::window::Window;
use std::ops::Range;
use std::time::Duration;

/// In the endgame, slow requests are looked at again after a chunk time, but no sooner than this.
const ENDGAME_LOOK_MIN: Duration = Duration::from_millis(5);

impl Machine {
    /// Schedules the waiting swarms in turn while there is room for more requests.
    pub(super) fn schedule_all(&mut self) {
        while self.has_room()
            && let Some(key) = self.to_schedule.pop_front()
        {
            if let Some(swarm) = self.swarms.get_mut(&key) {
                swarm.queued = false;
                self.schedule(key);
            }
            if !self.has_room() {
                self.enqueue(key); // it may need more requests: it goes to the end of the queue
            }
        }
    }

    /// Whether the limits allow one more chunk in flight.
    fn has_room(&self) -> bool {
        self.verifying < self.config.verifying_max && self.owners.len() < self.config.requests_max as usize
    }

    fn schedule(&mut self, key: SwarmKey) {
        let Some(swarm) = self.swarms.get(&key).filter(|swarm| swarm.leeching) else { return };
        let window = swarm.chunks.window();
        let depth = self.depth(key);
        self.ask_within(key, window.clone(), depth);
        self.wait_for_zone(key, &window);
        let Some(swarm) = self.swarms.get(&key) else { return };
        if swarm.requests.is_empty() && swarm.chunks.verifying().is_empty() {
            self.look_further(key, depth);
        } else if self.counted(key) < depth && swarm.chunks.window_is_asked() {
            self.drop_idle_picks(key);
            self.double_slow(key, depth);
        }
        self.wake_after_rest(key, depth);
    }

    /// The number of requests that a swarm keeps open: more while the downlink has room, fewer for a small resource.
    ///
    /// Where uplinks differ, a machine may never receive at its downlink's full rate, so it does not know that it has
    /// room. But it sees that it falls behind the others, and then opens more requests too.
    fn depth(&mut self, key: SwarmKey) -> u32 {
        self.downlink.look(self.now);
        let has_room = self.downlink.has_room(self.config.downlink_used);
        let Some(swarm) = self.swarms.get(&key) else { return 0 };
        let deep = has_room || swarm.members.are_ahead_of(swarm.chunks.have().len());
        let near = if deep { self.config.depth_max } else { self.config.depth_min };
        let far = self.far_slots(swarm) * if deep { 2 } else { 1 };
        swarm.depth_limit(near.max(far))
    }

    fn counted(&self, key: SwarmKey) -> u32 {
        self.swarms.get(&key).map_or(0, Swarm::requests_counted)
    }

    /// Opens requests up to `depth`: first one pick at a seeder, which does not count, then requests at leechers, then
    /// more picks.
    fn ask_within(&mut self, key: SwarmKey, window: Range<u32>, depth: u32) {
        self.prepare_across(key, &window);
        let Some(swarm) = self.swarms.get(&key) else { return };
        if !swarm.requests.values().any(|request| request.picked) {
            let mut seeders =
                self.members_where(key, |member, now| member.is_seeder() && member.is_free(now));
            self.pick_at_one(key, &mut seeders, &window);
        }
        let mut leechers = self.members_where(key, |member, now| !member.is_seeder() && member.is_free(now));
        while self.has_room()
            && self.counted(key) < depth
            && let Some(peer) = self.chance.take_one(&mut leechers)
        {
            if let Some(index) = self.rarest(key, peer, window.clone()) {
                self.ask_get(key, peer, index);
            }
        }
        let depth = self.swarms.get(&key).map_or(0, |swarm| swarm.picks_until(depth, self.config.depth_max));
        // A lone leecher with a lone seeder must keep its downlink busy: one chunk is being chosen while others arrive.
        // Seeders that are not in use come first.
        let mut seeders = self.members_where(key, |member, now| member.is_seeder() && member.is_free(now));
        while self.counted(key) < depth && self.pick_at_one(key, &mut seeders, &window) {}
        let mut seeders = self.members_where(key, |member, now| {
            member.is_seeder() && member.rests_until <= now && member.picks < member.picks_max()
        });
        while self.counted(key) < depth && self.pick_at_one(key, &mut seeders, &window) {}
    }

    fn members_where(&self, key: SwarmKey, which: impl Fn(&Member, Time) -> bool) -> Vec<PeerAddr> {
        let Some(swarm) = self.swarms.get(&key) else { return Vec::new() };
        swarm.members.iter().filter(|(_, member)| which(member, self.now)).map(|(peer, _)| peer).collect()
    }

    /// Opens a pick at a random one of these seeders. Returns `false` if none of them has a useful chunk.
    fn pick_at_one(&mut self, key: SwarmKey, seeders: &mut Vec<PeerAddr>, window: &Range<u32>) -> bool {
        while self.has_room()
            && let Some(peer) = self.chance.take_one(seeders)
        {
            let Some(swarm) = self.swarms.get(&key) else { return false };
            let member = swarm.members.get(peer).filter(|member| !swarm.is_left_alone(member));
            let Some(member) = member else { continue };
            let within = |range: Range<u32>| {
                let useful = swarm.askable_words(peer, member, range, self.now);
                Window::of(ChunkIndex(window.start), useful.flat_map(|(at, word)| indices_of(at, word)))
            };
            let preferred = within(swarm.preferred_of(window));
            // Each leecher asks a seeder for the preferred chunks as often as it would if they took turns.
            let is_its_turn = !preferred.is_empty() && self.chance.below(swarm.members.leechers() + 1) == 0;
            let wanted = if is_its_turn { preferred } else { within(window.clone()) };
            if !wanted.is_empty() {
                self.ask_pick(key, peer, wanted);
                return true;
            }
        }
        false
    }

    /// The rarest useful chunk that a leecher has. Ties are broken at random, so that peers with the same news do not
    /// all ask for the same chunk.
    fn rarest(&mut self, key: SwarmKey, peer: PeerAddr, window: Range<u32>) -> Option<ChunkIndex> {
        let swarm = self.swarms.get(&key)?;
        let member = swarm.members.get(peer)?;
        let preferred = swarm.preferred_of(&window);
        let has_preferred =
            swarm.askable_words(peer, member, preferred.clone(), self.now).any(|(_, word)| word != 0);
        let window = if has_preferred { preferred } else { window };
        let mut ties = std::mem::take(&mut self.ties);
        ties.clear();
        let mut least = u16::MAX;
        for (at, word) in swarm.askable_words(peer, member, window, self.now) {
            for index in indices_of(at, word) {
                let availability = swarm.members.availability(index);
                if availability < least {
                    least = availability;
                    ties.clear();
                }
                if availability == least {
                    ties.push(index);
                }
            }
        }
        let rarest = self.chance.one_of(&ties);
        self.ties = ties;
        rarest
    }

    /// Called when nothing is in flight. The chunks within the window may be out of reach, so chunks beyond it are
    /// requested. If nobody has any of those either, more peers are looked for.
    fn look_further(&mut self, key: SwarmKey, depth: u32) {
        let Some(swarm) = self.swarms.get_mut(&key) else { return };
        if let Some(first) = swarm.first_useful(self.now) {
            if first.0 >= swarm.chunks.window().end {
                let window = swarm.chunks.window_from(first.0);
                self.ask_within(key, window, depth);
            }
            return;
        }
        if swarm.chunks.missing().is_empty() {
            return; // the rest is withheld: no peer is needed for it
        }
        let next = swarm.found_at + self.config.find_peers_every;
        if next <= self.now {
            swarm.found_at = self.now;
            self.actions.push_back(Action::FindPeers { key });
        }
        let next = next.max(self.now + self.config.find_peers_every);
        let swarm = &self.swarms[&key];
        let suspects = swarm.candidates.values().flat_map(|candidate| candidate.suspects.values());
        let retry = suspects.copied().filter(|&until| until > self.now).min();
        self.alarms.set(Alarm::Swarm(key), retry.map_or(next, |retry| retry.min(next)));
    }

    /// Cancels queued picks when every chunk of the window was requested: they could only bring chunks that are not
    /// needed.
    fn drop_idle_picks(&mut self, key: SwarmKey) {
        let Some(swarm) = self.swarms.get(&key) else { return };
        let picks = swarm
            .requests
            .iter()
            .filter(|(_, request)| matches!(request.stage, RequestStage::Picking { .. }));
        let picks: Vec<_> = picks.map(|(&id, _)| id).collect();
        self.cancel(picks);
    }

    /// The endgame: requests the chunks of slow requests from a second peer. The first copy wins.
    fn double_slow(&mut self, key: SwarmKey, depth: u32) {
        let Some(swarm) = self.swarms.get(&key) else { return };
        let Some(usual) = swarm.chunk_time.get() else { return };
        let single = swarm.chunks.in_flight().iter().filter(|(_, requests)| requests.len() == 1);
        let single: Vec<_> = single.map(|(&index, requests)| (index, requests[0])).collect();
        for &(index, request) in &single {
            let Some(swarm) = self.swarms.get(&key) else { return };
            let remaining =
                swarm.requests.get(&request).and_then(|request| request.remaining(self.now, usual));
            if remaining.is_none_or(|remaining| remaining <= usual * 3 / 2) {
                continue;
            }
            let holders = swarm.members.iter().filter(|&(peer, member)| {
                let free = member.is_free(self.now) && member.holds.contains(index);
                free && !swarm.is_suspect(peer, index, self.now) && swarm.may_ask(member, index)
            });
            let holders: Vec<PeerAddr> = holders.map(|(peer, _)| peer).collect();
            if self.has_room()
                && self.counted(key) < depth
                && let Some(peer) = self.chance.one_of(&holders)
            {
                self.ask_get(key, peer, index);
            }
        }
        if !single.is_empty() {
            let look = self.downlink.chunk_time().max(ENDGAME_LOOK_MIN);
            self.alarms.set(Alarm::Swarm(key), self.now + look);
        }
    }

    /// If fewer than `depth` requests are open, sets an alarm for when the next member's rest ends.
    fn wake_after_rest(&mut self, key: SwarmKey, depth: u32) {
        let Some(swarm) = self.swarms.get(&key).filter(|swarm| swarm.requests_counted() < depth) else {
            return;
        };
        let rests = swarm.members.iter().map(|(_, member)| member.rests_until);
        if let Some(first) = rests.filter(|&until| until > self.now).min() {
            self.alarms.set(Alarm::Swarm(key), first);
        }
    }
}
