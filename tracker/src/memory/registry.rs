//! All data of a tracker, and the calls that change and read it.

use super::catalogue::{Catalogue, Moment};
use super::limits::RegistryLimits;
use super::refusal::Refusal;
use super::rollout::Rollout;
use super::swarms::Swarms;
use super::sweep::{Sweep, WORK_MAX};
use super::who::Who;
use bytes::Bytes;
use shared::id::{ResourceId, SwarmKey};
use shared::identity::NodeName;
use shared::name::ResourceName;
use shared::rpc::tracker::{
    ANNOUNCE_MAX, Announce, AnnounceAnswer, CHANGES_MAX, Change, FLEET_MAX, Fleet, FleetPlace, ListEntry,
    Lookup, Namesake, Offer, PeerEntry, Publication, PublishReply, ResourceEntry, Unpublish, UnpublishReply,
};
use shared::swarm::Time;
use std::collections::BTreeSet;
use std::net::SocketAddr;

/// All data of a tracker.
#[derive(Debug)]
pub struct Registry {
    swarms: Swarms,
    catalogue: Catalogue,
}

impl Registry {
    /// An empty registry. All random choices follow from `seed`.
    pub fn new(limits: RegistryLimits, seed: [u8; 32]) -> Registry {
        Registry { swarms: Swarms::new(limits.clone(), seed), catalogue: Catalogue::new(limits) }
    }

    /// Changes the limits. Data beyond the new limits stays until it expires.
    pub fn set_limits(&mut self, limits: RegistryLimits) {
        self.swarms.limits = limits.clone();
        self.catalogue.limits = limits;
    }

    /// The node because of which a peer may not have its id: the id belongs to that node.
    pub fn owner_in_the_way(&self, who: &Who) -> Option<&NodeName> {
        self.swarms.owners.in_the_way(who)
    }

    /// How many peers with different ids are connected as this node. It looks at all nodes.
    pub fn connected_as(&self, node: &NodeName) -> u32 {
        self.swarms.owners.connected_as(node)
    }

    /// Notes that a peer has opened a connection.
    pub fn arrive(&mut self, who: &Who) {
        self.swarms.arrive(who);
    }

    /// Notes that a peer's connection is closed. Its entries stay until they expire but rank last, and a new process at
    /// the same address replaces it.
    pub fn depart(&mut self, now: Time, who: &Who) {
        self.swarms.depart(now, who);
    }

    /// Adds or renews the entries of a peer; the answers are in the same order.
    pub fn announce(
        &mut self,
        now: Time,
        who: &Who,
        entries: &[Announce],
    ) -> Result<Vec<AnnounceAnswer>, Refusal> {
        let gone: Vec<SwarmKey> =
            entries.iter().map(|entry| entry.key).filter(|&key| self.is_gone(now, key)).collect();
        let answers = self.swarms.announce(now, who, entries, |key| self.catalogue.has(key));
        self.tell_catalogue(now);
        let mut answers = answers?;
        gone.into_iter().for_each(|key| self.catalogue.revived(now, &self.swarms, key));
        for (answer, entry) in answers.iter_mut().zip(entries) {
            let names = distinct(&entry.names);
            answer.shared_at_ms = self.catalogue.shared_at_ms(entry.key);
            answer.bytes = self.catalogue.size(entry.key, entry.bytes);
            answer.newer = self.catalogue.newer(now, &self.swarms, who.addr, entry.key, &names);
            self.swarms.set_names(entry.key, who, &self.catalogue.published_as(entry.key, &names));
            answer.want_manifest = self.swarms.is_to_publish_again(entry.key, who)
                || self.catalogue.is_to_be_asked_for(entry.key, &names)
                    && self.swarms.ask_for_manifest(now, entry.key);
        }
        Ok(answers)
    }

    /// The number of publications that [`Registry::announce`] looks at to find newer versions.
    pub fn breadth_of_announce(&self, who: &Who, entries: &[Announce]) -> usize {
        let breadth =
            |entry: &Announce| self.catalogue.breadth_of_newer(who.addr, entry.key, &distinct(&entry.names));
        entries.iter().take(ANNOUNCE_MAX).map(breadth).sum()
    }

    /// Removes entries of a peer.
    pub fn withdraw(&mut self, now: Time, who: &Who, keys: &[SwarmKey]) -> Result<(), Refusal> {
        let done = self.swarms.withdraw(now, who, keys);
        self.tell_catalogue(now);
        done
    }

    /// Peers of a resource, drawn at random, at most [`PEERS_MAX`](shared::rpc::tracker::PEERS_MAX).
    pub fn peers_of(&mut self, now: Time, resource: ResourceId) -> Vec<PeerEntry> {
        self.swarms.peers_of(now, resource)
    }

    /// The resources of a peer, in order of their ids, after `after`; at most
    /// [`ANNOUNCE_MAX`](shared::rpc::tracker::ANNOUNCE_MAX).
    pub fn resources_of(&self, now: Time, peer: SocketAddr, after: Option<SwarmKey>) -> Vec<ResourceEntry> {
        let mut entries = self.swarms.resources_of(now, peer, after);
        for entry in &mut entries {
            entry.name = self.catalogue.name_of(entry.key);
        }
        entries
    }

    /// The machines that were seen with a resource, or with what a name means, including those that are gone; for a
    /// name also the machines with a former version of it. In order, after `after`; at most `machines_max` and at most
    /// [`FLEET_MAX`]. The counts are always filled in, and so is the time since [`Time::default`], when the tracker started.
    pub fn fleet(&self, now: Time, what: &Lookup, after: Option<FleetPlace>, machines_max: usize) -> Fleet {
        let fleet = |rollout| self.swarms.fleet(now, &rollout, after, machines_max.min(FLEET_MAX));
        let fleet = self.rollout(now, what).map(fleet).unwrap_or_default();
        let up = now.since(Time::default());
        Fleet { up_ms: u64::try_from(up.as_millis()).unwrap_or(u64::MAX), ..fleet }
    }

    /// The number of publications and of members of former versions' swarms that [`Registry::fleet`] looks at.
    pub fn breadth_of_fleet(&self, now: Time, what: &Lookup) -> (usize, usize) {
        let members = self.rollout(now, what).map_or(0, |rollout| self.swarms.breadth(&rollout));
        (self.catalogue.breadth(what), members)
    }

    fn rollout(&self, now: Time, what: &Lookup) -> Option<Rollout> {
        match what {
            Lookup::Resource(resource) => Some(self.catalogue.rollout_of(now, *resource)),
            Lookup::Name(name) => self.catalogue.rollout(now, &self.swarms, name),
        }
    }

    /// Publishes a manifest under a name, or asks for its pages if they are not here. `wall_ms` is the time of day in
    /// milliseconds since 1970; `upload` identifies the connection.
    pub fn publish(
        &mut self,
        now: Time,
        wall_ms: u64,
        upload: u64,
        by: SocketAddr,
        offer: Offer,
    ) -> Result<PublishReply, Refusal> {
        self.swarms.stop_asking_to_publish(offer.publication.key, by);
        let reply = self.catalogue.publish(Moment { now, wall_ms, swarms: &self.swarms }, upload, by, offer);
        self.tell_dropped(now);
        reply
    }

    /// Publishes a manifest together with its hashes.
    pub fn publish_whole(
        &mut self,
        now: Time,
        wall_ms: u64,
        by: SocketAddr,
        offer: Offer,
        hashes: &[u8],
    ) -> Result<PublishReply, Refusal> {
        self.swarms.stop_asking_to_publish(offer.publication.key, by);
        let reply =
            self.catalogue.publish_whole(Moment { now, wall_ms, swarms: &self.swarms }, by, offer, hashes);
        self.tell_dropped(now);
        reply
    }

    /// The next page of the manifest that this connection is publishing.
    pub fn publish_page(
        &mut self,
        now: Time,
        wall_ms: u64,
        upload: u64,
        key: SwarmKey,
        page: u32,
        hashes: &[u8],
    ) -> Result<PublishReply, Refusal> {
        let at = Moment { now, wall_ms, swarms: &self.swarms };
        let reply = self.catalogue.publish_page(at, upload, key, page, hashes);
        self.tell_dropped(now);
        reply
    }

    /// Whether a manifest is here that no peer has had for a while.
    fn is_gone(&self, now: Time, key: SwarmKey) -> bool {
        self.catalogue.has(key) && self.catalogue.is_gone(now, &self.swarms, key)
    }

    /// Numbers the names that changed, and tells the swarms whose names were evicted.
    fn tell_dropped(&mut self, now: Time) {
        self.catalogue.settle_changes(now, &self.swarms);
        for (key, publisher) in std::mem::take(&mut self.catalogue.dropped) {
            self.swarms.ask_to_publish_again(key, publisher);
        }
    }

    /// The other content that is in the way of a machine that claims a name for a resource.
    pub fn in_the_way(
        &self,
        now: Time,
        by: SocketAddr,
        name: &ResourceName,
        key: SwarmKey,
    ) -> Option<Namesake> {
        self.catalogue.in_the_way(now, &self.swarms, by, name, key)
    }

    /// Whether a resource is published under this name.
    pub fn is_published(&self, name: &ResourceName, key: SwarmKey) -> bool {
        self.catalogue.is_published(name, key)
    }

    /// Takes back a name that a machine gave to a resource; see [`Unpublish`].
    ///
    /// # Errors
    /// When another machine shared it.
    pub fn unpublish(
        &mut self,
        now: Time,
        who: &Who,
        name: &ResourceName,
        key: SwarmKey,
        how: Unpublish,
    ) -> Result<UnpublishReply, Refusal> {
        let reply = self.catalogue.unpublish(now, &self.swarms, who, name, key, how);
        self.catalogue.settle_changes(now, &self.swarms);
        reply
    }

    /// Drops the unfinished upload of a connection that ended.
    pub fn forget_upload(&mut self, upload: u64) {
        self.catalogue.forget_upload(upload);
    }

    /// The publications of a name or of a resource, best first; at most
    /// [`CANDIDATES_MAX`](shared::rpc::tracker::CANDIDATES_MAX). A name means its newest publication that a peer has or
    /// recently had.
    pub fn find(&self, now: Time, what: &Lookup) -> Vec<ListEntry> {
        let found = self.catalogue.find(now, &self.swarms, what);
        found.into_iter().map(|publication| self.listed(publication)).collect()
    }

    /// The number of publications that [`Registry::find`] looks at.
    pub fn breadth(&self, what: &Lookup) -> usize {
        self.catalogue.breadth(what)
    }

    /// A page of a published manifest, as raw hashes.
    pub fn manifest(&self, key: SwarmKey, page: u32) -> Result<Bytes, Refusal> {
        self.catalogue.manifest(key, page)
    }

    /// The names under which a list of chunks is published, newest first.
    pub fn names_of(&self, key: SwarmKey) -> impl Iterator<Item = &ResourceName> {
        self.catalogue.names_of(key)
    }

    /// The names under which a resource is published, with any list of chunks.
    pub fn names_of_resource(&self, resource: ResourceId) -> impl Iterator<Item = &ResourceName> {
        self.catalogue.lists_of(resource).flat_map(|(key, _)| self.catalogue.names_of(*key))
    }

    /// The publication that each name means, in order of names, after `after`; at most
    /// [`LIST_MAX`](shared::rpc::tracker::LIST_MAX).
    pub fn list(&self, now: Time, after: Option<&ResourceName>) -> Vec<ListEntry> {
        let listed = self.catalogue.list(now, &self.swarms, after);
        listed.map(|publication| self.listed(publication)).collect()
    }

    /// The number of the last change of a name's meaning; 0 before the first one.
    pub fn sequence(&self) -> u64 {
        self.catalogue.sequence()
    }

    /// The names that changed after the change with the number `after`, oldest change first, each with its number and with
    /// what it means now; at most [`CHANGES_MAX`].
    pub fn changes(&self, now: Time, after: u64) -> Vec<(u64, Change)> {
        self.catalogue.changes_after(now, &self.swarms, after).take(CHANGES_MAX).collect()
    }

    fn listed(&self, publication: Publication) -> ListEntry {
        let (seeders, leechers) = self.swarms.counts(publication.key);
        ListEntry { publication, seeders, leechers }
    }

    /// Forgets some of the entries that have expired. Call it every second or two, and again while there is more.
    pub fn expire(&mut self, now: Time) -> Sweep {
        let Sweep { more, work } = self.swarms.expire(now);
        self.tell_catalogue(now);
        let left = WORK_MAX.saturating_sub(work);
        let of_catalogue = self.catalogue.expire(now, left, |key| self.swarms.is_alive(key));
        self.catalogue.settle_changes(now, &self.swarms);
        Sweep { more: more || of_catalogue >= left, work: work + of_catalogue }
    }

    /// Tells the catalogue which swarms have lost their last peer.
    fn tell_catalogue(&mut self, now: Time) {
        for key in std::mem::take(&mut self.swarms.abandoned) {
            if !self.swarms.is_alive(key) {
                self.catalogue.abandon(now, key);
            }
        }
    }

    /// The size of the registry, for users.
    pub fn size(&self) -> Size {
        Size {
            entries: self.swarms.entries(),
            swarms: self.swarms.len(),
            publications: self.catalogue.publications(),
            catalogue_bytes: self.catalogue.bytes(),
        }
    }
}

/// Names without repetitions: a name that is told twice counts once.
fn distinct(names: &[ResourceName]) -> BTreeSet<&ResourceName> {
    names.iter().collect()
}

/// The size of a registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Entries; an entry says that a peer takes part in a swarm.
    pub entries: usize,
    /// Swarms that have a peer.
    pub swarms: usize,
    /// Publications.
    pub publications: usize,
    /// Bytes of manifests, including those that are being uploaded.
    pub catalogue_bytes: usize,
}
