//! Names that their sharers took back. Peers that only fetched the resource must not publish it under such a name
//! again, however often they are asked for its manifest.

use shared::id::SwarmKey;
use shared::name::ResourceName;
use shared::swarm::Time;
use std::collections::{BTreeMap, BTreeSet};

/// Limits the names that are remembered, each with its resource. Beyond it the oldest is forgotten. A name has at most
/// 255 bytes, so all of them take about 2 MB.
const TAKEN_BACK_MAX: usize = 4096;

/// The names that were taken back.
#[derive(Debug, Default)]
pub(super) struct TakenBack {
    /// When each was taken back, or when a peer was last found to have the resource.
    names: BTreeMap<SwarmKey, BTreeMap<ResourceName, Time>>,
    /// The same names, oldest first.
    order: BTreeSet<(Time, SwarmKey, ResourceName)>,
}

impl TakenBack {
    /// Notes that a name was taken back from a resource.
    pub(super) fn add(&mut self, now: Time, key: SwarmKey, name: &ResourceName) {
        self.remove(key, name);
        if self.order.len() >= TAKEN_BACK_MAX
            && let Some((_, key, name)) = self.order.first().cloned()
        {
            self.remove(key, &name);
        }
        self.order.insert((now, key, name.clone()));
        self.names.entry(key).or_default().insert(name.clone(), now);
    }

    /// Forgets it, since the resource is shared under the name again.
    pub(super) fn remove(&mut self, key: SwarmKey, name: &ResourceName) {
        let Some(of_key) = self.names.get_mut(&key) else { return };
        let time = of_key.remove(name);
        if of_key.is_empty() {
            self.names.remove(&key);
        }
        if let Some(time) = time {
            self.order.remove(&(time, key, name.clone()));
        }
    }

    /// Whether this name was taken back.
    pub(super) fn has(&self, key: SwarmKey, name: &ResourceName) -> bool {
        self.names.get(&key).is_some_and(|names| names.contains_key(name))
    }

    /// Whether any name of a resource was taken back.
    pub(super) fn has_any(&self, key: SwarmKey) -> bool {
        self.names.contains_key(&key)
    }

    /// Forgets names that were taken back before `before`, unless a peer still has the resource. Looks at `max` names
    /// at most. Returns how many.
    pub(super) fn expire(
        &mut self,
        now: Time,
        before: Time,
        max: usize,
        is_alive: impl Fn(SwarmKey) -> bool,
    ) -> usize {
        let mut looks = 0;
        while looks < max
            && let Some((time, key, name)) = self.order.first().cloned()
            && time < before
        {
            looks += 1;
            match is_alive(key) {
                true => self.add(now, key, &name),
                false => self.remove(key, &name),
            }
        }
        looks
    }
}
