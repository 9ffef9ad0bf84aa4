//! Evicts publications and manifests when the catalogue is full.

use super::catalogue::{Catalogue, CataloguedManifest, Moment};
use super::eviction::{Occupant, makes_way};
use super::named::{NamedManifest, Newness};
use super::refusal::Refusal;
use super::swarms::Swarms;
use super::told::{BAD_SIZE, fits};
use super::upload::hashes_bytes;
use shared::id::{ResourceId, SwarmKey};
use shared::manifest::TRACKERS_MAX;
use shared::name::ResourceName;
use shared::rpc::tracker::{Offer, Role};
use shared::swarm::Time;
use std::net::SocketAddr;

impl Catalogue {
    pub(super) fn check_offer(&self, at: Moment<'_>, by: SocketAddr, offer: &Offer) -> Result<(), Refusal> {
        let publication = &offer.publication;
        if publication.trackers.len() > TRACKERS_MAX {
            return Err(Refusal::Malformed(format!("more than {TRACKERS_MAX} trackers in a manifest")));
        }
        if !fits(publication.bytes, publication.count) {
            return Err(Refusal::Malformed(BAD_SIZE.to_owned()));
        }
        if let Some(manifest) = self.manifests.get(&publication.key)
            && manifest.hashes.len() != hashes_bytes(publication)
        {
            return Err(Refusal::Malformed("the number of chunks does not match the manifest".into()));
        }
        let claims = offer.role == Role::Claims;
        match claims.then(|| self.in_the_way(at.now, at.swarms, by, &publication.name, publication.key)) {
            Some(Some(other)) => Err(Refusal::Taken(Box::new(other))),
            _ => Ok(()),
        }
    }

    /// Makes room for `bytes` bytes by removing manifests that no peer has, except `keep`.
    pub(super) fn make_room(
        &mut self,
        at: Moment<'_>,
        keep: Option<SwarmKey>,
        bytes: usize,
    ) -> Result<(), Refusal> {
        while self.bytes.saturating_add(bytes) > self.limits.catalogue_bytes_max {
            if !self.drop_abandoned(at, keep) {
                let max = self.limits.catalogue_bytes_max;
                return Err(Refusal::Full(format!("at most {max} bytes of manifests")));
            }
        }
        Ok(())
    }

    /// Makes room for one more name of a manifest, and one more manifest of a name.
    pub(super) fn make_room_for_name(
        &mut self,
        at: Moment<'_>,
        by: SocketAddr,
        name: &ResourceName,
        key: SwarmKey,
        is_there: bool,
    ) -> Result<(), Refusal> {
        if is_there {
            return Ok(());
        }
        while self.publications >= self.limits.publications_max {
            if !self.drop_abandoned(at, Some(key)) {
                let max = self.limits.publications_max;
                return Err(Refusal::Full(format!("at most {max} publications")));
            }
        }
        let max = self.limits.names_per_manifest_max;
        if self.manifests.get(&key).is_some_and(|manifest| manifest.names.len() >= max) {
            let oldest = self.name_that_makes_way(key).filter(|(_, former)| *former != by);
            let Some((oldest, _)) = oldest else {
                return Err(Refusal::Full(format!("at most {max} names of one manifest")));
            };
            self.drop_name(&oldest, key, by);
        }
        let max = self.limits.publications_per_name_max;
        while let Some(named) = self.names.get(name).filter(|named| named.len() >= max) {
            let Some(other) = named.makes_way(at.swarms, |key| self.since(key)) else { break };
            self.drop_name(name, other, by);
            if self.manifests.get(&other).is_some_and(|manifest| manifest.names.is_empty()) {
                self.remove(other);
            }
        }
        Ok(())
    }

    /// Since when a manifest has had a peer, if it has one.
    fn since(&self, key: SwarmKey) -> Time {
        self.manifests.get(&key).map_or(Time::default(), |manifest| manifest.alive)
    }

    /// The name of a manifest that is evicted for a new one, and the machine that published it.
    fn name_that_makes_way(&self, key: SwarmKey) -> Option<(ResourceName, SocketAddr)> {
        let manifest = self.manifests.get(&key)?;
        let occupants: Vec<Occupant<&ResourceName, Newness>> = manifest
            .names
            .iter()
            .filter_map(|(newness, name)| {
                let published = self.names.get(name)?.get(key)?;
                let (by, since) = (published.by, published.since);
                Some(Occupant { key: name, by, is_alive: true, since, newness: *newness })
            })
            .collect();
        makes_way(&occupants).map(|occupant| (occupant.key.clone(), occupant.by))
    }

    /// Evicts a list of chunk hashes if the resource has reached its limit, so that false lists never keep the true one
    /// out.
    pub(super) fn make_room_for_list(&mut self, swarms: &Swarms, newcomer: SocketAddr, resource: ResourceId) {
        let occupant = |(key, manifest): (&SwarmKey, &CataloguedManifest)| {
            let by = self.newest_of(*key)?.by;
            let (is_alive, since) = (swarms.is_alive(*key), manifest.alive);
            Some(Occupant { key: *key, by, is_alive, since, newness: since })
        };
        let occupants: Vec<_> = self.lists_of(resource).filter_map(occupant).collect();
        if occupants.len() >= self.limits.digests_max
            && let Some(occupant) = makes_way(&occupants)
        {
            self.drop_manifest(occupant.key, newcomer);
        }
    }

    /// Evicts a name of a manifest. The other machines that published it are asked to publish it again.
    fn drop_name(&mut self, name: &ResourceName, key: SwarmKey, newcomer: SocketAddr) {
        let published = self.names.get(name).and_then(|named| named.get(key));
        if let Some(NamedManifest { by, sharers, .. }) = published {
            let others = sharers.iter().chain([by]).filter(|publisher| **publisher != newcomer);
            self.dropped.extend(others.map(|publisher| (key, *publisher)));
        }
        self.remove_name(name, key);
    }

    /// Evicts a manifest with all its names.
    fn drop_manifest(&mut self, key: SwarmKey, newcomer: SocketAddr) {
        let names = self.manifests.get(&key).into_iter().flat_map(|manifest| &manifest.names);
        let names: Vec<ResourceName> = names.map(|(_, name)| name.clone()).collect();
        names.iter().for_each(|name| self.drop_name(name, key, newcomer));
        self.remove(key);
    }

    /// Drops the manifest that no peer has had for the longest time, except `keep`. Returns `false` if there is none.
    fn drop_abandoned(&mut self, at: Moment<'_>, keep: Option<SwarmKey>) -> bool {
        let is_kept = |place: &&(Time, SwarmKey)| Some(place.1) == keep;
        while let Some(&(alive, key)) = self.abandoned.iter().find(|place| !is_kept(place)) {
            if !at.swarms.is_alive(key) {
                self.remove(key);
                return true;
            }
            self.abandoned.remove(&(alive, key));
        }
        false
    }
}
