//! Which lists of chunks were tried, were false, or are being looked for, beside those that are here.

use shared::id::{ResourceId, SwarmKey};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// How long no other list is looked for after none was found.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// How many are looked for at once.
const LOOKING_MAX: usize = 8;

/// How many lists are remembered that were false, or that nobody served.
const REMEMBERED_MAX: usize = 1024;

/// What is known of lists of chunks beside those that are here.
#[derive(Debug, Default)]
pub struct Lists {
    /// Those of which the whole was not the resource.
    disproved: BTreeSet<SwarmKey>,
    /// Those that nobody served.
    tried: BTreeSet<SwarmKey>,
    /// For which resources other lists are looked for.
    looking: BTreeSet<ResourceId>,
    /// When none was found.
    missed: BTreeMap<SwarmKey, Instant>,
}

impl Lists {
    /// Whether another list of this resource is being looked for.
    pub fn is_looking(&self, resource: ResourceId) -> bool {
        self.looking.contains(&resource)
    }

    /// Another list than this one is to be looked for. Whether that may begin now.
    pub fn begin(&mut self, key: SwarmKey, now: Instant) -> bool {
        self.missed.retain(|_, at| now.saturating_duration_since(*at) < LOOK_AGAIN);
        let may_look = self.looking.len() < LOOKING_MAX && !self.missed.contains_key(&key);
        may_look && self.looking.insert(key.resource)
    }

    /// The lists that are of no use to whoever looks for another one than this.
    pub fn useless(&self, key: SwarmKey) -> BTreeSet<SwarmKey> {
        self.disproved.iter().chain(&self.tried).copied().chain([key]).collect()
    }

    /// No other list takes the place of this one: it is not looked for again soon.
    pub fn missed(&mut self, key: SwarmKey, now: Instant) {
        self.missed.insert(key, now);
    }

    /// Those of a resource that nobody served are tried once more the next time.
    pub fn retry(&mut self, resource: ResourceId) {
        self.tried.retain(|tried| tried.resource != resource);
    }

    /// No other list of this resource is looked for any more.
    pub fn ended(&mut self, resource: ResourceId) {
        self.looking.remove(&resource);
    }

    /// The whole of this list was not the resource.
    pub fn disprove(&mut self, key: SwarmKey) {
        remember(&mut self.disproved, key);
    }

    /// Nobody serves this list.
    pub fn pass_over(&mut self, key: SwarmKey) {
        remember(&mut self.tried, key);
    }
}

fn remember(lists: &mut BTreeSet<SwarmKey>, key: SwarmKey) {
    if lists.len() >= REMEMBERED_MAX {
        lists.pop_first();
    }
    lists.insert(key);
}
