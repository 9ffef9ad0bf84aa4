//! Links between machines, and the news that go over them.

use super::{Happening, World};
use crate::node::{Call, Fresh, NodeId};
use shared::id::SwarmKey;
use shared::swarm::{Event, News, PeerAddr};

impl World {
    /// Whether messages of one machine reach another.
    pub(super) fn reaches(&self, from: NodeId, to: NodeId) -> bool {
        let (from, to) = (&self.nodes[from.0], &self.nodes[to.0]);
        to.alive && from.side == to.side
    }

    pub(super) fn connect(&mut self, from: NodeId, to: PeerAddr) {
        let found = NodeId::of(to).filter(|to| self.nodes.get(to.0).is_some_and(|node| node.alive));
        let event = match found {
            Some(to_node) if self.forbidden.contains(&(from, to_node)) || !self.reaches(from, to_node) => {
                Event::Disconnected { peer: to, for_good: false }
            }
            Some(to_node) if to_node != from => {
                self.nodes[from.0].links.insert(to_node);
                // What the hello tells.
                let id = self.nodes[to_node.0].id;
                let zone = self.nodes[to_node.0].zone.clone();
                Event::Connected { peer: to, id, zone, round_trip: self.setup.latency * 2 }
            }
            other => Event::Disconnected { peer: to, for_good: other.is_some() },
        };
        self.tell(from, event);
    }

    pub(super) fn hang_up(&mut self, node: NodeId, peer: PeerAddr) {
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

    pub(super) fn subscribe(&mut self, from: NodeId, to: NodeId, added: Vec<SwarmKey>, removed: &[SwarmKey]) {
        if !self.nodes[from.0].links.contains(&to) || !self.reaches(from, to) {
            return;
        }
        let subscribed = self.nodes[to.0].subscribers.entry(from).or_default();
        removed.iter().for_each(|key| _ = subscribed.remove(key));
        subscribed.extend(added.iter().copied());
        for key in added {
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
        let at = self.arrival(from);
        self.heap.push(at, Happening::News(to, from, event));
    }

    pub(super) fn news_of(&mut self, node: NodeId, key: SwarmKey) -> &mut Fresh {
        if self.nodes[node.0].news.is_empty() {
            self.heap.push(self.now + self.setup.news_delay, Happening::TellNews(node));
        }
        self.nodes[node.0].news.entry(key).or_default()
    }

    pub(super) fn tell_news(&mut self, node: NodeId) {
        if !self.nodes[node.0].alive {
            return;
        }
        for (key, fresh) in std::mem::take(&mut self.nodes[node.0].news) {
            let news = if fresh.all { self.whole_news(node, key) } else { News::Add(fresh.chunks) };
            let told = self.nodes[node.0].subscribers.iter().filter(|(_, keys)| keys.contains(&key));
            let told: Vec<NodeId> = told.map(|(&to, _)| to).collect();
            told.into_iter().for_each(|to| self.send_news(node, to, key, news.clone()));
        }
    }
}
