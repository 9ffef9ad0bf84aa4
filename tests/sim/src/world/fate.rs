//! The fates of machines: they join, are found through the tracker, and break down.

use super::{ANNOUNCE_EVERY, DEATH_SEEN_AFTER, Fault, Happening, World};
use crate::node::NodeId;
use shared::chance::splitmix;
use shared::have::HaveMap;
use shared::id::SwarmKey;
use shared::swarm::{AskEnd, Event};
use std::collections::BTreeSet;
use std::time::Duration;

impl World {
    pub(super) fn join(&mut self, node: NodeId, key: SwarmKey, have: HaveMap) {
        self.joins_planned -= 1;
        let count = self.resources[&key];
        let leeching = !have.is_full();
        if self.nodes[node.0].alive {
            let before = self.nodes[node.0].have.insert(key, have.clone());
            self.unfinished += usize::from(leeching && before.is_none());
        }
        self.tell(node, Event::Join { key, count, have });
        self.news_of(node, key).all = true;
        self.announce(node, key, leeching);
    }

    pub(super) fn announce(&mut self, node: NodeId, key: SwarmKey, again: bool) {
        if !self.nodes[node.0].alive || !self.nodes[node.0].have.contains_key(&key) {
            return;
        }
        if self.tracker_away.contains(&self.now) {
            return self.heap.push(self.now + ANNOUNCE_EVERY, Happening::Announce(node, key));
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
    pub(super) fn peers_found(&mut self, node: NodeId, key: SwarmKey) {
        let mut others: Vec<NodeId> =
            self.tracker[&key].iter().copied().filter(|&other| other != node).collect();
        let mut peers = Vec::new();
        while peers.len() < self.setup.tracker_peers && !others.is_empty() {
            let at = self.draw(others.len());
            peers.push(others.swap_remove(at).addr());
        }
        self.tell(node, Event::PeersFound { key, peers });
    }

    /// A number below `n`.
    fn draw(&mut self, n: usize) -> usize {
        (splitmix(&mut self.chance) % n as u64) as usize
    }

    pub(super) fn break_down(&mut self, node: NodeId, fault: Fault) {
        match fault {
            Fault::DieAfterSending(bytes) => _ = self.die_after.insert(node, bytes),
            Fault::Corrupt(key, index) => _ = self.nodes[node.0].corrupt.insert((key, index)),
            Fault::Repaired => {
                self.nodes[node.0].corrupt.clear();
                self.nodes[node.0].corrupt_next = 0;
            }
            Fault::Silent => {
                self.nodes[node.0].silent = true;
                let flows = self.network.flows_of(node).into_iter().filter(|(_, route)| route.from == node);
                let flows = flows.collect::<Vec<_>>();
                self.broken_off.insert(node, flows.len());
                flows.into_iter().for_each(|(flow, route)| self.take_off(flow, route));
            }
            Fault::Hollow => self.nodes[node.0].hollow = true,
            Fault::CorruptNext(chunks) => self.nodes[node.0].corrupt_next = chunks,
            Fault::Die => self.die(node, DEATH_SEEN_AFTER),
            Fault::Vanish(seen_after) => self.die(node, seen_after),
            Fault::Leave(key) => self.leave(node, key),
            Fault::Link(link) => {
                let marks = self.network.set_link(self.now, node, link);
                self.plan_marks(marks);
            }
            Fault::Side(side) => {
                self.nodes[node.0].side = side;
                let others = (0..self.nodes.len()).map(NodeId);
                let lost = others.filter(|other| self.nodes[other.0].side != side).collect();
                self.cut(node, lost, DEATH_SEEN_AFTER);
            }
        }
    }

    fn die(&mut self, node: NodeId, seen_after: Duration) {
        self.unfinished -= self.nodes[node.0].unfinished();
        self.nodes[node.0].alive = false;
        self.tracker.values_mut().for_each(|members| members.retain(|&other| other != node));
        let others = (0..self.nodes.len()).map(NodeId).filter(|&other| other != node).collect();
        self.cut(node, others, seen_after);
    }

    /// Nothing passes between a machine and these others any more.
    fn cut(&mut self, node: NodeId, others: Vec<NodeId>, seen_after: Duration) {
        let others: BTreeSet<NodeId> = others.into_iter().collect();
        for (flow, route) in self.network.flows_of(node) {
            if others.contains(&route.from) || others.contains(&route.to) {
                self.take_off(flow, route);
            }
        }
        for other in others {
            for (by, of) in [(other, node), (node, other)] {
                self.heap.push(self.now + seen_after, Happening::LossSeen { by, of });
            }
        }
    }

    fn leave(&mut self, node: NodeId, key: SwarmKey) {
        let Some(have) = self.nodes[node.0].have.remove(&key) else { return };
        self.unfinished -= usize::from(self.nodes[node.0].alive && !have.is_full());
        self.tracker.entry(key).or_default().retain(|&other| other != node);
        self.tell(node, Event::Leave { key });
        self.news_of(node, key).all = true;
    }

    /// A machine notices that another one is out of reach, and loses what was open between them.
    pub(super) fn see_loss(&mut self, by: NodeId, of: NodeId) {
        if !self.nodes[by.0].alive {
            return;
        }
        self.nodes[by.0].subscribers.remove(&of);
        let asks = self.nodes[by.0].asks.iter().filter(|(_, asked)| asked.from == of);
        for ask in asks.map(|(&ask, _)| ask).collect::<Vec<_>>() {
            self.nodes[by.0].asks.remove(&ask);
            self.tell(by, Event::AskEnded { ask, end: AskEnd::BrokenOff });
        }
        if self.nodes[by.0].links.remove(&of) {
            self.nodes[by.0].calls.retain(|_, call| call.to != of);
            self.tell(by, Event::Disconnected { peer: of.addr(), for_good: false });
        }
    }
}
