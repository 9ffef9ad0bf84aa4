//! Somebody changes shared files behind the daemon's back.

use cluster::files::{MIB, content, sha256};
use cluster::{CAP, Daemon, Tracker, wait_until};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

/// Does something to a shared file, and checks that nobody is served wrong bytes and that the status says why.
fn check_not_served_after(seed: u64, change: impl Fn(&Path)) {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let bytes = content(seed, 3 * MIB);
    a.share_in_place("image.iso", &bytes);
    a.wait_seeding("image.iso");
    change(&a.file("image.iso"));

    b.ok(&["get", "--detach", "image.iso"]);
    let status = a.wait_status("image.iso", "no longer seeding", |status| status.state() != "seeding");
    assert_ne!(status.reason(), "", "{status:?}");
    assert!(!b.file("image.iso").exists(), "a file that had changed was served as if it had not");
    let status = b.status("image.iso").expect("the download goes on waiting");
    assert_ne!(status.state(), "seeding");
}

#[test]
fn an_edited_file_is_not_served() {
    check_not_served_after(30, |path| {
        let mut file = File::options().append(true).open(path).unwrap();
        file.write_all(b"one line more\n").unwrap();
    });
}

#[test]
fn a_file_that_was_overwritten_in_place_is_not_served() {
    // Same size, same inode: the time of change tells.
    check_not_served_after(31, |path| {
        let mut file = File::options().write(true).open(path).unwrap();
        file.write_all(b"other bytes").unwrap();
    });
}

#[test]
fn a_truncated_file_is_not_served() {
    check_not_served_after(32, |path| File::options().write(true).open(path).unwrap().set_len(9).unwrap());
}

#[test]
fn a_deleted_file_is_not_served() {
    check_not_served_after(33, |path| fs::remove_file(path).unwrap());
}

#[test]
fn a_file_that_became_a_link_is_not_served() {
    check_not_served_after(34, |path| {
        fs::remove_file(path).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", path).unwrap();
    });
}

#[test]
fn a_file_written_anew_is_a_new_resource_when_it_is_shared_again() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let (old, new) = (content(35, 2 * MIB), content(36, 3 * MIB + 5));
    let old_id = a.share_in_place("forecast.grib2", &old);
    b.get("forecast.grib2", &old);

    let new_id = a.share_in_place("forecast.grib2", &new);
    let all = a.statuses();
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!(all[0].text("resource"), new_id);
    let text = fs::read_to_string(a.file("forecast.grib2.tinytorrent")).unwrap();
    assert_eq!(text.lines().nth(1), Some(sha256(&new).as_str()));
    // The old one's swarm is left; who has it still serves it.
    wait_until("A has left the old swarm", CAP, || tracker.peers(&old_id) == [b.addr()]);

    let c = Daemon::start(&tracker, &[]);
    c.get("forecast.grib2", &new);
    // Nobody is given other content under a name without asking for it.
    b.ctl_code(4, &["get", "forecast.grib2"]);
    b.check_file("forecast.grib2", &old);
    b.ok(&["get", "--replace", "forecast.grib2"]);
    b.check_file("forecast.grib2", &new);
    wait_until("B has left the old swarm", CAP, || tracker.peers(&old_id).is_empty());
}

#[test]
fn a_file_with_several_links_is_shared_and_the_users_is_never_ours() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let bytes = content(37, MIB + 1);
    let outside = a.outside().join("linked");
    fs::write(&outside, &bytes).unwrap();
    fs::hard_link(&outside, a.outside().join("other name")).unwrap();
    a.ok(&["share", outside.to_str().unwrap()]);
    // What we keep is a copy: who writes to the one does not write to the other.
    fs::write(&outside, b"changed").unwrap();
    a.check_file("linked", &bytes);
    b.get("linked", &bytes);
}

#[test]
fn a_deleted_file_is_fetched_again_when_it_is_asked_for() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let bytes = content(38, 2 * MIB + 1);
    a.share_bytes("image.iso", &bytes);
    b.get("image.iso", &bytes);
    fs::remove_file(b.file("image.iso")).unwrap();
    b.wait_status("image.iso", "missed", |status| status.state() == "error");
    b.get("image.iso", &bytes);
}
