//! Scenarios with hostile or broken trackers: the daemon stays alive and small, and gets everything that an honest
//! tracker knows.

use cluster::fake_tracker::{FakeTracker, Manners, Says};
use cluster::files::{MIB, content};
use cluster::{CAP, Daemon, Tracker, wait_until};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The most memory that a daemon may use while a tracker misbehaves. A debug build uses about 30 MiB when idle.
const RESIDENT_MAX_KIB: u64 = 256 << 10;
const DESCRIPTORS_MAX: usize = 128;

/// A resource that an honest tracker and a misbehaving one know. `wanted` must hold before it is fetched.
#[track_caller]
fn fetch_beside(
    manners: Manners,
    wanted: impl Fn(&FakeTracker, &Daemon) -> bool,
) -> (FakeTracker, Daemon, Tracker) {
    let (honest, fake) = (Tracker::start(), FakeTracker::start(manners));
    let (urls, bytes) = ([honest.url(), fake.url()], content(40, 2 * MIB + 5));
    let trackers = ["--tracker", &urls[0], "--tracker", &urls[1]];
    let start = || Daemon::start_on(Ipv4Addr::LOCALHOST.into(), &trackers);
    let (a, mut b) = (start(), start());
    a.share_bytes("image.iso", &bytes);
    b.ok(&["get", "--timeout", "50 s", "image.iso"]);
    b.check_file("image.iso", &bytes);
    wait_until("it has done its worst", CAP, || wanted(&fake, &b));
    assert!(b.runs());
    let resident = b.proc("status", "VmHWM:");
    assert!(resident < RESIDENT_MAX_KIB, "{resident} KiB resident");
    assert!(b.descriptors() < DESCRIPTORS_MAX, "{} descriptors", b.descriptors());
    // The honest tracker knows both, regardless of the other's answers.
    wait_until("both are known", CAP, || honest.peers("image.iso").len() == 2);
    (fake, b, honest)
}

/// The message about the second tracker of a complete resource.
fn trouble(daemon: &Daemon) -> String {
    let status = daemon.wait_seeding("image.iso");
    status.0["trackers"][1]["trouble"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn garbage() {
    for bytes in [&b"HTTP/1.1 500 Internal Server Error\r\n\r\n<html>"[..], &[255; 100_000], &[0; 64]] {
        let (_fake, b, _honest) =
            fetch_beside(Manners::Sends(bytes.to_vec()), |_, daemon| trouble(daemon).contains("protocol"));
        assert!(!b.log().contains("panicked"));
    }
}

#[test]
fn slow_drip_and_silence() {
    for manners in [Manners::Drips, Manners::IsSilent] {
        let (_fake, b, _honest) = fetch_beside(manners, |_, daemon| !trouble(daemon).is_empty());
        let status = b.wait_seeding("image.iso");
        assert!(status.0["trackers"][1]["trouble_s"].is_u64(), "{status:?}");
        assert!(status.0["trackers"][0]["trouble"].is_null(), "the honest one is well: {status:?}");
    }
}

#[test]
fn more_peers_than_anybody_wants_and_at_once_again() {
    let peers = (0..9_000_u32).map(|at| SocketAddr::from(((0x7f10_0000 + at).to_be_bytes(), 9)));
    let says = Says { peers: peers.collect(), interval_ms: 0, ..Says::default() };
    let before = |fake: &FakeTracker, _: &Daemon| fake.announces() >= 8;
    let (_fake, b, _honest) = fetch_beside(Manners::Says(says), before);
    let dialled = b.log().matches("cannot ask this peer").count();
    assert!(dialled <= 400, "{dialled} dials");
}

#[test]
fn addresses_where_nobody_can_be() {
    let named = ["224.0.0.1:7987", "0.0.0.0:7987", "255.255.255.255:7987", "127.0.0.1:0", "[ff02::1]:7987"];
    let peers = named.iter().map(|addr| addr.parse().unwrap()).collect();
    let says = Says { peers, interval_ms: u32::MAX, ..Says::default() };
    let (_fake, b, _honest) = fetch_beside(Manners::Says(says), |fake, _| fake.announces() >= 2);
    for addr in named {
        assert!(!b.log().contains(&format!("peer={addr}")), "{addr} was dialled");
    }
}

/// An address outside the swarm that counts the connections it receives.
fn victim() -> (Vec<SocketAddr>, Arc<AtomicU64>) {
    let knocks = Arc::new(AtomicU64::new(0));
    let listen = || {
        let listener = TcpListener::bind((Ipv4Addr::new(127, 9, 9, 9), 0)).unwrap();
        let (addr, knocks) = (listener.local_addr().unwrap(), knocks.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                drop(stream);
                knocks.fetch_add(1, Ordering::Relaxed);
            }
        });
        addr
    };
    ((0..60).map(|_| listen()).collect(), knocks)
}

#[test]
fn a_victim_is_left_alone() {
    let (peers, knocks) = victim();
    let fake = FakeTracker::start(Manners::Says(Says { peers, interval_ms: 0, ..Says::default() }));
    let mut honest = Tracker::start();
    let (urls, bytes) = ([honest.url(), fake.url()], content(41, MIB));
    let trackers = ["--tracker", &urls[0], "--tracker", &urls[1]];
    let mut a = Daemon::start_on(Ipv4Addr::LOCALHOST.into(), &trackers);
    a.share_bytes("image.iso", &bytes);
    let manifest = a.file("image.iso.tinytorrent");
    let text = std::fs::read(&manifest).unwrap();
    a.kill();
    honest.restart(); // it knows nobody

    let b = Daemon::start_on(Ipv4Addr::LOCALHOST.into(), &trackers);
    let manifest = b.outside().join("image.iso.tinytorrent");
    std::fs::write(&manifest, text).unwrap();
    b.ok(&["get", "--detach", manifest.to_str().unwrap()]);
    let begin = std::time::Instant::now();
    wait_until("it was named often", CAP, || fake.announces() >= 12);
    // Eight dials at first, then one in ten seconds, each by at most two connections.
    let most = 2 * (8 + 1 + begin.elapsed().as_secs() / 10);
    let knocks = knocks.load(Ordering::Relaxed);
    assert!(knocks > 0, "nobody was dialled at all");
    assert!(knocks <= most, "{knocks} connections to somebody who never answered");

    a.restart();
    b.wait_seeding("image.iso");
    b.check_file("image.iso", &bytes);
}

#[test]
fn manifests_are_not_sent_again_and_again() {
    let says = Says { wants_manifests: true, interval_ms: 0, ..Says::default() };
    let (fake, b, _honest) = fetch_beside(Manners::Says(says), |fake, _| fake.publishes() >= 3);
    wait_until("that is told", CAP, || trouble(&b).contains("does not exist"));
    assert!(fake.publishes() <= 2 + fake.connections(), "{} publishes", fake.publishes());
}

#[test]
fn one_that_refuses_is_named() {
    let says = Says { refuses: true, ..Says::default() };
    let (_fake, b, _honest) =
        fetch_beside(Manners::Says(says), |_, b| trouble(b).contains("it does not like you"));
    // It is one of two trackers, so new machines find the resource at the other one.
    assert_eq!(b.wait_seeding("image.iso").reason(), "");
    let shown = b.ok(&["status", "image.iso"]).stdout;
    assert!(shown.contains("it does not like you"), "{shown}");
}

#[test]
fn answers_that_do_not_fit_and_memory_that_does_not_last() {
    for says in [
        Says { forgets_answers: true, ..Says::default() },
        Says { is_reborn: true, wants_manifests: true, ..Says::default() },
    ] {
        fetch_beside(Manners::Says(says), |fake, _| fake.connections() >= 3);
    }
}

#[test]
fn two_that_disagree_are_told_once() {
    let says = Says { disagrees: true, interval_ms: 0, ..Says::default() };
    let (fake, b, _honest) = fetch_beside(Manners::Says(says), |fake, _| fake.announces() >= 8);
    let status =
        b.wait_status("image.iso", "in conflict", |status| status.reason().contains("one of the two"));
    assert!(status.reason().contains(&fake.url()), "{status:?}");
    assert_eq!(b.log().matches("another list of chunks").count(), 1);
}

#[test]
fn a_name_is_found_although_another_tracker_lies_about_it() {
    let says = Says { lies_about_names: true, ..Says::default() };
    fetch_beside(Manners::Says(says), |_, _| true);
}

/// An empty tracker, and a machine with more resources than could be published one by one before they expire.
#[test]
fn all_names_come_back_and_none_loses_its_seeder() {
    const FILES: usize = 1200;
    let mut tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    let mut paths = Vec::new();
    for number in 0..FILES {
        let path = a.file(&format!("file-{number:04}"));
        std::fs::write(&path, number.to_string()).unwrap();
        paths.push(path.to_str().unwrap().to_owned());
    }
    for some in paths.chunks(300) {
        let args: Vec<&str> = std::iter::once("share").chain(some.iter().map(String::as_str)).collect();
        a.ok(&args);
    }
    tracker.restart();
    let begin = std::time::Instant::now();
    wait_until("all names are back", CAP, || {
        let listed = tracker.list();
        for entry in &listed {
            assert_eq!(entry.seeders, 1, "published without its seeder: {entry:?}");
        }
        listed.len() == FILES
    });
    eprintln!("all names are back after {:?}", begin.elapsed());
    // A share meanwhile is published at once.
    tracker.restart();
    let path = a.outside().join("one-more");
    std::fs::write(&path, "one more").unwrap();
    let output = a.ok(&["share", path.to_str().unwrap()]);
    assert!(!output.stderr.contains("later"), "{}", output.stderr);
}

#[test]
fn the_log_of_a_tracker_names_what_is_published() {
    let tracker = Tracker::start();
    let daemon = Daemon::start(&tracker, &[]);
    let id = daemon.share_bytes("image.iso", &content(41, 2 * MIB + 5));
    wait_until("it is logged", CAP, || {
        let log = tracker.log();
        let published = log.lines().find(|line| line.contains("INFO") && line.contains(": published"));
        published.is_some_and(|line| {
            ["image.iso: published", "chunks=3", &id[..12]].iter().all(|text| line.contains(text))
        })
    });
}
