//! Scenarios in which names are unpublished, and names that must not be published.

use cluster::files::{MIB, content};
use cluster::{CAP, Daemon, Tracker, wait_until};
use shared::id::{ChunkHash, ResourceId};
use shared::manifest::Manifest;
use std::fs;

/// The publications of a tracker, by name.
fn published(tracker: &Tracker) -> Vec<String> {
    tracker.list().iter().map(|entry| entry.publication.name.to_string()).collect()
}

#[test]
fn a_name_that_is_taken_back_stays_away_and_its_file_stays() {
    let mut tracker = Tracker::start();
    let [mut a, b, c] = [(); 3].map(|()| Daemon::start(&tracker, &[]));
    let (old, new) = (content(901, MIB + 1), content(902, 2 * MIB + 2));
    a.share_bytes("img", &old);
    c.get("img", &old);
    let path = a.outside().join("img");
    fs::write(&path, &new).unwrap();
    a.ok(&["share", "--replace", path.to_str().unwrap()]);
    let id = tracker.meaning("img").unwrap().to_string();
    b.get("img", &new);

    // a machine that only fetched it cannot unpublish it
    let refused = b.ctl_code(4, &["unpublish", "img"]);
    assert!(refused.stderr.contains("was not shared from this machine"), "{}", refused.stderr);

    // the former version, which c still has, has its name again
    assert_eq!(a.ok(&["unpublish", "img"]).stdout, "unpublished img\n");
    let status = a.ok(&["status", "img"]).stdout;
    assert!(status.contains("published") && status.contains("taken back"), "{status}");
    let d = Daemon::start(&tracker, &[]);
    d.get("img", &old);
    d.ok(&["remove", "--delete", "img"]);
    a.wait_seeding("img");
    a.check_file("img", &new);

    // neither a holder nor the sharer publishes it again, not even after restarts
    c.ok(&["remove", "img"]);
    a.restart();
    tracker.restart();
    wait_until("both are known again", CAP, || tracker.peers(&id).len() == 2);
    // what the tracker wishes with its answers is told before this
    b.share_bytes("other", &old);
    wait_until("the name has stayed away", CAP, || published(&tracker) == ["other"]);
    a.share_bytes("third", &old[1..]);
    assert_eq!(published(&tracker), ["other", "third"]);

    // shared again, it is published again
    a.ok(&["share", a.file("img").to_str().unwrap()]);
    assert!(!a.ok(&["status", "img"]).stdout.contains("taken back"));
    d.get("img", &new);
}

#[test]
fn what_its_sharer_removes_goes_at_once_if_nobody_else_has_it() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let (alone, both, back) = (content(903, MIB), content(904, MIB + 1), content(905, MIB + 2));
    a.share_bytes("alone", &alone);
    a.share_bytes("both", &both);
    a.share_bytes("back", &back);
    b.get("both", &both);
    b.get("back", &back);
    a.ok(&["remove", "alone", "both"]);
    a.ok(&["remove", "--unpublish", "back"]);
    wait_until("it is unpublished", CAP, || published(&tracker) == ["both"]);
    a.get("both", &both);
    b.wait_seeding("back");
}

#[test]
fn what_is_shared_at_another_tracker_leaves_the_first_one_and_says_so() {
    let (one, two) = (Tracker::start(), Tracker::start());
    let a = Daemon::start(&one, &[]);
    let bytes = content(906, MIB);
    let id = a.share_bytes("img", &bytes);
    let file = a.file("img");
    let again = a.ok(&["share", "--tracker", &two.url(), file.to_str().unwrap()]);
    assert!(again.stderr.contains(&format!("img is no longer shared at {}", one.url())), "{}", again.stderr);
    wait_until("the first one has forgotten it", CAP, || {
        published(&one).is_empty() && one.peers(&id).is_empty()
    });
    assert_eq!(published(&two), ["img"]);
    // both are gone
    let both = ["share", "--tracker", &two.url(), "--tracker", &one.url(), file.to_str().unwrap()];
    assert!(!a.ok(&both).stderr.contains("no longer"), "nothing was left");
    assert_eq!((published(&one), published(&two)), (vec!["img".to_owned()], vec!["img".to_owned()]));
}

/// Somebody distributes a false manifest. Those who try it must not publish it.
#[test]
fn a_manifest_that_nobody_has_proven_is_not_published_by_those_who_fetch_it() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    let hashes = [1, 2].map(|seed| ChunkHash::of(&[seed])).to_vec();
    let trackers = vec![tracker.url().parse().unwrap()];
    let manifest = Manifest::new("fid.img".parse().unwrap(), ResourceId([7; 32]), trackers, hashes).unwrap();
    let path = a.outside().join("fid.img.tinytorrent");
    fs::write(&path, manifest.to_text()).unwrap();
    a.ok(&["get", "--detach", path.to_str().unwrap()]);
    let id = manifest.resource().to_string();
    wait_until("it is announced", CAP, || tracker.peers(&id).len() == 1);
    // what the tracker wishes with its answer is told before this
    a.share_bytes("sound", &content(907, MIB));
    assert_eq!(published(&tracker), ["sound"]);
}
