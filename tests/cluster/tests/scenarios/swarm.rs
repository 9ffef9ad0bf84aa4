//! Scenarios of who serves whom.

use cluster::files::{MIB, content};
use cluster::{CAP, Daemon, Tracker, wait_until};
use std::net::Ipv6Addr;

#[test]
fn one_machine_fetches_from_another() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let bytes = content(1, 5 * MIB + 123);
    let id = a.share_bytes("model.grib2", &bytes);
    b.get("model.grib2", &bytes);

    let status = b.wait_seeding("model.grib2");
    assert_eq!(status.text("resource"), id);
    assert_eq!((status.number("chunks_have"), status.number("chunks_total")), (6, 6));
    assert_eq!((status.number("bytes_have"), status.number("bytes_total")), (5_243_003, 5_243_003));
    // Each has the file and its identical manifest, and nothing else is visible.
    assert_eq!(a.listing(), ["model.grib2", "model.grib2.tinytorrent"]);
    assert_eq!(b.listing(), a.listing());
    let manifest = |daemon: &Daemon| std::fs::read(daemon.file("model.grib2.tinytorrent")).unwrap();
    assert_eq!(manifest(&a), manifest(&b));
}

#[test]
fn four_machines_fetch_from_one_and_from_each_other() {
    let tracker = Tracker::start();
    let seeder = Daemon::start(&tracker, &["--upload-limit", "40 MB/s"]);
    let leechers: Vec<Daemon> = (0..4).map(|_| Daemon::start(&tracker, &[])).collect();
    let bytes = content(2, 40 * MIB);
    seeder.share_bytes("image.iso", &bytes);
    for leecher in &leechers {
        leecher.ok(&["get", "--detach", "image.iso"]);
    }
    for leecher in &leechers {
        leecher.wait_seeding("image.iso");
        leecher.check_file("image.iso", &bytes);
    }
    // If the seeder had sent everything itself, this would be four copies.
    let uploaded = seeder.status("image.iso").unwrap().number("uploaded_bytes");
    assert!(uploaded < 3 * bytes.len() as u64, "the seeder has sent {uploaded} bytes");
}

#[test]
fn a_late_joiner_gets_everything() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let bytes = content(3, 3 * MIB);
    a.share_bytes("update.tar", &bytes);
    b.get("update.tar", &bytes);

    // The first seeder is gone when the third machine comes.
    drop(a);
    let late = Daemon::start(&tracker, &[]);
    late.get("update.tar", &bytes);
}

#[test]
fn a_leecher_is_served_by_another_leecher() {
    let tracker = Tracker::start();
    let mut seeder = Daemon::start(&tracker, &["--upload-limit", "8 MB/s"]);
    let (first, second) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let bytes = content(4, 24 * MIB);
    seeder.share_bytes("image.iso", &bytes);
    first.ok(&["get", "--detach", "image.iso"]);
    first.wait_status("image.iso", "on its way", |status| status.number("chunks_have") >= 4);
    seeder.kill();

    // Now nobody has everything, and still all chunks of the first leecher reach the second.
    second.ok(&["get", "--detach", "image.iso"]);
    let has = |daemon: &Daemon| daemon.status("image.iso").map_or(0, |status| status.number("chunks_have"));
    wait_until("the second has what the first has", CAP, || has(&second) >= 4 && has(&second) == has(&first));
    assert!(has(&second) < 24, "the seeder was killed too late");
    let waits = second.wait_status("image.iso", "waiting", |status| status.state() == "waiting");
    assert_ne!(waits.reason(), "", "it says why it waits");

    seeder.restart();
    for daemon in [&first, &second] {
        daemon.wait_seeding("image.iso");
        daemon.check_file("image.iso", &bytes);
    }
}

#[test]
fn two_resources_travel_at_once_in_both_directions() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let (one, two, three) = (content(5, 8 * MIB + 1), content(6, 6 * MIB), content(7, 7 * MIB - 1));
    a.share_bytes("one", &one);
    a.share_bytes("two", &two);
    b.share_bytes("three", &three);
    b.ok(&["get", "--detach", "one"]);
    b.ok(&["get", "--detach", "two"]);
    a.ok(&["get", "--detach", "three"]);
    for (daemon, name, bytes) in [(&b, "one", &one), (&b, "two", &two), (&a, "three", &three)] {
        daemon.wait_seeding(name);
        daemon.check_file(name, bytes);
    }
    let names: Vec<String> = b.statuses().iter().map(|status| status.text("name").to_owned()).collect();
    assert_eq!(names, ["one", "three", "two"]);
}

#[test]
fn the_seeder_may_die_once_little_more_than_a_copy_is_out() {
    let tracker = Tracker::start();
    // Slow enough that who is not given a processor for a third of a second, while it receives one of the last chunks,
    // does not miss it: meanwhile the others would get the five in a hundred.
    let mut seeder = Daemon::start(&tracker, &["--upload-limit", "15 MB/s"]);
    // Without the limit they would have everything before the seeder has sent this amount.
    let leecher = |_| Daemon::start(&tracker, &["--upload-limit", "6 MB/s"]);
    let leechers: Vec<Daemon> = (0..3).map(leecher).collect();
    // Six chunks are in flight at any time; with files of this size these are less than five percent.
    let bytes = content(8, 120 * MIB);
    seeder.share_bytes("image.iso", &bytes);
    for leecher in &leechers {
        leecher.ok(&["get", "--detach", "image.iso"]);
    }
    let enough = (bytes.len() as u64).saturating_mul(105) / 100;
    wait_until("1.05 copies are out", CAP, || {
        seeder.status("image.iso").is_some_and(|status| status.number("uploaded_bytes") >= enough)
    });
    seeder.kill();
    let done =
        |leecher: &Daemon| leecher.status("image.iso").is_some_and(|status| status.state() == "seeding");
    assert!(!leechers.iter().any(done), "the seeder was killed too late");
    for leecher in &leechers {
        leecher.wait_seeding("image.iso");
        leecher.check_file("image.iso", &bytes);
    }
}

#[test]
fn ipv6_works_as_well() {
    let tracker = Tracker::start_on(Ipv6Addr::LOCALHOST.into());
    let url = tracker.url();
    let start = || Daemon::start_on(Ipv6Addr::LOCALHOST.into(), &["--tracker", &url]);
    let (a, b) = (start(), start());
    let bytes = content(9, 2 * MIB + 1);
    let id = a.share_bytes("six", &bytes);
    b.get("six", &bytes);
    wait_until("both are known to the tracker", CAP, || {
        let mut addrs = [a.addr(), b.addr()];
        addrs.sort();
        tracker.peers(&id) == addrs
    });
}

#[test]
fn a_machine_with_both_addresses_serves_both() {
    let tracker = Tracker::start_on(Ipv6Addr::UNSPECIFIED.into());
    let port = tracker.addr().port();
    let four = format!("tt://127.0.0.1:{port}");
    let six = format!("tt://[::1]:{port}");
    let a = Daemon::start_on(Ipv6Addr::UNSPECIFIED.into(), &["--tracker", &four]);
    let b = Daemon::start_on(Ipv6Addr::UNSPECIFIED.into(), &["--tracker", &six]);
    let bytes = content(10, MIB + 7);
    a.share_bytes("both", &bytes);
    b.get("both", &bytes);
}

#[test]
fn daemons_with_nothing_but_a_folder_do_not_meet() {
    let tracker = Tracker::start();
    let url = tracker.url();
    let a = Daemon::start_anywhere(&["--tracker", &url]);
    let b = Daemon::start_anywhere(&["--tracker", &url]);
    let bytes = content(11, 2 * MIB);
    let id = a.share_bytes("plain", &bytes);
    b.get("plain", &bytes);
    wait_until("the tracker knows both", CAP, || tracker.peers(&id).len() == 2);
    let peers = tracker.peers(&id);
    assert_ne!(peers[0].port(), peers[1].port());
    assert!(peers.iter().all(|peer| (7987..=8018).contains(&peer.port())), "{peers:?}");
    // Each says which port it took.
    for (daemon, peer) in [(&a, &peers[0]), (&b, &peers[1])] {
        let ports = peers.iter().filter(|peer| daemon.log().contains(&peer.port().to_string()));
        assert!(ports.count() >= 1, "no word of {peer}");
    }
}
