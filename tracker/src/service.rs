//! The calls: each is a short visit to the registry.

use crate::date::{Date, clock_ms};
use crate::pace::{CALL, PAGE, Pace};
use crate::pool::Place;
use shared::chunk::ChunkCount;
use shared::id::{ResourceId, SwarmKey};
use shared::name::ResourceName;
use shared::registry::{Limits, Refusal, Registry, Who, known_as, seen_from};
use shared::rpc::peer::ZONE_BYTES_MAX;
use shared::rpc::tracker::{
    Announce, AnnounceReply, Fleet, FleetPlace, ListEntry, Lookup, ManifestPage, PeerEntry, Publication,
    PublishReply, ResourceEntry, Tracker, TrackerError, TrackerHello, TrackerWelcome,
};
use shared::rpc::wire::Greeted;
use shared::rpc::{PROTOCOL_VERSION, Payload, WrongVersion};
use shared::swarm::Time;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;
use tarpc::context::Context;

/// What all connections share.
#[derive(Debug)]
pub(crate) struct State {
    registry: Mutex<Registry>,
    start: Instant,
    date: Date,
    epoch: u64,
}

impl State {
    pub(crate) fn new(limits: Limits) -> State {
        let registry = Mutex::new(Registry::new(limits, rand::random()));
        State { registry, start: Instant::now(), date: Date::new(), epoch: rand::random() }
    }

    pub(crate) fn expire(&self) {
        let now = self.now();
        self.registry().expire(now);
    }

    pub(crate) fn set_limits(&self, limits: Limits) {
        self.registry().set_limits(limits);
    }

    /// How much there is, in a few words.
    pub(crate) fn status(&self, connections: usize) -> String {
        let size = self.registry().size();
        let (swarms, entries, published) = (size.swarms, size.entries, size.publications);
        format!("connections {connections}, swarms {swarms}, entries {entries}, published {published}")
    }

    pub(crate) fn report(&self, connections: usize) {
        let size = self.registry().size();
        tracing::info!(
            connections,
            entries = size.entries,
            swarms = size.swarms,
            publications = size.publications,
            catalogue_bytes = size.catalogue_bytes,
            "the tracker holds"
        );
    }

    /// Taken once per call, and never across an await: all calls are answered at once.
    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Time {
        Time::default() + self.start.elapsed()
    }
}

/// One connection; clones are the same one.
#[derive(Debug, Clone)]
pub(crate) struct Connection(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Arc<State>,
    place: Place,
    greeted: Greeted,
    pace: Pace,
    /// The other side's address, and ours on this connection.
    asker: IpAddr,
    own: IpAddr,
    /// Set by hello; `None` for one who only asks.
    who: OnceLock<Option<Who>>,
}

impl Connection {
    pub(crate) fn new(
        state: Arc<State>,
        place: Place,
        greeted: Greeted,
        asker: IpAddr,
        own: IpAddr,
    ) -> Connection {
        Connection(Arc::new(Inner {
            state,
            place,
            greeted,
            pace: Pace::new(),
            asker,
            own,
            who: OnceLock::new(),
        }))
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.0.state.registry()
    }

    fn now(&self) -> Time {
        self.0.state.now()
    }

    /// The caller as a peer.
    fn peer(&self) -> Result<&Who, TrackerError> {
        let who = self.0.who.get().and_then(Option::as_ref);
        who.ok_or_else(|| TrackerError::Malformed("only a peer can do this, and hello named none".into()))
    }

    fn check_hello(&self, hello: TrackerHello) -> Result<TrackerWelcome, TrackerError> {
        if hello.version != PROTOCOL_VERSION {
            return Err(TrackerError::Version(WrongVersion { ours: PROTOCOL_VERSION }));
        }
        let malformed = |what: &str| TrackerError::Malformed(what.to_owned());
        let who = match hello.peer {
            None => None,
            Some(peer) if peer.listen_port == 0 => return Err(malformed("a peer that listens on port 0")),
            Some(peer) if peer.zone.len() > ZONE_BYTES_MAX => {
                return Err(malformed("a zone that is too long"));
            }
            Some(peer) => Some(Who {
                addr: SocketAddr::new(self.0.asker, peer.listen_port),
                peer_id: peer.peer_id,
                zone: peer.zone.into(),
            }),
        };
        let port = who.as_ref().map_or(0, |who| who.addr.port());
        self.0.who.set(who).map_err(|_| malformed("hello was said before"))?;
        Ok(TrackerWelcome {
            version: PROTOCOL_VERSION,
            capabilities: 0,
            epoch: self.0.state.epoch,
            software: concat!("tt-tracker ", env!("CARGO_PKG_VERSION")).to_owned(),
            your_address: SocketAddr::new(self.0.asker, port),
        })
    }

    /// Peers as the caller should see them.
    fn seen(&self, mut peers: Vec<PeerEntry>) -> Vec<PeerEntry> {
        for peer in &mut peers {
            peer.addr = seen_from(peer.addr, self.0.asker, self.0.own);
        }
        peers
    }
}

/// What a connection was publishing is gone with it.
impl Drop for Inner {
    fn drop(&mut self) {
        self.state.registry().forget_upload(self.place.id());
    }
}

impl Tracker for Connection {
    async fn hello(self, _: Context, hello: TrackerHello) -> Result<TrackerWelcome, TrackerError> {
        let welcome = self.check_hello(hello);
        match &welcome {
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
        self.0.pace.turn(CALL + entries.len() as u32).await;
        let answers = self.registry().announce(self.now(), self.peer()?, &entries);
        let mut answers = answers.map_err(error)?;
        for answer in &mut answers {
            answer.peers = self.seen(std::mem::take(&mut answer.peers));
        }
        Ok(AnnounceReply { answers })
    }

    async fn withdraw(self, _: Context, keys: Vec<SwarmKey>) -> Result<(), TrackerError> {
        self.0.pace.turn(CALL + keys.len() as u32).await;
        self.registry().withdraw(self.now(), self.peer()?, &keys).map_err(error)
    }

    async fn peers_of(self, _: Context, resource: ResourceId) -> Result<Vec<PeerEntry>, TrackerError> {
        self.0.pace.turn(CALL).await;
        let peers = self.registry().peers_of(self.now(), resource);
        Ok(self.seen(peers))
    }

    async fn resources_of(
        self,
        _: Context,
        peer: SocketAddr,
        after: Option<SwarmKey>,
    ) -> Result<Vec<ResourceEntry>, TrackerError> {
        self.0.pace.turn(PAGE).await;
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let registry = self.registry();
        let known = known_as(peer, self.0.own).map(|addr| registry.resources_of(self.now(), addr, after));
        Ok(known.into_iter().find(|entries| !entries.is_empty()).unwrap_or_default())
    }

    async fn publish(self, _: Context, publication: Publication) -> Result<PublishReply, TrackerError> {
        self.0.pace.turn(CALL).await;
        self.peer()?;
        let (name, key, count) = (publication.name.clone(), publication.key, publication.count);
        let reply =
            self.registry().publish(self.now(), self.0.state.date.now_ms(), self.0.place.id(), publication);
        log_publish(self.0.asker, Some(&name), key, Some(count), &reply);
        reply.map_err(error)
    }

    async fn publish_page(
        self,
        _: Context,
        key: SwarmKey,
        page: u32,
        hashes: Payload,
    ) -> Result<PublishReply, TrackerError> {
        self.0.pace.turn(PAGE).await;
        let id = self.0.place.id();
        let reply = self.registry().publish_page(self.now(), id, key, page, &hashes.bytes);
        log_publish(self.0.asker, None, key, None, &reply);
        reply.map_err(error)
    }

    async fn find(self, _: Context, what: Lookup) -> Result<Option<Publication>, TrackerError> {
        self.0.pace.turn(CALL).await;
        Ok(self.registry().find(&what))
    }

    async fn manifest(self, _: Context, key: SwarmKey, page: u32) -> Result<ManifestPage, TrackerError> {
        self.0.pace.turn(PAGE).await;
        let hashes = self.registry().manifest(key, page).map_err(error)?;
        Ok(ManifestPage { hashes: hashes.into() })
    }

    async fn list(self, _: Context, after: Option<ResourceName>) -> Result<Vec<ListEntry>, TrackerError> {
        self.0.pace.turn(PAGE).await;
        Ok(self.registry().list(after.as_ref()))
    }

    async fn fleet(
        self,
        _: Context,
        resource: ResourceId,
        after: Option<FleetPlace>,
        machines_max: u32,
    ) -> Result<Fleet, TrackerError> {
        self.0.pace.turn(PAGE).await;
        let mut fleet = self.registry().fleet(self.now(), resource, after, machines_max as usize);
        for machine in &mut fleet.machines {
            machine.addr = seen_from(machine.addr, self.0.asker, self.0.own);
        }
        Ok(fleet)
    }

    async fn clock(self, _: Context) -> Result<u64, TrackerError> {
        self.0.pace.turn(CALL).await;
        Ok(clock_ms())
    }
}

fn error(refusal: Refusal) -> TrackerError {
    match refusal {
        Refusal::Malformed(what) => TrackerError::Malformed(what),
        Refusal::Full(what) => TrackerError::Full(what),
        Refusal::Unknown => TrackerError::Unknown,
        Refusal::Conflict => TrackerError::Conflict,
    }
}

fn log_publish(
    asker: IpAddr,
    name: Option<&ResourceName>,
    key: SwarmKey,
    count: Option<ChunkCount>,
    reply: &Result<PublishReply, Refusal>,
) {
    let (name, count) = (name.map(ResourceName::as_str), count.map(ChunkCount::get));
    match reply {
        Ok(PublishReply::Published) => {
            tracing::info!(%asker, name, chunks = count, resource = %key.resource, "published");
        }
        Ok(PublishReply::NeedPage(page)) => {
            tracing::debug!(%asker, name, chunks = count, page, resource = %key.resource, "publishing");
        }
        Err(refusal) => {
            tracing::warn!(%asker, name, chunks = count, resource = %key.resource, ?refusal, "not published");
        }
    }
}
