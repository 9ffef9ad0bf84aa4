//! Which news of the board one connection was told, and which it must still be told.
//!
//! An answer may be lost because its poll timed out at the other side or was canceled. So an answer counts only when
//! the next poll says that it arrived. Until then its content must be told again.

use shared::id::SwarmKey;
use shared::rpc::peer::{SUBSCRIPTIONS_MAX, Subscriptions};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

/// What the other side knows of a swarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownNews {
    /// The last change that it knows.
    pub sequence: u64,
    /// Whether we took part in the swarm then.
    pub present: bool,
}

/// The subscriptions of one connection, and what the other side has received for each.
#[derive(Debug, Default)]
pub struct NewsFeed {
    /// The news that arrived for each swarm; `None` if none did since the subscription.
    swarms: BTreeMap<SwarmKey, Option<KnownNews>>,
    /// Swarms with possible news.
    due: BTreeSet<SwarmKey>,
    /// The swarm that was looked at last, so that all get their turn.
    last: Option<SwarmKey>,
    /// The change of the board up to which `due` is complete.
    looked_at: u64,
    /// The number of the last answer that had content; 0 if none had.
    made: u64,
    /// The number of the last answer that arrived.
    arrived: u64,
    /// The content of the last answer until it is known whether it arrived.
    under_way: Vec<(SwarmKey, KnownNews)>,
}

impl NewsFeed {
    /// Changes the subscriptions. Returns those that are new. Subscriptions beyond the limit are ignored.
    pub fn subscribe(&mut self, changes: Subscriptions) -> Vec<SwarmKey> {
        let mut new = Vec::new();
        for key in changes.removed {
            self.swarms.remove(&key);
            self.due.remove(&key);
            self.under_way.retain(|(told, _)| *told != key);
        }
        for key in changes.added.into_iter().take(SUBSCRIPTIONS_MAX) {
            let is_known = self.swarms.contains_key(&key);
            if !is_known && self.swarms.len() >= SUBSCRIPTIONS_MAX {
                continue;
            }
            self.swarms.insert(key, None);
            self.due.insert(key);
            self.under_way.retain(|(told, _)| *told != key);
            if !is_known {
                new.push(key);
            }
        }
        new
    }

    /// Notes which answer arrived last, as a poll says. An impossible number means that the other side knows nothing.
    pub fn arrived(&mut self, number: u64) {
        if number == self.made {
            for (key, known) in std::mem::take(&mut self.under_way) {
                self.swarms.insert(key, Some(known));
            }
            self.arrived = number;
            return;
        }
        self.give_up();
        if number != self.arrived {
            self.swarms.values_mut().for_each(|known| *known = None);
            self.due.extend(self.swarms.keys());
            self.arrived = 0;
        }
    }

    /// Makes the content of the last answer due again, as complete lists of chunks: it may still arrive, so it is
    /// unknown what the other side has.
    fn give_up(&mut self) {
        for (key, _) in self.under_way.drain(..) {
            self.swarms.insert(key, None);
            self.due.insert(key);
        }
    }

    /// The number of the last answer that was made if it is in flight, or of the last one that arrived.
    pub(super) fn number(&self) -> u64 {
        if self.under_way.is_empty() { self.arrived } else { self.made }
    }

    /// Prepares an answer: changes of the board become due, and so does the content of an answer that is not known to
    /// have arrived.
    pub(super) fn look_at(&mut self, sequence: u64, changed: impl FnOnce(u64) -> Option<Vec<SwarmKey>>) {
        self.give_up();
        match changed(self.looked_at) {
            Some(changed) => self.due.extend(changed.iter().filter(|key| self.swarms.contains_key(key))),
            None => self.due.extend(self.swarms.keys()),
        }
        self.looked_at = sequence;
    }

    /// The next swarm with possible news, and what the other side knows of it.
    pub(super) fn next_due(&mut self) -> Option<(SwarmKey, Option<KnownNews>)> {
        let after = self.last.map_or(Bound::Unbounded, Bound::Excluded);
        let next = self.due.range((after, Bound::Unbounded)).next().or_else(|| self.due.first());
        let key = *next?;
        Some((key, self.swarms.get(&key).copied().flatten()))
    }

    /// Notes that a swarm has no news for the other side.
    pub(super) fn nothing_due(&mut self, key: SwarmKey) {
        self.due.remove(&key);
        self.last = Some(key);
    }

    /// Notes what the answer that is being made says about a swarm.
    pub(super) fn tell(&mut self, key: SwarmKey, known: KnownNews) {
        if self.under_way.is_empty() {
            self.made += 1;
        }
        self.under_way.push((key, known));
        self.nothing_due(key);
    }
}

#[cfg(test)]
mod tests;
