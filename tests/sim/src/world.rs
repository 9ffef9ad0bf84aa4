//! The world: machines, a network, a tracker, and the one loop that moves them.

use crate::heap::Heap;
use crate::network::{FlowId, Link, Network, Route, Sharing};
use crate::node::{Asked, Call, Fresh, Node, NodeId};
use shared::chunk::{ChunkCount, ChunkIndex};
use shared::have::HaveMap;
use shared::id::{ListDigest, ResourceId, SwarmKey};
use shared::swarm::{
    Action, AskId, DropReason, Event, Machine, News, PeerAddr, RequestId, SwarmConfig, SwarmStatus, Time,
};
use shared::window::Window;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How often a leecher announces itself to the tracker.
const ANNOUNCE_EVERY: Duration = Duration::from_secs(2);
const LEECHERS_JOIN_AT: Duration = Duration::from_millis(1);
/// How soon the death of a machine is noticed by those who are connected to it.
const DEATH_SEEN_AFTER: Duration = Duration::from_millis(100);

/// What a world is like.
#[derive(Debug, Clone)]
pub struct Setup {
    /// All chance of the world and of its machines comes from it.
    pub seed: u64,
    /// How links are shared.
    pub sharing: Sharing,
    /// The time that a message takes, one way.
    pub latency: Duration,
    /// From the last byte of a chunk to its being verified and written.
    pub verify: Duration,
    /// How long news are collected before they are told.
    pub news_delay: Duration,
    /// How many peers the tracker gives.
    pub tracker_peers: usize,
    /// The strategy's settings, the same for all.
    pub config: SwarmConfig,
    /// Whether the invariants of a machine are checked after each of its steps.
    pub check: bool,
    /// Whether every action is kept as text.
    pub log: bool,
}

impl Default for Setup {
    /// A switched network: 0.2 ms, 1 ms to hash a chunk, news within 2 ms.
    fn default() -> Setup {
        Setup {
            seed: 1,
            sharing: Sharing::Equal,
            latency: Duration::from_micros(200),
            verify: Duration::from_millis(1),
            news_delay: Duration::from_millis(2),
            tracker_peers: 40,
            config: SwarmConfig::default(),
            check: true,
            log: false,
        }
    }
}

/// What may go wrong with a machine.
#[derive(Debug, Clone)]
pub enum Fault {
    /// It is gone; others notice when their connections break.
    Die,
    /// It dies as soon as it has sent so many bytes in all.
    DieAfterSending(u64),
    /// It goes on to accept requests and sends nothing any more.
    Silent,
    /// It sends this chunk corrupt.
    Corrupt(SwarmKey, ChunkIndex),
    /// It sends nothing corrupt any more.
    Repaired,
}

/// Machines, a network and a tracker on virtual time.
pub struct World {
    setup: Setup,
    now: Time,
    heap: Heap<Happening>,
    nodes: Vec<Node>,
    links: Vec<Link>,
    network: Network,
    tracker: BTreeMap<SwarmKey, Vec<NodeId>>,
    resources: BTreeMap<SwarmKey, ChunkCount>,
    die_after: BTreeMap<NodeId, u64>,
    forbidden: BTreeSet<(NodeId, NodeId)>,
    joins_planned: u32,
    asks_made: u64,
    chance: u64,
    finished: BTreeMap<(NodeId, SwarmKey), Time>,
    dropped: BTreeSet<(NodeId, NodeId, DropReason)>,
    asked: u64,
    steps: u64,
    log: String,
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
        keys: Vec<SwarmKey>,
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
    DeathSeen {
        dead: NodeId,
        by: NodeId,
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
            links: Vec::new(),
            network: Network::new(setup.sharing),
            tracker: BTreeMap::new(),
            resources: BTreeMap::new(),
            die_after: BTreeMap::new(),
            forbidden: BTreeSet::new(),
            joins_planned: 0,
            asks_made: 0,
            chance: setup.seed,
            finished: BTreeMap::new(),
            dropped: BTreeSet::new(),
            asked: 0,
            steps: 0,
            log: String::new(),
            setup,
        }
    }

    /// A seeder, which is machine 0, and so many leechers of one resource, on equal links. The leechers join
    /// 1 ms late, so that the tracker can tell them of seeders that are added afterwards.
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

    /// A new machine.
    pub fn add_node(&mut self, link: Link) -> NodeId {
        let id = NodeId(self.nodes.len());
        self.nodes.push(Node::new(id, self.setup.config.clone(), self.setup.seed));
        self.links.push(link);
        self.network.add(link);
        id
    }

    /// A new resource of so many whole chunks, which nobody has yet.
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

    /// Something goes wrong.
    pub fn fault(&mut self, node: NodeId, fault: Fault, at: Duration) {
        self.heap.push(Time(0) + at, Happening::Fault(node, fault));
    }

    /// A machine cannot reach another.
    pub fn forbid(&mut self, from: NodeId, to: NodeId) {
        self.forbidden.insert((from, to));
    }

    // -- running it

    /// Runs until this is so. Panics when that does not come to pass within `limit` of virtual time.
    pub fn run_until(&mut self, limit: Duration, done: impl Fn(&World) -> bool) {
        while !done(self) {
            let moved = self.step(Time(0) + limit);
            assert!(moved, "seed {}: not done by {}: {}", self.setup.seed, self.now, self.summary());
        }
    }

    /// Runs until all living leechers have everything.
    pub fn run_to_end(&mut self, limit: Duration) {
        self.run_until(limit, World::all_complete);
    }

    /// Runs for so long.
    pub fn run_for(&mut self, span: Duration) {
        let end = self.now + span;
        while self.step(end) {}
        self.now = end;
    }

    // -- what came of it

    /// Whether every living machine has all of what it joined.
    pub fn all_complete(&self) -> bool {
        let complete = |node: &Node| !node.alive || node.have.values().all(HaveMap::is_full);
        self.joins_planned == 0 && self.nodes.iter().all(complete)
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

    /// Who dropped whom.
    pub fn dropped(&self) -> &BTreeSet<(NodeId, NodeId, DropReason)> {
        &self.dropped
    }

    /// Requests for chunks (and picks) that were sent, all machines together.
    pub fn asked(&self) -> u64 {
        self.asked
    }

    /// Events that were handed to machines.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// How a swarm is doing on a machine.
    pub fn status(&self, node: NodeId, key: SwarmKey) -> SwarmStatus {
        self.nodes[node.0].machine.status(key).expect("the machine joined that swarm")
    }

    /// The core of a machine.
    pub fn machine(&self, node: NodeId) -> &Machine {
        &self.nodes[node.0].machine
    }

    /// Everything that was decided, if the setup asked for it.
    pub fn log(&self) -> &str {
        &self.log
    }

    fn summary(&self) -> String {
        let unfinished = self.nodes.iter().enumerate().filter(|(_, node)| node.alive);
        let lines = unfinished.flat_map(|(at, node)| {
            let open = node.have.iter().filter(|(_, have)| !have.is_full());
            open.map(move |(&key, _)| format!("\n  machine {at}: {:?}", node.machine.status(key)))
        });
        lines.take(5).collect()
    }

    // -- the loop

    /// One happening. `false` when nothing happens before `end`.
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
            Happening::Subscribe { from, to, keys } => self.subscribe(from, to, keys),
            Happening::Connect { from, to } => self.connect(from, to),
            Happening::TellNews(node) => self.tell_news(node),
            Happening::Join { node, key, have } => self.join(node, key, have),
            Happening::Announce(node, key) => self.announce(node, key, true),
            Happening::PeersFound(node, key) => self.peers_found(node, key),
            Happening::Fault(node, fault) => self.break_down(node, fault),
            Happening::DeathSeen { dead, by } => self.see_death(dead, by),
        }
        true
    }

    /// Hands an event to a machine, and does what it asks for.
    fn tell(&mut self, node: NodeId, event: Event) {
        if !self.nodes[node.0].alive {
            return;
        }
        self.steps += 1;
        self.nodes[node.0].machine.handle(self.now, event);
        while let Some(action) = self.nodes[node.0].machine.poll() {
            if self.setup.log {
                self.log.push_str(&format!("{} {} {action:?}\n", self.now, node.0));
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
            return; // an earlier one was planned after it, and has rung
        }
        known.alarm = None;
        if known.machine.next_timeout().is_some_and(|next| next <= self.now) {
            self.tell(node, Event::Timeout);
        } else {
            self.plan_alarm(node);
        }
    }

    // -- the driver's part

    fn perform(&mut self, node: NodeId, action: Action) {
        let at_peer = self.now + self.setup.latency;
        match action {
            Action::Dial { peer } => {
                self.heap.push(at_peer + self.setup.latency, Happening::Connect { from: node, to: peer });
            }
            Action::Hangup { peer } => self.hang_up(node, peer),
            Action::Drop { peer, reason } => {
                self.dropped.extend(NodeId::of(peer).map(|peer| (node, peer, reason)));
                self.hang_up(node, peer);
            }
            Action::Subscribe { peer, keys } => {
                let Some(to) = NodeId::of(peer) else { return };
                self.heap.push(at_peer, Happening::Subscribe { from: node, to, keys });
            }
            Action::Pick { request, peer, key, wanted } => {
                self.call(node, peer, request, key, What::Pick(wanted))
            }
            Action::Get { request, peer, key, index } => {
                self.call(node, peer, request, key, What::Get(index))
            }
            Action::Cancel { request, .. } => {
                if let Some(call) = self.nodes[node.0].calls.remove(&request) {
                    self.end_ask(call);
                }
            }
            Action::Grant { ask, index } => {
                if let Some(Asked { from, request }) = self.nodes[node.0].asks.remove(&ask) {
                    self.answer(from, request, Event::Picked { request, index });
                }
            }
            Action::Serve { ask, key, index } => self.serve(node, ask, key, index),
            Action::Refuse { ask, refusal } => {
                if let Some(Asked { from, request }) = self.nodes[node.0].asks.remove(&ask) {
                    self.answer(from, request, Event::Refused { request, refusal });
                }
            }
            Action::TellHave { key, index } => self.news_of(node, key).chunks.push(index),
            Action::TellLost { key, .. } => self.news_of(node, key).all = true,
            Action::FindPeers { key } => self.announce(node, key, false),
            Action::Complete { key } => {
                assert!(
                    self.nodes[node.0].have[&key].is_full(),
                    "seed {}: complete too early",
                    self.setup.seed
                );
                self.news_of(node, key).all = true;
                self.finished.insert((node, key), self.now);
            }
        }
    }

    fn call(&mut self, from: NodeId, to: PeerAddr, request: RequestId, key: SwarmKey, what: What) {
        let to = NodeId::of(to).expect("only machines of this world are asked");
        assert!(self.nodes[from.0].links.contains(&to), "seed {}: asked without a link", self.setup.seed);
        self.asked += 1;
        self.nodes[from.0].calls.insert(request, Call { to, ask: None });
        self.heap.push(self.now + self.setup.latency, Happening::Ask { from, to, request, key, what });
    }

    fn ask(&mut self, from: NodeId, to: NodeId, request: RequestId, key: SwarmKey, what: What) {
        let Some(call) = self.nodes[from.0].calls.get_mut(&request) else { return };
        self.asks_made += 1;
        let ask = AskId(self.asks_made);
        call.ask = Some(ask);
        if !self.nodes[to.0].alive {
            return;
        }
        self.nodes[to.0].asks.insert(ask, Asked { from, request });
        let peer = from.addr();
        self.tell(
            to,
            match what {
                What::Pick(wanted) => Event::PickAsked { ask, peer, key, wanted },
                What::Get(index) => Event::ChunkAsked { ask, peer, key, index },
            },
        );
    }

    fn answer(&mut self, to: NodeId, request: RequestId, event: Event) {
        self.heap.push(self.now + self.setup.latency, Happening::Answer(to, request, event));
    }

    fn serve(&mut self, node: NodeId, ask: AskId, key: SwarmKey, index: ChunkIndex) {
        let has = self.nodes[node.0].have.get(&key).is_some_and(|have| have.contains(index));
        assert!(has, "seed {}: machine {} serves what it has not", self.setup.seed, node.0);
        let Some(&Asked { from, request }) = self.nodes[node.0].asks.get(&ask) else { return };
        if self.nodes[node.0].silent {
            return;
        }
        let route = Route { from: node, to: from, ask, request, key, index };
        let marks = self.network.start(self.now, route);
        self.plan_marks(marks);
    }

    fn plan_marks(&mut self, marks: Vec<(Time, FlowId, u32)>) {
        for (time, flow, version) in marks {
            self.heap.push(time, Happening::Mark(flow, version));
        }
    }

    fn look_at(&mut self, flow: FlowId, version: u32) {
        let Some((route, bytes, next)) = self.network.look(self.now, flow, version) else { return };
        self.nodes[route.to.0].received += bytes;
        self.tell(route.to, Event::Progress { peer: route.from.addr(), bytes });
        match next {
            Some(mark) => self.plan_marks(vec![mark]),
            None => self.arrive(flow, route),
        }
    }

    /// The last byte of a chunk is sent.
    fn arrive(&mut self, flow: FlowId, route: Route) {
        self.take_off(flow, route);
        let Route { from, to, ask, request, key, index } = route;
        self.nodes[from.0].asks.remove(&ask);
        self.tell(from, Event::AskEnded { ask, served: true });
        let corrupt = self.nodes[from.0].corrupt.contains(&(key, index));
        let result = match corrupt {
            true => Event::Corrupt { key, index, peer: from.addr() },
            false => Event::Stored { key, index },
        };
        self.heap.push(self.now + self.setup.latency, Happening::Received { node: to, request, result });
    }

    /// A chunk is here as a whole; it is verified and written next.
    fn received(&mut self, node: NodeId, request: RequestId, result: Event) {
        if self.nodes[node.0].calls.remove(&request).is_some() {
            self.tell(node, Event::Received { request });
            self.heap.push(self.now + self.setup.verify, Happening::Verified { node, result });
        }
    }

    fn verified(&mut self, node: NodeId, result: Event) {
        if let Event::Stored { key, index } = result {
            self.nodes[node.0].have.entry(key).and_modify(|have| _ = have.insert(index));
        }
        self.tell(node, result);
    }

    fn take_off(&mut self, flow: FlowId, route: Route) {
        let (sent, marks) = self.network.end(self.now, flow);
        self.plan_marks(marks);
        let total = &mut self.nodes[route.from.0].sent;
        *total += sent;
        if self.die_after.get(&route.from).is_some_and(|&bytes| *total >= bytes) {
            self.die_after.remove(&route.from);
            self.heap.push(self.now, Happening::Fault(route.from, Fault::Die));
        }
    }

    /// A request's asker is not interested any more, or gone.
    fn end_ask(&mut self, call: Call) {
        let Some(ask) = call.ask else { return };
        if self.nodes[call.to.0].asks.remove(&ask).is_none() {
            return;
        }
        if let Some(flow) = self.network.find(call.to, ask)
            && let Some((_, route)) = self.network.flows_of(call.to).into_iter().find(|&(id, _)| id == flow)
        {
            self.take_off(flow, route);
        }
        self.heap.push(
            self.now + self.setup.latency,
            Happening::Tell(call.to, Event::AskEnded { ask, served: false }),
        );
    }

    // -- links and news

    fn connect(&mut self, from: NodeId, to: PeerAddr) {
        let found = NodeId::of(to).filter(|to| self.nodes.get(to.0).is_some_and(|node| node.alive));
        let event = match found {
            Some(to_node) if self.forbidden.contains(&(from, to_node)) => {
                Event::Disconnected { peer: to, for_good: false }
            }
            Some(to_node) if to_node != from => {
                self.nodes[from.0].links.insert(to_node);
                let id = self.nodes[to_node.0].id;
                Event::Connected { peer: to, id, round_trip: self.setup.latency * 2 }
            }
            other => Event::Disconnected { peer: to, for_good: other.is_some() },
        };
        self.tell(from, event);
    }

    fn hang_up(&mut self, node: NodeId, peer: PeerAddr) {
        let Some(to) = NodeId::of(peer) else { return };
        if !self.nodes[node.0].links.remove(&to) {
            return;
        }
        self.nodes[to.0].subscribers.remove(&node);
        let calls = &mut self.nodes[node.0].calls;
        let open: Vec<Call> = calls.values().copied().filter(|call| call.to == to).collect();
        calls.retain(|_, call| call.to != to);
        open.into_iter().for_each(|call| self.end_ask(call));
    }

    fn subscribe(&mut self, from: NodeId, to: NodeId, keys: Vec<SwarmKey>) {
        if !self.nodes[from.0].links.contains(&to) {
            return;
        }
        let keys: BTreeSet<SwarmKey> = keys.into_iter().collect();
        let before = self.nodes[to.0].subscribers.insert(from, keys.clone()).unwrap_or_default();
        for &key in keys.difference(&before) {
            self.tell(to, Event::PeerSubscribed { key, peer: from.addr() });
            self.send_news(to, from, key, self.whole_news(to, key));
        }
    }

    fn whole_news(&self, node: NodeId, key: SwarmKey) -> News {
        match self.nodes[node.0].have.get(&key) {
            Some(have) if have.is_full() => News::All,
            Some(have) => News::Replace(have.clone()),
            None => News::Gone,
        }
    }

    fn send_news(&mut self, from: NodeId, to: NodeId, key: SwarmKey, news: News) {
        let event = Event::News { peer: from.addr(), key, news };
        self.heap.push(self.now + self.setup.latency, Happening::News(to, from, event));
    }

    fn news_of(&mut self, node: NodeId, key: SwarmKey) -> &mut Fresh {
        if self.nodes[node.0].news.is_empty() {
            self.heap.push(self.now + self.setup.news_delay, Happening::TellNews(node));
        }
        self.nodes[node.0].news.entry(key).or_default()
    }

    fn tell_news(&mut self, node: NodeId) {
        let subscribers: Vec<(NodeId, BTreeSet<SwarmKey>)> =
            self.nodes[node.0].subscribers.iter().map(|(&to, keys)| (to, keys.clone())).collect();
        for (key, fresh) in std::mem::take(&mut self.nodes[node.0].news) {
            let news = if fresh.all { self.whole_news(node, key) } else { News::Add(fresh.chunks) };
            for (to, keys) in &subscribers {
                if keys.contains(&key) {
                    self.send_news(node, *to, key, news.clone());
                }
            }
        }
    }

    // -- joining, the tracker, and faults

    fn join(&mut self, node: NodeId, key: SwarmKey, have: HaveMap) {
        self.joins_planned -= 1;
        let count = self.resources[&key];
        let leeching = !have.is_full();
        self.nodes[node.0].have.insert(key, have.clone());
        self.tell(node, Event::Join { key, count, have });
        self.news_of(node, key).all = true;
        self.announce(node, key, leeching);
    }

    fn announce(&mut self, node: NodeId, key: SwarmKey, again: bool) {
        if !self.nodes[node.0].alive {
            return;
        }
        let members = self.tracker.entry(key).or_default();
        if !members.contains(&node) {
            members.push(node);
        }
        self.heap.push(self.now + self.setup.latency * 2, Happening::PeersFound(node, key));
        let leeching = self.nodes[node.0].have.get(&key).is_some_and(|have| !have.is_full());
        if again && leeching {
            self.heap.push(self.now + ANNOUNCE_EVERY, Happening::Announce(node, key));
        }
    }

    /// The tracker's answer: a few members, drawn at random.
    fn peers_found(&mut self, node: NodeId, key: SwarmKey) {
        let mut others: Vec<NodeId> =
            self.tracker[&key].iter().copied().filter(|&other| other != node).collect();
        let mut peers = Vec::new();
        while peers.len() < self.setup.tracker_peers && !others.is_empty() {
            let at = self.draw(others.len());
            peers.push(others.swap_remove(at).addr());
        }
        self.tell(node, Event::PeersFound { key, peers });
    }

    /// A number below `n` (splitmix64).
    fn draw(&mut self, n: usize) -> usize {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.chance;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }

    fn break_down(&mut self, node: NodeId, fault: Fault) {
        match fault {
            Fault::DieAfterSending(bytes) => _ = self.die_after.insert(node, bytes),
            Fault::Corrupt(key, index) => _ = self.nodes[node.0].corrupt.insert((key, index)),
            Fault::Repaired => self.nodes[node.0].corrupt.clear(),
            Fault::Silent => {
                self.nodes[node.0].silent = true;
                let flows = self.network.flows_of(node).into_iter().filter(|(_, route)| route.from == node);
                flows.collect::<Vec<_>>().into_iter().for_each(|(flow, route)| self.take_off(flow, route));
            }
            Fault::Die => {
                self.nodes[node.0].alive = false;
                self.tracker.values_mut().for_each(|members| members.retain(|&other| other != node));
                for (flow, route) in self.network.flows_of(node) {
                    self.take_off(flow, route);
                }
                for by in (0..self.nodes.len()).map(NodeId).filter(|&by| by != node) {
                    self.heap.push(self.now + DEATH_SEEN_AFTER, Happening::DeathSeen { dead: node, by });
                }
            }
        }
    }

    fn see_death(&mut self, dead: NodeId, by: NodeId) {
        self.nodes[by.0].subscribers.remove(&dead);
        let asks = self.nodes[by.0].asks.iter().filter(|(_, asked)| asked.from == dead);
        for ask in asks.map(|(&ask, _)| ask).collect::<Vec<_>>() {
            self.nodes[by.0].asks.remove(&ask);
            self.tell(by, Event::AskEnded { ask, served: false });
        }
        if self.nodes[by.0].links.remove(&dead) {
            self.nodes[by.0].calls.retain(|_, call| call.to != dead);
            self.tell(by, Event::Disconnected { peer: dead.addr(), for_good: false });
        }
    }
}
