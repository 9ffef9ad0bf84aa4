//! The links, and the chunks on them.

mod share;

use crate::node::NodeId;
use shared::chunk::{CHUNK_BYTES, ChunkIndex};
use shared::id::SwarmKey;
use shared::swarm::{AskId, RequestId, Time};
use std::collections::BTreeMap;
use std::time::Duration;

/// How many bytes a connection keeps in its buffers while it sends a chunk.
const BUFFER_BYTES: f64 = 256.0 * 1024.0;

/// Access to the network, of a machine or of a zone, in bytes per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// The rate at which it can send.
    pub up: u64,
    /// The rate at which it can receive.
    pub down: u64,
}

impl Link {
    /// A link that limits nothing.
    pub const ENDLESS: Link = Link { up: u64::MAX, down: u64::MAX };

    /// A link with the same rate in both directions, in bits per second.
    pub fn symmetric(bits: u64) -> Link {
        Link { up: bits / 8, down: bits / 8 }
    }
}

/// How the chunks on a link share it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Each chunk gets the smallest of its shares along the way. This is computed locally and so suits thousands of
    /// machines; a share that one end cannot use is lost to the others.
    Equal,
    /// Max-min fairness, computed for the whole network at each change: exact, for small worlds.
    MaxMin,
}

/// A chunk on its way, as its place among the flows. Places are used again, but the version of a mark is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FlowId(u32);

/// The sender and the receiver of a chunk, and the number that each side gives it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Route {
    pub(crate) from: NodeId,
    pub(crate) to: NodeId,
    pub(crate) ask: AskId,
    pub(crate) request: RequestId,
    pub(crate) key: SwarmKey,
    pub(crate) index: ChunkIndex,
}

/// When a flow must be looked at next.
pub(crate) type Mark = (Time, FlowId, u32);

/// One direction of a link, by number.
type PipeId = u32;

struct Pipe {
    /// Bytes per microsecond.
    rate: f64,
    flows: Vec<FlowId>,
}

/// The two directions of a machine's or a zone's link.
#[derive(Clone, Copy)]
struct Ends {
    up: PipeId,
    down: PipeId,
}

struct Flow {
    /// `None` if the place is free.
    route: Option<Route>,
    /// The pipes that it passes: those of its machines and, if it crosses, those of their zones.
    path: [PipeId; 4],
    hops: usize,
    /// Bytes to go, and bytes per microsecond, as of `since`.
    left: f64,
    rate: f64,
    since: Time,
    /// Bytes that have arrived and were not reported yet.
    unreported: f64,
    /// Grows with every change of rate and is never reset, so that marks planned before are recognized as void.
    version: u32,
}

pub(crate) struct Network {
    sharing: Sharing,
    pipes: Vec<Pipe>,
    flows: Vec<Flow>,
    free: Vec<FlowId>,
    nodes: Vec<(Ends, usize)>,
    zones: Vec<Ends>,
    zone_names: BTreeMap<String, usize>,
    /// Bytes that came into each zone from others.
    crossed: Vec<u64>,
}

impl Network {
    pub(crate) fn new(sharing: Sharing) -> Network {
        Network {
            sharing,
            pipes: Vec::new(),
            flows: Vec::new(),
            free: Vec::new(),
            nodes: Vec::new(),
            zones: Vec::new(),
            zone_names: BTreeMap::new(),
            crossed: Vec::new(),
        }
    }

    /// The next machine.
    pub(crate) fn add(&mut self, link: Link, zone: &str) {
        let zone = self.zone(zone);
        let ends = self.ends(link);
        self.nodes.push((ends, zone));
    }

    /// All traffic between this zone and others shares this link.
    pub(crate) fn zone_link(&mut self, zone: &str, link: Link) {
        let zone = self.zone(zone);
        let Ends { up, down } = self.zones[zone];
        self.pipes[up as usize].rate = link.up as f64 / 1e6;
        self.pipes[down as usize].rate = link.down as f64 / 1e6;
    }

    /// Replaces a machine's link.
    pub(crate) fn set_link(&mut self, now: Time, node: NodeId, link: Link) -> Vec<Mark> {
        let Ends { up, down } = self.nodes[node.0].0;
        self.pipes[up as usize].rate = link.up as f64 / 1e6;
        self.pipes[down as usize].rate = link.down as f64 / 1e6;
        self.share(now, &[up, down])
    }

    /// How long the bytes in a machine's buffers need to leave it. Uses the flows' bytes of their last change, which is
    /// exact enough.
    pub(crate) fn queued(&self, node: NodeId) -> Duration {
        let pipe = &self.pipes[self.nodes[node.0].0.up as usize];
        let flows = pipe.flows.iter().map(|id| self.flows[id.0 as usize].left.min(BUFFER_BYTES));
        Duration::from_micros((flows.sum::<f64>() / pipe.rate) as u64)
    }

    /// Bytes that came into a zone from others.
    pub(crate) fn crossed_into(&self, zone: &str) -> u64 {
        self.zone_names.get(zone).map_or(0, |&zone| self.crossed[zone])
    }

    /// Bytes that went from any zone to another.
    pub(crate) fn crossed(&self) -> u64 {
        self.crossed.iter().sum()
    }

    fn zone(&mut self, name: &str) -> usize {
        if let Some(&zone) = self.zone_names.get(name) {
            return zone;
        }
        let ends = self.ends(Link::ENDLESS);
        self.zones.push(ends);
        self.crossed.push(0);
        self.zone_names.insert(name.to_string(), self.zones.len() - 1);
        self.zones.len() - 1
    }

    fn ends(&mut self, link: Link) -> Ends {
        let mut pipe = |bytes: u64| {
            self.pipes.push(Pipe { rate: bytes as f64 / 1e6, flows: Vec::new() });
            self.pipes.len() as PipeId - 1
        };
        Ends { up: pipe(link.up), down: pipe(link.down) }
    }

    /// Starts a flow. Returns marks for the flows whose rates change.
    pub(crate) fn start(&mut self, now: Time, route: Route) -> Vec<Mark> {
        let ((from, from_zone), (to, to_zone)) = (self.nodes[route.from.0], self.nodes[route.to.0]);
        let (over, under) = (self.zones[from_zone].up, self.zones[to_zone].down);
        let hops = if from_zone == to_zone { 2 } else { 4 };
        let flow = Flow {
            route: Some(route),
            path: [from.up, to.down, over, under],
            hops,
            left: f64::from(CHUNK_BYTES),
            rate: 0.0,
            since: now,
            unreported: 0.0,
            version: 0,
        };
        let id = self.place(flow);
        let (path, hops) = (self.flows[id.0 as usize].path, hops);
        for &pipe in &path[..hops] {
            self.pipes[pipe as usize].flows.push(id);
        }
        self.share(now, &path[..hops])
    }

    /// A place for a new flow.
    fn place(&mut self, mut flow: Flow) -> FlowId {
        match self.free.pop() {
            Some(id) => {
                flow.version = self.flows[id.0 as usize].version + 1;
                self.flows[id.0 as usize] = flow;
                id
            }
            None => {
                self.flows.push(flow);
                FlowId(self.flows.len() as u32 - 1)
            }
        }
    }

    /// Ends a flow. Returns how many bytes were sent.
    pub(crate) fn end(&mut self, now: Time, id: FlowId) -> (u64, Vec<Mark>) {
        let flow = &mut self.flows[id.0 as usize];
        let Some(route) = flow.route.take() else { return (0, Vec::new()) };
        flow.advance(now);
        flow.version += 1;
        let (path, hops) = (flow.path, flow.hops);
        let sent = (f64::from(CHUNK_BYTES) - flow.left) as u64;
        for &pipe in &path[..hops] {
            self.pipes[pipe as usize].flows.retain(|&other| other != id);
        }
        if hops > 2 {
            self.crossed[self.nodes[route.to.0].1] += sent;
        }
        self.free.push(id);
        (sent, self.share(now, &path[..hops]))
    }

    /// Looks at a flow: returns the bytes that arrived since the last look and when to look again, which is `None` when
    /// everything has arrived. Returns `None` for a void mark.
    pub(crate) fn look(&mut self, now: Time, id: FlowId, version: u32) -> Option<(Route, u64, Option<Mark>)> {
        let flow = &mut self.flows[id.0 as usize];
        let route = flow.route.filter(|_| flow.version == version)?;
        flow.advance(now);
        let arrived = flow.unreported.round();
        flow.unreported = 0.0;
        let next = (flow.left >= 1.0).then(|| flow.next_mark(id));
        Some((route, arrived as u64, next))
    }

    pub(crate) fn find(&self, from: NodeId, ask: AskId) -> Option<(FlowId, Route)> {
        self.flows_in(self.nodes[from.0].0.up).find(|(_, route)| route.ask == ask)
    }

    /// All flows from or to a machine.
    pub(crate) fn flows_of(&self, node: NodeId) -> Vec<(FlowId, Route)> {
        let Ends { up, down } = self.nodes[node.0].0;
        self.flows_in(up).chain(self.flows_in(down)).collect()
    }

    fn flows_in(&self, pipe: PipeId) -> impl Iterator<Item = (FlowId, Route)> {
        let flows = self.pipes[pipe as usize].flows.iter();
        flows.filter_map(|&id| self.flows[id.0 as usize].route.map(|route| (id, route)))
    }
}

impl Flow {
    fn advance(&mut self, now: Time) {
        let moved = (self.rate * now.since(self.since).as_micros() as f64).min(self.left);
        self.left -= moved;
        self.unreported += moved;
        self.since = now;
    }

    /// Progress is reported at each quarter of a chunk, and more often on a slow flow.
    fn next_mark(&self, id: FlowId) -> Mark {
        let quarter = f64::from(CHUNK_BYTES) / 4.0;
        let step = if self.rate * 50_000.0 >= quarter { quarter } else { quarter / 16.0 };
        let goal = ((self.left - 1.0) / step).floor().max(0.0) * step;
        let micros = ((self.left - goal) / self.rate.max(1e-9)).ceil().max(1.0);
        (self.since + Duration::from_micros(micros as u64), id, self.version)
    }

    fn path(&self) -> &[PipeId] {
        &self.path[..self.hops]
    }
}
