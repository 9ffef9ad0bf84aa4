//! The state of all swarms of this machine. What happens at each event is in [`handle`](super::handle).

use super::action::Action;
use super::alarms::Alarms;
use super::answers::Answers;
use super::config::SwarmConfig;
use super::dials::Dials;
use super::event::{PeerAddr, RequestId};
use super::peer::PeerState;
use super::place::Place;
use super::rate::Downlink;
use super::state::Swarm;
use super::takers::Takers;
use super::time::Time;
use super::uploads::Uploads;
use crate::chance::Chance;
use crate::chunk::ChunkIndex;
use crate::id::{PeerId, SwarmKey};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// All swarms of this machine.
///
/// In order of use: [`new`](Machine::new); then for each event [`handle`](Machine::handle) once and
/// [`poll`](Machine::poll) until `None`; then sleep until [`next_timeout`](Machine::next_timeout) and hand in
/// [`Event::Timeout`](super::Event::Timeout).
pub struct Machine {
    pub(super) config: SwarmConfig,
    /// Our own id and zone, if a zone is configured.
    pub(super) own: Option<Place>,
    pub(super) chance: Chance,
    pub(super) now: Time,
    /// Actions that were decided and not yet polled.
    pub(super) actions: VecDeque<Action>,
    pub(super) alarms: Alarms,
    pub(super) swarms: BTreeMap<SwarmKey, Swarm>,
    /// The candidates of all swarms that we leech.
    pub(super) peers: BTreeMap<PeerAddr, PeerState>,
    /// Dial credit of the hosts that we want to fetch from.
    pub(super) dials: Dials,
    /// Dial credit of the hosts at which we knock. It is separate, so that knocking takes no credit from hosts that we
    /// want to fetch from.
    pub(super) knocks: Dials,
    /// The swarm of each open request.
    pub(super) owners: BTreeMap<RequestId, SwarmKey>,
    pub(super) requests_made: u64,
    /// Chunks that are being verified, in all swarms together.
    pub(super) verifying: u32,
    pub(super) downlink: Downlink,
    /// Whether other machines are far (see [`reach`](super::reach)).
    pub(super) is_far: bool,
    /// How long peers take to refuse a request of ours.
    pub(super) answers: Answers,
    pub(super) uploads: Uploads,
    pub(super) takers: Takers,
    /// Swarms that may open more requests. Swarms for which there is no room wait here for their turn.
    pub(super) to_schedule: VecDeque<SwarmKey>,
    /// Peers whose list of swarms changed since they were last asked for news.
    pub(super) to_subscribe: BTreeSet<PeerAddr>,
    /// Scratch space for comparing chunks, kept to avoid an allocation at every step.
    pub(super) ties: Vec<ChunkIndex>,
}

impl Machine {
    /// A machine in no swarm. All its random choices come from `seed`.
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

    /// The same machine in a zone. Of the chunks that nobody in its zone has, it fetches only its share from other
    /// zones. An empty name means no zone. `id` is the id that it tells its peers.
    pub fn in_zone(mut self, id: PeerId, zone: &str) -> Machine {
        self.own = (!zone.is_empty()).then(|| Place::new(id, zone));
        self
    }

    /// The next action, or `None` when there is no more.
    pub fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// The latest time at which to hand in [`Event::Timeout`](super::Event::Timeout).
    pub fn next_timeout(&self) -> Option<Time> {
        self.alarms.next()
    }

    /// Marks a swarm to be scheduled at the end of the current event.
    pub(super) fn enqueue(&mut self, key: SwarmKey) {
        if let Some(swarm) = self.swarms.get_mut(&key)
            && swarm.leeching
            && !swarm.queued
        {
            swarm.queued = true;
            self.to_schedule.push_back(key);
        }
    }

    /// Panics unless the state is consistent: every chunk in exactly one state, every request known on both sides,
    /// every limit kept. It reads everything, so only tests and the simulator call it.
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
