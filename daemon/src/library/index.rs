//! All resources of this machine, by swarm and by name.

use super::rates::Rates;
use super::resource::{Phase, Resource};
use crate::store::NameRecord;
use shared::id::{ListDigest, ResourceId, SwarmKey};
use shared::name::ResourceName;
use shared::tree::TreeName;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::time::Instant;

/// All resources, by swarm and by name. A name belongs to one swarm; a swarm may have several names.
#[derive(Debug, Default)]
pub struct Library {
    resources: BTreeMap<SwarmKey, Resource>,
    /// Resources with activity or recent changes. Most resources are at rest most of the time, and are skipped by work
    /// that is done several times per second.
    stirring: BTreeSet<SwarmKey>,
    /// Resources that came to rest since [`take_touched`](Library::take_touched) was last called.
    rested: BTreeSet<SwarmKey>,
    names: BTreeMap<ResourceName, SwarmKey>,
    /// Bytes that were received and sent for resources that are gone.
    gone: (u64, u64),
}

impl Library {
    /// The resource of a swarm.
    pub fn get(&self, key: SwarmKey) -> Option<&Resource> {
        self.resources.get(&key)
    }

    /// The first name of a resource, for the log; empty if it is gone.
    pub fn called(&self, key: SwarmKey) -> &str {
        self.get(key).map_or("", |resource| resource.manifest.name().as_str())
    }

    /// The resource of a swarm, to be changed. It is no longer at rest.
    pub fn get_mut(&mut self, key: SwarmKey) -> Option<&mut Resource> {
        let resource = self.resources.get_mut(&key)?;
        self.stirring.insert(key);
        Some(resource)
    }

    /// The swarm that a name belongs to.
    pub fn key_of(&self, name: &ResourceName) -> Option<SwarmKey> {
        self.names.get(name).copied()
    }

    /// A swarm of the same resource with another list of chunks.
    pub fn other_list(&self, key: SwarmKey) -> Option<SwarmKey> {
        let with = |byte| SwarmKey { digest: ListDigest([byte; 32]), ..key };
        let lists = self.resources.range(with(0)..=with(255)).map(|(other, _)| *other);
        lists.into_iter().find(|other| *other != key)
    }

    /// The names that a user means: one by name, or all of a resource id. A directory may be called without `.tar`.
    pub fn find(&self, what: &str) -> Vec<(ResourceName, SwarmKey)> {
        if let Some((name, key)) =
            what.parse().ok().and_then(|name: ResourceName| self.names.get_key_value(&name))
        {
            return vec![(name.clone(), *key)];
        }
        let Ok(id) = what.parse::<ResourceId>() else { return self.find_tree(what).into_iter().collect() };
        self.names
            .iter()
            .filter(|(_, key)| key.resource == id)
            .map(|(name, key)| (name.clone(), *key))
            .collect()
    }

    /// The directory of this name.
    fn find_tree(&self, what: &str) -> Option<(ResourceName, SwarmKey)> {
        let name = what.parse::<TreeName>().ok()?.resource_name();
        let key = self.key_of(&name)?;
        self.get(key)?.is_tree.then_some((name, key))
    }

    /// All names with their swarms, in order.
    pub fn names(&self) -> impl Iterator<Item = (&ResourceName, SwarmKey)> {
        self.names.iter().map(|(name, key)| (name, *key))
    }

    /// All resources, in order of their swarms.
    pub fn iter(&self) -> impl Iterator<Item = (SwarmKey, &Resource)> {
        self.resources.iter().map(|(key, resource)| (*key, resource))
    }

    /// The resources after `last` in the order of their swarms, or all of them.
    pub fn after(&self, last: Option<SwarmKey>) -> impl Iterator<Item = (SwarmKey, &Resource)> {
        let from = last.map_or(Bound::Unbounded, Bound::Excluded);
        self.resources.range((from, Bound::Unbounded)).map(|(key, resource)| (*key, resource))
    }

    /// The resources that are not at rest, in order of their swarms.
    pub fn stirring(&self) -> impl Iterator<Item = (SwarmKey, &Resource)> {
        self.stirring.iter().filter_map(|key| Some((*key, self.resources.get(key)?)))
    }

    /// The names of resources that may have changed since the last call: those that are not at rest, or were not at
    /// some time since.
    pub fn take_touched(&mut self) -> Vec<ResourceName> {
        let rested = std::mem::take(&mut self.rested);
        let resources = self.stirring.union(&rested).filter_map(|key| self.resources.get(key));
        resources
            .flat_map(|resource| resource.record.names.iter().map(|record| record.name.clone()))
            .collect()
    }

    /// Marks a resource as not at rest.
    pub fn stir(&mut self, key: SwarmKey) {
        if self.resources.contains_key(&key) {
            self.stirring.insert(key);
        }
    }

    /// Samples the rates of resources that are not at rest, and finds those that now are. Returns whether anything is
    /// moving.
    pub fn sample(&mut self, now: Instant) -> bool {
        let (resources, rested, mut moves) = (&mut self.resources, &mut self.rested, false);
        self.stirring.retain(|key| {
            let Some(resource) = resources.get_mut(key) else { return false };
            resource.rates.sample(now, &resource.traffic);
            moves |= !resource.rates.are_zero() || matches!(resource.phase, Phase::Fetching(_));
            let moves_soon = resource.has_chunks_on_their_way() || !resource.rates.have_settled();
            let stirs = moves_soon || resource.is_due_some_time();
            if !stirs {
                resource.rates = Rates::default();
                rested.insert(*key);
            }
            stirs
        });
        moves
    }

    /// Bytes that were received and sent since the daemon started, for resources that are gone as well.
    pub fn traffic(&self) -> (u64, u64) {
        let all = self.resources.values().map(|resource| resource.traffic.so_far());
        all.fold(self.gone, |sum, one| (sum.0 + one.0, sum.1 + one.1))
    }

    /// The number of names.
    pub fn names_len(&self) -> usize {
        self.names.len()
    }

    /// Adds a resource with the names of its record.
    pub fn insert(&mut self, resource: Resource) {
        let key = resource.record.key;
        for record in &resource.record.names {
            self.names.insert(record.name.clone(), key);
        }
        self.resources.insert(key, resource);
        self.stirring.insert(key);
    }

    /// Adds a name to a resource.
    pub fn add_name(&mut self, key: SwarmKey, record: NameRecord) {
        self.names.insert(record.name.clone(), key);
        if let Some(resource) = self.get_mut(key) {
            resource.troubles.remove(&record.name);
            resource.record.names.retain(|old| old.name != record.name);
            resource.record.names.push(record);
        }
    }

    /// Removes a name. If it was the last one, removes and returns the resource.
    pub fn remove_name(&mut self, name: &ResourceName) -> Option<Resource> {
        let key = self.names.remove(name)?;
        let resource = self.get_mut(key)?;
        resource.record.names.retain(|record| record.name != *name);
        resource.troubles.remove(name);
        if !resource.record.names.is_empty() {
            return None;
        }
        self.stirring.remove(&key);
        let gone = self.resources.remove(&key)?;
        let (received, sent) = gone.traffic.so_far();
        self.gone = (self.gone.0 + received, self.gone.1 + sent);
        Some(gone)
    }
}

#[cfg(test)]
mod tests;
