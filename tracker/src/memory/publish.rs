//! Adds manifests and their names to the catalogue.

use super::catalogue::{Catalogue, CataloguedManifest, Moment};
use super::named::NamedManifest;
use super::refusal::Refusal;
use super::upload::{HASH_BYTES, Upload, hashes_bytes, text_bytes};
use bytes::Bytes;
use sha2::Digest;
use shared::date::AHEAD_MS_MAX;
use shared::id::{ListDigest, ResourceId, SwarmKey};
use shared::rpc::tracker::{Offer, Publication, PublishReply, Role};
use shared::signature::SignatureText;
use std::collections::BTreeSet;
use std::net::SocketAddr;

impl Catalogue {
    /// Publishes a manifest, or asks for its first page if it is not here. `upload` identifies the connection.
    pub(super) fn publish(
        &mut self,
        at: Moment<'_>,
        upload: u64,
        by: SocketAddr,
        offer: Offer,
    ) -> Result<PublishReply, Refusal> {
        self.forget_upload(upload);
        self.check_offer(at, by, &offer)?;
        if self.was_taken_back(&offer) {
            return Ok(PublishReply::Published(None));
        }
        let publication = &offer.publication;
        if self.manifests.contains_key(&publication.key) {
            return self.name(at, by, offer);
        }
        if publication.count.get() == 0 {
            return self.complete(at, Upload::new(at.now, by, offer));
        }
        if self.uploads.len() >= self.limits.uploads_max {
            return Err(Refusal::Full(format!("at most {} manifests at once", self.limits.uploads_max)));
        }
        self.make_room(at, None, text_bytes(publication) + hashes_bytes(publication))?;
        self.bytes += text_bytes(publication);
        self.uploads.insert(upload, Upload::new(at.now, by, offer));
        Ok(PublishReply::NeedPage(0))
    }

    /// Publishes a manifest together with its hashes.
    pub(super) fn publish_whole(
        &mut self,
        at: Moment<'_>,
        by: SocketAddr,
        offer: Offer,
        hashes: &[u8],
    ) -> Result<PublishReply, Refusal> {
        self.check_offer(at, by, &offer)?;
        if self.was_taken_back(&offer) {
            return Ok(PublishReply::Published(None));
        }
        if hashes.len() != hashes_bytes(&offer.publication) {
            return Err(Refusal::Malformed(
                "the number of hashes does not match the number of chunks".into(),
            ));
        }
        if self.manifests.contains_key(&offer.publication.key) {
            return self.name(at, by, offer);
        }
        let mut upload = Upload::new(at.now, by, offer);
        upload.take_page(at.now, hashes);
        self.complete(at, upload)
    }

    pub(super) fn publish_page(
        &mut self,
        at: Moment<'_>,
        id: u64,
        key: SwarmKey,
        page: u32,
        hashes: &[u8],
    ) -> Result<PublishReply, Refusal> {
        let refuse = |catalogue: &mut Catalogue, refusal| {
            catalogue.forget_upload(id);
            Err(refusal)
        };
        let Some(upload) = self.uploads.get(&id).filter(|upload| upload.offer.publication.key == key) else {
            return Err(Refusal::Malformed(
                "a page belongs to a manifest that is not being published".into(),
            ));
        };
        if page != upload.next_page() || hashes.len() != upload.page_bytes() {
            return refuse(self, Refusal::Malformed("a page is out of order or has the wrong size".into()));
        }
        // Other uploads may have used up the room meanwhile.
        if let Err(full) = self.make_room(at, None, hashes.len()) {
            return refuse(self, full);
        }
        self.bytes += hashes.len();
        let upload = self.uploads.get_mut(&id).expect("it was there above");
        upload.take_page(at.now, hashes);
        if upload.page_bytes() > 0 {
            return Ok(PublishReply::NeedPage(upload.next_page()));
        }
        match self.remove_upload(id) {
            Some(upload) => self.complete(at, upload),
            None => Err(Refusal::Unknown),
        }
    }

    /// Finishes an upload whose pages are complete. Its bytes are not counted at this point.
    fn complete(&mut self, at: Moment<'_>, upload: Upload) -> Result<PublishReply, Refusal> {
        let Upload { offer, by, hashes, hasher, .. } = upload;
        let key = offer.publication.key;
        if ListDigest(hasher.finalize().into()) != key.digest {
            return Err(Refusal::Malformed("the chunk hashes do not match the list digest".into()));
        }
        let of_no_bytes = hashes.is_empty() && key.resource != ResourceId::of(b"");
        let of_one_chunk = hashes.len() == HASH_BYTES && hashes != key.resource.0;
        if of_no_bytes || of_one_chunk {
            return Err(Refusal::Malformed("the chunk hashes do not match the resource".into()));
        }
        if self.was_taken_back(&offer) {
            return Ok(PublishReply::Published(None)); // that was after its first page
        }
        if !self.has(key) {
            self.make_room(at, None, text_bytes(&offer.publication) + hashes.len())?;
            self.make_room_for_list(at.swarms, by, key.resource);
            self.bytes += hashes.len();
            let manifest = CataloguedManifest {
                hashes: Bytes::from(hashes),
                names: BTreeSet::new(),
                behind: BTreeSet::new(),
                bytes: None,
                alive: at.now,
            };
            self.manifests.insert(key, manifest);
            self.abandoned.insert((at.now, key));
        }
        let reply = self.name(at, by, offer);
        if reply.is_err() && self.manifests.get(&key).is_some_and(|manifest| manifest.names.is_empty()) {
            self.remove(key);
        }
        reply
    }

    /// Whether a machine that only fetched a resource would give it a name that its sharer took back. Such a
    /// publication is acknowledged but not stored: the machine did what it was asked.
    fn was_taken_back(&self, offer: &Offer) -> bool {
        let Publication { name, key, .. } = &offer.publication;
        offer.role == Role::Holds && self.taken_back.has(*key, name)
    }

    /// Gives a name to a manifest that is here.
    fn name(&mut self, at: Moment<'_>, by: SocketAddr, offer: Offer) -> Result<PublishReply, Refusal> {
        let Offer { mut publication, role } = offer;
        let (name, key) = (publication.name.clone(), publication.key);
        self.size(key, publication.bytes);
        let former = self.names.get(&name).and_then(|named| named.get(key)).cloned();
        if let (Some(_), Role::Holds) = (&former, role) {
            return Ok(PublishReply::Published(None)); // its sharers know better
        }
        let signed = former.as_ref().map(|former| &former.publication);
        publication.signature = newer_signature(publication.signature.take(), &publication, signed);
        self.make_room_for_name(at, by, &name, key, former.is_some())?;
        let freed = former.as_ref().map_or(0, |former| text_bytes(&former.publication));
        self.make_room(at, Some(key), text_bytes(&publication).saturating_sub(freed))?;
        let known_ms = former.as_ref().map_or(0, |former| former.publication.shared_at_ms);
        publication.shared_at_ms = dated(publication.shared_at_ms, at.wall_ms, known_ms);
        let shared_at_ms = Some(publication.shared_at_ms).filter(|&shared| shared > 0);
        let age_ms = shared_at_ms.map(|shared| at.wall_ms.saturating_sub(shared));
        let claimed = role == Role::Claims && former.as_ref().is_none_or(|former| former.claimed);
        let since = former.as_ref().map_or(at.now, |former| former.since);
        let sharers = former.map(|former| former.sharers).unwrap_or_default();
        let (serial, taken) = (self.serial, at.now);
        let mut published = NamedManifest { publication, serial, by, sharers, claimed, since, taken, age_ms };
        self.serial += 1;
        if role != Role::Holds {
            self.taken_back.forget(key, &name);
            published.add_sharer(by, at.swarms);
            self.undate_claims(by, &published);
        }
        self.remove_name(&name, key);
        self.give_name(published);
        let named = self.names.get(&name);
        let instead = named.and_then(|named| self.instead(at.now, at.swarms, named, key));
        Ok(PublishReply::Published(instead))
    }

    /// A machine publishes something that it shared before other machines claimed the same name. Those must not take
    /// the name, so their claims count as shared at an unknown time.
    fn undate_claims(&mut self, by: SocketAddr, published: &NamedManifest) {
        let name = &published.publication.name;
        let claims = self.names.get(name).map(|named| named.claims_after(by, published)).unwrap_or_default();
        for key in claims {
            let Some(mut claim) = self.names.get(name).and_then(|named| named.get(key)).cloned() else {
                continue;
            };
            (claim.publication.shared_at_ms, claim.age_ms) = (0, None);
            self.remove_name(name, key);
            self.give_name(claim);
        }
    }
}

/// The signature that a publication has from now on: the newer one of that which comes with it and the former one, by what
/// they say. A signature covers the trackers, so the former one is of no use with other trackers.
fn newer_signature(
    new: Option<SignatureText>,
    publication: &Publication,
    former: Option<&Publication>,
) -> Option<SignatureText> {
    let former = former.filter(|former| former.trackers == publication.trackers);
    let former = former.and_then(|former| former.signature.as_ref());
    match (new, former) {
        (Some(new), Some(former)) if new.timestamp() < former.timestamp() => Some(former.clone()),
        (None, former) => former.cloned(),
        (new, _) => new,
    }
}

/// The accepted sharing date. A date that is missing or in the future is replaced by the date known before, or 0.
fn dated(shared_at_ms: u64, wall_ms: u64, known_ms: u64) -> u64 {
    match shared_at_ms {
        0 => known_ms,
        past if past <= wall_ms => past,
        near if near <= wall_ms.saturating_add(AHEAD_MS_MAX) => wall_ms,
        _ => known_ms,
    }
}
