//! Names: of all scripts, taken ones, and two for one content.

use cluster::files::{MIB, content};
use cluster::{Daemon, Tracker};
use std::fs;

#[test]
fn names_may_be_of_any_script() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let long = "x".repeat(243);
    let names =
        ["two words", "modèle du jour.grib2", "模型.bin", "صورة", "-rf", ".hidden", "100% & 'quoted'", &long];
    for (seed, name) in names.into_iter().enumerate() {
        let bytes = content(50 + seed as u64, 1000 + seed);
        a.share_bytes(name, &bytes);
        b.get(name, &bytes);
    }
    let mut sorted: Vec<String> = names.map(str::to_owned).to_vec();
    sorted.sort();
    let listed: Vec<String> = b.statuses().iter().map(|status| status.text("name").to_owned()).collect();
    assert_eq!(listed, sorted);
}

#[test]
fn names_that_could_do_harm_are_refused() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    for name in ["line\nbreak", "x.tinytorrent", ".tinytorrent-notes", "back\\slash", &"x".repeat(244)] {
        let path = a.outside().join(name);
        fs::write(&path, "x").unwrap();
        a.ctl_code(4, &["share", path.to_str().unwrap()]);
    }
    assert_eq!(a.listing(), [""; 0]);
    assert!(a.statuses().is_empty());
}

#[test]
fn the_same_content_may_have_two_names() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let bytes = content(60, 2 * MIB + 9);
    let id = a.share_bytes("one", &bytes);
    assert_eq!(a.share_bytes("two", &bytes), id);
    b.get("one", &bytes);
    b.get("two", &bytes);
    // Two files, one swarm.
    assert_eq!(b.statuses().len(), 2);
    assert!(tracker.peers(&id).len() <= 2);

    b.ok(&["remove", "one", "--delete"]);
    assert!(!b.file("one").exists());
    b.check_file("two", &bytes);
    b.wait_seeding("two");
}

#[test]
fn a_name_whose_file_is_gone_says_so_while_the_other_name_is_served() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let bytes = content(66, MIB + 3);
    a.share_bytes("one", &bytes);
    a.share_bytes("two", &bytes);
    fs::remove_file(a.file("one")).unwrap();
    let output = a.ctl_code(4, &["verify", "one"]);
    assert!(output.stderr.contains(a.file("one").to_str().unwrap()), "{}", output.stderr);
    let status = a.wait_status("one", "its file is missed", |status| status.state() == "error");
    assert_eq!(status.reason(), "one is gone from the shared folder");
    a.wait_seeding("two");
    a.ok(&["verify", "two"]);
    assert_eq!(a.status("one").unwrap().state(), "error");
    b.get("two", &bytes);
    a.ok(&["remove", "one"]);
    a.wait_seeding("two");
}

#[test]
fn a_taken_name_is_not_given_other_content_unless_asked_for() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let (mine, theirs) = (content(61, MIB), content(62, MIB + 1));
    a.share_bytes("config.tar", &mine);
    b.get("config.tar", &mine);
    let next = a.outside().join("config.tar");
    fs::write(&next, &theirs).unwrap();
    a.ok(&["share", "--replace", next.to_str().unwrap()]);

    // What the name means now is what was shared last.
    let output = b.ctl_code(4, &["get", "config.tar"]);
    assert!(output.stderr.contains("--replace"), "{}", output.stderr);
    b.check_file("config.tar", &mine);
    b.ok(&["get", "config.tar", "--replace"]);
    b.check_file("config.tar", &theirs);
    assert_eq!(b.statuses().len(), 1);
}

#[test]
fn what_was_shared_here_is_not_replaced_by_get() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let (mine, theirs) = (content(67, MIB), content(68, MIB + 1));
    a.share_bytes("config.tar", &mine);
    a.ok(&["get", "--replace", "config.tar"]); // it is what the name means: nothing is to be done
    let other = b.outside().join("config.tar");
    fs::write(&other, &theirs).unwrap();
    b.ok(&["share", "--replace", other.to_str().unwrap()]);

    for args in [&["get", "config.tar"][..], &["get", "--replace", "config.tar"]] {
        let output = a.ctl_code(4, args);
        assert!(output.stderr.contains("ttctl remove config.tar"), "{}", output.stderr);
        a.check_file("config.tar", &mine);
        a.wait_seeding("config.tar");
    }
    a.ok(&["remove", "config.tar"]);
    a.ok(&["get", "--replace", "config.tar"]);
    a.check_file("config.tar", &theirs);
}

#[test]
fn an_original_that_its_owner_changes_is_not_put_back_by_get() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let (first, second) = (content(69, MIB), content(79, MIB + 1));
    a.share_in_place("config.tar", &first);
    b.get("config.tar", &first);
    fs::write(a.file("config.tar"), &second).unwrap();
    let output = a.ctl_code(4, &["get", "--replace", "config.tar"]);
    assert!(output.stderr.contains("share it again"), "{}", output.stderr);
    a.check_file("config.tar", &second);
    // What is gone is nobody's original any more.
    fs::remove_file(a.file("config.tar")).unwrap();
    a.get("config.tar", &first);
}

#[test]
fn an_outside_file_does_not_take_the_place_of_a_resource_unless_asked_for() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    let (first, second) = (content(63, MIB), content(64, 3));
    a.share_bytes("config.tar", &first);
    let path = a.outside().join("config.tar");
    fs::write(&path, &second).unwrap();

    let output = a.ctl_code(4, &["share", path.to_str().unwrap()]);
    assert!(output.stderr.contains("--replace"), "{}", output.stderr);
    a.check_file("config.tar", &first);
    a.ok(&["share", "--replace", path.to_str().unwrap()]);
    a.check_file("config.tar", &second);
    // The same content again is no conflict.
    a.ok(&["share", path.to_str().unwrap()]);
}

#[test]
fn a_file_that_is_in_the_way_is_not_overwritten() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let bytes = content(65, MIB);
    a.share_bytes("notes", &bytes);
    // Nobody shared this one; it lies there all the same.
    fs::write(b.file("notes"), "mine").unwrap();
    b.ctl_code(4, &["get", "notes"]);
    b.check_file("notes", b"mine");
    b.ok(&["get", "--replace", "notes"]);
    b.check_file("notes", &bytes);
}
