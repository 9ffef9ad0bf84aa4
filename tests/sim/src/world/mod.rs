//! The world: machines, a network, a tracker, and the one loop that moves them.

mod digest;
mod driver;
mod fate;
mod links;
mod setup;

pub use setup::{Fault, Log, Setup};

use self::digest::Digest;
use crate::heap::Heap;
use crate::network::{FlowId, Link, Network};
use crate::node::{Node, NodeId};
use shared::chunk::{ChunkCount, ChunkIndex};
use shared::have::HaveMap;
use shared::id::{ListDigest, ResourceId, SwarmKey};
use shared::swarm::{DropReason, Event, Machine, PeerAddr, RequestId, SwarmStatus, Time};
use shared::window::Window;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

/// How often a leecher announces itself to the tracker.
const ANNOUNCE_EVERY: Duration = Duration::from_secs(2);
const LEECHERS_JOIN_AT: Duration = Duration::from_millis(1);
/// How soon connected machines notice a machine's death.
const DEATH_SEEN_AFTER: Duration = Duration::from_millis(100);

/// Machines, a network and a tracker on virtual time.
pub struct World {
    setup: Setup,
    now: Time,
    heap: Heap<Happening>,
    nodes: Vec<Node>,
    network: Network,
    tracker: BTreeMap<SwarmKey, Vec<NodeId>>,
    resources: BTreeMap<SwarmKey, ChunkCount>,
    die_after: BTreeMap<NodeId, u64>,
    forbidden: BTreeSet<(NodeId, NodeId)>,
    /// When the tracker answers nobody.
    tracker_away: Range<Time>,
    joins_planned: u32,
    /// The number of swarms in which living machines lack something, over all machines.
    unfinished: usize,
    asks_made: u64,
    chance: u64,
    finished: BTreeMap<(NodeId, SwarmKey), Time>,
    dropped: BTreeSet<(NodeId, NodeId, DropReason)>,
    corrupted: BTreeSet<(NodeId, NodeId, ChunkIndex)>,
    broken_off: BTreeMap<NodeId, usize>,
    window_begin_max: ChunkIndex,
    asked: u64,
    refused: u64,
    steps: u64,
    log: String,
    digest: Digest,
}

enum Happening {
    Tell(NodeId, Event),
    /// As `Tell`, if the link from the first to the second is still up.
    News(NodeId, NodeId, Event),
    /// As `Tell`, if the request is still open.
    Answer(NodeId, RequestId, Event),
    Received {
        node: NodeId,
        request: RequestId,
        result: Event,
    },
    Verified {
        node: NodeId,
        result: Event,
    },
    Alarm(NodeId),
    Mark(FlowId, u32),
    Ask {
        from: NodeId,
        to: NodeId,
        request: RequestId,
        key: SwarmKey,
        what: What,
    },
    Subscribe {
        from: NodeId,
        to: NodeId,
        added: Vec<SwarmKey>,
        removed: Vec<SwarmKey>,
    },
    Connect {
        from: NodeId,
        to: PeerAddr,
    },
    TellNews(NodeId),
    Join {
        node: NodeId,
        key: SwarmKey,
        have: HaveMap,
    },
    Announce(NodeId, SwarmKey),
    PeersFound(NodeId, SwarmKey),
    Fault(NodeId, Fault),
    /// The first machine loses its connections to the second.
    LossSeen {
        by: NodeId,
        of: NodeId,
    },
}

enum What {
    Pick(Window),
    Get(ChunkIndex),
}

impl World {
    /// An empty world.
    pub fn new(setup: Setup) -> World {
        World {
            now: Time(0),
            heap: Heap::new(),
            nodes: Vec::new(),
            network: Network::new(setup.sharing),
            tracker: BTreeMap::new(),
            resources: BTreeMap::new(),
            die_after: BTreeMap::new(),
            forbidden: BTreeSet::new(),
            tracker_away: Time(0)..Time(0),
            joins_planned: 0,
            unfinished: 0,
            asks_made: 0,
            chance: setup.seed,
            finished: BTreeMap::new(),
            dropped: BTreeSet::new(),
            corrupted: BTreeSet::new(),
            broken_off: BTreeMap::new(),
            window_begin_max: ChunkIndex(0),
            asked: 0,
            refused: 0,
            steps: 0,
            log: String::new(),
            digest: Digest::new(),
            setup,
        }
    }

    /// A seeder, which is machine 0, and `leechers` leechers of one resource, on equal links. The leechers join 1 ms
    /// later, so that the tracker can name them seeders that are added afterwards.
    pub fn fleet(setup: Setup, leechers: usize, chunks: u32, link: Link) -> (World, SwarmKey) {
        let mut world = World::new(setup);
        let key = world.add_resource(chunks);
        let seeder = world.add_node(link);
        world.seed(seeder, key);
        for _ in 0..leechers {
            let leecher = world.add_node(link);
            world.leech(leecher, key, LEECHERS_JOIN_AT);
        }
        (world, key)
    }

    // -- what is in it

    /// A new machine, in no zone.
    pub fn add_node(&mut self, link: Link) -> NodeId {
        self.add_node_in(link, "")
    }

    /// A new machine in a zone.
    pub fn add_node_in(&mut self, link: Link, zone: &str) -> NodeId {
        let id = NodeId(self.nodes.len());
        self.nodes.push(Node::new(id, zone, self.setup.config.clone(), self.setup.seed));
        self.network.add(link, zone);
        id
    }

    /// Sets the link that all traffic between a zone and others shares. Without one there is no limit.
    pub fn zone_link(&mut self, zone: &str, link: Link) {
        self.network.zone_link(zone, link);
    }

    /// A new resource of `chunks` whole chunks, which nobody has yet.
    pub fn add_resource(&mut self, chunks: u32) -> SwarmKey {
        let name = (self.resources.len() as u64).to_le_bytes();
        let key = SwarmKey { resource: ResourceId::of(&name), digest: ListDigest::of(&[]) };
        self.resources.insert(key, ChunkCount::new(chunks).expect("a resource of the tests is not too long"));
        key
    }

    /// A machine joins a swarm with nothing.
    pub fn leech(&mut self, node: NodeId, key: SwarmKey, at: Duration) {
        let have = HaveMap::empty(self.resources[&key]);
        self.plan_join(node, key, have, Time(0) + at);
    }

    /// A machine joins a swarm with everything.
    pub fn seed(&mut self, node: NodeId, key: SwarmKey) {
        let have = HaveMap::full(self.resources[&key]);
        self.plan_join(node, key, have, self.now);
    }

    fn plan_join(&mut self, node: NodeId, key: SwarmKey, have: HaveMap, at: Time) {
        self.joins_planned += 1;
        self.heap.push(at, Happening::Join { node, key, have });
    }

    /// Plans a fault.
    pub fn fault(&mut self, node: NodeId, fault: Fault, at: Duration) {
        self.heap.push(Time(0) + at, Happening::Fault(node, fault));
    }

    /// Makes one machine unable to reach another.
    pub fn forbid(&mut self, from: NodeId, to: NodeId) {
        self.forbidden.insert((from, to));
    }

    /// The tracker neither answers nor hears anybody from `from` to `until`. It forgets nothing.
    pub fn tracker_away(&mut self, from: Duration, until: Duration) {
        self.tracker_away = Time(0) + from..Time(0) + until;
    }

    // -- running it

    /// Runs until `done` holds. Panics if it does not within `limit` of virtual time.
    pub fn run_until(&mut self, limit: Duration, done: impl Fn(&World) -> bool) {
        let came = self.run_while(limit, |world| !done(world));
        assert!(came, "seed {}: not done by {}: {}", self.setup.seed, self.now, self.summary());
    }

    /// Runs while `going_on` holds, for at most `limit` of virtual time. Returns `false` if it still holds then.
    pub fn run_while(&mut self, limit: Duration, going_on: impl Fn(&World) -> bool) -> bool {
        while going_on(self) {
            if !self.step(Time(0) + limit) {
                return false;
            }
        }
        true
    }

    /// Runs until all living leechers have everything.
    pub fn run_to_end(&mut self, limit: Duration) {
        self.run_until(limit, World::all_complete);
    }

    /// Runs for `span` of virtual time.
    pub fn run_for(&mut self, span: Duration) {
        let end = self.now + span;
        while self.step(end) {}
        self.now = end;
    }

    // -- results

    /// Its setup.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Whether every living machine has everything of its swarms.
    pub fn all_complete(&self) -> bool {
        self.joins_planned == 0 && self.unfinished == 0
    }

    /// The living machines that lack something and do not say why. When nothing moves any more, there must be none.
    pub fn unexplained(&self) -> Vec<NodeId> {
        let explains = |node: &Node, key| node.machine.status(key).is_some_and(|is| is.waiting.is_some());
        let unexplained = |node: &Node| {
            node.alive && node.have.iter().any(|(&key, have)| !have.is_full() && !explains(node, key))
        };
        (0..self.nodes.len()).map(NodeId).filter(|id| unexplained(&self.nodes[id.0])).collect()
    }

    /// When a machine had everything.
    pub fn finished(&self, node: NodeId, key: SwarmKey) -> Option<Duration> {
        self.finished.get(&(node, key)).map(|time| time.since(Time(0)))
    }

    /// When the last machine that finished did.
    pub fn last_finished(&self) -> Duration {
        self.finished.values().max().map_or(Duration::ZERO, |time| time.since(Time(0)))
    }

    /// Bytes that a machine sent.
    pub fn sent(&self, node: NodeId) -> u64 {
        self.nodes[node.0].sent
    }

    /// Bytes that went from any zone to another.
    pub fn crossed(&self) -> u64 {
        self.network.crossed()
    }

    /// Bytes that came into a zone from others.
    pub fn crossed_into(&self, zone: &str) -> u64 {
        self.network.crossed_into(zone)
    }

    /// The zone that a machine is in; empty if in none.
    pub fn zone(&self, node: NodeId) -> &str {
        &self.nodes[node.0].zone
    }

    /// Which machine dropped which, and why.
    pub fn dropped(&self) -> &BTreeSet<(NodeId, NodeId, DropReason)> {
        &self.dropped
    }

    /// The chunks that arrived corrupt: at which machine, from which one.
    pub fn corrupted(&self) -> &BTreeSet<(NodeId, NodeId, ChunkIndex)> {
        &self.corrupted
    }

    /// The number of chunks that a machine was sending when it fell silent.
    pub fn broken_off(&self, node: NodeId) -> usize {
        self.broken_off.get(&node).copied().unwrap_or(0)
    }

    /// The furthest chunk with which the window of a pick began, all machines together.
    pub fn window_begin_max(&self) -> ChunkIndex {
        self.window_begin_max
    }

    /// The most requests that a machine had open at once.
    pub fn requests_peak(&self, node: NodeId) -> usize {
        self.nodes[node.0].calls_peak
    }

    /// Requests for chunks (and picks) that were sent, all machines together.
    pub fn asked(&self) -> u64 {
        self.asked
    }

    /// Requests that were refused because all slots were taken.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Events that were handed to machines.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The state of a swarm on a machine.
    pub fn status(&self, node: NodeId, key: SwarmKey) -> SwarmStatus {
        self.nodes[node.0].machine.status(key).expect("the machine joined that swarm")
    }

    /// The core of a machine.
    pub fn machine(&self, node: NodeId) -> &Machine {
        &self.nodes[node.0].machine
    }

    /// All actions as text, if the setup asks for it.
    pub fn log(&self) -> &str {
        &self.log
    }

    /// The digest of all actions, if the setup asks for it. The same seed gives the same digest.
    pub fn digest(&self) -> u64 {
        self.digest.0
    }

    /// The state of the first few machines that lack something.
    pub fn summary(&self) -> String {
        let unfinished = self.nodes.iter().enumerate().filter(|(_, node)| node.alive);
        let lines = unfinished.flat_map(|(at, node)| {
            let open = node.have.iter().filter(|(_, have)| !have.is_full());
            open.map(move |(&key, _)| format!("\n  machine {at}: {:?}", node.machine.status(key)))
        });
        lines.take(5).collect()
    }

    // -- the loop

    /// Performs the next happening. Returns `false` if there is none before `end`.
    fn step(&mut self, end: Time) -> bool {
        if self.heap.next().is_none_or(|time| time > end) {
            return false;
        }
        let Some((time, what)) = self.heap.pop() else { return false };
        self.now = time;
        match what {
            Happening::Tell(node, event) => self.tell(node, event),
            Happening::News(node, of, event) if self.nodes[node.0].links.contains(&of) => {
                self.tell(node, event)
            }
            Happening::News(..) => {}
            Happening::Answer(node, request, event) => {
                if self.nodes[node.0].calls.remove(&request).is_some() {
                    self.tell(node, event);
                }
            }
            Happening::Received { node, request, result } => self.received(node, request, result),
            Happening::Verified { node, result } => self.verified(node, result),
            Happening::Alarm(node) => self.alarm(node),
            Happening::Mark(flow, version) => self.look_at(flow, version),
            Happening::Ask { from, to, request, key, what } => self.ask(from, to, request, key, what),
            Happening::Subscribe { from, to, added, removed } => self.subscribe(from, to, added, &removed),
            Happening::Connect { from, to } => self.connect(from, to),
            Happening::TellNews(node) => self.tell_news(node),
            Happening::Join { node, key, have } => self.join(node, key, have),
            Happening::Announce(node, key) => self.announce(node, key, true),
            Happening::PeersFound(node, key) => self.peers_found(node, key),
            Happening::Fault(node, fault) => self.break_down(node, fault),
            Happening::LossSeen { by, of } => self.see_loss(by, of),
        }
        true
    }

    /// Hands an event to a machine and performs its actions.
    fn tell(&mut self, node: NodeId, event: Event) {
        if !self.nodes[node.0].alive {
            return;
        }
        self.steps += 1;
        self.nodes[node.0].machine.handle(self.now, event);
        while let Some(action) = self.nodes[node.0].machine.poll() {
            match self.setup.log {
                Log::Nothing => {}
                Log::Digest => self.digest.add(self.now, node, &action),
                Log::Text => {
                    self.digest.add(self.now, node, &action);
                    self.log.push_str(&format!("{} {} {action:?}\n", self.now, node.0));
                }
            }
            self.perform(node, action);
        }
        if self.setup.check {
            let machine = &self.nodes[node.0].machine;
            let checked =
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| machine.check_invariants()));
            assert!(
                checked.is_ok(),
                "seed {}: machine {} is unsound at {}",
                self.setup.seed,
                node.0,
                self.now
            );
        }
        self.plan_alarm(node);
    }

    fn plan_alarm(&mut self, node: NodeId) {
        let known = &mut self.nodes[node.0];
        if let Some(next) = known.machine.next_timeout()
            && known.alarm.is_none_or(|planned| next < planned)
        {
            let next = next.max(self.now);
            known.alarm = Some(next);
            self.heap.push(next, Happening::Alarm(node));
        }
    }

    fn alarm(&mut self, node: NodeId) {
        let known = &mut self.nodes[node.0];
        if known.alarm != Some(self.now) {
            return; // an earlier alarm was planned later and has rung
        }
        known.alarm = None;
        if known.machine.next_timeout().is_some_and(|next| next <= self.now) {
            self.tell(node, Event::Timeout);
        } else {
            self.plan_alarm(node);
        }
    }
}
