//! The catalogue: manifests by resource, and publications, which give a manifest a name.
//!
//! The catalogue cannot tell whether a list of chunk hashes is the true one of its resource. Several may be published
//! side by side, and the peers that fetch find out.

use super::changes::Changes;
use super::limits::RegistryLimits;
use super::name_digest::NameDigest;
use super::named::{Named, NamedManifest, Newness, chosen};
use super::refusal::Refusal;
use super::rollout::Rollout;
use super::swarms::Swarms;
use super::taken_back::TakenBack;
use super::told::fits;
use super::upload::{HASH_BYTES, Upload, text_bytes};
use bytes::Bytes;
use shared::chunk::ChunkCount;
use shared::id::{ListDigest, ResourceId, SwarmKey};
use shared::name::ResourceName;
use shared::rpc::tracker::{LIST_MAX, Lookup, Namesake, PAGE_HASHES, Publication};
use shared::swarm::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::ops::Bound;
use std::time::Duration;

/// A publication that no peer has had for this time ranks after publications that a peer has. A machine that only
/// restarts is back sooner.
const GONE_AFTER: Duration = Duration::from_secs(120);

#[derive(Debug)]
pub(super) struct Catalogue {
    pub(super) limits: RegistryLimits,
    pub(super) manifests: BTreeMap<SwarmKey, CataloguedManifest>,
    pub(super) names: BTreeMap<ResourceName, Named>,
    /// Manifests that are being uploaded, by connection.
    pub(super) uploads: BTreeMap<u64, Upload>,
    pub(super) publications: usize,
    /// The memory of the manifests, names and uploads, in bytes.
    pub(super) bytes: usize,
    /// The number of the next publication. If two were shared at the same time, the one with the higher number counts
    /// as newer.
    pub(super) serial: u64,
    /// Manifests whose swarm has lost its last peer, ordered by when that happened. One that a peer has again stays
    /// listed until it is looked at.
    pub(super) abandoned: BTreeSet<(Time, SwarmKey)>,
    /// Publishers of names that were evicted. The swarms are told, and ask them to publish again.
    pub(super) dropped: Vec<(SwarmKey, SocketAddr)>,
    /// Names that their sharers took back.
    pub(super) taken_back: TakenBack,
    /// What changed, for those who follow the catalogue.
    pub(super) changes: Changes,
}

#[derive(Debug)]
pub(super) struct CataloguedManifest {
    pub(super) hashes: Bytes,
    /// Its publications, newest last. Each announce needs the newest.
    pub(super) names: BTreeSet<(Newness, ResourceName)>,
    /// The names of this manifest under which a newer one is published: other content or another list of chunks.
    pub(super) behind: BTreeSet<ResourceName>,
    /// The first size in bytes that a machine reported. It matches the number of chunks. Nobody can check more, so
    /// later claims are ignored.
    pub(super) bytes: Option<u64>,
    /// When its swarm lost its last peer; before that, when it was published.
    pub(super) alive: Time,
}

/// The circumstances of a call that publishes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment<'a> {
    pub(super) now: Time,
    /// The time of day in milliseconds since 1970.
    pub(super) wall_ms: u64,
    pub(super) swarms: &'a Swarms,
}

impl Catalogue {
    pub(super) fn new(limits: RegistryLimits) -> Catalogue {
        Catalogue {
            limits,
            manifests: BTreeMap::new(),
            names: BTreeMap::new(),
            uploads: BTreeMap::new(),
            publications: 0,
            bytes: 0,
            serial: 0,
            abandoned: BTreeSet::new(),
            dropped: Vec::new(),
            taken_back: TakenBack::default(),
            changes: Changes::default(),
        }
    }

    pub(super) fn forget_upload(&mut self, id: u64) {
        self.remove_upload(id);
    }

    /// The publication that is in the way of a machine that would share a resource under this name without permission
    /// to take the name over.
    pub(super) fn in_the_way(
        &self,
        now: Time,
        swarms: &Swarms,
        by: SocketAddr,
        name: &ResourceName,
        key: SwarmKey,
    ) -> Option<Namesake> {
        Some(self.names.get(name)?.in_the_way(key, by, swarms)?.namesake(now, swarms))
    }

    /// The newer versions of these names: what a name means, if that is another resource and this one is published
    /// under the name as well, or was until another machine took that back.
    pub(super) fn newer(
        &self,
        now: Time,
        swarms: &Swarms,
        by: SocketAddr,
        key: SwarmKey,
        names: &BTreeSet<&ResourceName>,
    ) -> Vec<Namesake> {
        let behind = self.behind(by, key, names);
        behind.filter_map(|named| self.instead(now, swarms, named, key)).collect()
    }

    /// Those of these names that may mean a newer version than the one that a machine has.
    fn behind(
        &self,
        by: SocketAddr,
        key: SwarmKey,
        names: &BTreeSet<&ResourceName>,
    ) -> impl Iterator<Item = &Named> {
        let manifest = self.manifests.get(&key);
        let is_behind = move |name: &&&ResourceName| {
            manifest.is_some_and(|manifest| manifest.behind.contains(**name))
                || self.taken_back.has_of_others(key, name, by)
        };
        names.iter().filter(is_behind).filter_map(|name| self.names.get(*name))
    }

    /// The number of publications that [`Catalogue::newer`] looks at.
    pub(super) fn breadth_of_newer(
        &self,
        by: SocketAddr,
        key: SwarmKey,
        names: &BTreeSet<&ResourceName>,
    ) -> usize {
        self.behind(by, key, names).map(Named::breadth).sum()
    }

    /// Those of the given names under which a resource is published, or was until its sharer took that back.
    pub(super) fn published_as(&self, key: SwarmKey, names: &BTreeSet<&ResourceName>) -> Vec<NameDigest> {
        let digest = |name: &&ResourceName| {
            let named = self.names.get(*name).filter(|named| named.get(key).is_some());
            named.map(Named::digest).or_else(|| self.taken_back.digest(key, name))
        };
        names.iter().filter_map(digest).collect()
    }

    /// What a name means, and the other resources that are published under it, or were until their sharers took that
    /// back.
    pub(super) fn rollout(&self, now: Time, swarms: &Swarms, name: &ResourceName) -> Option<Rollout> {
        let named = self.names.get(name)?;
        let Namesake { resource, shared_ago_ms, .. } =
            named.meant(|key| self.is_gone(now, swarms, key))?.namesake(now, swarms);
        let taken_back = self.taken_back.keys_of(name).filter(|key| key.resource != resource);
        let former = Some((named.digest(), named.others(resource).chain(taken_back).collect()));
        Some(Rollout { resource, shared_ago_ms, former })
    }

    /// A resource alone, whatever its names mean.
    pub(super) fn rollout_of(&self, now: Time, resource: ResourceId) -> Rollout {
        let published = self.lists_of(resource).flat_map(|(key, manifest)| {
            let named = manifest.names.iter().filter_map(|(_, name)| self.names.get(name));
            named.filter_map(move |named| named.get(*key))
        });
        let shared_ago_ms = published.filter_map(|published| published.shared_ago_ms(now)).max();
        Rollout { resource, shared_ago_ms, former: None }
    }

    /// Records the size that a machine reported, if it is the first that matches the manifest's number of chunks.
    /// Returns the first one. A machine reports its own number of chunks as well, which may be as false.
    pub(super) fn size(&mut self, key: SwarmKey, told: Option<u64>) -> Option<u64> {
        let manifest = self.manifests.get_mut(&key)?;
        let count = ChunkCount::new((manifest.hashes.len() / HASH_BYTES) as u32)?;
        manifest.bytes = manifest.bytes.or(told.filter(|told| fits(Some(*told), count)));
        manifest.bytes
    }

    /// What a name means, if that is another resource.
    pub(super) fn instead(
        &self,
        now: Time,
        swarms: &Swarms,
        named: &Named,
        key: SwarmKey,
    ) -> Option<Namesake> {
        let meant = named.meant(|key| self.is_gone(now, swarms, key))?;
        (meant.key().resource != key.resource).then(|| meant.namesake(now, swarms))
    }

    /// The matching publications, best first; see [`Named::candidates`].
    pub(super) fn find(&self, now: Time, swarms: &Swarms, what: &Lookup) -> Vec<Publication> {
        let is_gone = |key: SwarmKey| self.is_gone(now, swarms, key);
        let found = match what {
            Lookup::Name(name) => {
                self.names.get(name).map(|named| named.candidates(is_gone, swarms)).unwrap_or_default()
            }
            Lookup::Resource(resource) => {
                let has_no_seeder = |published: &NamedManifest| swarms.counts(published.key()).0 == 0;
                let mut lists: Vec<&NamedManifest> =
                    self.lists_of(*resource).filter_map(|(key, _)| self.newest_of(*key)).collect();
                lists.sort_by_key(|list| (has_no_seeder(list), std::cmp::Reverse(list.newness())));
                chosen(lists.into_iter(), has_no_seeder, swarms)
            }
        };
        found.into_iter().map(|published| self.listed(published)).collect()
    }

    /// The number of publications that [`Catalogue::find`] and [`Catalogue::rollout`] look at.
    pub(super) fn breadth(&self, what: &Lookup) -> usize {
        match what {
            Lookup::Name(name) => self.names.get(name).map_or(0, Named::len) + self.taken_back.breadth(name),
            Lookup::Resource(resource) => self.lists_of(*resource).count(),
        }
    }

    pub(super) fn manifest(&self, key: SwarmKey, page: u32) -> Result<Bytes, Refusal> {
        let hashes = &self.manifests.get(&key).ok_or(Refusal::Unknown)?.hashes;
        let page_bytes = PAGE_HASHES as usize * HASH_BYTES;
        let begin = (page as usize).saturating_mul(page_bytes);
        if begin > 0 && begin >= hashes.len() {
            return Err(Refusal::Unknown);
        }
        Ok(hashes.slice(begin..hashes.len().min(begin + page_bytes)))
    }

    pub(super) fn list<'a>(
        &'a self,
        now: Time,
        swarms: &'a Swarms,
        after: Option<&ResourceName>,
    ) -> impl Iterator<Item = Publication> + 'a {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let names = self.names.range::<ResourceName, _>((from, Bound::Unbounded));
        let meant = move |named: &'a Named| named.meant(|key| self.is_gone(now, swarms, key));
        names.filter_map(move |(_, named)| Some(self.listed(meant(named)?))).take(LIST_MAX)
    }

    /// A publication as it is listed for others.
    fn listed(&self, published: &NamedManifest) -> Publication {
        let bytes = self.manifests.get(&published.key()).and_then(|manifest| manifest.bytes);
        Publication { bytes, ..published.publication.clone() }
    }

    pub(super) fn has(&self, key: SwarmKey) -> bool {
        self.manifests.contains_key(&key)
    }

    /// Whether a peer that has this resource under these names is to be asked for its manifest. It is not if each of
    /// them was taken back: a name must not come back through peers that only fetched the resource. A peer that tells
    /// no name may have it under any.
    pub(super) fn is_to_be_asked_for(&self, key: SwarmKey, names: &BTreeSet<&ResourceName>) -> bool {
        let is_taken_back = match names.is_empty() {
            true => self.taken_back.has_any(key),
            false => names.iter().all(|name| self.taken_back.has(key, name)),
        };
        !self.has(key) && !is_taken_back
    }

    /// The names of a manifest, newest first.
    pub(super) fn names_of(&self, key: SwarmKey) -> impl Iterator<Item = &ResourceName> {
        let names = self.manifests.get(&key).into_iter().flat_map(|manifest| manifest.names.iter().rev());
        names.map(|(_, name)| name)
    }

    /// The newest name of a manifest.
    pub(super) fn name_of(&self, key: SwarmKey) -> Option<ResourceName> {
        Some(self.manifests.get(&key)?.names.last()?.1.clone())
    }

    pub(super) fn shared_at_ms(&self, key: SwarmKey) -> Option<u64> {
        let ((shared_at_ms, _), _) = self.manifests.get(&key)?.names.last()?;
        Some(*shared_at_ms)
    }

    pub(super) fn publications(&self) -> usize {
        self.publications
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Notes that a swarm has lost its last peer.
    pub(super) fn abandon(&mut self, now: Time, key: SwarmKey) {
        let Some(manifest) = self.manifests.get_mut(&key) else { return };
        let former = std::mem::replace(&mut manifest.alive, now);
        self.abandoned.remove(&(former, key));
        self.abandoned.insert((now, key));
    }

    /// Drops manifests whose swarm has had no peers for the configured time, up to about `work_max` names, and uploads
    /// that stopped. Returns the work done.
    pub(super) fn expire(
        &mut self,
        now: Time,
        work_max: usize,
        is_alive: impl Fn(SwarmKey) -> bool,
    ) -> usize {
        let mut work = 0;
        while work < work_max
            && let Some(&(alive, key)) = self.abandoned.first()
            && now.since(alive) >= self.limits.publication_ttl
        {
            work += 1 + self.manifests.get(&key).map_or(0, |manifest| manifest.names.len());
            if is_alive(key) {
                self.abandoned.remove(&(alive, key));
            } else {
                self.remove(key);
            }
        }
        let before = now - self.limits.publication_ttl;
        work += self.taken_back.expire(now, before, work_max.saturating_sub(work), &is_alive);
        let timeout = self.limits.upload_timeout;
        let stuck = self.uploads.iter().filter(|(_, upload)| now.since(upload.last_page) >= timeout);
        let stuck: Vec<u64> = stuck.map(|(id, _)| *id).collect();
        stuck.into_iter().for_each(|id| self.forget_upload(id));
        work
    }

    /// Publishes a manifest, which is here, under a name that it does not have yet.
    pub(super) fn give_name(&mut self, published: NamedManifest) {
        let (name, key) = (published.publication.name.clone(), published.key());
        self.changes.touch(&name);
        self.publications += 1;
        self.bytes += text_bytes(&published.publication);
        let named = self.names.entry(name.clone()).or_insert_with(|| Named::new(&name));
        let before = named.newest();
        if let Some(manifest) = self.manifests.get_mut(&key) {
            manifest.names.insert((published.newness(), name.clone()));
        }
        named.insert(published);
        let after = named.newest();
        for key in before.into_iter().chain([key]).filter(|&key| Some(key) != after) {
            self.set_behind(&name, key, true);
        }
        if let Some(newest) = after {
            self.set_behind(&name, newest, false);
        }
    }

    /// Removes a name from a manifest. The manifest stays, even without any name.
    pub(super) fn remove_name(&mut self, name: &ResourceName, key: SwarmKey) {
        self.set_behind(name, key, false);
        let Some(named) = self.names.get_mut(name) else { return };
        let Some(gone) = named.remove(key) else { return };
        self.changes.touch(name);
        let newest = named.newest();
        if newest.is_none() {
            self.names.remove(name);
        }
        self.publications -= 1;
        self.bytes -= text_bytes(&gone.publication);
        if let Some(manifest) = self.manifests.get_mut(&key) {
            manifest.names.remove(&(gone.newness(), name.clone()));
        }
        if let Some(newest) = newest {
            self.set_behind(name, newest, false);
        }
    }

    /// Notes whether a newer manifest is published under a name of this one.
    fn set_behind(&mut self, name: &ResourceName, key: SwarmKey, is_behind: bool) {
        let Some(manifest) = self.manifests.get_mut(&key) else { return };
        match is_behind {
            true => manifest.behind.insert(name.clone()),
            false => manifest.behind.remove(name),
        };
    }

    pub(super) fn remove(&mut self, key: SwarmKey) {
        let Some(manifest) = self.manifests.get(&key) else { return };
        let names: Vec<ResourceName> = manifest.names.iter().map(|(_, name)| name.clone()).collect();
        names.iter().for_each(|name| self.remove_name(name, key));
        if let Some(manifest) = self.manifests.remove(&key) {
            self.bytes -= manifest.hashes.len();
            self.abandoned.remove(&(manifest.alive, key));
        }
    }

    pub(super) fn remove_upload(&mut self, id: u64) -> Option<Upload> {
        let upload = self.uploads.remove(&id)?;
        self.bytes -= text_bytes(&upload.offer.publication) + upload.hashes.len();
        Some(upload)
    }

    /// The manifests that are published for a resource. At most one of them is true.
    pub(super) fn lists_of(
        &self,
        resource: ResourceId,
    ) -> impl Iterator<Item = (&SwarmKey, &CataloguedManifest)> {
        let with = |byte| SwarmKey { resource, digest: ListDigest([byte; 32]) };
        self.manifests.range(with(0)..=with(255))
    }

    pub(super) fn newest_of(&self, key: SwarmKey) -> Option<&NamedManifest> {
        let (_, name) = self.manifests.get(&key)?.names.last()?;
        self.names.get(name)?.get(key)
    }

    /// Whether no peer has had it for [`GONE_AFTER`].
    pub(super) fn is_gone(&self, now: Time, swarms: &Swarms, key: SwarmKey) -> bool {
        let seen = self.manifests.get(&key).map_or(Time::default(), |manifest| manifest.alive);
        !swarms.is_alive(key) && now.since(seen) >= GONE_AFTER
    }
}
