//! Scenarios with files of all sizes.

use cluster::files::{MIB, content};
use cluster::{Daemon, Tracker};
use std::os::unix::fs::PermissionsExt;

#[test]
fn every_size_arrives_whole() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    for bytes in [0, 1, MIB - 1, MIB, MIB + 1] {
        let (name, content) = (format!("{bytes} bytes"), content(bytes as u64, bytes));
        a.share_bytes(&name, &content);
        b.get(&name, &content);
        let status = b.wait_seeding(&name);
        assert_eq!(status.number("bytes_total"), bytes as u64);
        assert_eq!(status.number("chunks_total"), bytes.div_ceil(MIB) as u64);
    }
}

#[test]
fn many_small_files_one_after_the_other_come_at_once() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    for number in 0..12 {
        let (name, content) = (format!("small {number}"), content(42 + number, 10));
        a.share_bytes(&name, &content);
        // The former downloads' connections have freed their memory; otherwise this would take a minute.
        b.ok(&["get", &name, "--timeout", "20 s"]);
        b.check_file(&name, &content);
    }
}

#[test]
fn chunks_may_be_all_alike() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let bytes = vec![0; 9 * MIB + 3];
    a.share_bytes("zeros", &bytes);
    b.get("zeros", &bytes);
}

#[test]
fn two_hundred_mebibytes_arrive_whole() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let bytes = content(40, 200 * MIB);
    a.share_bytes("image.iso", &bytes);
    b.get("image.iso", &bytes);
}

#[test]
fn a_finished_file_has_the_configured_mode() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    let b = Daemon::start_configured(&tracker, "file_mode = \"0640\"");
    let bytes = content(41, 10);
    a.share_bytes("secret", &bytes);
    b.get("secret", &bytes);
    let mode =
        |daemon: &Daemon, name: &str| daemon.file(name).metadata().unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&b, "secret"), 0o640);
    assert_eq!(mode(&a, "secret"), 0o644);
    assert_eq!(mode(&b, ".tinytorrent"), 0o700);
}
