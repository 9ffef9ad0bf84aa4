//! Answers the calls. Each call accesses the registry briefly. What the caller may do and see is decided in `allowed`.

use crate::allowed;
use crate::call_rate::{CALL, CallRate, HASHES, OFFER, PAGE, PASSED, WALKED};
use crate::caller::Caller;
use crate::diary::{Published, error, log_publish, log_unpublish};
use crate::door::Stranger;
use crate::enrol::Asker;
use crate::follow::Following;
use crate::lines::Lines;
use crate::memory::{Refusal, Registry, Who, known_as, seen_from};
use crate::pool::ConnectionPlace;
use crate::rights::Granted;
use crate::rules::is_dialable;
use crate::state::TrackerState;
use shared::hostname::{HOSTNAME_BYTES_MAX, cleaned};
use shared::id::{ResourceId, SwarmKey};
use shared::identity::Node;
use shared::name::ResourceName;
use shared::rpc::peer::ZONE_BYTES_MAX;
use shared::rpc::tracker::{
    ANNOUNCE_MAX, Announce, AnnounceReply, AuthorityReply, CataloguePlace, Changes, Enrolled, Fleet,
    FleetPlace, JoinAsk, LIST_MAX, ListEntry, Lookup, ManifestPage, Namesake, NotEnrolled, OFFERS_MAX, Offer,
    PAGE_HASHES, PeerEntry, PublishReply, RenewAsk, ResourceEntry, RevokedAsk, RevokedPage, Right, Tracker,
    TrackerError, TrackerHello, TrackerWelcome, Unpublish, UnpublishReply,
};
use shared::rpc::wire::Greeted;
use shared::rpc::{PROTOCOL_VERSION, Payload, WrongVersion};
use shared::swarm::Time;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tarpc::context::Context;

/// The service of one connection. Clones share its state.
#[derive(Debug, Clone)]
pub(crate) struct TrackerConnection(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Arc<TrackerState>,
    place: ConnectionPlace,
    greeted: Greeted,
    call_rate: CallRate,
    /// The log lines about names that it unpublishes.
    lines: Lines,
    /// The other side's IP address.
    asker: IpAddr,
    /// Our IP address on this connection.
    own: IpAddr,
    /// Who the caller is by its certificate; `None` for a caller without one.
    node: Option<Node>,
    /// Set if it was let in without a certificate only to ask for one.
    stranger: Option<Stranger>,
    is_encrypted: bool,
    /// Set by hello; `None` inside for a caller that only asks questions.
    who: OnceLock<Option<Who>>,
    /// The name and size of the manifest that it is publishing in pages, for the log.
    publishing: Mutex<Option<Published>>,
}

impl TrackerConnection {
    pub(crate) fn new(
        state: Arc<TrackerState>,
        place: ConnectionPlace,
        greeted: Greeted,
        caller: Caller,
    ) -> TrackerConnection {
        let Caller { asker, own, node, stranger, is_encrypted } = caller;
        TrackerConnection(Arc::new(Inner {
            state,
            place,
            greeted,
            call_rate: CallRate::new(),
            lines: Lines::new(),
            asker,
            own,
            node,
            stranger,
            is_encrypted,
            who: OnceLock::new(),
            publishing: Mutex::default(),
        }))
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.0.state.registry()
    }

    /// What the caller may do now.
    fn granted(&self) -> Granted {
        self.0.state.rules().rights.of(self.0.node.as_ref())
    }

    /// Whether the caller has no certificate, and was let in only to ask for one. Every other call is refused.
    fn is_stranger(&self) -> bool {
        self.0.stranger.is_some()
    }

    /// Waits for the turn of a call that a stranger may not make.
    async fn turn(&self, cost: u32) -> Result<(), TrackerError> {
        self.check_member()?;
        self.0.call_rate.turn(cost).await;
        Ok(())
    }

    /// Refuses what a stranger may not do, and notes that it tried.
    fn check_member(&self) -> Result<(), TrackerError> {
        let Some(stranger) = &self.0.stranger else { return Ok(()) };
        stranger.overreaches();
        Err(TrackerError::NoCertificate)
    }

    /// Refuses to publish a name, or to take it back.
    fn may_publish(&self, name: &ResourceName) -> Result<(), TrackerError> {
        self.granted().may(Right::Publish, name).map_err(|why| {
            tracing::debug!(%name, by = %self.0.asker, error = %why, "not allowed");
            TrackerError::NotAllowed(why)
        })
    }

    /// The caller as one that asks for a certificate.
    fn for_certificate(&self) -> Asker {
        Asker { addr: self.0.asker, is_encrypted: self.0.is_encrypted }
    }

    fn publishing(&self) -> MutexGuard<'_, Option<Published>> {
        self.0.publishing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Time {
        self.0.state.now()
    }

    /// The caller as a peer, or an error if it only asks questions.
    fn peer(&self) -> Result<&Who, TrackerError> {
        self.check_member()?;
        let who = self.0.who.get().and_then(Option::as_ref);
        who.ok_or_else(|| TrackerError::Malformed("only a peer can do this, and the hello named none".into()))
    }

    fn check_hello(&self, hello: TrackerHello) -> Result<TrackerWelcome, TrackerError> {
        if hello.version != PROTOCOL_VERSION {
            return Err(TrackerError::Version(WrongVersion { ours: PROTOCOL_VERSION }));
        }
        if hello.peer.is_some() {
            self.check_member()?;
        }
        let malformed = |what: &str| TrackerError::Malformed(what.to_owned());
        let who = match hello.peer {
            None => None,
            Some(peer) if peer.listen_port == 0 => return Err(malformed("the listening port is 0")),
            Some(peer) if peer.zone.len() > ZONE_BYTES_MAX => {
                return Err(malformed("the zone is too long"));
            }
            Some(peer) if peer.host.len() > HOSTNAME_BYTES_MAX => {
                return Err(malformed("a host name that is too long"));
            }
            Some(peer) if peer.advertise.is_some_and(|addr| !is_dialable(addr)) => {
                return Err(malformed("an advertised address that nobody can listen on"));
            }
            Some(peer) => Some(Who {
                addr: self.0.state.rules().address_of(self.0.asker, self.0.node.is_some(), &peer),
                peer_id: peer.peer_id,
                zone: peer.zone.into(),
                host: cleaned(&peer.host).into(),
                node: self.0.node.as_ref().map(|node| node.name.clone()),
            }),
        };
        let your_address = who.as_ref().map_or(SocketAddr::new(self.0.asker, 0), |who| who.addr);
        let mut registry = self.registry();
        if let Some(owner) = who.as_ref().and_then(|who| registry.owner_in_the_way(who)) {
            return Err(TrackerError::Malformed(format!(
                "the id in the hello belongs to the machine {owner}"
            )));
        }
        self.0.who.set(who).map_err(|_| malformed("hello was sent twice"))?;
        let peer = self.0.who.get().and_then(Option::as_ref);
        peer.inspect(|who| registry.arrive(who));
        let of_your_node = match &self.0.node {
            Some(node) if peer.is_none() => registry.connected_as(&node.name),
            _ => 0,
        };
        drop(registry);
        Ok(TrackerWelcome {
            version: PROTOCOL_VERSION,
            capabilities: 0,
            epoch: self.0.state.epoch(),
            software: concat!("tt-tracker ", env!("CARGO_PKG_VERSION")).to_owned(),
            your_address,
            of_your_node,
        })
    }

    /// Peers with the addresses that the caller can use.
    fn seen(&self, mut peers: Vec<PeerEntry>) -> Vec<PeerEntry> {
        for peer in &mut peers {
            peer.addr = seen_from(peer.addr, self.0.asker, self.0.own);
        }
        peers
    }
}

impl TrackerConnection {
    /// A namesake with an address that the caller can use.
    fn seen_namesake(&self, other: Namesake) -> Namesake {
        Namesake { by: self.seen_address(other.by), ..other }
    }

    fn seen_address(&self, addr: SocketAddr) -> SocketAddr {
        seen_from(addr, self.0.asker, self.0.own)
    }

    fn published(&self, reply: Result<PublishReply, Refusal>) -> Result<PublishReply, TrackerError> {
        match reply {
            Ok(PublishReply::Published(Some(other))) => {
                Ok(PublishReply::Published(Some(self.seen_namesake(other))))
            }
            Err(Refusal::Taken(other)) => Err(TrackerError::Taken(self.seen_namesake(*other))),
            reply => reply.map_err(error),
        }
    }
}

/// When the connection ends, its unfinished manifest is dropped, and its peer's entries rank after those of peers that
/// are connected.
impl Drop for Inner {
    fn drop(&mut self) {
        let (now, mut registry) = (self.state.now(), self.state.registry());
        registry.forget_upload(self.place.id());
        if let Some(Some(who)) = self.who.get() {
            registry.depart(now, who);
        }
    }
}

impl Tracker for TrackerConnection {
    async fn hello(self, _: Context, hello: TrackerHello) -> Result<TrackerWelcome, TrackerError> {
        let welcome = self.check_hello(hello);
        match &welcome {
            // It makes room for others until it comes back with a certificate.
            Ok(_) if self.is_stranger() => self.0.greeted.accept_narrow(),
            Ok(_) => {
                self.0.greeted.accept();
                self.0.place.keep();
            }
            Err(error) => {
                tracing::debug!(asker = %self.0.asker, %error, "hello refused");
                self.0.greeted.refuse();
            }
        }
        welcome
    }

    async fn announce(self, _: Context, entries: Vec<Announce>) -> Result<AnnounceReply, TrackerError> {
        let walked = self.registry().breadth_of_announce(self.peer()?, &entries) as u32;
        self.turn(CALL + entries.len() as u32 + walked / WALKED).await?;
        let answers =
            allowed::announce(&self.granted(), &mut self.registry(), self.now(), self.peer()?, &entries);
        let mut answers = answers.map_err(error)?;
        for answer in &mut answers {
            answer.peers = self.seen(std::mem::take(&mut answer.peers));
            let newer = std::mem::take(&mut answer.newer);
            answer.newer = newer.into_iter().map(|other| self.seen_namesake(other)).collect();
        }
        let (epoch, sequence) = (self.0.state.epoch(), self.registry().sequence());
        Ok(AnnounceReply { answers, catalogue: CataloguePlace { epoch, sequence } })
    }

    async fn withdraw(self, _: Context, keys: Vec<SwarmKey>) -> Result<(), TrackerError> {
        self.turn(CALL + keys.len() as u32).await?;
        self.registry().withdraw(self.now(), self.peer()?, &keys).map_err(error)
    }

    async fn peers_of(self, _: Context, resource: ResourceId) -> Result<Vec<PeerEntry>, TrackerError> {
        self.turn(CALL).await?;
        allowed::may_see(&self.granted(), &self.registry(), Right::Fetch, resource)?;
        let peers = self.registry().peers_of(self.now(), resource);
        Ok(self.seen(peers))
    }

    async fn resources_of(
        self,
        _: Context,
        peer: SocketAddr,
        after: Option<SwarmKey>,
    ) -> Result<Vec<ResourceEntry>, TrackerError> {
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let (granted, mut after, mut shown) = (self.granted(), after, Vec::new());
        loop {
            self.turn(PAGE).await?;
            let known =
                known_as(peer, self.0.own).map(|addr| self.registry().resources_of(self.now(), addr, after));
            let mut page = known.into_iter().find(|entries| !entries.is_empty()).unwrap_or_default();
            let is_last = page.len() < ANNOUNCE_MAX;
            after = page.last().map(|entry| entry.key);
            allowed::only_fetchable_resources(&granted, &mut page);
            shown.append(&mut page);
            if is_last || shown.len() >= ANNOUNCE_MAX {
                shown.truncate(ANNOUNCE_MAX);
                return Ok(shown);
            }
        }
    }

    async fn publish(self, _: Context, offer: Offer) -> Result<PublishReply, TrackerError> {
        self.turn(CALL).await?;
        self.may_publish(&offer.publication.name)?;
        let by = self.peer()?.addr;
        let (what, key) = (Published::from(&offer.publication), offer.publication.key);
        let (now, wall_ms) = (self.now(), self.0.state.date_ms());
        let reply = self.registry().publish(now, wall_ms, self.0.place.id(), by, offer);
        log_publish(self.0.asker, Some(&what), key, &reply);
        *self.publishing() = Some(what);
        self.published(reply)
    }

    async fn publish_page(
        self,
        _: Context,
        key: SwarmKey,
        page: u32,
        hashes: Payload,
    ) -> Result<PublishReply, TrackerError> {
        self.turn(PAGE).await?;
        let (now, wall_ms, id) = (self.now(), self.0.state.date_ms(), self.0.place.id());
        let reply = self.registry().publish_page(now, wall_ms, id, key, page, &hashes.bytes);
        let what = self.publishing().clone();
        log_publish(self.0.asker, what.as_ref(), key, &reply);
        self.published(reply)
    }

    async fn publish_whole(
        self,
        _: Context,
        offers: Vec<Offer>,
        hashes: Payload,
    ) -> Result<Vec<Result<PublishReply, TrackerError>>, TrackerError> {
        let all_hashes = hashes.bytes.len().div_ceil(32) as u32;
        self.turn(CALL + OFFER * offers.len() as u32 + all_hashes / HASHES).await?;
        let by = self.peer()?.addr;
        if offers.len() > OFFERS_MAX {
            return Err(TrackerError::Malformed(format!("more than {OFFERS_MAX} manifests in one call")));
        }
        let counts = offers.iter().map(|offer| u64::from(offer.publication.count.get()));
        let count = counts.sum::<u64>();
        if count > u64::from(PAGE_HASHES) || count * 32 != hashes.bytes.len() as u64 {
            return Err(TrackerError::Malformed("the number of hashes is wrong".to_owned()));
        }
        let mut bytes = &hashes.bytes[..];
        let mut replies = Vec::with_capacity(offers.len());
        for offer in offers {
            let (what, key) = (Published::from(&offer.publication), offer.publication.key);
            let own;
            (own, bytes) = bytes.split_at(what.count.get() as usize * 32);
            if let Err(error) = self.may_publish(&what.name) {
                replies.push(Err(error));
                continue;
            }
            let (now, wall_ms) = (self.now(), self.0.state.date_ms());
            let reply = self.registry().publish_whole(now, wall_ms, by, offer, own);
            log_publish(self.0.asker, Some(&what), key, &reply);
            replies.push(self.published(reply));
        }
        Ok(replies)
    }

    async fn in_the_way(
        self,
        _: Context,
        name: ResourceName,
        key: SwarmKey,
    ) -> Result<Option<Namesake>, TrackerError> {
        self.turn(CALL).await?;
        self.may_publish(&name)?;
        let by = self.peer()?.addr;
        let other = self.registry().in_the_way(self.now(), by, &name, key);
        Ok(other.map(|other| self.seen_namesake(other)))
    }

    async fn unpublish(
        self,
        _: Context,
        name: ResourceName,
        key: SwarmKey,
        how: Unpublish,
    ) -> Result<UnpublishReply, TrackerError> {
        self.turn(CALL).await?;
        self.may_publish(&name)?;
        let (was_published, reply) = {
            let (mut registry, now, who) = (self.registry(), self.now(), self.peer()?);
            (registry.is_published(&name, key), registry.unpublish(now, who, &name, key, how))
        };
        match was_published && self.0.lines.take() {
            true => log_unpublish(self.0.asker, &name, key, &reply),
            false => {
                tracing::debug!(%name, id = %key.resource, by = %self.0.asker, ?reply, "asked to unpublish")
            }
        }
        match reply {
            Ok(UnpublishReply::SharedBy(other)) => Ok(UnpublishReply::SharedBy(self.seen_address(other))),
            Err(Refusal::NotYours(other)) => Err(TrackerError::NotYours(self.seen_address(other))),
            reply => reply.map_err(error),
        }
    }

    async fn find(self, _: Context, what: Lookup) -> Result<Vec<ListEntry>, TrackerError> {
        let walked = self.registry().breadth(&what) as u32;
        self.turn(CALL + walked / WALKED).await?;
        let granted = self.granted();
        allowed::may_ask(&granted, Right::Fetch, &what)?;
        let mut found = self.registry().find(self.now(), &what);
        allowed::only_fetchable(&granted, &mut found);
        Ok(found)
    }

    async fn manifest(self, _: Context, key: SwarmKey, page: u32) -> Result<ManifestPage, TrackerError> {
        self.turn(PAGE).await?;
        let registry = self.registry();
        allowed::may_read(&self.granted(), &registry, key)?;
        let hashes = registry.manifest(key, page).map_err(error)?;
        Ok(ManifestPage { hashes: hashes.into() })
    }

    async fn list(self, _: Context, after: Option<ResourceName>) -> Result<Vec<ListEntry>, TrackerError> {
        let (granted, mut after, mut shown) = (self.granted(), after, Vec::new());
        loop {
            self.turn(PAGE).await?;
            let mut page = self.registry().list(self.now(), after.as_ref());
            let is_last = page.len() < LIST_MAX;
            after = page.last().map(|entry| entry.publication.name.clone());
            allowed::only_fetchable(&granted, &mut page);
            shown.append(&mut page);
            if is_last || shown.len() >= LIST_MAX {
                shown.truncate(LIST_MAX);
                return Ok(shown);
            }
        }
    }

    async fn fleet(
        self,
        _: Context,
        what: Lookup,
        after: Option<FleetPlace>,
        machines_max: u32,
    ) -> Result<Fleet, TrackerError> {
        let (publications, members) = self.registry().breadth_of_fleet(self.now(), &what);
        self.turn(PAGE + publications as u32 / WALKED + members as u32 / PASSED).await?;
        let granted = self.granted();
        allowed::may_ask(&granted, Right::Watch, &what)?;
        if let Lookup::Resource(resource) = what {
            allowed::may_see(&granted, &self.registry(), Right::Watch, resource)?;
        }
        let mut fleet = self.registry().fleet(self.now(), &what, after, machines_max as usize);
        for machine in fleet.machines.iter_mut().chain(&mut fleet.some_outdated) {
            machine.addr = seen_from(machine.addr, self.0.asker, self.0.own);
        }
        Ok(fleet)
    }

    async fn changes(self, _: Context, since: CataloguePlace, max: u32) -> Result<Changes, TrackerError> {
        self.turn(CALL).await?;
        let (granted, mut following) = (self.granted(), Following::new(self.0.state.epoch(), since, max));
        following.look(&self.registry(), &granted, self.now());
        while !following.is_complete() {
            self.turn(PAGE).await?;
            following.look(&self.registry(), &granted, self.now());
        }
        Ok(following.answer(self.0.place.all(), self.0.state.date_ms()))
    }

    async fn clock(self, _: Context) -> Result<u64, TrackerError> {
        self.turn(CALL).await?;
        Ok(self.0.state.date_ms())
    }

    async fn authority(self, _: Context) -> Result<AuthorityReply, NotEnrolled> {
        self.0.call_rate.turn(CALL).await;
        self.0.state.enrolment().authority()
    }

    async fn join(self, _: Context, ask: JoinAsk) -> Result<Enrolled, NotEnrolled> {
        self.0.call_rate.turn(CALL).await;
        self.0.state.enrolment().join(self.for_certificate(), ask).await
    }

    async fn renew(self, _: Context, ask: RenewAsk) -> Result<Enrolled, NotEnrolled> {
        self.0.call_rate.turn(CALL).await;
        self.0.state.enrolment().renew(self.for_certificate(), ask).await
    }

    async fn revoked(self, _: Context, ask: RevokedAsk) -> Result<RevokedPage, TrackerError> {
        if self.is_stranger() {
            return Err(TrackerError::NoCertificate); // whoever has just joined asks
        }
        self.turn(PAGE).await?;
        Ok(self.0.state.enrolment().revoked(ask))
    }
}
