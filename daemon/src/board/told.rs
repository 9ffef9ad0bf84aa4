//! What one connection was told of the news board, and what is due to it.
//!
//! An answer may be lost: its poll timed out at the other side, or was taken back. So what an answer told counts only
//! when the next poll says that this very answer arrived. Until then it is due again.

use shared::id::SwarmKey;
use shared::rpc::peer::{SUBSCRIPTIONS_MAX, Subscriptions};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

/// What the other side knows of a swarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// All changes up to this one.
    pub sequence: u64,
    /// Whether we took part in the swarm then.
    pub present: bool,
}

/// The subscriptions of one connection, and what the other side has received of each.
#[derive(Debug, Default)]
pub struct Told {
    /// `None`: nothing has arrived since it was subscribed to.
    swarms: BTreeMap<SwarmKey, Option<Known>>,
    /// Those of which there may be something to tell.
    due: BTreeSet<SwarmKey>,
    /// The last one that was looked at: all have their turn.
    last: Option<SwarmKey>,
    /// Up to which change of the board everything that is new is due.
    looked_at: u64,
    /// The number of the last answer that was made, or a number that none has.
    made: u64,
    /// The last answer that arrived.
    arrived: u64,
    /// What the last answer told, until it is known whether it arrived; at most as many as it had updates.
    under_way: Vec<(SwarmKey, Known)>,
}

impl Told {
    /// Changes the subscriptions; returns those that are new to this connection. Those beyond the most that there may
    /// be are not taken.
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

    /// A poll says which answer arrived last. A number that cannot be means that the other side knows nothing.
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

    /// What the last answer told is due again, and in full: it may arrive after all, so that nothing is known of what the
    /// other side has. Its number counts for nothing then.
    fn give_up(&mut self) {
        if !self.under_way.is_empty() {
            self.made += 1;
        }
        for (key, _) in self.under_way.drain(..) {
            self.swarms.insert(key, None);
            self.due.insert(key);
        }
    }

    /// The number of the last answer that was made, if it is under way, or of the last that arrived.
    pub(super) fn number(&self) -> u64 {
        if self.under_way.is_empty() { self.arrived } else { self.made }
    }

    /// Before an answer is made: what has changed on the board is due, and what an answer before it told that is not
    /// known to have arrived.
    pub(super) fn look_at(&mut self, sequence: u64, changed: impl FnOnce(u64) -> Option<Vec<SwarmKey>>) {
        self.give_up();
        match changed(self.looked_at) {
            Some(changed) => self.due.extend(changed.iter().filter(|key| self.swarms.contains_key(key))),
            None => self.due.extend(self.swarms.keys()),
        }
        self.looked_at = sequence;
    }

    /// The next swarm of which there may be something to tell, and what is known of it.
    pub(super) fn next_due(&mut self) -> Option<(SwarmKey, Option<Known>)> {
        let after = self.last.map_or(Bound::Unbounded, Bound::Excluded);
        let next = self.due.range((after, Bound::Unbounded)).next().or_else(|| self.due.first());
        let key = *next?;
        Some((key, self.swarms.get(&key).copied().flatten()))
    }

    /// There is nothing to tell of this swarm.
    pub(super) fn nothing_due(&mut self, key: SwarmKey) {
        self.due.remove(&key);
        self.last = Some(key);
    }

    /// The answer that is being made tells this of a swarm.
    pub(super) fn tell(&mut self, key: SwarmKey, known: Known) {
        if self.under_way.is_empty() {
            self.made += 1;
        }
        self.under_way.push((key, known));
        self.nothing_due(key);
    }
}

#[cfg(test)]
mod tests;
