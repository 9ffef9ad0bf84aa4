//! The swarm core: which chunk, from whom, and whom to serve.
//!
//! It is pure: it has no clock, no chance of its own, no socket and no file, and holds no chunk bytes, only
//! ids. A driver (the daemon, or the simulator) feeds it [`Event`]s and performs the [`Action`]s that it asks
//! for. It never fails: a stranger's nonsense ends as [`Action::Drop`]. The same seed and the same events give
//! the same actions.
//!
//! The strategy and its reasons are in docs/strategy.md.

mod action;
mod alarms;
mod answers;
mod chance;
mod chunks;
mod config;
mod dials;
mod drop_reason;
mod event;
#[cfg(test)]
mod hostile_tests;
mod members;
mod peer;
mod peers;
mod place;
mod rate;
mod reach;
mod request;
mod schedule;
mod serve;
mod state;
mod status;
mod takers;
#[cfg(test)]
mod tests;
mod time;
mod uploads;
mod zone;
mod zones;

pub use action::Action;
pub use config::SwarmConfig;
pub use drop_reason::DropReason;
pub use event::{AskEnd, AskId, Event, News, PeerAddr, Refusal, RequestId};
pub use status::{PeerStatus, SwarmStatus, TakerStatus, Waiting};
pub use time::Time;

use crate::chunk::{ChunkCount, ChunkIndex};
use crate::have::HaveMap;
use crate::id::{PeerId, SwarmKey};
use alarms::{Alarm, Alarms};
use answers::Answers;
use chance::Chance;
use dials::Dials;
use peer::Peer;
use place::Place;
use rate::Downlink;
use state::Swarm;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use takers::Takers;
use uploads::Uploads;

/// All swarms of this machine.
///
/// In order of use: [`new`](Machine::new); then for each event [`handle`](Machine::handle) once and
/// [`poll`](Machine::poll) until `None`; then sleep until [`next_timeout`](Machine::next_timeout) and hand in
/// [`Event::Timeout`].
pub struct Machine {
    config: SwarmConfig,
    /// Who and where we are, if a zone is configured.
    own: Option<Place>,
    chance: Chance,
    now: Time,
    /// What was decided and not yet polled.
    actions: VecDeque<Action>,
    alarms: Alarms,
    swarms: BTreeMap<SwarmKey, Swarm>,
    /// The candidates of all swarms that we leech.
    peers: BTreeMap<PeerAddr, Peer>,
    /// What may be dialled.
    dials: Dials,
    /// What hosts are worth at which we knock: it costs those nothing that we want to fetch from.
    knocks: Dials,
    /// The swarm of each open request.
    owners: BTreeMap<RequestId, SwarmKey>,
    requests_made: u64,
    /// Chunks in verification, all swarms together.
    verifying: u32,
    downlink: Downlink,
    /// Whether other machines are far.
    is_far: bool,
    /// How long others take to refuse us.
    answers: Answers,
    uploads: Uploads,
    takers: Takers,
    /// Swarms that may ask for more; those that find no room wait here for their turn.
    to_schedule: VecDeque<SwarmKey>,
    /// Peers whose swarms changed.
    to_subscribe: BTreeSet<PeerAddr>,
    /// Room to compare chunks in, kept to spare an allocation at every step.
    ties: Vec<ChunkIndex>,
}

impl Machine {
    /// A machine in no swarm. All its chance comes from `seed`.
    pub fn new(config: SwarmConfig, seed: [u8; 32]) -> Machine {
        Machine {
            config,
            own: None,
            chance: Chance::new(seed),
            now: Time(0),
            actions: VecDeque::new(),
            alarms: Alarms::default(),
            swarms: BTreeMap::new(),
            peers: BTreeMap::new(),
            dials: Dials::default(),
            knocks: Dials::default(),
            owners: BTreeMap::new(),
            requests_made: 0,
            verifying: 0,
            downlink: Downlink::default(),
            is_far: false,
            answers: Answers::default(),
            uploads: Uploads::default(),
            takers: Takers::default(),
            to_schedule: VecDeque::new(),
            to_subscribe: BTreeSet::new(),
            ties: Vec::new(),
        }
    }

    /// The same machine in a zone: of what nobody in its zone has, it fetches only its share from other zones. With
    /// an empty name it stays without a zone. `id` is what it tells its peers.
    pub fn in_zone(mut self, id: PeerId, zone: &str) -> Machine {
        self.own = (!zone.is_empty()).then(|| Place::new(id, zone));
        self
    }

    /// Takes note of one event. `now` never runs backwards.
    pub fn handle(&mut self, now: Time, event: Event) {
        self.now = self.now.max(now);
        match event {
            Event::Join { key, count, have } => self.join(key, count, have),
            Event::Leave { key } => self.leave(key),
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

    /// The next thing to do, until `None`.
    pub fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When to hand in [`Event::Timeout`] at the latest.
    pub fn next_timeout(&self) -> Option<Time> {
        self.alarms.next()
    }

    fn join(&mut self, key: SwarmKey, count: ChunkCount, have: HaveMap) {
        if self.swarms.contains_key(&key) {
            return;
        }
        let have = if have.count() == count { have } else { HaveMap::empty(count) };
        let mut swarm = Swarm::new(have, self.own.clone(), self.now);
        swarm.uploads = self.uploads.slots_of(key) as u32; // what was being served when we left it before
        self.swarms.insert(key, swarm);
        self.enqueue(key);
    }

    fn leave(&mut self, key: SwarmKey) {
        self.stop_leeching(key);
        self.stop_serving(key);
        if let Some(swarm) = self.swarms.remove(&key) {
            self.verifying -= swarm.chunks.verifying().len() as u32;
            self.grant_waiting();
        }
    }

    /// Takes all requests of a swarm back, and forgets its peers: they are needed no more.
    fn stop_leeching(&mut self, key: SwarmKey) {
        let Some(swarm) = self.swarms.get_mut(&key) else { return };
        let requests: Vec<RequestId> = swarm.requests.keys().copied().collect();
        let candidates: Vec<PeerAddr> = swarm.candidates.keys().copied().collect();
        self.cancel(requests);
        candidates.into_iter().for_each(|peer| self.forget_candidate(key, peer));
        self.alarms.clear(Alarm::Swarm(key));
        self.to_schedule.retain(|&other| other != key);
        if let Some(swarm) = self.swarms.get_mut(&key) {
            (swarm.leeching, swarm.queued) = (false, false);
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

    /// Panics unless the inner state is sound: every chunk in exactly one state, every request known on both
    /// sides, every limit kept. It reads everything: for tests and the simulator.
    pub fn check_invariants(&self) {
        let mut requests = 0;
        let mut verifying = 0;
        for (&key, swarm) in &self.swarms {
            swarm.check_invariants();
            requests += swarm.requests.len();
            verifying += swarm.chunks.verifying().len();
            assert_eq!(swarm.uploads as usize, self.uploads.slots_of(key), "slots of a swarm are counted");
            assert!(swarm.candidates.len() <= self.config.candidates_max as usize);
            assert!(swarm.candidates.keys().all(|peer| self.peers[peer].swarms.contains(&key)));
            assert!(swarm.members.iter().all(|(peer, _)| self.peers[&peer].is_up()), "members are connected");
            assert!(swarm.requests.keys().all(|request| self.owners.get(request) == Some(&key)));
        }
        assert_eq!(self.owners.len(), requests, "every request has its swarm");
        assert_eq!(self.verifying as usize, verifying, "verifying chunks are counted");
        assert!(requests <= self.config.requests_max as usize);
        let slots_max = self.config.seeder_slots.max(self.config.leecher_slots).max(self.config.far_slots);
        assert!(self.uploads.overdue() <= self.config.overdue_max as usize);
        assert!(self.uploads.slots() <= slots_max as usize);
        assert!(self.uploads.queue_len() <= self.config.pick_queue_max as usize);
        assert!(self.peers.values().all(|peer| !peer.swarms.is_empty()), "no peer is known for nothing");
    }
}
