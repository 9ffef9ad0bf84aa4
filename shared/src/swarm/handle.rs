//! The entry point of the core: which function handles which event.

use super::alarms::Alarm;
use super::event::Event;
use super::machine::Machine;
use super::state::Swarm;
use super::time::Time;
use crate::chunk::ChunkCount;
use crate::have::HaveMap;
use crate::id::SwarmKey;

impl Machine {
    /// Handles one event. `now` never decreases. Decisions are queued for [`poll`](Machine::poll).
    pub fn handle(&mut self, now: Time, event: Event) {
        self.now = self.now.max(now);
        match event {
            Event::Join { key, count, have } => self.join(key, count, have),
            Event::Leave { key } => self.leave(key),
            Event::Withhold { key, chunks } => self.withhold(key, chunks),
            Event::Prefer { key, chunks } => self.prefer(key, chunks),
            Event::PeersFound { key, peers } => self.peers_found(key, peers),
            Event::LonelyFound { key, peers } => self.knock(key, peers),
            Event::PeerSubscribed { key, peer } => self.peers_found(key, vec![peer]),
            Event::Connected { peer, id, zone, round_trip } => self.connected(peer, id, &zone, round_trip),
            Event::Disconnected { peer, for_good } => self.disconnected(peer, for_good),
            Event::Misbehaved { peer, reason } => self.misbehaved(peer, reason),
            Event::News { peer, key, news } => self.news(peer, key, news),
            Event::Picked { request, index } => self.picked(request, index),
            Event::Refused { request, refusal } => self.refused(request, refusal),
            Event::Progress { peer, bytes } => self.progress(peer, bytes),
            Event::Received { request } => self.received(request),
            Event::Stored { key, index } => self.stored(key, index),
            Event::Corrupt { key, index, peer } => self.corrupt(key, index, peer),
            Event::NotStored { key, index } => _ = self.not_stored(key, index),
            Event::Lost { key, index } => self.lost(key, index),
            Event::PickAsked { ask, peer, key, wanted } => self.pick_asked(ask, peer, key, wanted),
            Event::ChunkAsked { ask, peer, key, index } => self.chunk_asked(ask, peer, key, index),
            Event::AskEnded { ask, end } => self.ask_ended(ask, end),
            Event::Timeout => self.timeout(),
        }
        self.schedule_all();
        while let Some(peer) = self.to_subscribe.pop_first() {
            self.subscribe(peer);
        }
    }

    fn join(&mut self, key: SwarmKey, count: ChunkCount, have: HaveMap) {
        if self.swarms.contains_key(&key) {
            return;
        }
        let have = if have.count() == count { have } else { HaveMap::empty(count) };
        let mut swarm = Swarm::new(have, self.own.clone(), self.now);
        swarm.uploads = self.uploads.slots_of(key) as u32; // uploads from before we left it last may still be running
        self.swarms.insert(key, swarm);
        self.enqueue(key);
    }

    fn prefer(&mut self, key: SwarmKey, chunks: u32) {
        if let Some(swarm) = self.swarms.get_mut(&key) {
            swarm.preferred = chunks;
            self.enqueue(key);
        }
    }

    fn leave(&mut self, key: SwarmKey) {
        self.stop_leeching(key);
        self.stop_serving(key);
        if let Some(swarm) = self.swarms.remove(&key) {
            self.verifying -= swarm.chunks.verifying().len() as u32;
            self.grant_waiting();
        }
    }

    fn withhold(&mut self, key: SwarmKey, chunks: HaveMap) {
        let Some(swarm) = self.swarms.get_mut(&key).filter(|swarm| swarm.leeching) else { return };
        if chunks.count() == swarm.chunks.count() {
            swarm.chunks.withhold(chunks);
            self.enqueue(key);
        }
    }

    fn timeout(&mut self) {
        while let Some(alarm) = self.alarms.pop_due(self.now) {
            match alarm {
                Alarm::Swarm(key) => {
                    self.pass_over_stalled(key);
                    self.enqueue(key);
                }
                Alarm::Redial(peer) => self.redial(peer),
                Alarm::Uploads => self.expire_uploads(),
            }
        }
    }
}
