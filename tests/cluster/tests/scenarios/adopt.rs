//! Scenarios with files that are in the shared directory already: they are adopted, nothing that is here is fetched,
//! and `get` reports the present state.

use cluster::files::{MIB, content};
use cluster::process::Output;
use cluster::{Daemon, Tracker};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// A daemon that shares a file of `chunks` chunks, the last of which is short, and one that will fetch it.
fn two(seed: u64, chunks: usize) -> (Tracker, Daemon, Daemon, Vec<u8>) {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let bytes = content(seed, chunks * MIB - 9);
    a.share_bytes("image.iso", &bytes);
    (tracker, a, b, bytes)
}

/// Changes a few bytes of a chunk.
fn damage(path: &Path, chunk: usize) {
    let file = File::options().write(true).open(path).unwrap();
    file.write_all_at(b"damaged", (chunk * MIB + 99) as u64).unwrap();
}

#[track_caller]
fn downloaded(daemon: &Daemon, what: &str) -> u64 {
    daemon.status(what).expect("it is known").number("downloaded_bytes")
}

#[track_caller]
fn says(output: &Output, text: &str) {
    assert!(output.stderr.contains(text), "{text:?} is not in {}", output.stderr);
}

// -- get and wait say what is there now

#[test]
fn a_file_that_vanished_is_fetched_by_the_next_get() {
    let (_tracker, _a, b, bytes) = two(200, 2);
    for _ in 0..5 {
        b.get("image.iso", &bytes);
        fs::remove_file(b.file("image.iso")).unwrap();
        b.get("image.iso", &bytes);
    }
    let copy = b.outside().join("copy");
    fs::remove_file(b.file("image.iso")).unwrap();
    b.ok(&["get", "image.iso", "-o", copy.to_str().unwrap()]);
    assert!(fs::read(copy).unwrap() == bytes);
}

#[test]
fn wait_does_not_call_a_file_complete_that_vanished() {
    let (_tracker, _a, b, bytes) = two(201, 2);
    b.get("image.iso", &bytes);
    fs::remove_file(b.file("image.iso")).unwrap();
    let output = b.ctl_code(4, &["wait", "image.iso", "--timeout", "30 s"]);
    says(&output, "was deleted from the shared directory");
}

#[test]
fn get_does_not_call_a_file_complete_that_was_changed() {
    let (_tracker, _a, b, bytes) = two(202, 3);
    b.get("image.iso", &bytes);
    damage(&b.file("image.iso"), 1);
    let output = b.ctl_code(6, &["get", "image.iso"]);
    says(&output, "1 of 3 chunks differs");
    let output = b.ctl_code(6, &["wait", "image.iso"]);
    says(&output, "1 of 3 chunks differs");
}

#[test]
fn a_file_that_was_only_touched_is_complete() {
    let (_tracker, _a, b, bytes) = two(203, 2);
    b.get("image.iso", &bytes);
    let before = downloaded(&b, "image.iso");
    let file = File::options().write(true).open(b.file("image.iso")).unwrap();
    file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000)).unwrap();
    b.get("image.iso", &bytes);
    assert_eq!(downloaded(&b, "image.iso"), before);
}

#[test]
fn an_empty_file_that_vanished_or_grew_is_made_anew() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    a.share_bytes("empty", b"");
    b.get("empty", b"");
    fs::remove_file(b.file("empty")).unwrap();
    b.get("empty", b"");
    fs::write(b.file("empty"), "not empty any more").unwrap();
    b.ctl_code(6, &["get", "empty"]);
    b.ok(&["get", "--replace", "empty"]);
    b.check_file("empty", b"");
    // One that is found missing by itself first.
    fs::remove_file(b.file("empty")).unwrap();
    b.wait_status("empty", "missed", |status| status.state() == "error");
    b.get("empty", b"");
}

// -- a file that ttd does not know

#[test]
fn a_right_file_under_the_wanted_name_is_taken_as_it_is() {
    for replace in [false, true] {
        let (_tracker, a, b, bytes) = two(204, 3);
        fs::write(b.file("image.iso"), &bytes).unwrap();
        let inode = |daemon: &Daemon| {
            std::os::unix::fs::MetadataExt::ino(&fs::metadata(daemon.file("image.iso")).unwrap())
        };
        let before = inode(&b);
        let args: &[&str] = if replace { &["get", "--replace", "image.iso"] } else { &["get", "image.iso"] };
        let output = b.ok(args);
        assert!(output.stdout.contains("nothing was fetched"), "{}", output.stdout);
        assert_eq!((downloaded(&b, "image.iso"), inode(&b)), (0, before), "replace: {replace}");
        b.check_file("image.iso", &bytes);
        assert!(b.file("image.iso.tinytorrent").exists(), "its manifest is shown");
        // It is served from there, also by the next run.
        a.ok(&["remove", "image.iso", "--delete"]);
        a.get("image.iso", &bytes);
    }
}

#[test]
fn a_removed_resource_whose_file_stayed_is_taken_again_without_any_tracker() {
    let (mut tracker, _a, mut b, bytes) = two(205, 3);
    b.get("image.iso", &bytes);
    let manifest = b.outside().join("kept.tinytorrent");
    fs::copy(b.file("image.iso.tinytorrent"), &manifest).unwrap();
    b.ok(&["remove", "image.iso"]);
    b.get("image.iso", &bytes);
    assert_eq!(downloaded(&b, "image.iso"), 0);
    b.ok(&["remove", "image.iso"]);
    tracker.kill();
    b.ok(&["get", manifest.to_str().unwrap()]);
    assert_eq!(downloaded(&b, "image.iso"), 0);
    b.restart();
    b.wait_seeding("image.iso");
    assert_eq!(downloaded(&b, "image.iso"), 0);
}

#[test]
fn a_file_that_differs_is_refused_and_then_gives_every_chunk_that_fits() {
    let (_tracker, _a, b, bytes) = two(206, 6);
    let mut other = bytes.clone();
    for chunk in [1, 4] {
        other[chunk * MIB + 5] ^= 1;
    }
    fs::write(b.file("image.iso"), &other).unwrap();
    let output = b.ctl_code(4, &["get", "image.iso"]);
    says(&output, "4 of 6 chunks match");
    says(&output, "--replace");
    assert!(b.status("image.iso").is_none(), "what was refused is not remembered");
    b.check_file("image.iso", &other);

    b.ok(&["get", "--replace", "image.iso"]);
    b.check_file("image.iso", &bytes);
    assert_eq!(downloaded(&b, "image.iso"), 2 * MIB as u64);
}

#[test]
fn a_file_that_is_too_long_or_too_short_gives_its_chunks() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    // Contents of their own, so that none gives chunks to another.
    let [longer, shorter, empty] = [2070, 2071, 2072].map(|seed| content(seed, 4 * MIB));
    for (name, now, wanted, fetched) in [
        ("longer", [&longer[..], b"and more"].concat(), longer.clone(), 0),
        ("shorter", shorter[..2 * MIB + 7].to_vec(), shorter.clone(), 2 * MIB as u64),
        ("empty", Vec::new(), empty, 4 * MIB as u64),
    ] {
        a.share_bytes(name, &wanted);
        fs::write(b.file(name), &now).unwrap();
        b.ctl_code(4, &["get", name]);
        b.ok(&["get", "--replace", name]);
        b.check_file(name, &wanted);
        assert_eq!(downloaded(&b, name), fetched, "{name}");
    }
}

#[test]
fn after_verify_found_one_damaged_chunk_one_chunk_is_fetched() {
    let (_tracker, _a, mut b, bytes) = two(208, 5);
    b.get("image.iso", &bytes);
    b.restart(); // it counts from 0 again
    b.wait_seeding("image.iso");
    damage(&b.file("image.iso"), 2);
    b.ctl_code(6, &["verify", "image.iso"]);
    b.ctl_code(6, &["get", "image.iso"]);
    b.ok(&["get", "--replace", "image.iso"]);
    b.check_file("image.iso", &bytes);
    assert_eq!(downloaded(&b, "image.iso"), MIB as u64);
}

#[test]
fn a_new_version_takes_the_chunks_that_it_shares_with_the_old_one() {
    let (_tracker, a, b, bytes) = two(209, 6);
    b.get("image.iso", &bytes);
    let mut next = bytes;
    next[3 * MIB] ^= 1;
    fs::write(a.outside().join("image.iso"), &next).unwrap();
    a.ok(&["share", "--replace", a.outside().join("image.iso").to_str().unwrap()]);
    b.ok(&["get", "--replace", "image.iso"]);
    b.check_file("image.iso", &next);
    assert_eq!(downloaded(&b, "image.iso"), MIB as u64);
}

#[test]
fn the_old_file_stays_until_the_new_one_is_complete() {
    let (_tracker, mut a, mut b, bytes) = two(210, 4);
    let mut other = bytes.clone();
    other[2 * MIB] ^= 1;
    fs::write(b.file("image.iso"), &other).unwrap();
    a.kill(); // nobody has the missing chunk any more
    b.ok(&["get", "--replace", "--detach", "image.iso"]);
    b.wait_status("image.iso", "waiting with three chunks", |status| {
        status.state() == "waiting" && status.number("chunks_have") == 3
    });
    b.check_file("image.iso", &other);
    b.restart();
    b.wait_status("image.iso", "waiting with three chunks", |status| {
        status.state() == "waiting" && status.number("chunks_have") == 3
    });
    b.check_file("image.iso", &other);
    a.restart();
    b.wait_seeding("image.iso");
    b.check_file("image.iso", &bytes);
    assert_eq!(downloaded(&b, "image.iso"), MIB as u64);
}

// -- what no file can take the place of

#[test]
fn what_is_no_file_is_refused_by_what_it_is() {
    let (_tracker, _a, b, bytes) = two(211, 1);
    let (file, manifest) = (b.file("image.iso"), b.file("image.iso.tinytorrent"));
    let elsewhere = b.outside().join("elsewhere");
    fs::write(&elsewhere, &bytes).unwrap();
    for path in [&file, &manifest] {
        fs::create_dir(path).unwrap();
        says(&b.ctl_code(4, &["get", "image.iso"]), "is a directory");
        says(&b.ctl_code(4, &["get", "--replace", "image.iso"]), "is a directory");
        fs::remove_dir(path).unwrap();
        std::os::unix::fs::symlink(&elsewhere, path).unwrap();
        says(&b.ctl_code(4, &["get", "image.iso"]), "is a symbolic link");
        says(&b.ctl_code(4, &["get", "--replace", "image.iso"]), "is a symbolic link");
        fs::remove_file(path).unwrap();
    }
    let fifo = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &file, rustix::fs::FileType::Fifo, fifo, 0).unwrap();
    says(&b.ctl_code(4, &["get", "--replace", "image.iso"]), "is a FIFO");
    fs::remove_file(&file).unwrap();
    assert!(b.status("image.iso").is_none());
    b.get("image.iso", &bytes);
}

#[test]
fn a_directory_that_appears_later_is_named_and_waited_for() {
    for place in ["image.iso", "image.iso.tinytorrent"] {
        let tracker = Tracker::start();
        let a = Daemon::start(&tracker, &["--upload-limit", "4 MB/s"]);
        let b = Daemon::start(&tracker, &[]);
        let bytes = content(212, 5 * MIB);
        a.share_bytes("image.iso", &bytes);
        b.ok(&["get", "--replace", "--detach", "image.iso"]);
        fs::create_dir(b.file(place)).unwrap();
        let is_named = |status: &cluster::Status| status.reason().contains("is a directory");
        let status = b.wait_status("image.iso", "waiting for its place", is_named);
        assert!(status.reason().contains("move it away"), "{status:?}");
        fs::remove_dir(b.file(place)).unwrap();
        b.wait_seeding("image.iso");
        b.check_file("image.iso", &bytes);
    }
}
