//! Scenarios with machines that were made from one image, so that everything on their disks is the same.

use cluster::files::{MIB, content};
use cluster::{CAP, Daemon, Tracker, wait_until};
use std::collections::BTreeSet;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

/// Neither replaces the other at the tracker or at a peer, because each daemon chooses its id at its start.
#[test]
fn a_cloned_machine_is_a_peer_of_its_own() {
    let tracker = Tracker::start();
    let mut original = Daemon::start(&tracker, &[]);
    let bytes = content(90, 3 * MIB + 7);
    let id = original.share_bytes("image", &bytes);
    original.terminate();
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("shared");
    copy(original.folder(), &folder);
    let url = tracker.url();
    let clone = Daemon::start_in(home, &folder, Some(Ipv4Addr::LOCALHOST.into()), &["--tracker", &url]);
    original.restart();
    wait_until("both are known to the tracker", CAP, || {
        let peers = tracker.peers(&id);
        peers.contains(&original.addr()) && peers.contains(&clone.addr())
    });
    let entries = tracker.entries(&id);
    let ids: BTreeSet<_> = entries.iter().map(|entry| entry.peer_id).collect();
    assert_eq!(ids.len(), 2, "two machines have one id: {entries:?}");
    let first = Daemon::start(&tracker, &[]);
    first.get("image", &bytes);
    // Each of them serves alone, too.
    drop(first);
    original.kill();
    let second = Daemon::start(&tracker, &[]);
    second.get("image", &bytes);
    assert_eq!(clone.wait_seeding("image").text("name"), "image");
}

/// Copies a folder with all that is a file or a folder in it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, kind) = entry.map(|entry| (entry.path(), entry.file_type().unwrap())).unwrap();
        let copied = to.join(path.file_name().unwrap());
        if kind.is_dir() {
            copy(&path, &copied);
        } else if kind.is_file() {
            fs::copy(&path, &copied).unwrap();
        }
    }
}
