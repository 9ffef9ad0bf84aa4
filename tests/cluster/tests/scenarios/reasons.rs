//! Scenarios that cause each reason for waiting and check how it is shown.

use cluster::files::{MIB, content};
use cluster::{CAP, Daemon, Status, Tracker, wait_until};
use std::fs::File;
use std::time::SystemTime;

#[track_caller]
fn wait_reason(daemon: &Daemon, name: &str, state: &str, reason: &str) -> Status {
    daemon.wait_status(name, &format!("{state}: {reason}"), |status| {
        status.state() == state && status.reason().contains(reason)
    })
}

#[test]
fn a_tracker_that_cannot_be_reached() {
    let mut tracker = Tracker::start();
    let mut a = Daemon::start(&tracker, &[]);
    a.share_bytes("image.iso", &content(50, MIB));
    let text = std::fs::read(a.file("image.iso.tinytorrent")).unwrap();
    tracker.kill();

    // Machines that have it are fine, but no new machine will find it.
    let status = wait_reason(&a, "image.iso", "seeding", "new machines cannot find it");
    assert!(status.reason().contains(&format!("tracker {} unreachable for", tracker.url())), "{status:?}");
    let health = &status.0["trackers"][0];
    assert_eq!(health["tracker"].as_str(), Some(tracker.url().as_str()));
    assert!(health["trouble"].is_string() && health["trouble_s"].is_u64(), "{health}");
    a.kill();

    let b = Daemon::start(&tracker, &[]);
    let manifest = b.outside().join("image.iso.tinytorrent");
    std::fs::write(&manifest, text).unwrap();
    b.ok(&["get", "--detach", manifest.to_str().unwrap()]);
    let status = wait_reason(&b, "image.iso", "waiting", "(connection refused)");
    assert!(status.reason().starts_with("no peers are known; tracker tt://"), "{status:?}");
    wait_until("time goes by", CAP, || {
        b.status("image.iso").is_some_and(|now| now.0["trackers"][0]["trouble_s"].as_u64() >= Some(2))
    });

    // With --progress a script gets one line, and no more until something changes.
    let output = b.ctl_code(5, &["get", "image.iso.tinytorrent", "--timeout", "4 s", "--progress"]);
    let told = output.stderr.lines().filter(|line| line.starts_with("image.iso: waiting")).count();
    assert_eq!(told, 1, "{}", output.stderr);
    assert!(
        output.stderr.lines().last().is_some_and(|line| line.contains("download continues")),
        "{}",
        output.stderr
    );

    a.restart();
    tracker.restart();
    b.wait_seeding("image.iso");
    b.wait_status("image.iso", "without a trouble", |status| status.0["trackers"][0]["trouble"].is_null());
}

#[test]
fn chunks_that_no_peer_has() {
    let tracker = Tracker::start();
    let mut seeder = Daemon::start(&tracker, &["--upload-limit", "8 MB/s"]);
    let (b, c) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    seeder.share_bytes("image.iso", &content(51, 24 * MIB));
    b.ok(&["get", "--detach", "image.iso"]);
    b.wait_status("image.iso", "on its way", |status| status.number("chunks_have") >= 3);
    seeder.kill();
    c.ok(&["get", "--detach", "image.iso"]);
    wait_reason(&b, "image.iso", "waiting", "no peer has chunk");
    wait_reason(&c, "image.iso", "waiting", "no peer has chunk");
}

#[test]
fn a_peer_that_hangs() {
    let tracker = Tracker::start();
    let mut a = Daemon::start(&tracker, &["--upload-limit", "4 MB/s"]);
    let b = Daemon::start_configured(&tracker, "stall_warning = \"2 s\"");
    let bytes = content(52, 16 * MIB);
    a.share_bytes("image.iso", &bytes);
    b.ok(&["get", "--detach", "image.iso"]);
    b.wait_status("image.iso", "on its way", |status| status.number("chunks_have") >= 2);
    a.freeze(true);
    wait_reason(&b, "image.iso", "waiting", "has sent nothing for");
    b.wait_log("the download has made no progress");

    a.freeze(false);
    b.wait_log("the download makes progress again");
    b.wait_seeding("image.iso");
    b.check_file("image.iso", &bytes);
    for text in ["the download has made no progress", "the download makes progress again"] {
        assert_eq!(b.log().matches(text).count(), 1, "{text}");
    }
}

#[test]
fn a_peer_that_is_busy() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &["--upload-limit", "150 kB/s"]);
    let (b, c) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    a.share_bytes("one", &content(53, MIB));
    b.ok(&["get", "--detach", "one"]);
    wait_reason(&b, "one", "downloading", "");
    c.ok(&["get", "--detach", "one"]);
    wait_reason(&c, "one", "waiting", "the only peer is busy");
}

#[test]
fn what_an_operator_did() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &["--upload-limit", "2 MB/s"]);
    let b = Daemon::start(&tracker, &[]);
    let slow = Daemon::start(&tracker, &["--download-limit", "1 kB/s"]);
    a.share_bytes("image.iso", &content(54, 8 * MIB));
    b.ok(&["get", "--detach", "image.iso"]);
    b.ok(&["pause", "image.iso"]);
    wait_reason(&b, "image.iso", "paused", "paused by a user");
    slow.ok(&["get", "--detach", "image.iso"]);
    slow.wait_status("image.iso", "limited", |status| {
        status.reason().contains("the download limit is 1 kB/s")
    });
}

#[test]
fn what_is_being_checked() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    let path = a.file("holes");
    let file = File::create(&path).unwrap();
    file.set_len(1 << 30).unwrap();
    a.ok(&["share", path.to_str().unwrap()]);
    file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    let status = wait_reason(&a, "holes", "checking", "checking ");
    assert!(status.reason().ends_with(" %"), "{status:?}");
    a.wait_seeding("holes");
}

#[test]
fn a_restart_with_many_resources_reads_none_of_them() {
    let tracker = Tracker::start();
    let mut a = Daemon::start(&tracker, &[]);
    let paths: Vec<String> = (0..20_u8)
        .map(|number| {
            let path = a.file(&format!("resource-{number}"));
            std::fs::write(&path, content(u64::from(number) + 100, MIB + 1)).unwrap();
            path.to_str().unwrap().to_owned()
        })
        .collect();
    let mut share = vec!["share"];
    share.extend(paths.iter().map(String::as_str));
    a.ok(&share);
    a.restart();
    assert!(a.statuses().iter().all(|status| status.state() == "seeding"));
    let read = a.proc("io", "rchar:");
    assert!(read < 4 << 20, "{read} bytes were read at the start, of {}", 20 * (MIB + 1));
}
