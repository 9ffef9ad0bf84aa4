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
    pub disproved: BTreeSet<SwarmKey>,
    /// Those that nobody served.
    pub tried: BTreeSet<SwarmKey>,
    /// For which resources other lists are looked for.
    pub looking: BTreeSet<ResourceId>,
    /// When none was found.
    pub missed: BTreeMap<SwarmKey, Instant>,
}

impl Lists {
    /// Whether another list of this resource is being looked for.
    pub fn is_looking(&self, resource: ResourceId) -> bool {
        self.looking.contains(&resource)
    }

    pub fn begin(&mut self, key: SwarmKey, now: Instant) -> bool {
        self.missed.retain(|_, at| now.saturating_duration_since(*at) < LOOK_AGAIN);
        let may_look = self.looking.len() < LOOKING_MAX && !self.missed.contains_key(&key);
        may_look && self.looking.insert(key.resource)
    }

    pub fn remember(list: &mut BTreeSet<SwarmKey>, key: SwarmKey) {
        if list.len() >= REMEMBERED_MAX {
            list.pop_first();
        }
        list.insert(key);
    }
}
