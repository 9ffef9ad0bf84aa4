//! The links, and the chunks that are on them.

use crate::node::NodeId;
use shared::chunk::{CHUNK_BYTES, ChunkIndex};
use shared::id::SwarmKey;
use shared::swarm::{AskId, RequestId, Time};
use std::collections::BTreeMap;
use std::time::Duration;

/// A machine's access to the network, in bytes per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// What it can send.
    pub up: u64,
    /// What it can receive.
    pub down: u64,
}

impl Link {
    /// As fast in both directions, in bits per second.
    pub fn symmetric(bits: u64) -> Link {
        Link { up: bits / 8, down: bits / 8 }
    }
}

/// How the chunks on a link share it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Each gets the smaller of its shares at both ends. Local, so fit for thousands of machines; what one end
    /// cannot use is lost to the others.
    Equal,
    /// Max-min fairness, computed anew for the whole network at each change: exact, for small worlds.
    MaxMin,
}

/// A chunk on its way. Never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FlowId(u64);

/// From whom to whom a chunk goes, and what both sides call it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Route {
    pub(crate) from: NodeId,
    pub(crate) to: NodeId,
    pub(crate) ask: AskId,
    pub(crate) request: RequestId,
    pub(crate) key: SwarmKey,
    pub(crate) index: ChunkIndex,
}

struct Flow {
    route: Route,
    /// Bytes to go, and bytes per microsecond, as of `since`.
    left: f64,
    rate: f64,
    since: Time,
    /// Bytes that arrived and were not reported.
    unreported: f64,
    /// Grows with every change of rate, so that marks planned before are known to be void.
    version: u32,
}

/// When a flow is to be looked at next.
pub(crate) type Mark = (Time, FlowId, u32);

pub(crate) struct Network {
    sharing: Sharing,
    links: Vec<Link>,
    flows: BTreeMap<FlowId, Flow>,
    started: u64,
    outgoing: Vec<Vec<FlowId>>,
    incoming: Vec<Vec<FlowId>>,
}

impl Network {
    pub(crate) fn new(sharing: Sharing) -> Network {
        let (links, outgoing, incoming) = Default::default();
        Network { sharing, links, flows: BTreeMap::new(), started: 0, outgoing, incoming }
    }

    pub(crate) fn add(&mut self, link: Link) {
        self.links.push(link);
        self.outgoing.push(Vec::new());
        self.incoming.push(Vec::new());
    }

    /// Puts a chunk on the way. The flows whose rates change are to be looked at as given.
    pub(crate) fn start(&mut self, now: Time, route: Route) -> Vec<Mark> {
        self.started += 1;
        let id = FlowId(self.started);
        let left = f64::from(CHUNK_BYTES);
        self.flows.insert(id, Flow { route, left, rate: 0.0, since: now, unreported: 0.0, version: 0 });
        self.outgoing[route.from.0].push(id);
        self.incoming[route.to.0].push(id);
        self.share(now, route)
    }

    /// Takes a chunk off. Gives the bytes of it that were sent.
    pub(crate) fn end(&mut self, now: Time, id: FlowId) -> (u64, Vec<Mark>) {
        let Some(mut flow) = self.flows.remove(&id) else { return (0, Vec::new()) };
        flow.advance(now);
        let route = flow.route;
        self.outgoing[route.from.0].retain(|&other| other != id);
        self.incoming[route.to.0].retain(|&other| other != id);
        ((f64::from(CHUNK_BYTES) - flow.left) as u64, self.share(now, route))
    }

    /// Looks at a flow: what arrived since the last look, and when to look again; no time when all is there.
    /// `None` when the mark is void.
    pub(crate) fn look(&mut self, now: Time, id: FlowId, version: u32) -> Option<(Route, u64, Option<Mark>)> {
        let flow = self.flows.get_mut(&id).filter(|flow| flow.version == version)?;
        flow.advance(now);
        let arrived = flow.unreported.round();
        flow.unreported = 0.0;
        let next = (flow.left >= 1.0).then(|| flow.next_mark(id));
        Some((flow.route, arrived as u64, next))
    }

    pub(crate) fn find(&self, from: NodeId, ask: AskId) -> Option<FlowId> {
        self.outgoing[from.0].iter().copied().find(|id| self.flows[id].route.ask == ask)
    }

    /// All flows from or to a machine.
    pub(crate) fn flows_of(&self, node: NodeId) -> Vec<(FlowId, Route)> {
        let flows = self.outgoing[node.0].iter().chain(&self.incoming[node.0]);
        flows.map(|id| (*id, self.flows[id].route)).collect()
    }

    /// Gives each flow its rate after a change on this route.
    fn share(&mut self, now: Time, changed: Route) -> Vec<Mark> {
        let rates = match self.sharing {
            Sharing::Equal => self.equal_rates(changed),
            Sharing::MaxMin => self.max_min_rates(),
        };
        let mut marks = Vec::new();
        for (id, rate) in rates {
            let Some(flow) = self.flows.get_mut(&id) else { continue };
            if (flow.rate - rate).abs() > rate * 1e-9 {
                flow.advance(now);
                flow.rate = rate;
                flow.version += 1;
                marks.push(flow.next_mark(id));
            }
        }
        marks
    }

    fn equal_rates(&self, changed: Route) -> Vec<(FlowId, f64)> {
        let flows = self.outgoing[changed.from.0].iter().chain(&self.incoming[changed.to.0]);
        let rate = |id: &FlowId| {
            let route = self.flows[id].route;
            let up = self.links[route.from.0].up as f64 / self.outgoing[route.from.0].len() as f64;
            let down = self.links[route.to.0].down as f64 / self.incoming[route.to.0].len() as f64;
            (*id, up.min(down) / 1e6)
        };
        flows.map(rate).collect()
    }

    /// Progressive filling: the link with the smallest share per flow is filled first, and so on.
    fn max_min_rates(&self) -> Vec<(FlowId, f64)> {
        let nodes = self.links.len();
        let of = |flows: &[Vec<FlowId>]| flows.iter().map(|flows| flows.len() as f64).collect::<Vec<f64>>();
        let mut open: Vec<f64> = of(&self.outgoing);
        open.extend(of(&self.incoming));
        let mut room: Vec<f64> = self.links.iter().map(|link| link.up as f64 / 1e6).collect();
        room.extend(self.links.iter().map(|link| link.down as f64 / 1e6));
        let mut rates: BTreeMap<FlowId, f64> = BTreeMap::new();
        while rates.len() < self.flows.len() {
            let shares = (0..nodes * 2).filter(|&at| open[at] > 0.0).map(|at| (room[at] / open[at], at));
            let Some((share, fullest)) = shares.min_by(|one, two| one.0.total_cmp(&two.0)) else { break };
            let flows =
                if fullest < nodes { &self.outgoing[fullest] } else { &self.incoming[fullest - nodes] };
            for id in flows {
                if rates.insert(*id, rates.get(id).copied().unwrap_or(share)).is_none() {
                    let route = self.flows[id].route;
                    for at in [route.from.0, nodes + route.to.0] {
                        open[at] -= 1.0;
                        room[at] = (room[at] - share).max(0.0);
                    }
                }
            }
            open[fullest] = 0.0;
        }
        rates.into_iter().collect()
    }
}

impl Flow {
    fn advance(&mut self, now: Time) {
        let moved = (self.rate * now.since(self.since).as_micros() as f64).min(self.left);
        self.left -= moved;
        self.unreported += moved;
        self.since = now;
    }

    /// Progress is reported at each quarter of a chunk, on a slow flow more often.
    fn next_mark(&self, id: FlowId) -> Mark {
        let quarter = f64::from(CHUNK_BYTES) / 4.0;
        let step = if self.rate * 50_000.0 >= quarter { quarter } else { quarter / 16.0 };
        let goal = ((self.left - 1.0) / step).floor().max(0.0) * step;
        let micros = ((self.left - goal) / self.rate.max(1e-9)).ceil().max(1.0);
        (self.since + Duration::from_micros(micros as u64), id, self.version)
    }
}
