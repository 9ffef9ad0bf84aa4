//! The rules of `[[allow]]`, as a caller without a certificate meets them over TCP. What a certificate changes is decided in
//! `rights`, and tested there.

use bytes::Bytes;
use sha2::{Digest, Sha256};
use shared::chunk::ChunkCount;
use shared::host::config::{AllowRule, TrackerConfig};
use shared::id::{ListDigest, PeerId, ResourceId, SwarmKey};
use shared::name::ResourceName;
use shared::rpc::PROTOCOL_VERSION;
use shared::rpc::tracker::*;
use shared::rpc::wire::{self, ClientOptions};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tracker::server::{Handle, Server};

const SOON: Duration = Duration::from_secs(10);

fn rule(who: &str, publish: &[&str], fetch: &[&str], watch: &[&str]) -> AllowRule {
    let globs = |globs: &[&str]| globs.iter().map(|glob| glob.parse().unwrap()).collect();
    AllowRule {
        who: vec![who.parse().unwrap()],
        publish: globs(publish),
        fetch: globs(fetch),
        watch: globs(watch),
    }
}

fn config(allow: Vec<AllowRule>) -> TrackerConfig {
    TrackerConfig { listen: "127.0.0.1:0".parse().unwrap(), allow, ..Default::default() }
}

/// Starts a tracker on a free port. It ends with the test's runtime.
fn start(allow: Vec<AllowRule>) -> (SocketAddr, Handle) {
    let server = Server::bind(&config(allow)).unwrap();
    let (addr, handle) = (server.local_addr(), server.handle());
    tokio::spawn(server.run());
    (addr, handle)
}

/// A peer that listens on this port, after hello.
async fn peer(addr: SocketAddr, port: u16) -> TrackerCaller {
    let stream = TcpStream::connect(addr).await.unwrap();
    let (caller, link): (TrackerCaller, _) = wire::client(stream, ClientOptions::default());
    tokio::spawn(link);
    let (peer_id, zone, host) = (PeerId([port as u8; 16]), String::new(), String::new());
    let peer = Some(TrackedPeer { peer_id, listen_port: port, zone, host, advertise: None });
    let hello = TrackerHello { version: PROTOCOL_VERSION, capabilities: 0, peer };
    caller.hello(hello, SOON).await.unwrap().unwrap();
    caller
}

fn name(text: &str) -> ResourceName {
    text.parse().unwrap()
}

/// A resource of one chunk, and its only hash.
fn resource(number: u8) -> (SwarmKey, Bytes) {
    let hash = [number; 32];
    let digest = ListDigest(Sha256::digest(hash).into());
    (SwarmKey { resource: ResourceId([number; 32]), digest }, Bytes::copy_from_slice(&hash))
}

fn seeding(number: u8, names: &[&str]) -> Announce {
    Announce {
        key: resource(number).0,
        stage: Stage::Seeding,
        have: 1,
        count: ChunkCount::new(1).unwrap(),
        peers_wanted: 0,
        names: names.iter().map(|text| name(text)).collect(),
        bytes: None,
    }
}

fn leeching(number: u8, names: &[&str]) -> Announce {
    Announce { stage: Stage::Leeching, have: 0, peers_wanted: 20, ..seeding(number, names) }
}

async fn announce(caller: &TrackerCaller, entry: Announce) -> AnnounceAnswer {
    caller.announce(vec![entry], SOON).await.unwrap().unwrap().answers.remove(0)
}

fn offer(number: u8, called: &str, role: Role) -> (Offer, Bytes) {
    let (key, hashes) = resource(number);
    let publication = Publication {
        name: name(called),
        key,
        count: ChunkCount::new(1).unwrap(),
        trackers: vec!["tt://tracker.example".parse().unwrap()],
        shared_at_ms: 1,
        bytes: None,
        signature: None,
    };
    (Offer { publication, role }, hashes)
}

/// Announces and publishes a resource.
async fn publish(caller: &TrackerCaller, number: u8, called: &str, role: Role) -> Result<(), TrackerError> {
    announce(caller, seeding(number, &[called])).await;
    let (offer, hashes) = offer(number, called, role);
    let replies = caller.publish_whole(vec![offer], hashes.into(), SOON).await.unwrap().unwrap();
    replies.into_iter().next().unwrap().map(drop)
}

#[track_caller]
fn not_allowed<T: std::fmt::Debug>(answer: Result<T, TrackerError>) -> String {
    match answer {
        Err(TrackerError::NotAllowed(why)) => why.to_string(),
        other => panic!("{other:?}"),
    }
}

/// A tracker that has "public" and "secret", published while everybody could do everything, and then these rules.
async fn with_rules(allow: Vec<AllowRule>) -> (SocketAddr, Handle) {
    let (addr, handle) = start(Vec::new());
    let sharer = peer(addr, 1001).await;
    for (number, called) in [(1, "public"), (2, "secret")] {
        publish(&sharer, number, called, Role::Claims).await.unwrap();
    }
    handle.configure(&config(allow));
    (addr, handle)
}

#[tokio::test]
async fn what_may_not_be_fetched_is_neither_listed_nor_found_nor_shown() {
    let (addr, _) = with_rules(vec![rule("anonymous", &[], &["public"], &["public"])]).await;
    let caller = peer(addr, 1002).await;
    let listed = caller.list(None, SOON).await.unwrap().unwrap();
    let names: Vec<&str> = listed.iter().map(|entry| entry.publication.name.as_str()).collect();
    assert_eq!(names, ["public"]);
    let (public, secret) = (resource(1).0, resource(2).0);
    let find = |what| caller.find(what, SOON);
    assert_eq!(find(Lookup::Name(name("public"))).await.unwrap().unwrap().len(), 1);
    assert_eq!(find(Lookup::Resource(public.resource)).await.unwrap().unwrap().len(), 1);
    assert_eq!(find(Lookup::Resource(secret.resource)).await.unwrap(), Ok(Vec::new()));
    // The refusal is the same whether or not there is such a name.
    let refusals = ["secret", "never-heard-of"];
    for called in refusals {
        let why = not_allowed(find(Lookup::Name(name(called))).await.unwrap());
        let expected =
            format!("an anonymous caller may not fetch {called}: no rule of [[allow]] gives it to anybody");
        assert_eq!(why, expected);
    }
    assert!(caller.manifest(public, 0, SOON).await.unwrap().is_ok());
    not_allowed(caller.manifest(secret, 0, SOON).await.unwrap());
    assert_eq!(caller.peers_of(public.resource, SOON).await.unwrap().unwrap().len(), 1);
    not_allowed(caller.peers_of(secret.resource, SOON).await.unwrap());
    not_allowed(caller.peers_of(ResourceId([77; 32]), SOON).await.unwrap());
    let sharer = SocketAddr::new(addr.ip(), 1001);
    let resources = caller.resources_of(sharer, None, SOON).await.unwrap().unwrap();
    assert_eq!(resources.iter().map(|entry| entry.key).collect::<Vec<_>>(), [public]);
    let fleet = |what| caller.fleet(what, None, 10, SOON);
    assert_eq!(fleet(Lookup::Name(name("public"))).await.unwrap().unwrap().machines.len(), 1);
    not_allowed(fleet(Lookup::Name(name("secret"))).await.unwrap());
    assert_eq!(fleet(Lookup::Resource(public.resource)).await.unwrap().unwrap().machines.len(), 1);
    not_allowed(fleet(Lookup::Resource(secret.resource)).await.unwrap());
}

#[tokio::test]
async fn who_may_fetch_may_not_watch() {
    let (addr, _) = with_rules(vec![rule("*", &[], &["*"], &[])]).await;
    let caller = peer(addr, 1002).await;
    assert_eq!(caller.list(None, SOON).await.unwrap().unwrap().len(), 2);
    not_allowed(caller.fleet(Lookup::Name(name("public")), None, 10, SOON).await.unwrap());
    not_allowed(caller.fleet(Lookup::Resource(resource(1).0.resource), None, 10, SOON).await.unwrap());
}

#[tokio::test]
async fn no_role_publishes_a_name_without_the_right_nor_takes_it_back() {
    let (addr, _) = with_rules(vec![rule("*", &["other-*"], &["*"], &[])]).await;
    let caller = peer(addr, 1002).await;
    for role in [Role::Claims, Role::Shares, Role::Holds] {
        let why = not_allowed(publish(&caller, 3, "public", role).await);
        assert!(why.starts_with("an anonymous caller may not publish public: "), "{why}");
        not_allowed(caller.publish(offer(3, "public", role).0, SOON).await.unwrap());
        publish(&caller, 3, "other-1", role).await.unwrap();
    }
    let (public, how) = (resource(1).0, Unpublish::TakeBack);
    not_allowed(caller.unpublish(name("public"), public, how, SOON).await.unwrap());
    not_allowed(caller.in_the_way(name("public"), public, SOON).await.unwrap());
    let found = caller.find(Lookup::Name(name("public")), SOON).await.unwrap().unwrap();
    assert_eq!(found.iter().map(|entry| entry.publication.key).collect::<Vec<_>>(), [public]);
}

#[tokio::test]
async fn a_batch_is_announced_and_published_but_for_what_is_not_allowed() {
    let (addr, _) = with_rules(vec![rule("*", &["public", "mine"], &["public", "mine"], &[])]).await;
    let caller = peer(addr, 1002).await;
    let entries = vec![
        leeching(2, &["secret"]),
        leeching(1, &["public"]),
        seeding(4, &["mine"]),
        seeding(5, &["theirs"]),
    ];
    let answers = caller.announce(entries, SOON).await.unwrap().unwrap().answers;
    let refused: Vec<bool> = answers.iter().map(|answer| answer.not_allowed.is_some()).collect();
    assert_eq!(refused, [true, false, false, true]);
    assert_eq!((answers[0].peers.len(), answers[0].seeders), (0, 0), "nothing is told of it");
    assert_eq!(answers[1].peers.len(), 1);
    assert!(answers[2].want_manifest, "it may publish it");
    let (mine, mut hashes) = offer(4, "mine", Role::Claims);
    let (theirs, more) = offer(5, "theirs", Role::Claims);
    hashes = [hashes, more].concat().into();
    let replies = caller.publish_whole(vec![mine, theirs], hashes.into(), SOON).await.unwrap().unwrap();
    assert_eq!(replies.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false]);
}

/// The caller's own name for a resource counts only as long as the catalogue has none.
#[tokio::test]
async fn a_name_of_ones_own_opens_no_swarm_of_another_name() {
    let (addr, _) = with_rules(vec![rule("*", &[], &["public", "free"], &[])]).await;
    let caller = peer(addr, 1002).await;
    let disguised = announce(&caller, leeching(2, &["public"])).await;
    assert!(disguised.not_allowed.is_some() && disguised.peers.is_empty(), "{disguised:?}");
    assert!(announce(&caller, leeching(2, &[])).await.not_allowed.is_some());
    assert_eq!(announce(&caller, leeching(9, &["free"])).await.not_allowed, None, "nobody has published it");
    assert!(announce(&caller, leeching(9, &[])).await.not_allowed.is_some(), "it has no name");
    let holder = announce(&caller, seeding(9, &["free"])).await;
    assert!(!holder.want_manifest, "it may not publish it");
}

#[tokio::test]
async fn a_long_catalogue_is_listed_although_most_of_it_is_hidden() {
    const FILES: u16 = 700;
    let (addr, handle) = start(Vec::new());
    let sharer = peer(addr, 1001).await;
    for at in 0..FILES {
        let hash = [[at.to_be_bytes()[0]; 16], [at.to_be_bytes()[1]; 16]].concat();
        let digest = ListDigest(Sha256::digest(&hash).into());
        let key = SwarmKey { resource: ResourceId(hash.clone().try_into().unwrap()), digest };
        let called = if at % 10 == 9 { format!("shown-{at:03}") } else { format!("hidden-{at:03}") };
        announce(&sharer, Announce { key, ..seeding(1, &[&called]) }).await;
        let mut offer = offer(1, &called, Role::Claims).0;
        offer.publication.key = key;
        let replies =
            sharer.publish_whole(vec![offer], Bytes::from(hash).into(), SOON).await.unwrap().unwrap();
        assert!(replies[0].is_ok(), "{replies:?}");
    }
    handle.configure(&config(vec![rule("*", &[], &["shown-*"], &[])]));
    let caller = peer(addr, 1002).await;
    let listed = caller.list(None, SOON).await.unwrap().unwrap();
    assert_eq!(listed.len(), usize::from(FILES / 10));
    assert!(listed.iter().all(|entry| entry.publication.name.as_str().starts_with("shown-")));
    let resources = caller.resources_of(SocketAddr::new(addr.ip(), 1001), None, SOON).await.unwrap().unwrap();
    assert_eq!(resources.len(), usize::from(FILES / 10));
}

#[tokio::test]
async fn other_rules_count_at_once_also_for_an_open_connection() {
    let (addr, handle) = with_rules(vec![rule("*", &[], &["public"], &[])]).await;
    let caller = peer(addr, 1002).await;
    not_allowed(caller.find(Lookup::Name(name("secret")), SOON).await.unwrap());
    handle.configure(&config(vec![rule("*", &[], &["secret"], &[])]));
    assert_eq!(caller.find(Lookup::Name(name("secret")), SOON).await.unwrap().unwrap().len(), 1);
    not_allowed(caller.find(Lookup::Name(name("public")), SOON).await.unwrap());
    handle.configure(&config(Vec::new()));
    assert_eq!(caller.list(None, SOON).await.unwrap().unwrap().len(), 2);
}

/// A peer that says that others reach it at `advertise`; the address that the tracker tells others.
async fn advertised(addr: SocketAddr, advertise: &str) -> Result<SocketAddr, TrackerError> {
    let stream = TcpStream::connect(addr).await.unwrap();
    let (caller, link): (TrackerCaller, _) = wire::client(stream, ClientOptions::default());
    tokio::spawn(link);
    let advertise = Some(advertise.parse().unwrap());
    let peer = TrackedPeer {
        peer_id: PeerId([7; 16]),
        listen_port: 1007,
        zone: String::new(),
        host: String::new(),
        advertise,
    };
    let hello = TrackerHello { version: PROTOCOL_VERSION, capabilities: 0, peer: Some(peer) };
    let welcome = caller.hello(hello, SOON).await.unwrap()?;
    announce(&caller, seeding(7, &["advertised"])).await;
    let asker = self::peer(addr, 1002).await;
    let peers = asker.peers_of(resource(7).0.resource, SOON).await.unwrap().unwrap();
    assert_eq!(peers.iter().map(|peer| peer.addr).collect::<Vec<_>>(), [welcome.your_address]);
    Ok(welcome.your_address)
}

#[tokio::test]
async fn an_advertised_address_is_told_to_others_only_for_those_who_may_name_one() {
    let nat = "203.0.113.7:7987";
    let (addr, _) = start(Vec::new());
    let own = SocketAddr::new(addr.ip(), 1007);
    assert_eq!(advertised(addr, nat).await, Ok(own), "nobody may by default");
    for (networks, told) in [(["10.0.0.0/8"], own), (["127.0.0.0/8"], nat.parse().unwrap())] {
        let (addr, handle) = start(Vec::new());
        let advertise_networks = networks.iter().map(|network| network.parse().unwrap()).collect();
        handle.configure(&TrackerConfig { advertise_networks, ..config(Vec::new()) });
        assert_eq!(advertised(addr, nat).await, Ok(told), "{networks:?}");
    }
    for nowhere in ["203.0.113.7:0", "0.0.0.0:7987", "224.0.0.1:7987", "255.255.255.255:7987"] {
        let refused = advertised(addr, nowhere).await;
        assert!(matches!(refused, Err(TrackerError::Malformed(_))), "{nowhere}: {refused:?}");
    }
}
