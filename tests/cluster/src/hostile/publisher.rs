//! One who publishes what it likes, and dials again as soon as its tracker is back: before anybody honest does.

use crate::Tracker;
use bytes::Bytes;
use shared::id::PeerId;
use shared::manifest::Manifest;
use shared::rpc::PROTOCOL_VERSION;
use shared::rpc::tracker::{
    ANNOUNCE_MAX, OFFERS_MAX, Offer, Publication, Role, TrackedPeer, TrackerCaller, TrackerHello,
};
use shared::rpc::tracker::{Announce, Stage};
use shared::rpc::wire::{self, ClientOptions};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

const SOON: Duration = Duration::from_secs(10);
/// How often it announces itself, and how often it tries to reach a tracker that is away.
const ANNOUNCE_EVERY: Duration = Duration::from_millis(500);
const DIAL_EVERY: Duration = Duration::from_millis(2);

/// A client that claims to have everything that it publishes, and serves nothing. Dropping it ends it.
#[derive(Debug)]
pub struct Publisher {
    _runtime: Runtime,
    addr: SocketAddr,
    rounds: Arc<AtomicU64>,
}

impl Publisher {
    /// Starts one that publishes these, with dates that are `ahead` of the tracker's clock.
    pub fn start(tracker: &Tracker, manifests: Vec<Manifest>, ahead: Duration) -> Publisher {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).expect("a free port");
        let addr = listener.local_addr().expect("it listens");
        let rounds = Arc::new(AtomicU64::new(0));
        let (told, to) = (rounds.clone(), tracker.addr());
        runtime.spawn(async move {
            let _listener = listener; // accepts connections that nobody serves
            loop {
                let _ = talk(to, addr.port(), &manifests, ahead, &told).await;
                tokio::time::sleep(DIAL_EVERY).await;
            }
        });
        Publisher { _runtime: runtime, addr, rounds }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// How often it has published everything.
    pub fn rounds(&self) -> u64 {
        self.rounds.load(Ordering::Relaxed)
    }
}

/// Runs until the tracker is gone.
async fn talk(
    tracker: SocketAddr,
    port: u16,
    manifests: &[Manifest],
    ahead: Duration,
    rounds: &AtomicU64,
) -> Option<()> {
    let stream = TcpStream::connect(tracker).await.ok()?;
    let (caller, link): (TrackerCaller, _) = wire::client(stream, ClientOptions::default());
    tokio::spawn(link);
    let peer = TrackedPeer {
        peer_id: PeerId([0xbb; 16]),
        listen_port: port,
        zone: String::new(),
        host: String::new(),
        advertise: None,
    };
    let hello = TrackerHello { version: PROTOCOL_VERSION, capabilities: 0, peer: Some(peer) };
    caller.hello(hello, SOON).await.ok()?.ok()?;
    announce(&caller, manifests).await?;
    for manifests in manifests.chunks(OFFERS_MAX) {
        let now_ms = caller.clock(SOON).await.ok()?.ok()?;
        let shared_at_ms = now_ms + ahead.as_millis() as u64;
        let offers = manifests.iter().map(|manifest| offer(manifest, shared_at_ms)).collect();
        let hashes = manifests.iter().flat_map(Manifest::hashes).flat_map(|hash| hash.0);
        let hashes = Bytes::from(hashes.collect::<Vec<u8>>());
        caller.publish_whole(offers, hashes.into(), SOON).await.ok()?.ok()?;
    }
    rounds.fetch_add(1, Ordering::Relaxed);
    loop {
        tokio::time::sleep(ANNOUNCE_EVERY).await;
        announce(&caller, manifests).await?;
    }
}

async fn announce(caller: &TrackerCaller, manifests: &[Manifest]) -> Option<()> {
    for manifests in manifests.chunks(ANNOUNCE_MAX) {
        let entry = |manifest: &Manifest| {
            let (key, count) = (manifest.key(), manifest.count());
            Announce {
                key,
                stage: Stage::Seeding,
                have: count.get(),
                count,
                peers_wanted: 0,
                names: Vec::new(),
                bytes: None,
            }
        };
        caller.announce(manifests.iter().map(entry).collect(), SOON).await.ok()?.ok()?;
    }
    Some(())
}

fn offer(manifest: &Manifest, shared_at_ms: u64) -> Offer {
    let publication = Publication {
        name: manifest.name().clone(),
        key: manifest.key(),
        count: manifest.count(),
        trackers: manifest.trackers().to_vec(),
        shared_at_ms,
        bytes: None,
        signature: None,
    };
    Offer { publication, role: Role::Shares }
}
