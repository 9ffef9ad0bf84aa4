//! The driver of each machine: performs the core's actions.

use super::{Fault, Happening, What, World};
use crate::network::{FlowId, Mark, Route};
use crate::node::{Asked, Call, NodeId};
use shared::chunk::ChunkIndex;
use shared::id::SwarmKey;
use shared::swarm::{Action, AskEnd, AskId, Event, PeerAddr, RequestId, RequestRefusal, Time};

impl World {
    pub(super) fn perform(&mut self, node: NodeId, action: Action) {
        let at_peer = self.now + self.setup.latency;
        match action {
            Action::Dial { peer } => {
                self.heap.push(at_peer + self.setup.latency, Happening::Connect { from: node, to: peer });
            }
            Action::Hangup { peer, .. } => self.hang_up(node, peer),
            Action::Drop { peer, reason, .. } => {
                self.dropped.extend(NodeId::of(peer).map(|peer| (node, peer, reason)));
                self.hang_up(node, peer);
            }
            Action::Subscribe { peer, added, removed } => {
                let Some(to) = NodeId::of(peer) else { return };
                let at = self.arrival(node);
                self.heap.push(at, Happening::Subscribe { from: node, to, added, removed });
            }
            Action::Pick { request, peer, key, wanted } => {
                self.window_begin_max = self.window_begin_max.max(wanted.first());
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
                    self.answer(node, from, request, Event::Picked { request, index });
                }
            }
            Action::Serve { ask, key, index } => self.serve(node, ask, key, index),
            Action::Refuse { ask, refusal } => {
                if let Some(Asked { from, request }) = self.nodes[node.0].asks.remove(&ask) {
                    self.refused += u64::from(matches!(refusal, RequestRefusal::Busy { .. }));
                    self.answer(node, from, request, Event::Refused { request, refusal });
                }
            }
            Action::TellHave { key, index } => self.news_of(node, key).chunks.push(index),
            Action::TellLost { key, .. } => self.news_of(node, key).all = true,
            Action::Knock { .. } => {} // the trackers of these worlds tell seeders of nobody
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
        let caller = &mut self.nodes[from.0];
        caller.calls.insert(request, Call { to, ask: None });
        caller.calls_peak = caller.calls_peak.max(caller.calls.len());
        let at = self.arrival(from);
        self.heap.push(at, Happening::Ask { from, to, request, key, what });
    }

    /// When a message that a machine sends now arrives.
    pub(super) fn arrival(&mut self, from: NodeId) -> Time {
        let max = self.setup.control_wait_max;
        if max.is_zero() {
            return self.now + self.setup.latency;
        }
        let wait = self.network.queued(from).min(max);
        let node = &mut self.nodes[from.0];
        node.said_until = node.said_until.max(self.now + self.setup.latency + wait);
        node.said_until
    }

    pub(super) fn ask(&mut self, from: NodeId, to: NodeId, request: RequestId, key: SwarmKey, what: What) {
        let Some(call) = self.nodes[from.0].calls.get_mut(&request) else { return };
        self.asks_made += 1;
        let ask = AskId(self.asks_made);
        call.ask = Some(ask);
        if !self.reaches(from, to) {
            return;
        }
        if self.nodes[to.0].hollow {
            return self.answer(
                to,
                from,
                request,
                Event::Refused { request, refusal: RequestRefusal::NotHere },
            );
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

    fn answer(&mut self, from: NodeId, to: NodeId, request: RequestId, event: Event) {
        let at = self.arrival(from);
        self.heap.push(at, Happening::Answer(to, request, event));
    }

    fn serve(&mut self, node: NodeId, ask: AskId, key: SwarmKey, index: ChunkIndex) {
        let has = self.nodes[node.0].have.get(&key).is_some_and(|have| have.contains(index));
        assert!(has, "seed {}: machine {} serves what it has not", self.setup.seed, node.0);
        let Some(&Asked { from, request }) = self.nodes[node.0].asks.get(&ask) else { return };
        if self.nodes[node.0].silent || !self.reaches(node, from) {
            return;
        }
        let route = Route { from: node, to: from, ask, request, key, index };
        let marks = self.network.start(self.now, route);
        self.plan_marks(marks);
    }

    pub(super) fn plan_marks(&mut self, marks: Vec<Mark>) {
        for (time, flow, version) in marks {
            self.heap.push(time, Happening::Mark(flow, version));
        }
    }

    pub(super) fn look_at(&mut self, flow: FlowId, version: u32) {
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
        self.tell(from, Event::AskEnded { ask, end: AskEnd::Served });
        let sender = &mut self.nodes[from.0];
        let corrupt = sender.corrupt_next > 0 || sender.corrupt.contains(&(key, index));
        sender.corrupt_next = sender.corrupt_next.saturating_sub(1);
        let result = match corrupt {
            true => Event::Corrupt { key, index, peer: from.addr() },
            false => Event::Stored { key, index },
        };
        self.heap.push(self.now + self.setup.latency, Happening::Received { node: to, request, result });
    }

    /// A whole chunk has arrived; it is verified and written next.
    pub(super) fn received(&mut self, node: NodeId, request: RequestId, result: Event) {
        if self.nodes[node.0].calls.remove(&request).is_some() {
            self.tell(node, Event::Received { request });
            self.heap.push(self.now + self.setup.verify, Happening::Verified { node, result });
        }
    }

    pub(super) fn verified(&mut self, node: NodeId, result: Event) {
        if let Event::Corrupt { index, peer, .. } = result {
            self.corrupted.extend(NodeId::of(peer).map(|from| (node, from, index)));
        }
        if let Event::Stored { key, index } = result
            && let Some(have) = self.nodes[node.0].have.get_mut(&key)
            && have.insert(index)
            && have.is_full()
        {
            self.unfinished -= usize::from(self.nodes[node.0].alive);
        }
        self.tell(node, result);
    }

    pub(super) fn take_off(&mut self, flow: FlowId, route: Route) {
        let (sent, marks) = self.network.end(self.now, flow);
        self.plan_marks(marks);
        let total = &mut self.nodes[route.from.0].sent;
        *total += sent;
        if self.die_after.get(&route.from).is_some_and(|&bytes| *total >= bytes) {
            self.die_after.remove(&route.from);
            self.heap.push(self.now, Happening::Fault(route.from, Fault::Die));
        }
    }

    /// The asker has withdrawn a request or is gone.
    pub(super) fn end_ask(&mut self, call: Call) {
        let Some(ask) = call.ask else { return };
        if self.nodes[call.to.0].asks.remove(&ask).is_none() {
            return;
        }
        if let Some((flow, route)) = self.network.find(call.to, ask) {
            self.take_off(flow, route);
        }
        self.heap.push(
            self.now + self.setup.latency,
            Happening::Tell(call.to, Event::AskEnded { ask, end: AskEnd::TakenBack }),
        );
    }
}
