//! Invented peers: each has a connection to the tracker, and nobody listens at the address that it announces.

use crate::Tracker;
use rustix::process::{Resource, getrlimit, setrlimit};
use shared::id::PeerId;
use shared::manifest::Manifest;
use shared::rpc::PROTOCOL_VERSION;
use shared::rpc::tracker::{Announce, Stage};
use shared::rpc::tracker::{TrackedPeer, TrackerCaller, TrackerHello};
use shared::rpc::wire::{self, ClientOptions};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::net::TcpSocket;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

const SOON: Duration = Duration::from_secs(30);
/// How many say hello at once; a tracker refuses more connections without hello.
const JOINING_MAX: usize = 64;
/// How often each of them renews its entry.
const RENEW_EVERY: Duration = Duration::from_secs(3);

/// Invented peers of one swarm. Dropping this ends them.
#[derive(Debug)]
pub struct Crowd {
    _runtime: Runtime,
}

impl Crowd {
    /// Announces `many` peers, each from an address of its own, at this stage. Returns when the tracker knows them.
    pub fn invent(tracker: &Tracker, manifest: &Manifest, many: u32, stage: Stage) -> Crowd {
        Crowd::invent_at(|number| Ipv4Addr::from(0x7f01_0001 + number), tracker, manifest, many, stage)
    }

    /// The same from as many networks as possible.
    pub fn invent_far(tracker: &Tracker, manifest: &Manifest, many: u32, stage: Stage) -> Crowd {
        let at = |number: u32| Ipv4Addr::new(127, 1 + (number % 254) as u8, (number / 254) as u8, 1);
        Crowd::invent_at(at, tracker, manifest, many, stage)
    }

    fn invent_at(
        at: impl Fn(u32) -> Ipv4Addr,
        tracker: &Tracker,
        manifest: &Manifest,
        many: u32,
        stage: Stage,
    ) -> Crowd {
        raise_descriptors();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let (addr, key, count) = (tracker.addr(), manifest.key(), manifest.count());
        let have = if stage == Stage::Seeding { count.get() } else { 0 };
        let announce = Announce { key, stage, have, count, peers_wanted: 0, names: Vec::new(), bytes: None };
        runtime.block_on(async {
            let mut joining = JoinSet::new();
            for number in 0..many {
                joining.spawn(join(addr, at(number), announce.clone()));
                if joining.len() >= JOINING_MAX {
                    joining.join_next().await.expect("somebody joins").expect("it joins");
                }
            }
            while let Some(joined) = joining.join_next().await {
                joined.expect("it joins");
            }
        });
        Crowd { _runtime: runtime }
    }
}

/// One invented peer. It listens nowhere and runs until the runtime ends.
async fn join(tracker: SocketAddr, own: Ipv4Addr, announce: Announce) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind((own, 0).into()).expect("an address of loopback");
    let stream = socket.connect(tracker).await.expect("the tracker is there");
    let (caller, link): (TrackerCaller, _) = wire::client(stream, ClientOptions::default());
    tokio::spawn(link);
    let id = PeerId((u128::from(own.to_bits()) << 64 | 0xbad).to_be_bytes());
    let peer = TrackedPeer {
        peer_id: id,
        listen_port: 1,
        zone: String::new(),
        host: String::new(),
        advertise: None,
    };
    let hello = TrackerHello { version: PROTOCOL_VERSION, capabilities: 0, peer: Some(peer) };
    caller.hello(hello, SOON).await.expect("an answer").expect("a welcome");
    caller.announce(vec![announce.clone()], SOON).await.expect("an answer").expect("it is taken");
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(RENEW_EVERY).await;
            if caller.announce(vec![announce.clone()], SOON).await.is_err() {
                return;
            }
        }
    });
}

/// Each invented peer needs a descriptor here and one at the tracker, which inherits our limit.
fn raise_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limit.maximum, ..limit };
    setrlimit(Resource::Nofile, raised).expect("the limit may be raised as far as it goes");
}
