//! A tracker that misbehaves as a test tells it to. It runs inside the test's process, on loopback.

use shared::chunk::ChunkCount;
use shared::id::{PeerId, ResourceId, SwarmKey};
use shared::name::ResourceName;
use shared::rpc::tracker::{
    ANNOUNCE_MAX, Announce, AnnounceAnswer, AnnounceReply, AuthorityReply, CataloguePlace, Changes, Enrolled,
    Fleet, FleetMachine, FleetPlace, JoinAsk, LIST_MAX, ListEntry, Lookup, ManifestPage, Namesake,
    NotEnrolled, Offer, PeerEntry, Presence, Publication, PublishReply, RenewAsk, ResourceEntry, RevokedAsk,
    RevokedPage, Stage, Tracker, TrackerError, TrackerHello, TrackerWelcome, Unpublish, UnpublishReply,
};
use shared::rpc::wire::{self, Greeted, ServerOptions};
use shared::rpc::{PROTOCOL_VERSION, Payload};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tarpc::context::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

/// How a fake tracker misbehaves.
#[derive(Debug, Clone)]
pub enum Manners {
    /// It answers everything with these bytes.
    Sends(Vec<u8>),
    /// It sends one byte of its hello each second, so the hello never completes in time.
    Drips,
    /// It reads everything and never answers.
    IsSilent,
    /// It speaks the protocol and gives these answers.
    Says(Says),
}

/// The answers of a fake tracker that speaks the protocol.
#[derive(Debug, Clone)]
pub struct Says {
    /// The peers that it names, repeatedly, in every answer.
    pub peers: Vec<SocketAddr>,
    /// The interval after which it wants the next announce.
    pub interval_ms: u32,
    /// It asks for every manifest every time, and then for pages that do not exist.
    pub wants_manifests: bool,
    /// It says of every resource that it knows another list of chunks.
    pub disagrees: bool,
    /// It refuses every announce.
    pub refuses: bool,
    /// It refuses every publication.
    pub refuses_publications: bool,
    /// Its reply contains fewer answers than there were announces.
    pub forgets_answers: bool,
    /// Each connection has a new epoch and ends after one announce.
    pub is_reborn: bool,
    /// It knows every name, with a date a hundred years ahead and a manifest that it does not deliver.
    pub lies_about_names: bool,
    /// It answers each page of a listing with the same full page.
    pub circles: bool,
    /// What it publishes, with the hashes of its chunks.
    pub catalogue: Vec<(Publication, Vec<u8>)>,
}

impl Default for Says {
    fn default() -> Says {
        Says {
            peers: Vec::new(),
            interval_ms: 3_000,
            wants_manifests: false,
            disagrees: false,
            refuses: false,
            refuses_publications: false,
            forgets_answers: false,
            is_reborn: false,
            lies_about_names: false,
            circles: false,
            catalogue: Vec::new(),
        }
    }
}

/// A tracker that misbehaves, until it is dropped.
pub struct FakeTracker {
    addr: SocketAddr,
    counts: Arc<Counts>,
    _runtime: Runtime,
}

#[derive(Debug, Default)]
struct Counts {
    connections: AtomicU64,
    announces: AtomicU64,
    entries: AtomicU64,
    publishes: AtomicU64,
}

impl FakeTracker {
    /// Starts one on a free port of 127.0.0.1.
    pub fn start(manners: Manners) -> FakeTracker {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).expect("a free port");
        let addr = listener.local_addr().expect("its address");
        let counts = Arc::new(Counts::default());
        runtime.spawn(accept(listener, manners, counts.clone()));
        FakeTracker { addr, counts, _runtime: runtime }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("tt://{}", self.addr)
    }

    /// How many connections it has accepted.
    pub fn connections(&self) -> u64 {
        self.counts.connections.load(Ordering::Relaxed)
    }

    /// How many announces it has received, each of one or more resources.
    pub fn announces(&self) -> u64 {
        self.counts.announces.load(Ordering::Relaxed)
    }

    /// How many publications it was offered.
    pub fn publishes(&self) -> u64 {
        self.counts.publishes.load(Ordering::Relaxed)
    }
}

async fn accept(listener: TcpListener, manners: Manners, counts: Arc<Counts>) {
    while let Ok((stream, _)) = listener.accept().await {
        let epoch = counts.connections.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(converse(stream, manners.clone(), counts.clone(), epoch));
    }
}

async fn converse(mut stream: TcpStream, manners: Manners, counts: Arc<Counts>, connection: u64) {
    match manners {
        Manners::Sends(bytes) => {
            let _ = stream.write_all(&bytes).await; // the daemon may have closed the connection
            drain(stream).await;
        }
        Manners::Drips => {
            for byte in [0, 0, 0, 60].into_iter().chain(std::iter::repeat_n(0, 60)) {
                if stream.write_all(&[byte]).await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
        Manners::IsSilent => drain(stream).await,
        Manners::Says(says) => {
            let greeted = Greeted::new();
            let options = ServerOptions { greeted: greeted.clone(), ..ServerOptions::default() };
            let ends = says.is_reborn;
            let epoch = if ends { connection } else { 0 };
            let before = counts.announces.load(Ordering::Relaxed);
            let fake = Fake { says: Arc::new(says), counts: counts.clone(), greeted, epoch };
            let was_told = async {
                while !ends || counts.announces.load(Ordering::Relaxed) == before {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                tokio::time::sleep(Duration::from_millis(20)).await; // the answer must be sent first
            };
            tokio::select! {
                _ = wire::serve(stream, options, fake.serve()) => {}
                () = was_told => {}
            }
        }
    }
}

async fn drain(mut stream: TcpStream) {
    let mut bytes = [0; 4096];
    while stream.read(&mut bytes).await.is_ok_and(|read| read > 0) {}
}

#[derive(Clone)]
struct Fake {
    says: Arc<Says>,
    counts: Arc<Counts>,
    greeted: Greeted,
    epoch: u64,
}

impl Fake {
    fn published(&self) -> PublishReply {
        self.counts.publishes.fetch_add(1, Ordering::Relaxed);
        match self.says.wants_manifests {
            true => PublishReply::NeedPage(u32::MAX),
            false => PublishReply::Published(None),
        }
    }

    fn answer(&self, announce: &Announce) -> AnnounceAnswer {
        let entry = |addr: &SocketAddr| PeerEntry {
            addr: *addr,
            peer_id: PeerId([7; 16]),
            key: announce.key,
            stage: Stage::Seeding,
            have: announce.count.get(),
            count: announce.count,
            zone: String::new(),
            host: String::new(),
            node: None,
        };
        AnnounceAnswer {
            peers: self.says.peers.iter().map(entry).collect(),
            interval_ms: self.says.interval_ms,
            want_manifest: self.says.wants_manifests,
            conflict: self.says.disagrees,
            shared_at_ms: Some(u64::MAX),
            seeders: u32::MAX,
            leechers: u32::MAX,
            newer: Vec::new(),
            bytes: None,
            not_allowed: None,
        }
    }
}

/// A different swarm for each number, in the order of the numbers.
fn key(number: u16) -> SwarmKey {
    let mut id = [0; 32];
    id[..2].copy_from_slice(&number.to_be_bytes());
    SwarmKey { resource: ResourceId(id), digest: shared::id::ListDigest([9; 32]) }
}

impl Tracker for Fake {
    async fn hello(self, _: Context, hello: TrackerHello) -> Result<TrackerWelcome, TrackerError> {
        self.greeted.accept();
        let port = hello.peer.map_or(0, |peer| peer.listen_port);
        Ok(TrackerWelcome {
            version: PROTOCOL_VERSION,
            capabilities: u64::MAX,
            epoch: self.epoch,
            software: "\u{1b}[31mevil".to_owned(),
            your_address: SocketAddr::new(Ipv4Addr::BROADCAST.into(), port),
            of_your_node: u32::MAX,
        })
    }

    async fn announce(self, _: Context, entries: Vec<Announce>) -> Result<AnnounceReply, TrackerError> {
        self.counts.announces.fetch_add(1, Ordering::Relaxed);
        self.counts.entries.fetch_add(entries.len() as u64, Ordering::Relaxed);
        if self.says.refuses {
            return Err(TrackerError::Full("it does not like you".to_owned()));
        }
        let answers = entries.iter().map(|entry| self.answer(entry));
        let answers = answers.skip(usize::from(self.says.forgets_answers)).collect();
        Ok(AnnounceReply { answers, catalogue: CataloguePlace { epoch: self.epoch, sequence: u64::MAX } })
    }

    async fn withdraw(self, _: Context, _: Vec<SwarmKey>) -> Result<(), TrackerError> {
        Ok(())
    }

    async fn peers_of(self, _: Context, _: ResourceId) -> Result<Vec<PeerEntry>, TrackerError> {
        Ok(Vec::new())
    }

    async fn resources_of(
        self,
        _: Context,
        _: SocketAddr,
        _: Option<SwarmKey>,
    ) -> Result<Vec<ResourceEntry>, TrackerError> {
        let entry = |number: u16| ResourceEntry {
            key: key(number),
            name: None,
            stage: Stage::Seeding,
            have: 1,
            count: ChunkCount::new(1).expect("one is a count"),
        };
        let count = if self.says.circles { ANNOUNCE_MAX as u16 } else { 0 };
        Ok((0..count).map(entry).collect())
    }

    async fn publish(self, _: Context, _: Offer) -> Result<PublishReply, TrackerError> {
        Ok(self.published())
    }

    async fn publish_whole(
        self,
        _: Context,
        offers: Vec<Offer>,
        _: Payload,
    ) -> Result<Vec<Result<PublishReply, TrackerError>>, TrackerError> {
        let full = || Err(TrackerError::Full("it has enough".to_owned()));
        let refuses = self.says.refuses_publications;
        Ok(offers.iter().map(|_| if refuses { full() } else { Ok(self.published()) }).collect())
    }

    async fn in_the_way(
        self,
        _: Context,
        _: ResourceName,
        _: SwarmKey,
    ) -> Result<Option<Namesake>, TrackerError> {
        Ok(None)
    }

    async fn unpublish(
        self,
        _: Context,
        _: ResourceName,
        _: SwarmKey,
        _: Unpublish,
    ) -> Result<UnpublishReply, TrackerError> {
        Ok(UnpublishReply::Unpublished)
    }

    async fn authority(self, _: Context) -> Result<AuthorityReply, NotEnrolled> {
        Err(NotEnrolled::NoAuthority)
    }

    async fn join(self, _: Context, _: JoinAsk) -> Result<Enrolled, NotEnrolled> {
        Err(NotEnrolled::NoAuthority)
    }

    async fn renew(self, _: Context, _: RenewAsk) -> Result<Enrolled, NotEnrolled> {
        Err(NotEnrolled::NoAuthority)
    }

    async fn changes(self, _: Context, _: CataloguePlace, _: u32) -> Result<Changes, TrackerError> {
        let place = CataloguePlace { epoch: self.epoch, sequence: u64::MAX };
        Ok(Changes { place, changes: Vec::new(), more: true, poll_ms: 0, now_ms: u64::MAX })
    }

    async fn revoked(self, _: Context, _: RevokedAsk) -> Result<RevokedPage, TrackerError> {
        Ok(RevokedPage { number: 0, bytes_total: 0, part: Payload::default() })
    }

    async fn publish_page(
        self,
        _: Context,
        _: SwarmKey,
        _: u32,
        _: Payload,
    ) -> Result<PublishReply, TrackerError> {
        Ok(PublishReply::Published(None))
    }

    async fn find(self, _: Context, what: Lookup) -> Result<Vec<ListEntry>, TrackerError> {
        let Lookup::Name(name) = what else { return Ok(Vec::new()) };
        if !self.says.lies_about_names {
            let published = self.says.catalogue.iter().map(|(publication, _)| publication);
            let entry = |publication: &Publication| ListEntry {
                publication: publication.clone(),
                seeders: 1,
                leechers: 0,
            };
            return Ok(published.filter(|publication| publication.name == name).map(entry).collect());
        }
        let key = SwarmKey { resource: ResourceId([9; 32]), digest: shared::id::ListDigest([9; 32]) };
        let count = ChunkCount::new(shared::chunk::CHUNKS_MAX).expect("it may have so many");
        let publication = Publication {
            name,
            key,
            count,
            trackers: Vec::new(),
            shared_at_ms: u64::MAX,
            bytes: None,
            signature: None,
        };
        Ok(vec![ListEntry { publication, seeders: u32::MAX, leechers: 0 }])
    }

    async fn manifest(self, _: Context, key: SwarmKey, _: u32) -> Result<ManifestPage, TrackerError> {
        if let Some((_, hashes)) = self.says.catalogue.iter().find(|(publication, _)| publication.key == key)
        {
            return Ok(ManifestPage { hashes: bytes::Bytes::from(hashes.clone()).into() });
        }
        Ok(ManifestPage { hashes: bytes::Bytes::from_static(&[9; 31]).into() })
    }

    async fn list(self, _: Context, _: Option<ResourceName>) -> Result<Vec<ListEntry>, TrackerError> {
        let entry = |number: u16| {
            let (name, count) = (format!("{number:05}").parse(), ChunkCount::new(1));
            let (name, count) = (name.expect("digits are a name"), count.expect("one is a count"));
            let publication = Publication {
                name,
                key: key(number),
                count,
                trackers: Vec::new(),
                shared_at_ms: 0,
                bytes: None,
                signature: None,
            };
            ListEntry { publication, seeders: 1, leechers: 0 }
        };
        let count = if self.says.circles { LIST_MAX as u16 } else { 0 };
        Ok((0..count).map(entry).collect())
    }

    async fn fleet(
        self,
        _: Context,
        _: Lookup,
        _: Option<FleetPlace>,
        _: u32,
    ) -> Result<Fleet, TrackerError> {
        if !self.says.circles {
            return Err(TrackerError::Unknown);
        }
        let (addr, peer_id) = (SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 9), PeerId([7; 16]));
        let machine = FleetMachine {
            addr,
            peer_id,
            key: key(1),
            zone: String::new(),
            presence: Presence::Here,
            have: 1,
            count: ChunkCount::new(1).expect("one is a count"),
            bytes_per_s: None,
            seen_ms: 0,
            still_ms: 0,
            host: String::new(),
            node: None,
        };
        let next = Some(FleetPlace { key: key(1), addr, peer_id });
        Ok(Fleet {
            resource: Some(key(1).resource),
            seeders: 1,
            machines: vec![machine],
            next,
            ..Fleet::default()
        })
    }

    async fn clock(self, _: Context) -> Result<u64, TrackerError> {
        Ok(u64::MAX)
    }
}
