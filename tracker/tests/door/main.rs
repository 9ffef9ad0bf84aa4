//! Who is let in by a tracker, over TCP and with real certificates.

mod fleet;

use fleet::{Ca, DAY, Files, names};
use shared::chunk::ChunkCount;
use shared::host::config::{AllowRule, TrackerConfig};
use shared::host::refused::Cause;
use shared::id::{ListDigest, PeerId, ResourceId, SwarmKey};
use shared::identity::Role;
use shared::rpc::PROTOCOL_VERSION;
use shared::rpc::tls::{self, Dialing, Secured, Setup};
use shared::rpc::tracker::{
    Announce, Lookup, Stage, TrackedPeer, TrackerCaller, TrackerError, TrackerHello, TrackerWelcome,
};
use shared::rpc::wire::{self, ClientOptions, Sideband};
use shared::tls_mode::TlsMode;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tracker::server::{Handle, Server};

const SOON: Duration = Duration::from_secs(20);

/// Starts a tracker on a free port. It ends with the test's runtime.
fn start(config: &TrackerConfig) -> (SocketAddr, Handle) {
    let server = Server::bind(config).unwrap();
    let (addr, handle) = (server.local_addr(), server.handle());
    tokio::spawn(server.run());
    (addr, handle)
}

/// Dials as a caller with this setup, which demands a tracker.
async fn dial(
    addr: SocketAddr,
    mode: TlsMode,
    setup: &Arc<Setup>,
) -> Result<Secured<TcpStream>, tls::Refusal> {
    let how = Dialing { mode, setup: Some(setup.clone()), fault: None };
    tls::dial(&how, Role::Tracker, || async { Ok((TcpStream::connect(addr).await?, Sideband::new())) }).await
}

/// The answer to hello, and the caller that asked. `Err` if the connection ends before the answer.
type Greeting = Result<(TrackerCaller, Result<TrackerWelcome, TrackerError>), wire::CallError>;

/// Says hello as a peer.
async fn greet(link: Secured<TcpStream>, port: u16) -> Greeting {
    greet_as(link, Some(tracked(port))).await
}

async fn greet_as(link: Secured<TcpStream>, peer: Option<TrackedPeer>) -> Greeting {
    let (caller, carrier): (TrackerCaller, _) = wire::client(link, ClientOptions::default());
    tokio::spawn(carrier);
    let hello = TrackerHello { version: PROTOCOL_VERSION, capabilities: 0, peer };
    let answer = caller.hello(hello, SOON).await?;
    Ok((caller, answer))
}

fn tracked(port: u16) -> TrackedPeer {
    let (peer_id, zone, host) = (PeerId([port as u8; 16]), String::new(), String::new());
    TrackedPeer { peer_id, listen_port: port, zone, host, advertise: None }
}

/// A caller that was let in.
async fn member(addr: SocketAddr, mode: TlsMode, setup: &Arc<Setup>) -> TrackerCaller {
    member_at(addr, mode, setup, 1001).await
}

/// The same on another port, and so with another id.
async fn member_at(addr: SocketAddr, mode: TlsMode, setup: &Arc<Setup>, port: u16) -> TrackerCaller {
    let (caller, welcome) = greet(dial(addr, mode, setup).await.unwrap(), port).await.unwrap();
    welcome.unwrap();
    caller
}

/// Waits until `count` callers were refused for a cause.
async fn until_refused(handle: &Handle, cause: Cause, count: u64) {
    let begin = Instant::now();
    while handle.refused().of(cause) < count {
        assert!(begin.elapsed() < SOON, "{cause}: {}", handle.refused());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(handle.refused().of(cause), count, "{cause}");
}

/// A log in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Takes what this thread logs from now on.
    fn take(&self) -> tracing::subscriber::DefaultGuard {
        let log = self.clone();
        let lines = tracing_subscriber::fmt().with_ansi(false).with_writer(move || log.clone()).finish();
        tracing::subscriber::set_default(lines)
    }

    fn lines_with(&self, text: &str) -> usize {
        let log = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        log.lines().filter(|line| line.contains(text)).count()
    }
}

#[tokio::test]
async fn who_does_not_belong_is_refused_counted_named_once_and_served_nothing() {
    let log = Log::default();
    let _taken = log.take();
    let (ca, other) = (Ca::new(), Ca::new());
    let files = Files::new(&ca);
    files.revoke(&ca, &[66]);
    let (addr, handle) = start(&files.config(TlsMode::Require));
    let year = (-3600, 365 * DAY);
    let callers = [
        (Cause::NoCertificate, "it shows no certificate", ca.stranger()),
        (
            Cause::Expired,
            "its certificate expired at",
            ca.caller(&ca, names("peer", "web-1"), (-2 * DAY, -DAY), 2),
        ),
        (
            Cause::Foreign,
            "its certificate is of an authority that is not in tls_ca here",
            other.caller(&ca, names("peer", "web-1"), year, 3),
        ),
        (
            Cause::Role,
            "its certificate is not one of a peer",
            ca.caller(&ca, names("tracker", "hub-2"), year, 4),
        ),
        (Cause::Revoked, "its certificate was revoked", ca.caller(&ca, names("peer", "web-1"), year, 66)),
    ];
    for (cause, why, setup) in &callers {
        for count in 1..=2 {
            let link = dial(addr, TlsMode::Require, setup).await.unwrap();
            let answer = greet(link, 1001).await;
            assert!(answer.is_err(), "{cause}: {:?}", answer.map(|(_, answer)| answer));
            until_refused(&handle, *cause, count).await;
        }
        assert_eq!(log.lines_with(&format!("a caller is refused: {why}")), 1, "{cause}");
    }
    // A caller without TLS is not told a byte.
    for count in 1..=2 {
        let mut plain = TcpStream::connect(addr).await.unwrap();
        plain.write_all(&[0; 8]).await.unwrap();
        let read = tokio::time::timeout(SOON, plain.read(&mut [0; 8])).await.unwrap();
        assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
        until_refused(&handle, Cause::Plain, count).await;
    }
    assert_eq!(log.lines_with("a caller is refused: it speaks no TLS"), 1);
    assert_eq!(handle.refused().all(), 12, "{}", handle.refused());
    assert_eq!(handle.size().entries, 0);
    member(addr, TlsMode::Require, &ca.member("web-1")).await;
    let status = handle.status();
    assert!(status.contains("refused 12 (2 without TLS, 2 without a certificate, "), "{status}");
    assert!(status.contains("; tls = \"require\"; hub, certificate valid until "), "{status}");
}

/// A fleet that turns TLS on serves machines with and without it.
#[tokio::test]
async fn prefer_serves_both_and_rights_follow_the_certificate() {
    let ca = Ca::new();
    let files = Files::new(&ca);
    let rule = AllowRule {
        who: vec!["node:web-1".parse().unwrap()],
        publish: Vec::new(),
        fetch: vec!["*".parse().unwrap()],
        watch: Vec::new(),
    };
    let config = TrackerConfig { allow: vec![rule], ..files.config(TlsMode::Prefer) };
    let (addr, handle) = start(&config);
    let name = Lookup::Name("app.img".parse().unwrap());
    for (mode, setup, allowed) in [
        (TlsMode::Prefer, ca.member("web-1"), Ok(())),
        (TlsMode::Require, ca.member("web-2"), Err("web-2 may not fetch app.img: ")),
        (TlsMode::Prefer, ca.stranger(), Err("an anonymous caller may not fetch app.img: ")),
        (TlsMode::Off, ca.member("web-1"), Err("an anonymous caller may not fetch app.img: ")),
    ] {
        let link = dial(addr, mode, &setup).await.unwrap();
        assert_eq!(link.is_encrypted(), mode != TlsMode::Off);
        let (caller, welcome) = greet(link, 1001).await.unwrap();
        welcome.unwrap();
        match (caller.find(name.clone(), SOON).await.unwrap(), allowed) {
            (Ok(_), Ok(())) => {}
            (Err(TrackerError::NotAllowed(why)), Err(text)) => {
                assert!(why.to_string().starts_with(text), "{why}");
            }
            (answer, allowed) => panic!("{answer:?}, not {allowed:?}"),
        }
    }
    assert_eq!(handle.refused().all(), 0, "{}", handle.refused());
}

#[tokio::test]
async fn a_machine_that_prefers_tls_is_served_by_a_tracker_without_it() {
    let ca = Ca::new();
    let (addr, handle) = start(&Files::new(&ca).config(TlsMode::Off));
    member(addr, TlsMode::Prefer, &ca.member("web-1")).await;
    let refused = dial(addr, TlsMode::Require, &ca.member("web-1")).await.unwrap_err();
    assert!(refused.to_string().starts_with("it speaks no TLS"), "{refused}");
    assert_eq!(handle.tls(), None);
}

#[tokio::test]
async fn another_certificate_is_used_for_new_connections_and_costs_no_old_one() {
    let ca = Ca::new();
    let files = Files::new(&ca);
    let (addr, handle) = start(&files.config(TlsMode::Require));
    let setup = ca.member("web-1");
    let before = member(addr, TlsMode::Require, &setup).await;
    files.certify(&ca, "hub-2");
    handle.look_at_certificates();
    let begin = Instant::now();
    loop {
        let link = dial(addr, TlsMode::Require, &setup).await.unwrap();
        if link.who().unwrap().name.as_str() == "hub-2" {
            break;
        }
        assert!(begin.elapsed() < SOON, "{}", handle.status());
    }
    before.clock(SOON).await.unwrap().unwrap();
    assert!(handle.status().contains("; hub-2, certificate"), "{}", handle.status());
}

#[tokio::test]
async fn who_would_not_be_let_in_any_more_is_disconnected() {
    let ca = Ca::new();
    let files = Files::new(&ca);
    let (addr, handle) = start(&files.config(TlsMode::Prefer));
    let good = member(addr, TlsMode::Require, &ca.member("web-1")).await;
    let thief = ca.caller(&ca, names("peer", "web-2"), (-3600, DAY), 66);
    let thief = member_at(addr, TlsMode::Require, &thief, 1002).await;
    let plain = member_at(addr, TlsMode::Off, &ca.stranger(), 1003).await;
    files.revoke(&ca, &[66]);
    handle.look_at_certificates();
    until_refused(&handle, Cause::Revoked, 1).await;
    assert!(thief.clock(SOON).await.is_err());
    plain.clock(SOON).await.unwrap().unwrap();
    handle.configure(&files.config(TlsMode::Require));
    until_refused(&handle, Cause::Plain, 1).await;
    assert!(plain.clock(SOON).await.is_err());
    good.clock(SOON).await.unwrap().unwrap();
    assert_eq!(handle.refused().all(), 2);
}

/// A machine with a certificate may be behind NAT in any network.
#[tokio::test]
async fn an_advertised_address_is_believed_of_a_machine_with_a_certificate_only() {
    let ca = Ca::new();
    let (addr, _) = start(&Files::new(&ca).config(TlsMode::Prefer));
    let (nat, own) = (SocketAddr::from(([203, 0, 113, 7], 99)), SocketAddr::new(addr.ip(), 1001));
    for (mode, setup, told) in [
        (TlsMode::Require, ca.member("web-1"), nat),
        (TlsMode::Require, ca.stranger(), own),
        (TlsMode::Off, ca.stranger(), own),
    ] {
        let link = dial(addr, mode, &setup).await.unwrap();
        let peer = TrackedPeer { advertise: Some(nat), ..tracked(1001) };
        let (_caller, welcome) = greet_as(link, Some(peer)).await.unwrap();
        assert_eq!(welcome.unwrap().your_address, told);
    }
}

/// The id of a peer is told to others, and one of them could use it.
#[tokio::test]
async fn a_peer_is_told_with_its_node_and_no_other_node_has_its_id() {
    let ca = Ca::new();
    let (addr, _) = start(&Files::new(&ca).config(TlsMode::Prefer));
    let owner = member(addr, TlsMode::Require, &ca.member("web-1")).await;
    let entry = Announce {
        key: SwarmKey { resource: ResourceId([1; 32]), digest: ListDigest([1; 32]) },
        stage: Stage::Seeding,
        have: 4,
        count: ChunkCount::new(4).unwrap(),
        peers_wanted: 0,
        names: Vec::new(),
        bytes: None,
    };
    owner.announce(vec![entry], SOON).await.unwrap().unwrap();
    for (mode, setup) in [(TlsMode::Require, ca.member("web-2")), (TlsMode::Off, ca.stranger())] {
        let (_caller, answer) = greet(dial(addr, mode, &setup).await.unwrap(), 1001).await.unwrap();
        let Err(TrackerError::Malformed(why)) = answer else { panic!("{answer:?}") };
        assert_eq!(why, "the id in the hello belongs to the machine web-1");
    }
    // Its second connection, for example after the first one was lost unnoticed.
    let again = member(addr, TlsMode::Require, &ca.member("web-1")).await;
    let peers = again.peers_of(ResourceId([1; 32]), SOON).await.unwrap().unwrap();
    assert_eq!(peers.iter().map(|peer| peer.node.as_ref().unwrap().as_str()).collect::<Vec<_>>(), ["web-1"]);
}

/// A tracker whose files are wrong runs, says so, serves nobody, and comes back by itself.
#[tokio::test]
async fn without_a_usable_certificate_nobody_is_served_until_there_is_one() {
    let ca = Ca::new();
    let files = Files::new(&ca);
    let identity = files.config(TlsMode::Require).tls_identity.unwrap();
    std::fs::write(&identity, "garbage").unwrap();
    let (addr, handle) = start(&files.config(TlsMode::Require));
    let refused = dial(addr, TlsMode::Require, &ca.member("web-1")).await.unwrap_err();
    assert_eq!(refused.to_string(), "it has no usable certificate");
    until_refused(&handle, Cause::NoIdentity, 1).await;
    assert!(handle.status().contains("it has no certificate (no line"), "{}", handle.status());
    files.certify(&ca, "hub");
    handle.look_at_certificates();
    let begin = Instant::now();
    while dial(addr, TlsMode::Require, &ca.member("web-1")).await.is_err() {
        assert!(begin.elapsed() < SOON, "{}", handle.status());
    }
}

#[tokio::test]
async fn callers_of_other_networks_are_closed_before_they_say_anything() {
    let networks = |networks: &[&str]| TrackerConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
        allow_networks: networks.iter().map(|network| network.parse().unwrap()).collect(),
        ..TrackerConfig::default()
    };
    let (addr, handle) = start(&networks(&["10.0.0.0/8", "::1"]));
    let mut caller = TcpStream::connect(addr).await.unwrap();
    let read = tokio::time::timeout(SOON, caller.read(&mut [0; 8])).await.unwrap();
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    until_refused(&handle, Cause::Network, 1).await;
    assert_eq!(handle.connections(), 0);
    handle.configure(&networks(&["10.0.0.0/8", "127.0.0.0/8"]));
    let link = dial(addr, TlsMode::Off, &Ca::new().stranger()).await.unwrap();
    greet(link, 1001).await.unwrap().1.unwrap();
}

/// Each of them begins a handshake and then says nothing.
#[tokio::test]
async fn a_thousand_strangers_in_the_handshake_are_few_at_a_time_and_keep_nobody_out() {
    const STRANGERS: usize = 1_000;
    let nofile = rustix::process::Resource::Nofile;
    let limits = rustix::process::getrlimit(nofile);
    rustix::process::setrlimit(nofile, rustix::process::Rlimit { current: limits.maximum, ..limits })
        .unwrap();
    let ca = Ca::new();
    let files = Files::new(&ca);
    let (addr, handle) = start(&files.config(TlsMode::Require));
    let mut strangers = Vec::new();
    let mut most = 0;
    for _ in 0..STRANGERS {
        let mut stranger = TcpStream::connect(addr).await.unwrap();
        // It may have been closed for a newcomer already.
        let _ = stranger.write_all(&[22, 3, 1, 0x3f]).await;
        strangers.push(stranger);
        most = most.max(handle.connections());
    }
    let unknown_max = files.config(TlsMode::Require).unknown_connections_max.get() as usize;
    assert!(most <= unknown_max, "{most} connections");
    let begin = Instant::now();
    let honest = member(addr, TlsMode::Require, &ca.member("web-1")).await;
    let waited = begin.elapsed();
    assert!(waited < Duration::from_secs(7), "{waited:?}");
    honest.clock(SOON).await.unwrap().unwrap();
    assert!(handle.refused().of(Cause::TimedOut) >= 64, "{}", handle.refused());
    drop(strangers);
}
