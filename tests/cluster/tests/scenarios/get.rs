//! Scenarios for the ways to name a resource and to wait for it.

use cluster::files::{MIB, content};
use cluster::{CAP, Daemon, Tracker};
use std::fs;

#[test]
fn a_resource_is_named_in_many_ways() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    let bytes = content(70, MIB + 5);
    let id = a.share_bytes("été 2025.iso", &bytes);
    let manifest = a.outside().join("handed out.tinytorrent");
    fs::copy(a.file("été 2025.iso.tinytorrent"), &manifest).unwrap();

    let by_url = format!("{}/%C3%A9t%C3%A9%202025.iso", tracker.url());
    let by_url_and_id = format!("{}/{id}", tracker.url());
    for what in ["été 2025.iso", &id, &by_url, &by_url_and_id, manifest.to_str().unwrap()] {
        let b = Daemon::start(&tracker, &[]);
        b.ok(&["get", what]);
        b.check_file("été 2025.iso", &bytes);
    }
    // A daemon that knows no tracker finds it in the manifest.
    let c = Daemon::start_on(tracker.addr().ip(), &[]);
    c.ok(&["get", manifest.to_str().unwrap()]);
    c.check_file("été 2025.iso", &bytes);
}

#[test]
fn get_copies_out_with_the_callers_rights() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let bytes = content(71, 2 * MIB);
    a.share_bytes("image.iso", &bytes);
    let path = b.outside().join("copy");
    b.ok(&["get", "image.iso", "-o", path.to_str().unwrap()]);
    assert!(fs::read(&path).unwrap() == bytes);
    b.check_file("image.iso", &bytes);
    // Chunks that are here already are not touched.
    fs::write(&path, "mine").unwrap();
    b.ctl_code(4, &["get", "image.iso", "-o", path.to_str().unwrap()]);
    assert_eq!(fs::read(&path).unwrap(), b"mine");
}

#[test]
fn a_timeout_ends_the_waiting_and_not_the_download() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &["--upload-limit", "4 MB/s"]);
    let b = Daemon::start(&tracker, &[]);
    let bytes = content(72, 8 * MIB);
    a.share_bytes("image.iso", &bytes);
    b.ctl_code(5, &["get", "image.iso", "--timeout", "300 ms"]);
    assert!(!b.file("image.iso").exists());
    b.wait_seeding("image.iso");
    b.check_file("image.iso", &bytes);
}

#[test]
fn a_killed_ttctl_does_not_end_the_download() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &["--upload-limit", "8 MB/s"]);
    let b = Daemon::start(&tracker, &[]);
    let bytes = content(73, 12 * MIB);
    a.share_bytes("image.iso", &bytes);
    let mut ttctl = b.ctl_in_background(&["get", "image.iso"]);
    b.wait_status("image.iso", "on its way", |status| status.number("chunks_have") >= 1);
    ttctl.kill();
    b.wait_seeding("image.iso");
    b.check_file("image.iso", &bytes);
}

#[test]
fn interrupting_get_says_that_the_download_goes_on() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &["--upload-limit", "8 MB/s"]);
    let b = Daemon::start(&tracker, &[]);
    let bytes = content(74, 12 * MIB);
    a.share_bytes("image.iso", &bytes);
    let mut ttctl = b.ctl_in_background(&["get", "image.iso"]);
    b.wait_status("image.iso", "on its way", |status| status.number("chunks_have") >= 1);
    ttctl.signal(rustix::process::Signal::INT);
    let status = ttctl.wait(CAP).expect("ttctl ends when it is interrupted");
    assert!(!status.success());
    assert!(ttctl.log().contains("continues"), "{}", ttctl.log());
    b.wait_seeding("image.iso");
}

#[test]
fn what_is_there_already_is_not_fetched_again() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let bytes = content(75, 3 * MIB);
    a.share_bytes("image.iso", &bytes);
    b.get("image.iso", &bytes);
    let before = b.status("image.iso").unwrap().number("downloaded_bytes");
    b.get("image.iso", &bytes);
    assert_eq!(b.status("image.iso").unwrap().number("downloaded_bytes"), before);
}

#[test]
fn a_paused_download_stands_still_until_it_is_resumed() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &["--upload-limit", "8 MB/s"]);
    let b = Daemon::start(&tracker, &[]);
    let bytes = content(76, 16 * MIB);
    a.share_bytes("image.iso", &bytes);
    b.ok(&["get", "--detach", "image.iso"]);
    b.wait_status("image.iso", "on its way", |status| status.number("chunks_have") >= 1);
    b.ok(&["pause", "image.iso"]);
    let paused = b.wait_status("image.iso", "paused", |status| status.state() == "paused");
    // While another file comes from the same peer, chunks that were on their way may still be stored; while a second
    // one comes, nothing moves.
    let fetch_another = |name: &str, seed: u64| {
        let bytes = content(seed, 2 * MIB);
        a.share_bytes(name, &bytes);
        b.get(name, &bytes);
        b.status("image.iso").unwrap().number("chunks_have")
    };
    let still = fetch_another("first.iso", 77);
    assert!(still < 16, "{paused:?}");
    assert_eq!(fetch_another("second.iso", 78), still);

    b.ok(&["resume", "image.iso"]);
    b.wait_seeding("image.iso");
    b.check_file("image.iso", &bytes);
}

#[test]
fn a_removed_resource_is_forgotten_and_its_file_stays_unless_deleted() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    let (keep, delete) = (content(77, MIB), content(78, MIB));
    let id = a.share_bytes("keep", &keep);
    a.share_bytes("delete", &delete);
    a.ok(&["remove", "keep"]);
    a.ok(&["remove", "delete", "--delete"]);
    assert!(a.status("keep").is_none() && a.status("delete").is_none());
    a.check_file("keep", &keep);
    assert!(!a.file("delete").exists());
    cluster::wait_until("the tracker has forgotten it", CAP, || tracker.peers(&id).is_empty());
    // The remaining file can be shared again.
    a.share_in_place("keep", &keep);
}

#[test]
fn get_waits_for_the_tracker_and_the_name_when_it_is_given_time() {
    let mut tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let bytes = content(79, MIB);
    let output = b.ctl_code(4, &["get", "image.iso"]);
    assert!(output.stderr.contains("image.iso is not published on"), "{}", output.stderr);
    let output = b.ctl_code(5, &["get", "image.iso", "--timeout", "1 s"]);
    assert!(output.stderr.contains("image.iso is not published on"), "{}", output.stderr);
    b.wait_log("not fetched");

    tracker.kill();
    let output = b.ctl_code(8, &["get", "image.iso"]);
    assert!(output.stderr.contains("cannot look up image.iso"), "{}", output.stderr);
    b.ctl_code(5, &["get", "image.iso", "--timeout", "1 s"]);
    let mut waiting = b.ctl_in_background(&["get", "image.iso", "--timeout", "60 s"]);
    tracker.restart();
    a.share_bytes("image.iso", &bytes);
    let status = waiting.wait(CAP).expect("it finds the name");
    assert!(status.success(), "{}", waiting.log());
    b.check_file("image.iso", &bytes);
}
