//! The other lists of chunks of our resources: which were tried, which are false, and which are being looked for.

use shared::id::{ResourceId, SwarmKey};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// The pause before another list is looked for again after none was found. Each search asks all trackers.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Limits the searches for other lists at once, since each asks all trackers. Further resources wait.
const LOOKING_MAX: usize = 8;

/// Limits the remembered lists that are false, and those that nobody served. Beyond it one is forgotten, and may be
/// tried once more.
const REMEMBERED_MAX: usize = 1024;

/// What is known of lists of chunks other than the current ones.
#[derive(Debug, Default)]
pub struct Lists {
    /// Lists whose complete file was not the resource.
    disproved: BTreeSet<SwarmKey>,
    /// Lists that nobody served.
    tried: BTreeSet<SwarmKey>,
    /// Resources for which another list is being looked for.
    looking: BTreeSet<ResourceId>,
    /// When no other list was found, per list.
    missed: BTreeMap<SwarmKey, Instant>,
}

impl Lists {
    /// Whether another list of this resource is being looked for.
    pub fn is_looking(&self, resource: ResourceId) -> bool {
        self.looking.contains(&resource)
    }

    /// Begins to look for another list than this one. Returns whether that may begin now.
    pub fn begin(&mut self, key: SwarmKey, now: Instant) -> bool {
        self.missed.retain(|_, at| now.saturating_duration_since(*at) < LOOK_AGAIN);
        let may_look = self.looking.len() < LOOKING_MAX && !self.missed.contains_key(&key);
        may_look && self.looking.insert(key.resource)
    }

    /// The lists that a search for another list than this one must not return.
    pub fn useless(&self, key: SwarmKey) -> BTreeSet<SwarmKey> {
        self.disproved.iter().chain(&self.tried).copied().chain([key]).collect()
    }

    /// Notes that no other list was found for this one, so that none is looked for again soon.
    pub fn missed(&mut self, key: SwarmKey, now: Instant) {
        self.missed.insert(key, now);
    }

    /// Allows the lists of a resource that nobody served to be tried again.
    pub fn retry(&mut self, resource: ResourceId) {
        self.tried.retain(|tried| tried.resource != resource);
    }

    /// Ends the search for another list of this resource.
    pub fn ended(&mut self, resource: ResourceId) {
        self.looking.remove(&resource);
    }

    /// Notes that this list is false.
    pub fn disprove(&mut self, key: SwarmKey) {
        remember(&mut self.disproved, key);
    }

    /// Notes that nobody serves this list.
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
