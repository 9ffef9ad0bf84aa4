//! A tracker on a port of its own, asked over TCP.

use bytes::Bytes;
use sha2::{Digest, Sha256};
use shared::chunk::ChunkCount;
use shared::host::config::TrackerConfig;
use shared::id::{ListDigest, PeerId, ResourceId, SwarmKey};
use shared::rpc::tracker::*;
use shared::rpc::wire::{self, CallError, ClientOptions, LinkEnd};
use shared::rpc::{PROTOCOL_VERSION, WrongVersion};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tracker::server::Server;

const SOON: Duration = Duration::from_secs(10);

/// Starts one on a free port. It ends with the test's runtime.
fn start(change: impl FnOnce(&mut TrackerConfig)) -> SocketAddr {
    let mut config = TrackerConfig { listen: "127.0.0.1:0".parse().unwrap(), ..Default::default() };
    change(&mut config);
    let server = Server::bind(&config).unwrap();
    let addr = server.local_addr();
    tokio::spawn(server.run());
    addr
}

struct Link {
    caller: TrackerCaller,
    link: JoinHandle<LinkEnd>,
}

async fn connect(addr: SocketAddr) -> Link {
    let stream = TcpStream::connect(addr).await.unwrap();
    let (caller, link) = wire::client(stream, ClientOptions::default());
    Link { caller, link: tokio::spawn(link) }
}

fn hello(peer: Option<TrackedPeer>) -> TrackerHello {
    TrackerHello { version: PROTOCOL_VERSION, capabilities: 0, peer }
}

fn tracked(port: u16) -> TrackedPeer {
    TrackedPeer {
        peer_id: PeerId([port as u8; 16]),
        listen_port: port,
        zone: "room".into(),
        host: format!("pc-{port}"),
        advertise: None,
    }
}

/// A peer that listens on this port, after hello.
async fn peer(addr: SocketAddr, port: u16) -> TrackerCaller {
    let link = connect(addr).await;
    let welcome = link.caller.hello(hello(Some(tracked(port))), SOON).await.unwrap().unwrap();
    assert_eq!(welcome.your_address, SocketAddr::new(addr.ip(), port));
    link.caller
}

/// A client that only asks.
async fn asker(addr: SocketAddr) -> TrackerCaller {
    let link = connect(addr).await;
    link.caller.hello(hello(None), SOON).await.unwrap().unwrap();
    link.caller
}

fn key(number: u8) -> SwarmKey {
    SwarmKey { resource: ResourceId([number; 32]), digest: ListDigest([number; 32]) }
}

fn leeching(key: SwarmKey) -> Announce {
    let count = ChunkCount::new(4).unwrap();
    Announce {
        key,
        stage: Stage::Leeching,
        have: 1,
        count,
        peers_wanted: NEIGHBOURS as u8,
        names: Vec::new(),
        bytes: None,
    }
}

fn seeding(key: SwarmKey) -> Announce {
    Announce { stage: Stage::Seeding, have: 4, peers_wanted: 0, ..leeching(key) }
}

#[tokio::test]
async fn peers_find_each_other() {
    let addr = start(|_| {});
    let (seeder, leecher) = (peer(addr, 1001).await, peer(addr, 1002).await);
    let reply = seeder.announce(vec![seeding(key(1)), seeding(key(2))], SOON).await.unwrap().unwrap();
    assert_eq!(reply.answers.len(), 2);
    assert!(reply.answers[0].want_manifest);
    let reply = leecher.announce(vec![leeching(key(1))], SOON).await.unwrap().unwrap();
    let [answer] = &reply.answers[..] else { panic!("{reply:?}") };
    let [found] = &answer.peers[..] else { panic!("{answer:?}") };
    assert_eq!(found.addr, SocketAddr::new(addr.ip(), 1001));
    assert_eq!(
        (found.key, found.stage, found.have, found.zone.as_str()),
        (key(1), Stage::Seeding, 4, "room")
    );
    assert_eq!((answer.seeders, answer.leechers), (1, 1));
    assert!((2000..=5000).contains(&answer.interval_ms));

    let asker = asker(addr).await;
    let peers = asker.peers_of(key(1).resource, SOON).await.unwrap().unwrap();
    assert_eq!(peers.len(), 2);
    let resources = asker.resources_of(found.addr, None, SOON).await.unwrap().unwrap();
    assert_eq!(resources.iter().map(|entry| entry.key).collect::<Vec<_>>(), [key(1), key(2)]);

    seeder.withdraw(vec![key(1)], SOON).await.unwrap().unwrap();
    let peers = asker.peers_of(key(1).resource, SOON).await.unwrap().unwrap();
    assert_eq!(peers.iter().map(|peer| peer.addr.port()).collect::<Vec<_>>(), [1002]);
}

#[tokio::test]
async fn a_rollout_is_counted_and_listed() {
    let addr = start(|_| {});
    let (seeder, leecher) = (peer(addr, 1001).await, peer(addr, 1002).await);
    seeder.announce(vec![seeding(key(1))], SOON).await.unwrap().unwrap();
    leecher.announce(vec![leeching(key(1))], SOON).await.unwrap().unwrap();
    leecher.withdraw(vec![key(1)], SOON).await.unwrap().unwrap();
    let asker = asker(addr).await;
    let counted = asker.fleet(Lookup::Resource(key(1).resource), None, 0, SOON).await.unwrap().unwrap();
    assert_eq!((counted.seeders, counted.leechers, counted.gone_unfinished), (1, 0, 1));
    assert!(counted.machines.is_empty());
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = asker.fleet(Lookup::Resource(key(1).resource), after, 1, SOON).await.unwrap().unwrap();
        seen.extend(
            page.machines
                .iter()
                .map(|machine| (machine.addr.port(), machine.presence, machine.have, machine.host.clone())),
        );
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let host = |port: u16| format!("pc-{port}");
    assert_eq!(seen, [(1001, Presence::Here, 4, host(1001)), (1002, Presence::Left, 1, host(1002))]);
    assert!(asker.clock(SOON).await.unwrap().unwrap() > 1_700_000_000_000, "it is later than 2023");
}

/// A host name is a stranger's word.
#[tokio::test]
async fn a_host_name_is_cleaned_before_anybody_is_told() {
    let addr = start(|_| {});
    let Link { caller, .. } = connect(addr).await;
    let bad = TrackedPeer { host: "pc\u{1b}[2J\u{202e}17 x".into(), ..tracked(1001) };
    caller.hello(hello(Some(bad)), SOON).await.unwrap().unwrap();
    caller.announce(vec![seeding(key(1))], SOON).await.unwrap().unwrap();
    let asker = asker(addr).await;
    let fleet = asker.fleet(Lookup::Resource(key(1).resource), None, 10, SOON).await.unwrap().unwrap();
    let peers = asker.peers_of(key(1).resource, SOON).await.unwrap().unwrap();
    assert_eq!((fleet.machines[0].host.as_str(), peers[0].host.as_str()), ("pc??2J?17?x", "pc??2J?17?x"));
}

/// Bits that a later version may define are no reason to refuse anybody, and neither are none.
#[tokio::test]
async fn unknown_capabilities_are_ignored() {
    let addr = start(|_| {});
    for (port, capabilities) in [(1001, u64::MAX), (1002, 0)] {
        let Link { caller, .. } = connect(addr).await;
        let hello = TrackerHello { capabilities, ..hello(Some(tracked(port))) };
        let welcome = caller.hello(hello, SOON).await.unwrap().unwrap();
        assert_eq!(welcome.capabilities, 0, "none is defined");
        caller.announce(vec![seeding(key(1))], SOON).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_manifest_travels_in_pages() {
    let addr = start(|_| {});
    let count = PAGE_HASHES + 3;
    let hashes: Vec<u8> = (0..count).flat_map(|number| Sha256::digest(number.to_be_bytes())).collect();
    let digest = ListDigest(Sha256::digest(&hashes).into());
    let publication = Publication {
        name: "image.img".parse().unwrap(),
        key: SwarmKey { resource: ResourceId([9; 32]), digest },
        count: ChunkCount::new(count).unwrap(),
        trackers: vec!["tt://tracker.example".parse().unwrap()],
        shared_at_ms: 5,
        bytes: Some(u64::from(PAGE_HASHES + 2) * (1 << 20) + 7),
        signature: None,
    };
    let seeder = peer(addr, 1001).await;
    let offer = Offer { publication: publication.clone(), role: Role::Claims };
    let mut reply = seeder.publish(offer.clone(), SOON).await.unwrap();
    let pages: Vec<Bytes> = hashes.chunks(PAGE_HASHES as usize * 32).map(Bytes::copy_from_slice).collect();
    while let Ok(PublishReply::NeedPage(page)) = reply {
        let hashes = pages[page as usize].clone().into();
        reply = seeder.publish_page(publication.key, page, hashes, SOON).await.unwrap();
    }
    assert_eq!(reply, Ok(PublishReply::Published(None)));

    let asker = asker(addr).await;
    let by_name = asker.find(Lookup::Name("image.img".parse().unwrap()), SOON).await.unwrap();
    let entry = ListEntry { publication: publication.clone(), seeders: 0, leechers: 0 };
    assert_eq!(by_name, Ok(vec![entry.clone()]));
    let by_id = asker.find(Lookup::Resource(publication.key.resource), SOON).await.unwrap();
    assert_eq!(by_id, Ok(vec![entry]));
    assert_eq!(asker.find(Lookup::Name("other".parse().unwrap()), SOON).await.unwrap(), Ok(Vec::new()));
    for (page, expected) in pages.iter().enumerate() {
        let got = asker.manifest(publication.key, page as u32, SOON).await.unwrap().unwrap();
        assert_eq!(got.hashes.bytes, expected);
    }
    assert_eq!(asker.manifest(publication.key, 2, SOON).await.unwrap(), Err(TrackerError::Unknown));
    let listed = asker.list(None, SOON).await.unwrap().unwrap();
    let [entry] = &listed[..] else { panic!("{listed:?}") };
    assert_eq!((&entry.publication, entry.seeders, entry.leechers), (&publication, 0, 0));
    // a client that is no peer cannot publish
    let refused = asker.publish(offer, SOON).await.unwrap();
    assert!(matches!(refused, Err(TrackerError::Malformed(_))), "{refused:?}");
}

/// A manifest of a few chunks, and its hashes.
fn small(name: &str, seed: u8) -> (Publication, Vec<u8>) {
    let hashes: Vec<u8> = (0..3_u8).flat_map(|number| Sha256::digest([seed, number])).collect();
    let digest = ListDigest(Sha256::digest(&hashes).into());
    let publication = Publication {
        name: name.parse().unwrap(),
        key: SwarmKey { resource: ResourceId([seed; 32]), digest },
        count: ChunkCount::new(3).unwrap(),
        trackers: Vec::new(),
        shared_at_ms: 5,
        bytes: None,
        signature: None,
    };
    (publication, hashes)
}

#[tokio::test]
async fn many_small_manifests_are_published_in_one_call() {
    let addr = start(|_| {});
    let seeder = peer(addr, 1001).await;
    let all: Vec<(Publication, Vec<u8>)> = (0..100).map(|seed| small(&format!("n-{seed}"), seed)).collect();
    let offers = |role| {
        all.iter().map(move |(publication, _)| Offer { publication: publication.clone(), role }).collect()
    };
    let hashes = Bytes::from(all.iter().flat_map(|(_, hashes)| hashes.clone()).collect::<Vec<u8>>());
    let replies = seeder.publish_whole(offers(Role::Shares), hashes.clone().into(), SOON).await.unwrap();
    assert_eq!(replies, Ok(vec![Ok(PublishReply::Published(None)); 100]));
    let asker = asker(addr).await;
    assert_eq!(asker.list(None, SOON).await.unwrap().unwrap().len(), 100);
    let few = hashes.slice(32..);
    let refused = seeder.publish_whole(offers(Role::Shares), few.into(), SOON).await.unwrap();
    assert!(matches!(refused, Err(TrackerError::Malformed(_))), "{refused:?}");
    // each has an answer of its own
    let mut bad = all[7].0.clone();
    bad.key.digest.0[0] ^= 1;
    let both = [all[7].0.clone(), bad].map(|publication| Offer { publication, role: Role::Shares });
    let hashes = Bytes::from([&all[7].1[..], &all[7].1].concat());
    let replies = seeder.publish_whole(both.to_vec(), hashes.into(), SOON).await.unwrap().unwrap();
    assert_eq!(replies[0], Ok(PublishReply::Published(None)));
    assert!(matches!(replies[1], Err(TrackerError::Malformed(_))), "{replies:?}");
}

#[tokio::test]
async fn a_name_that_another_machine_shares_is_told_with_its_sharer() {
    let addr = start(|_| {});
    let (first, second) = (peer(addr, 1001).await, peer(addr, 1002).await);
    let publish = async |who: &TrackerCaller, seed, role| {
        let (publication, hashes) = small("img", seed);
        let entry = Announce { have: 3, count: publication.count, ..seeding(publication.key) };
        who.announce(vec![entry], SOON).await.unwrap().unwrap();
        let offer = Offer { publication, role };
        who.publish_whole(vec![offer], Bytes::from(hashes).into(), SOON).await.unwrap().unwrap().remove(0)
    };
    assert_eq!(publish(&first, 1, Role::Claims).await, Ok(PublishReply::Published(None)));
    let refused = publish(&second, 2, Role::Claims).await;
    let Err(TrackerError::Taken(other)) = refused else { panic!("{refused:?}") };
    assert_eq!((other.resource, other.by), (ResourceId([1; 32]), SocketAddr::new(addr.ip(), 1001)));
    let key = small("img", 2).0.key;
    let in_the_way = second.in_the_way("img".parse().unwrap(), key, SOON).await.unwrap().unwrap();
    assert_eq!(in_the_way.map(|other| other.resource), Some(ResourceId([1; 32])));
    assert_eq!(first.in_the_way("img".parse().unwrap(), key, SOON).await.unwrap(), Ok(None));
}

#[tokio::test]
async fn hello_is_checked() {
    let addr = start(|_| {});
    let refused = |hello: TrackerHello| async move {
        let Link { caller, link } = connect(addr).await;
        let refused = caller.hello(hello, SOON).await.unwrap().unwrap_err();
        assert!(matches!(link.await.unwrap(), LinkEnd::Closed), "the connection goes on");
        refused
    };
    let other = TrackerHello { version: 99, ..hello(None) };
    assert_eq!(refused(other).await, TrackerError::Version(WrongVersion { ours: PROTOCOL_VERSION }));
    let port_0 = hello(Some(tracked(0)));
    assert!(matches!(refused(port_0).await, TrackerError::Malformed(_)));
    let zone = hello(Some(TrackedPeer { zone: "z".repeat(65), ..tracked(1) }));
    assert!(matches!(refused(zone).await, TrackerError::Malformed(_)));
    let host = hello(Some(TrackedPeer { host: "h".repeat(254), ..tracked(1) }));
    assert!(matches!(refused(host).await, TrackerError::Malformed(_)));
    // a question before hello is not answered
    let Link { caller, link } = connect(addr).await;
    assert_eq!(caller.list(None, SOON).await, Err(CallError::Closed));
    link.await.unwrap();
    // a client that only asks cannot announce
    let asker = asker(addr).await;
    let refused = asker.announce(vec![leeching(key(1))], SOON).await.unwrap();
    assert!(matches!(refused, Err(TrackerError::Malformed(_))), "{refused:?}");
}

#[tokio::test]
async fn garbage_on_the_port_disturbs_nobody() {
    let addr = start(|_| {});
    let good = peer(addr, 1001).await;
    for garbage in [&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], &[0; 100], &[255; 100]] {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        let _ = stream.write_all(garbage).await;
        let mut answer = Vec::new();
        let read = tokio::time::timeout(SOON, stream.read_to_end(&mut answer)).await;
        let _ = read.expect("the connection is closed"); // with or without a reset
        assert!(answer.is_empty(), "{answer:?}");
    }
    good.announce(vec![seeding(key(1))], SOON).await.unwrap().unwrap();
}

#[tokio::test]
async fn strangers_go_when_there_are_too_many() {
    let addr = start(|config| config.unknown_connections_max = NonZeroU32::new(2).unwrap());
    let good = peer(addr, 1001).await;
    let mut silent = Vec::new();
    for _ in 0..3 {
        silent.push(TcpStream::connect(addr).await.unwrap());
    }
    let oldest = &mut silent[0];
    let closed = tokio::time::timeout(Duration::from_secs(5), oldest.read(&mut [0])).await;
    assert_eq!(closed.expect("the oldest is closed before its 10 s are over").unwrap_or(0), 0);
    good.announce(vec![seeding(key(1))], SOON).await.unwrap().unwrap();
    // and there is room for one more who says hello
    peer(addr, 1002).await;
}

#[tokio::test]
async fn limits_are_told() {
    let addr = start(|config| config.entries_max = NonZeroU32::new(1).unwrap());
    let (first, second) = (peer(addr, 1001).await, peer(addr, 1002).await);
    first.announce(vec![seeding(key(1))], SOON).await.unwrap().unwrap();
    let full = second.announce(vec![seeding(key(1))], SOON).await.unwrap();
    assert!(matches!(full, Err(TrackerError::Full(_))), "{full:?}");
    first.announce(vec![seeding(key(1))], SOON).await.unwrap().unwrap();
}

/// The largest possible answers fit into a head.
#[test]
fn the_worst_answers_fit() {
    use shared::rpc::Message;
    let count = ChunkCount::new(shared::chunk::CHUNKS_MAX).unwrap();
    let entry = PeerEntry {
        addr: "[2001:db8::1]:65535".parse().unwrap(),
        peer_id: PeerId([255; 16]),
        key: key(255),
        stage: Stage::Seeding,
        have: u32::MAX,
        count,
        zone: "z".repeat(64),
        host: String::new(), // an announce tells none
        node: Some(format!("{}n", "n.".repeat(99)).parse().unwrap()),
    };
    let answer = AnnounceAnswer {
        peers: Vec::new(),
        interval_ms: u32::MAX,
        want_manifest: true,
        conflict: true,
        shared_at_ms: Some(u64::MAX),
        seeders: u32::MAX,
        leechers: u32::MAX,
        newer: vec![
            Namesake {
                name: "n".repeat(243).parse().unwrap(),
                resource: ResourceId([255; 32]),
                by: "[2001:db8::1]:65535".parse().unwrap(),
                shared_ago_ms: Some(u64::MAX),
            };
            ANNOUNCE_NAMES_MAX
        ],
        bytes: Some(u64::MAX),
        not_allowed: None, // an answer with a reason has nothing else
    };
    let name: shared::name::ResourceName = "n".repeat(243).parse().unwrap();
    let url = format!("tt://{}:65535/", "h".repeat(253));
    let publication = Publication {
        name: name.clone(),
        key: key(255),
        count,
        trackers: vec![url.parse().unwrap(); TRACKERS_MAX],
        shared_at_ms: u64::MAX,
        bytes: Some(u64::MAX),
        signature: None,
    };
    let listed = ListEntry { publication, seeders: u32::MAX, leechers: u32::MAX };
    let resource =
        ResourceEntry { key: key(255), name: Some(name), stage: Stage::Seeding, have: u32::MAX, count };
    let bytes = |what: &dyn Fn() -> Vec<u8>| what().len() + 64;
    let announce = bytes(&|| {
        let peers = postcard::to_stdvec(&vec![entry.clone(); shared::rpc::tracker::REPLY_PEERS_MAX]).unwrap();
        [peers, postcard::to_stdvec(&vec![answer.clone(); ANNOUNCE_MAX]).unwrap()].concat()
    }) + ANNOUNCE_MAX;
    let list = bytes(&|| postcard::to_stdvec(&vec![listed.clone(); LIST_MAX]).unwrap());
    let resources = bytes(&|| postcard::to_stdvec(&vec![resource.clone(); ANNOUNCE_MAX]).unwrap());
    for (what, bytes) in [("announce", announce), ("list", list), ("resources_of", resources)] {
        assert!(bytes <= TrackerResponse::HEAD_BYTES_MAX, "{what}: {bytes} bytes");
    }
}
