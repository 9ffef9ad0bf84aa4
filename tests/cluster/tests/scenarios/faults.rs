//! Scenarios with failures of trackers, daemons and disks.

use cluster::files::{MIB, content, corrupt};
use cluster::{CAP, Daemon, Tracker, wait_until};

#[test]
fn a_tracker_that_comes_back_empty_is_whole_again() {
    let mut tracker = Tracker::start();
    let a = Daemon::start(&tracker, &["--upload-limit", "8 MB/s"]);
    let b = Daemon::start(&tracker, &[]);
    let bytes = content(20, 16 * MIB);
    let id = a.share_bytes("image.iso", &bytes);
    b.ok(&["get", "--detach", "image.iso"]);
    b.wait_status("image.iso", "on its way", |status| status.number("chunks_have") >= 2);

    tracker.restart();
    // The name is known again although nobody shares it again, and a third machine finds both others.
    wait_until("the catalogue is whole again", CAP, || {
        tracker.meaning("image.iso").is_some() && tracker.peers(&id).len() == 2
    });
    let c = Daemon::start(&tracker, &[]);
    c.get("image.iso", &bytes);
    b.wait_seeding("image.iso");
    b.check_file("image.iso", &bytes);
}

#[test]
fn a_transfer_goes_on_when_the_tracker_is_dead() {
    let mut tracker = Tracker::start();
    let a = Daemon::start(&tracker, &["--upload-limit", "8 MB/s"]);
    let b = Daemon::start(&tracker, &[]);
    let bytes = content(21, 16 * MIB);
    a.share_bytes("image.iso", &bytes);
    b.ok(&["get", "--detach", "image.iso"]);
    b.wait_status("image.iso", "on its way", |status| status.number("chunks_have") >= 1);
    tracker.kill();
    b.wait_seeding("image.iso");
    b.check_file("image.iso", &bytes);
}

#[test]
fn sharing_without_a_tracker_warns_and_is_made_good_later() {
    let mut tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    tracker.kill();
    let bytes = content(22, MIB);
    std::fs::write(a.file("early"), &bytes).unwrap();
    let output = a.ok(&["share", a.file("early").to_str().unwrap()]);
    assert!(output.stderr.contains(&tracker.url()), "no warning names the tracker: {}", output.stderr);

    tracker.restart();
    wait_until("the tracker learns of it", CAP, || tracker.meaning("early").is_some());
    b.get("early", &bytes);
}

#[test]
fn a_killed_daemon_goes_on_where_it_stopped() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &["--upload-limit", "8 MB/s"]);
    let mut b = Daemon::start_configured(&tracker, "sync_every = \"100 ms\"");
    let bytes = content(23, 24 * MIB);
    a.share_bytes("image.iso", &bytes);
    b.ok(&["get", "--detach", "image.iso"]);
    let has = |least: u64| {
        b.wait_status("image.iso", "on its way", |status| status.number("chunks_have") >= least)
            .number("chunks_have")
    };
    // While four more chunks arrive in half a second, the first ones are synced and recorded several times.
    let noted = has(6);
    has(noted + 4);
    b.kill();
    assert!(!b.file("image.iso").exists(), "half a file is visible");

    b.restart();
    let status = b.wait_seeding("image.iso");
    b.check_file("image.iso", &bytes);
    // Two chunks may come twice in the endgame.
    let fetched_max = bytes.len() as u64 - noted * MIB as u64 + 2 * MIB as u64;
    let fetched = status.number("downloaded_bytes");
    assert!(
        fetched <= fetched_max,
        "{fetched} bytes were fetched after the restart, {noted} chunks were there"
    );
}

#[test]
fn a_corrupt_chunk_is_fetched_elsewhere() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    let mut b = Daemon::start(&tracker, &[]);
    let c = Daemon::start(&tracker, &[]);
    let bytes = content(24, 6 * MIB);
    a.share_bytes("image.iso", &bytes);
    b.get("image.iso", &bytes);
    let (status, _) = b.terminate();
    assert!(status.success());

    // Only the bytes show that A's third chunk is wrong.
    corrupt(&a.file("image.iso"), 2 * MIB as u64 + 99, b"wrong").unwrap();
    c.ok(&["get", "--detach", "image.iso"]);
    c.wait_status("image.iso", "but for one chunk complete", |status| status.number("chunks_have") == 5);
    // The log tells which machine has the bad disk.
    c.wait_log(&a.addr().to_string());
    wait_until("the log says that a chunk was corrupt", CAP, || {
        let addr = a.addr().to_string();
        c.log().lines().any(|line| line.contains(&addr) && line.contains("corrupt"))
    });
    assert!(!c.file("image.iso").exists(), "a file with a corrupt chunk was published");

    b.restart();
    c.wait_seeding("image.iso");
    c.check_file("image.iso", &bytes);
}

#[test]
fn verify_finds_what_is_wrong_on_the_disk() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let bytes = content(25, 4 * MIB);
    a.share_bytes("image.iso", &bytes);
    b.get("image.iso", &bytes);
    b.ok(&["verify", "image.iso"]);

    corrupt(&b.file("image.iso"), MIB as u64, b"wrong").unwrap();
    let output = b.ctl_code(6, &["verify", "image.iso"]);
    assert!(!output.stderr.is_empty());
    // It is fetched again from A unless the operator forbids that; otherwise the daemon says what is wrong.
    let status = b.status("image.iso").expect("it is not forgotten");
    assert!(
        status.state() != "seeding" || std::fs::read(b.file("image.iso")).unwrap() == bytes,
        "{status:?}"
    );
}

#[test]
fn a_download_waits_while_there_is_no_room() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    // No disk is that large.
    let mut b = Daemon::start_configured(&tracker, "min_free_space = \"1000 TiB\"");
    let bytes = content(26, 3 * MIB);
    a.share_bytes("image.iso", &bytes);
    let output = b.ctl_code(7, &["get", "image.iso", "--timeout", "1 s"]);
    assert!(output.stderr.contains("no space"), "{}", output.stderr);
    let status = b.status("image.iso").expect("it is accepted all the same");
    assert_eq!(status.state(), "waiting");
    assert!(status.reason().contains("no space"), "{status:?}");

    b.configure("");
    b.restart();
    b.wait_seeding("image.iso");
    b.check_file("image.iso", &bytes);
}
