//! A peer that claims to have everything and is asked for it.

use super::distort::distort;
use super::way::Way;
use crate::Tracker;
use shared::chunk::{CHUNK_BYTES, ChunkIndex};
use shared::id::{PeerId, SwarmKey};
use shared::manifest::Manifest;
use shared::rpc::PROTOCOL_VERSION;
use shared::rpc::peer::{
    ChunkReply, HaveNews, Hello, HelloRefused, NewsReply, NewsRequest, NewsUpdate, Peer, PickReply,
    Subscriptions, Welcome,
};
use shared::rpc::tracker::{Announce, Stage};
use shared::rpc::tracker::{TrackedPeer, TrackerCaller, TrackerHello};
use shared::rpc::wire::{self, ClientOptions, Greeted, ServerOptions};
use shared::window::Window;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;
use tarpc::context::Context;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;

const SOON: Duration = Duration::from_secs(10);
/// How often it announces itself to the tracker.
const ANNOUNCE_EVERY: Duration = Duration::from_millis(500);

/// A peer that claims to have all of a resource. Dropping it ends it.
#[derive(Debug)]
pub struct FalseSeeder {
    _runtime: Runtime,
    addr: SocketAddr,
    asked: Arc<AtomicU64>,
}

impl FalseSeeder {
    /// Starts one on 127.0.0.1 that announces itself to the tracker and knows the right bytes.
    pub fn start(tracker: &Tracker, manifest: &Manifest, bytes: &[u8], way: Way) -> FalseSeeder {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).expect("a free port");
        let addr = listener.local_addr().expect("it listens");
        let id = match way {
            Way::Id(id) => id,
            _ => (u128::from(addr.port()) << 64 | 0xbad).to_be_bytes(),
        };
        let asked = Arc::new(AtomicU64::new(0));
        let (key, count) = (manifest.key(), manifest.count());
        let liar = Liar {
            way,
            id: PeerId(id),
            key,
            bytes: bytes.to_vec().into(),
            greeted: Greeted::new(),
            asked: asked.clone(),
            wrong: Arc::default(),
            answers: Arc::default(),
            subscribed: watch::Sender::new(false),
        };
        let announce = Announce {
            key,
            stage: Stage::Seeding,
            have: count.get(),
            count,
            peers_wanted: 0,
            names: Vec::new(),
            bytes: None,
        };
        let tracked = TrackedPeer {
            peer_id: PeerId(id),
            listen_port: addr.port(),
            zone: String::new(),
            host: String::new(),
            advertise: None,
        };
        runtime.spawn(announce_for_ever(tracker.addr(), tracked, announce));
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(liar.clone().serve(stream));
            }
        });
        FalseSeeder { _runtime: runtime, addr, asked }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// How often it was asked for a chunk, or to choose one.
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }
}

async fn announce_for_ever(tracker: SocketAddr, peer: TrackedPeer, announce: Announce) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
    let stream = socket.connect(tracker).await.expect("the tracker is there");
    let (caller, link): (TrackerCaller, _) = wire::client(stream, ClientOptions::default());
    tokio::spawn(link);
    let hello = TrackerHello { version: PROTOCOL_VERSION, capabilities: 0, peer: Some(peer) };
    caller.hello(hello, SOON).await.expect("an answer").expect("a welcome");
    while caller.announce(vec![announce.clone()], SOON).await.is_ok() {
        tokio::time::sleep(ANNOUNCE_EVERY).await;
    }
}

/// The service of one connection.
#[derive(Clone)]
struct Liar {
    way: Way,
    id: PeerId,
    key: SwarmKey,
    bytes: Arc<[u8]>,
    greeted: Greeted,
    asked: Arc<AtomicU64>,
    /// How many wrong chunks were sent.
    wrong: Arc<AtomicU32>,
    /// How many answers contained news.
    answers: Arc<AtomicU64>,
    /// Whether this connection subscribed to the resource's news.
    subscribed: watch::Sender<bool>,
}

impl Liar {
    async fn serve(self, stream: TcpStream) {
        let greeted = Greeted::new();
        let options = ServerOptions { greeted: greeted.clone(), ..ServerOptions::default() };
        let way = self.way.clone();
        let (near, far) = tokio::io::duplex(64 << 10);
        let service = Liar { greeted, subscribed: watch::Sender::new(false), ..self };
        tokio::join!(wire::serve(far, options, Peer::serve(service)), distort(stream, near, &way));
    }

    fn is_last(&self, index: ChunkIndex) -> bool {
        (index.0 as usize + 1) * CHUNK_BYTES as usize >= self.bytes.len()
    }

    /// The chunk as this way sends it.
    fn chunk(&self, index: ChunkIndex) -> Vec<u8> {
        let begin = index.0 as usize * CHUNK_BYTES as usize;
        let end = (begin + CHUNK_BYTES as usize).min(self.bytes.len());
        let mut chunk = self.bytes.get(begin..end).unwrap_or_default().to_vec();
        let is_wrong = match self.way {
            Way::WrongBytes(times) => self.wrong.fetch_add(1, Ordering::Relaxed) < times,
            Way::WrongLast => self.is_last(index),
            _ => false,
        };
        if let Some(byte) = chunk.last_mut().filter(|_| is_wrong) {
            *byte ^= 1;
        }
        chunk
    }
}

impl Peer for Liar {
    async fn hello(self, _: Context, _: Hello) -> Result<Welcome, HelloRefused> {
        self.greeted.accept();
        let version = match self.way {
            Way::Version(version) => version,
            _ => PROTOCOL_VERSION,
        };
        // Bits that a later version may define are no reason to leave anybody alone.
        Ok(Welcome { version, capabilities: u64::MAX, peer_id: self.id, zone: String::new() })
    }

    async fn news(self, _: Context, request: NewsRequest) -> NewsReply {
        if request.received > 0 && self.way != Way::News {
            std::future::pending::<()>().await;
        }
        let mut subscribed = self.subscribed.subscribe();
        subscribed.wait_for(|&subscribed| subscribed).await.expect("the service has the sender");
        let number = self.answers.fetch_add(1, Ordering::Relaxed) + 1;
        let update = NewsUpdate { key: self.key, have: HaveNews::All };
        let times = if self.way == Way::News { 256 } else { 1 };
        NewsReply { number, updates: vec![update; times] }
    }

    async fn subscribe(self, _: Context, changes: Subscriptions) {
        if changes.added.contains(&self.key) {
            self.subscribed.send_replace(true);
        }
    }

    async fn pick(self, _: Context, _: SwarmKey, wanted: Window) -> PickReply {
        self.asked.fetch_add(1, Ordering::Relaxed);
        match (&self.way, wanted.iter().next()) {
            (Way::Silent, _) => std::future::pending().await,
            (Way::News, _) => PickReply::Busy { retry_after_ms: 100 },
            (Way::Empty, _) | (_, None) => PickReply::NotHere,
            (Way::Unasked, _) => PickReply::Picked(ChunkIndex(4_000_000)),
            (Way::WrongLast, Some(first)) => {
                PickReply::Picked(wanted.iter().find(|&index| self.is_last(index)).unwrap_or(first))
            }
            (_, Some(first)) => PickReply::Picked(first),
        }
    }

    async fn get_chunk(self, _: Context, _: SwarmKey, index: ChunkIndex) -> ChunkReply {
        self.asked.fetch_add(1, Ordering::Relaxed);
        match self.way {
            Way::Silent => std::future::pending().await,
            Way::News => ChunkReply::Busy { retry_after_ms: 100 },
            Way::Empty => ChunkReply::NotHere,
            _ => ChunkReply::Chunk(bytes::Bytes::from(self.chunk(index)).into()),
        }
    }

    async fn complain(self, _: Context, _: SwarmKey, _: ChunkIndex) {}
}
