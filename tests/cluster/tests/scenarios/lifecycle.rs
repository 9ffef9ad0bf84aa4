//! Scenarios of daemons and trackers that end and come back.

use cluster::files::{MIB, content, corrupt};
use cluster::{CAP, Daemon, Tracker, wait_until};
use std::time::Duration;

const END_MAX: Duration = Duration::from_secs(5);

#[test]
fn a_daemon_ends_soon_when_asked_and_leaves_its_swarms() {
    let tracker = Tracker::start();
    let (mut a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let bytes = content(90, 2 * MIB);
    let id = a.share_bytes("image.iso", &bytes);
    b.get("image.iso", &bytes);
    wait_until("the tracker knows both", CAP, || tracker.peers(&id).len() == 2);

    let (status, time) = a.terminate();
    assert!(status.success(), "{status}");
    assert!(time < END_MAX, "it took {time:?}");
    // It has withdrawn, so nobody had to wait for its entry to expire.
    wait_until("only B is left", END_MAX, || tracker.peers(&id) == [b.addr()]);
    assert!(!a.folder().join(".tinytorrent/ttd.sock").exists(), "the socket is left behind");
}

#[test]
fn a_daemon_ends_soon_in_the_middle_of_a_download_and_goes_on_later() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &["--upload-limit", "8 MB/s"]);
    let mut b = Daemon::start(&tracker, &[]);
    let bytes = content(91, 24 * MIB);
    a.share_bytes("image.iso", &bytes);
    b.ok(&["get", "--detach", "image.iso"]);
    let has = b.wait_status("image.iso", "on its way", |status| status.number("chunks_have") >= 6);
    let (status, time) = b.terminate();
    assert!(status.success(), "{status}");
    assert!(time < END_MAX, "it took {time:?}");

    // An orderly end loses nothing, however rarely it syncs.
    b.restart();
    let status = b.wait_seeding("image.iso");
    b.check_file("image.iso", &bytes);
    let fetched_max = (24 - has.number("chunks_have") + 2) * MIB as u64;
    assert!(status.number("downloaded_bytes") <= fetched_max, "{status:?}");
}

#[test]
fn a_tracker_ends_soon_when_asked() {
    let mut tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    a.share_bytes("x", b"x");
    let time = tracker.terminate();
    assert!(time < END_MAX, "it took {time:?}");
}

#[test]
fn finished_files_are_served_again_without_being_hashed() {
    let tracker = Tracker::start();
    let (mut a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let bytes = content(92, 3 * MIB);
    a.share_bytes("image.iso", &bytes);
    a.wait_seeding("image.iso");
    let (status, _) = a.terminate();
    assert!(status.success());
    // Only hashing would find this change, so nothing was hashed.
    corrupt(&a.file("image.iso"), 0, b"wrong").unwrap();
    a.restart();
    a.wait_seeding("image.iso");
    corrupt(&a.file("image.iso"), 0, &bytes[..5]).unwrap();
    b.get("image.iso", &bytes);
}

#[test]
fn a_file_that_changed_while_the_daemon_was_away_is_not_served() {
    let tracker = Tracker::start();
    let mut a = Daemon::start(&tracker, &[]);
    a.share_in_place("image.iso", &content(93, 2 * MIB));
    let (status, _) = a.terminate();
    assert!(status.success());
    std::fs::write(a.file("image.iso"), content(94, 2 * MIB)).unwrap();
    a.restart();
    let status =
        a.wait_status("image.iso", "not seeding", |status| !matches!(status.state(), "seeding" | "checking"));
    assert_ne!(status.reason(), "");
}

#[test]
fn a_restarted_daemon_still_knows_everything() {
    let tracker = Tracker::start();
    let (mut a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let names = ["one", "two", "three"];
    for (seed, name) in names.into_iter().enumerate() {
        a.share_bytes(name, &content(95 + seed as u64, MIB + seed));
    }
    a.ok(&["pause", "two"]);
    a.kill();
    a.restart();
    assert_eq!(a.statuses().len(), 3);
    let two = a.wait_status("two", "paused still", |status| status.state() == "paused");
    assert_eq!(two.text("name"), "two");
    a.wait_seeding("one");
    b.get("three", &content(97, MIB + 2));
}

#[test]
fn a_download_that_was_accepted_survives_a_kill_before_the_first_byte() {
    let tracker = Tracker::start();
    let mut a = Daemon::start(&tracker, &[]);
    let mut b = Daemon::start(&tracker, &[]);
    let bytes = content(98, 2 * MIB);
    a.share_bytes("image.iso", &bytes);
    a.kill();
    b.ok(&["get", "--detach", "image.iso"]);
    b.kill();
    b.restart();
    a.restart();
    b.wait_seeding("image.iso");
    b.check_file("image.iso", &bytes);
}
