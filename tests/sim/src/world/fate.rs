//! What befalls machines: they join, are found by the tracker, and break down.

use super::{ANNOUNCE_EVERY, DEATH_SEEN_AFTER, Fault, Happening, World};
use crate::node::NodeId;
use shared::have::HaveMap;
use shared::id::SwarmKey;
use shared::swarm::Event;

impl World {
    pub(super) fn join(&mut self, node: NodeId, key: SwarmKey, have: HaveMap) {
        self.joins_planned -= 1;
        let count = self.resources[&key];
        let leeching = !have.is_full();
        self.nodes[node.0].have.insert(key, have.clone());
        self.tell(node, Event::Join { key, count, have });
        self.news_of(node, key).all = true;
        self.announce(node, key, leeching);
    }

    pub(super) fn announce(&mut self, node: NodeId, key: SwarmKey, again: bool) {
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

    /// A number below `n` (splitmix64).
    fn draw(&mut self, n: usize) -> usize {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.chance;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }

    pub(super) fn break_down(&mut self, node: NodeId, fault: Fault) {
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

    pub(super) fn see_death(&mut self, dead: NodeId, by: NodeId) {
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
