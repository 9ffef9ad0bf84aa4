//! The calls of the `Tracker` service, and their size limits.

// tarpc generates the client, the request and the response types of the trait without docs.
#![allow(missing_docs)]

use super::enrol::{AuthorityReply, Enrolled, JoinAsk, RenewAsk, RevokedAsk, RevokedPage};
use super::error::TrackerError;
use super::hello::{TrackerHello, TrackerWelcome};
use super::not_enrolled::NotEnrolled;
use super::types::*;
use crate::id::{ResourceId, SwarmKey};
use crate::name::ResourceName;
use crate::rpc::message::{Message, Payload};
use crate::rpc::wire::calls;
use std::net::SocketAddr;

#[tarpc::service]
pub trait Tracker {
    /// Must be the first call on a connection. Before it no other call is answered.
    async fn hello(hello: TrackerHello) -> Result<TrackerWelcome, TrackerError>;

    // -- who has what
    /// Adds or renews entries of the caller, at most [`ANNOUNCE_MAX`]. The answers are in the same order.
    async fn announce(entries: Vec<Announce>) -> Result<AnnounceReply, TrackerError>;
    /// Removes entries of the caller, at most [`ANNOUNCE_MAX`].
    async fn withdraw(keys: Vec<SwarmKey>) -> Result<(), TrackerError>;
    /// The peers that have some or all of a resource, at most [`PEERS_MAX`], drawn at random.
    async fn peers_of(resource: ResourceId) -> Result<Vec<PeerEntry>, TrackerError>;
    /// The resources of which a peer has some or all, in order of their ids, after `after`; at most [`ANNOUNCE_MAX`].
    async fn resources_of(
        peer: SocketAddr,
        after: Option<SwarmKey>,
    ) -> Result<Vec<ResourceEntry>, TrackerError>;

    // -- the catalogue
    /// Publishes a manifest under a name. If the answer asks for pages, the caller sends them in order.
    async fn publish(offer: Offer) -> Result<PublishReply, TrackerError>;
    /// The next page of a manifest that is being published: [`PAGE_HASHES`] raw hashes of 32 bytes each, or fewer on
    /// the last page.
    async fn publish_page(key: SwarmKey, page: u32, hashes: Payload) -> Result<PublishReply, TrackerError>;
    /// The publications of a name or of a resource id, best first; at most [`CANDIDATES_MAX`]. The further ones help a
    /// caller that finds the first one to be false.
    async fn find(what: Lookup) -> Result<Vec<ListEntry>, TrackerError>;
    /// A page of a manifest's chunk hashes. Pages are counted from 0.
    async fn manifest(key: SwarmKey, page: u32) -> Result<ManifestPage, TrackerError>;
    /// The publication that each name means, in order of names, after `after`; at most [`LIST_MAX`].
    async fn list(after: Option<ResourceName>) -> Result<Vec<ListEntry>, TrackerError>;

    // -- for those who watch
    /// The machines that were seen within the last hour with a resource, or with what a name means, after `after`; at
    /// most `machines_max` and at most [`FLEET_MAX`]. With 0 the tracker returns only the counts.
    async fn fleet(what: Lookup, after: Option<FleetPlace>, machines_max: u32)
    -> Result<Fleet, TrackerError>;
    /// The tracker's time of day, in milliseconds since 1970, by which publications are dated. It never goes back.
    async fn clock() -> Result<u64, TrackerError>;

    // -- the catalogue, for those who publish
    /// Publishes up to [`OFFERS_MAX`] manifests together with their chunk hashes: the hashes of all of them in order,
    /// at most [`PAGE_HASHES`]. The replies are in the same order, and none of them asks for a page.
    async fn publish_whole(
        offers: Vec<Offer>,
        hashes: Payload,
    ) -> Result<Vec<Result<PublishReply, TrackerError>>, TrackerError>;
    /// The other content because of which a machine that claims this name would be refused, if any; see
    /// [`Role::Claims`].
    async fn in_the_way(name: ResourceName, key: SwarmKey) -> Result<Option<Namesake>, TrackerError>;
    /// Takes a name back that the caller gave a resource. If an earlier version is still published under the name, the
    /// name means that one again.
    async fn unpublish(
        name: ResourceName,
        key: SwarmKey,
        how: Unpublish,
    ) -> Result<UnpublishReply, TrackerError>;

    // -- certificates
    /// The authority of the fleet. It is given to anybody, also without TLS: whoever joins compares it with its token.
    async fn authority() -> Result<AuthorityReply, NotEnrolled>;
    /// Admits a machine to the fleet by a token. A caller without a certificate may ask, over TLS.
    async fn join(ask: JoinAsk) -> Result<Enrolled, NotEnrolled>;
    /// Renews a certificate. A caller without one may ask, over TLS: its own may have expired.
    async fn renew(ask: RenewAsk) -> Result<Enrolled, NotEnrolled>;
    /// The list of revoked certificates, if it is newer than the one that the caller has, or the next page of it.
    async fn revoked(ask: RevokedAsk) -> Result<RevokedPage, TrackerError>;

    // -- for those who follow the catalogue
    /// The names whose meaning changed after a moment, at most `changes_max` and at most [`CHANGES_MAX`]. A moment of another
    /// start of the tracker counts as the beginning.
    async fn changes(since: CataloguePlace, changes_max: u32) -> Result<Changes, TrackerError>;
}

calls! {
    TrackerCaller = TrackerRequest => TrackerResponse;
    /// See [`Tracker::hello`].
    hello / Hello(hello: TrackerHello) -> Result<TrackerWelcome, TrackerError>;
    /// See [`Tracker::announce`].
    announce / Announce(entries: Vec<Announce>) -> Result<AnnounceReply, TrackerError>;
    /// See [`Tracker::withdraw`].
    withdraw / Withdraw(keys: Vec<SwarmKey>) -> Result<(), TrackerError>;
    /// See [`Tracker::peers_of`].
    peers_of / PeersOf(resource: ResourceId) -> Result<Vec<PeerEntry>, TrackerError>;
    /// See [`Tracker::resources_of`].
    resources_of / ResourcesOf(peer: SocketAddr, after: Option<SwarmKey>)
        -> Result<Vec<ResourceEntry>, TrackerError>;
    /// See [`Tracker::publish`].
    publish / Publish(offer: Offer) -> Result<PublishReply, TrackerError>;
    /// See [`Tracker::publish_page`].
    publish_page / PublishPage(key: SwarmKey, page: u32, hashes: Payload) -> Result<PublishReply, TrackerError>;
    /// See [`Tracker::find`].
    find / Find(what: Lookup) -> Result<Vec<ListEntry>, TrackerError>;
    /// See [`Tracker::manifest`].
    manifest / Manifest(key: SwarmKey, page: u32) -> Result<ManifestPage, TrackerError>;
    /// See [`Tracker::list`].
    list / List(after: Option<ResourceName>) -> Result<Vec<ListEntry>, TrackerError>;
    /// See [`Tracker::fleet`].
    fleet / Fleet(what: Lookup, after: Option<FleetPlace>, machines_max: u32) -> Result<Fleet, TrackerError>;
    /// See [`Tracker::clock`].
    clock / Clock() -> Result<u64, TrackerError>;
    /// See [`Tracker::publish_whole`].
    publish_whole / PublishWhole(offers: Vec<Offer>, hashes: Payload)
        -> Result<Vec<Result<PublishReply, TrackerError>>, TrackerError>;
    /// See [`Tracker::in_the_way`].
    in_the_way / InTheWay(name: ResourceName, key: SwarmKey) -> Result<Option<Namesake>, TrackerError>;
    /// See [`Tracker::unpublish`].
    unpublish / Unpublish(name: ResourceName, key: SwarmKey, how: Unpublish) -> Result<UnpublishReply, TrackerError>;
    /// See [`Tracker::authority`].
    authority / Authority() -> Result<AuthorityReply, NotEnrolled>;
    /// See [`Tracker::join`].
    join / Join(ask: JoinAsk) -> Result<Enrolled, NotEnrolled>;
    /// See [`Tracker::renew`].
    renew / Renew(ask: RenewAsk) -> Result<Enrolled, NotEnrolled>;
    /// See [`Tracker::revoked`].
    revoked / Revoked(ask: RevokedAsk) -> Result<RevokedPage, TrackerError>;
    /// See [`Tracker::changes`].
    changes / Changes(since: CataloguePlace, changes_max: u32) -> Result<Changes, TrackerError>;
}

impl Message for TrackerRequest {
    const BODY_BYTES_MAX: usize = PAGE_HASHES as usize * 32;
    const HEAD_BYTES_MAX: usize = 256 << 10; // an announce of 1,024 resources

    fn payload(&mut self) -> Option<&mut Payload> {
        match self {
            TrackerRequest::PublishPage { hashes, .. } | TrackerRequest::PublishWhole { hashes, .. } => {
                Some(hashes)
            }
            _ => None,
        }
    }

    fn is_hello(&self) -> bool {
        matches!(self, TrackerRequest::Hello { .. })
    }
}

impl Message for TrackerResponse {
    const BODY_BYTES_MAX: usize = PAGE_HASHES as usize * 32;
    const HEAD_BYTES_MAX: usize = 3 << 20; // 4,096 peers with long names in the answer to an announce

    fn payload(&mut self) -> Option<&mut Payload> {
        match self {
            TrackerResponse::Manifest(Ok(page)) => Some(&mut page.hashes),
            TrackerResponse::Revoked(Ok(page)) => Some(&mut page.part),
            _ => None,
        }
    }
}
