//! What is published: manifests by resource, and publications, which give a manifest a name.

use super::{LIST_MAX, Limits, Lookup, PAGE_HASHES, Publication, PublishReply, Refusal, TRACKERS_MAX};
use crate::id::{ListDigest, ResourceId, SwarmKey};
use crate::name::ResourceName;
use crate::swarm::Time;
use crate::url::TrackerUrl;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

/// How many bytes a chunk's hash has.
const HASH_BYTES: usize = 32;

/// How far ahead of ours a sharer's clock may be, in milliseconds. What was shared in the future would be the
/// newest of its name for ever.
const AHEAD_MS_MAX: u64 = 300_000;

#[derive(Debug)]
pub(super) struct Catalogue {
    pub(super) limits: Limits,
    manifests: BTreeMap<SwarmKey, Manifest>,
    names: BTreeMap<ResourceName, BTreeMap<SwarmKey, Published>>,
    /// Manifests that are arriving, by connection.
    uploads: BTreeMap<u64, Upload>,
    publications: usize,
    /// What all of the above take.
    bytes: usize,
    /// The number of the next publication: of two that were shared at the same time, the later one counts.
    serial: u64,
}

#[derive(Debug)]
struct Manifest {
    hashes: Bytes,
    /// Its publications, the newest last: each announce asks for that one.
    names: BTreeSet<(Rank, ResourceName)>,
    /// When its swarm was last seen to have a peer.
    alive: Time,
}

/// When a publication was shared, and the number under which it came: the newest has the greatest.
type Rank = (u64, u64);

#[derive(Debug, Clone)]
struct Published {
    publication: Publication,
    serial: u64,
}

impl Published {
    fn rank(&self) -> Rank {
        (self.publication.shared_at_ms, self.serial)
    }
}

#[derive(Debug)]
struct Upload {
    publication: Publication,
    hashes: Vec<u8>,
    hasher: Sha256,
    last_page: Time,
}

impl Catalogue {
    pub(super) fn new(limits: Limits) -> Catalogue {
        Catalogue {
            limits,
            manifests: BTreeMap::new(),
            names: BTreeMap::new(),
            uploads: BTreeMap::new(),
            publications: 0,
            bytes: 0,
            serial: 0,
        }
    }

    pub(super) fn publish(
        &mut self,
        now: Time,
        wall_ms: u64,
        upload: u64,
        mut publication: Publication,
    ) -> Result<PublishReply, Refusal> {
        self.forget_upload(upload);
        if publication.trackers.len() > TRACKERS_MAX {
            return Err(Refusal::Malformed(format!("more than {TRACKERS_MAX} trackers in a manifest")));
        }
        if publication.shared_at_ms > wall_ms.saturating_add(AHEAD_MS_MAX) {
            publication.shared_at_ms = wall_ms;
        }
        self.check_conflict(publication.key)?;
        if let Some(manifest) = self.manifests.get(&publication.key) {
            if manifest.hashes.len() != hashes_bytes(&publication) {
                return Err(Refusal::Malformed("the manifest has another number of chunks".into()));
            }
            return self.name(publication);
        }
        if publication.count.get() == 0 {
            return self.complete(now, Upload::new(now, publication));
        }
        if self.uploads.len() >= self.limits.uploads_max {
            return Err(Refusal::Full(format!("it takes {} manifests at once", self.limits.uploads_max)));
        }
        self.check_bytes(text_bytes(&publication) + hashes_bytes(&publication))?;
        self.bytes += text_bytes(&publication);
        self.uploads.insert(upload, Upload::new(now, publication));
        Ok(PublishReply::NeedPage(0))
    }

    pub(super) fn publish_page(
        &mut self,
        now: Time,
        id: u64,
        key: SwarmKey,
        page: u32,
        hashes: &[u8],
    ) -> Result<PublishReply, Refusal> {
        let refuse = |catalogue: &mut Catalogue, refusal| {
            catalogue.forget_upload(id);
            Err(refusal)
        };
        let Some(upload) = self.uploads.get(&id).filter(|upload| upload.publication.key == key) else {
            return Err(Refusal::Malformed("a page of a manifest that is not being published".into()));
        };
        if page != upload.next_page() || hashes.len() != upload.page_bytes() {
            return refuse(self, Refusal::Malformed("a page out of order, or of the wrong size".into()));
        }
        // others may have filled the room since
        if let Err(full) = self.check_bytes(hashes.len()) {
            return refuse(self, full);
        }
        self.bytes += hashes.len();
        let upload = self.uploads.get_mut(&id).expect("it was there above");
        upload.take_page(now, hashes);
        if upload.page_bytes() > 0 {
            return Ok(PublishReply::NeedPage(upload.next_page()));
        }
        match self.take_upload(id) {
            Some(upload) => self.complete(now, upload),
            None => Err(Refusal::Unknown),
        }
    }

    pub(super) fn forget_upload(&mut self, id: u64) {
        self.take_upload(id);
    }

    pub(super) fn find(&self, what: &Lookup) -> Option<Publication> {
        match what {
            Lookup::Name(name) => newest(self.names.get(name)?.values()),
            Lookup::Resource(resource) => self.newest_of(*self.digest_of(*resource)?),
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

    pub(super) fn list(&self, after: Option<&ResourceName>) -> impl Iterator<Item = Publication> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let names = self.names.range::<ResourceName, _>((from, Bound::Unbounded));
        names.filter_map(|(_, published)| newest(published.values())).take(LIST_MAX)
    }

    pub(super) fn has(&self, key: SwarmKey) -> bool {
        self.manifests.contains_key(&key)
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

    /// Drops manifests whose swarm has been without peers for long, and uploads that do not go on.
    pub(super) fn expire(&mut self, now: Time, is_alive: impl Fn(SwarmKey) -> bool) {
        let mut gone = Vec::new();
        for (key, manifest) in &mut self.manifests {
            if is_alive(*key) {
                manifest.alive = now;
            } else if now.since(manifest.alive) >= self.limits.publication_ttl {
                gone.push(*key);
            }
        }
        gone.into_iter().for_each(|key| self.remove(key));
        let timeout = self.limits.upload_timeout;
        let stuck = self.uploads.iter().filter(|(_, upload)| now.since(upload.last_page) >= timeout);
        let stuck: Vec<u64> = stuck.map(|(id, _)| *id).collect();
        stuck.into_iter().for_each(|id| self.forget_upload(id));
    }

    /// All pages of an upload are here, and no bytes are counted for it.
    fn complete(&mut self, now: Time, upload: Upload) -> Result<PublishReply, Refusal> {
        let Upload { publication, hashes, hasher, .. } = upload;
        let key = publication.key;
        if ListDigest(hasher.finalize().into()) != key.digest {
            return Err(Refusal::Malformed("the chunk hashes do not match the list digest".into()));
        }
        let of_no_bytes = hashes.is_empty() && key.resource != ResourceId::of(b"");
        let of_one_chunk = hashes.len() == HASH_BYTES && hashes != key.resource.0;
        if of_no_bytes || of_one_chunk {
            return Err(Refusal::Malformed("the chunk hashes cannot be those of the resource".into()));
        }
        // somebody else may have been faster
        self.check_conflict(key)?;
        if !self.has(key) {
            self.check_bytes(text_bytes(&publication) + hashes.len())?;
            self.bytes += hashes.len();
            let hashes = Bytes::from(hashes);
            self.manifests.insert(key, Manifest { hashes, names: BTreeSet::new(), alive: now });
        }
        let reply = self.name(publication);
        if reply.is_err() && self.manifests[&key].names.is_empty() {
            self.remove(key);
        }
        reply
    }

    /// Gives a manifest that is here a name.
    fn name(&mut self, publication: Publication) -> Result<PublishReply, Refusal> {
        let (name, key) = (publication.name.clone(), publication.key);
        let former = self.names.get(&name).and_then(|published| published.get(&key));
        let freed = former.map_or(0, |former| text_bytes(&former.publication));
        let former = former.map(|former| (former.rank(), name.clone()));
        if former.is_none() {
            self.check_publications(&name, key)?;
        }
        self.check_bytes(text_bytes(&publication).saturating_sub(freed))?;
        self.publications += usize::from(former.is_none());
        self.bytes = self.bytes - freed + text_bytes(&publication);
        let published = Published { publication, serial: self.serial };
        if let Some(manifest) = self.manifests.get_mut(&key) {
            former.map(|former| manifest.names.remove(&former));
            manifest.names.insert((published.rank(), name.clone()));
        }
        self.serial += 1;
        self.names.entry(name).or_default().insert(key, published);
        Ok(PublishReply::Published)
    }

    fn remove(&mut self, key: SwarmKey) {
        let Some(manifest) = self.manifests.remove(&key) else { return };
        self.bytes -= manifest.hashes.len();
        for (_, name) in manifest.names {
            let Some(published) = self.names.get_mut(&name) else { continue };
            if let Some(gone) = published.remove(&key) {
                self.publications -= 1;
                self.bytes -= text_bytes(&gone.publication);
            }
            if published.is_empty() {
                self.names.remove(&name);
            }
        }
    }

    fn take_upload(&mut self, id: u64) -> Option<Upload> {
        let upload = self.uploads.remove(&id)?;
        self.bytes -= text_bytes(&upload.publication) + upload.hashes.len();
        Some(upload)
    }

    /// The key of the manifest that is published for a resource: there is at most one.
    fn digest_of(&self, resource: ResourceId) -> Option<&SwarmKey> {
        let first = SwarmKey { resource, digest: ListDigest([0; 32]) };
        self.manifests.range(first..).next().map(|(key, _)| key).filter(|key| key.resource == resource)
    }

    fn newest_of(&self, key: SwarmKey) -> Option<Publication> {
        let (_, name) = self.manifests.get(&key)?.names.last()?;
        Some(self.names.get(name)?.get(&key)?.publication.clone())
    }

    fn check_conflict(&self, key: SwarmKey) -> Result<(), Refusal> {
        match self.digest_of(key.resource) {
            Some(other) if *other != key => Err(Refusal::Conflict),
            _ => Ok(()),
        }
    }

    fn check_bytes(&self, more: usize) -> Result<(), Refusal> {
        if self.bytes.saturating_add(more) > self.limits.catalogue_bytes_max {
            let max = self.limits.catalogue_bytes_max;
            return Err(Refusal::Full(format!("its catalogue holds {max} bytes")));
        }
        Ok(())
    }

    fn check_publications(&self, name: &ResourceName, key: SwarmKey) -> Result<(), Refusal> {
        if self.publications >= self.limits.publications_max {
            let max = self.limits.publications_max;
            return Err(Refusal::Full(format!("its catalogue holds {max} publications")));
        }
        let max = self.limits.publications_per_name_max;
        if self.names.get(name).is_some_and(|published| published.len() >= max) {
            return Err(Refusal::Full(format!("its catalogue holds {max} publications of one name")));
        }
        let max = self.limits.names_per_manifest_max;
        if self.manifests.get(&key).is_some_and(|manifest| manifest.names.len() >= max) {
            return Err(Refusal::Full(format!("its catalogue holds {max} names of one manifest")));
        }
        Ok(())
    }
}

impl Upload {
    fn new(now: Time, publication: Publication) -> Upload {
        Upload { publication, hashes: Vec::new(), hasher: Sha256::new(), last_page: now }
    }

    fn next_page(&self) -> u32 {
        (self.hashes.len() / (PAGE_HASHES as usize * HASH_BYTES)) as u32
    }

    /// How many bytes the next page has; 0 when all are here.
    fn page_bytes(&self) -> usize {
        (hashes_bytes(&self.publication) - self.hashes.len()).min(PAGE_HASHES as usize * HASH_BYTES)
    }

    fn take_page(&mut self, now: Time, hashes: &[u8]) {
        self.hasher.update(hashes);
        self.hashes.extend_from_slice(hashes);
        self.last_page = now;
    }
}

fn newest<'a>(published: impl Iterator<Item = &'a Published>) -> Option<Publication> {
    let newest = published.max_by_key(|published| published.rank());
    newest.map(|published| published.publication.clone())
}

fn hashes_bytes(publication: &Publication) -> usize {
    publication.count.get() as usize * HASH_BYTES
}

/// About what a publication takes without its hashes; its name is kept twice or thrice, each URL twice.
fn text_bytes(publication: &Publication) -> usize {
    let url_bytes = |url: &TrackerUrl| 64 + 2 * url.as_str().len();
    let urls_bytes: usize = publication.trackers.iter().map(url_bytes).sum();
    512 + 3 * publication.name.as_str().len() + urls_bytes
}
