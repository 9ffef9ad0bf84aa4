//! Scenarios in which a directory lies in the shared directory that ttd does not know: because its records are lost, or
//! because somebody put it there.

use cluster::files::{MIB, content};
use cluster::trees::{Item, Items, check, items, make, tar};
use cluster::{CAP, Daemon, Tracker, wait_until};
use std::fs;
use std::path::{Path, PathBuf};

fn directory(daemon: &Daemon) -> PathBuf {
    daemon.folder().join("app")
}

/// What the daemon has received from others since it was started, in bytes.
fn received(daemon: &Daemon) -> u64 {
    daemon.status("app.tar").expect("it is known").number("downloaded_bytes")
}

/// A daemon that shares a directory.
fn sharer(tracker: &Tracker, items: &Items) -> Daemon {
    let daemon = Daemon::start(tracker, &[]);
    make(&directory(&daemon), items);
    daemon.ok(&["share", directory(&daemon).to_str().unwrap()]);
    daemon
}

fn lose_records(daemon: &mut Daemon) {
    daemon.terminate();
    fs::remove_dir_all(daemon.folder().join(".tinytorrent/resources")).unwrap();
    daemon.restart();
}

fn edit(path: &Path) {
    fs::write(path.join("sub 1/1"), "edited").unwrap();
}

#[test]
fn a_directory_whose_records_are_lost_is_found_and_served() {
    let tracker = Tracker::start();
    let items = items(100, 30, 100_000);
    let mut a = sharer(&tracker, &items);
    let mut b = Daemon::start(&tracker, &[]);
    let c = Daemon::start(&tracker, &[]);
    b.ok(&["get", "app"]);
    for daemon in [&mut a, &mut b] {
        lose_records(daemon);
        let status = daemon.wait_seeding("app.tar");
        assert_eq!(status.text("kind"), "tree");
        assert_eq!(received(daemon), 0);
        check(&directory(daemon), &items);
    }
    a.terminate();
    c.ok(&["get", "app"]); // from the files of b
    check(&directory(&c), &items);
    b.restart();
    b.wait_seeding("app.tar");
    b.ok(&["verify", "app"]);
    b.ok(&["remove", "app", "--delete"]);
    wait_until("nothing is left", CAP, || b.listing().is_empty());
}

#[test]
fn a_directory_whose_records_are_lost_and_that_was_edited_is_named_and_kept() {
    let tracker = Tracker::start();
    let items = items(200, 30, 100_000);
    let a = sharer(&tracker, &items);
    let mut b = Daemon::start(&tracker, &[]);
    b.ok(&["get", "app"]);
    edit(&directory(&b));
    lose_records(&mut b);
    let is_named = |b: &Daemon| {
        let status = b.wait_status("app.tar", "an error", |status| status.state() == "error");
        assert_eq!(status.text("kind"), "tree");
        assert!(status.text("reason").contains("was changed"), "{}", status.text("reason"));
    };
    is_named(&b);
    b.restart();
    is_named(&b);
    let output = b.ctl_code(4, &["get", "app"]);
    assert!(output.stderr.contains("--replace"), "{}", output.stderr);
    assert_ne!(b.ctl(&["verify", "app"]).code, 0);
    assert_eq!(fs::read_to_string(directory(&b).join("sub 1/1")).unwrap(), "edited");
    b.ok(&["get", "app", "--replace"]);
    check(&directory(&b), &items);
    b.wait_seeding("app.tar");
    assert!(
        received(&b) <= 3 << 20,
        "{} B of {}",
        received(&b),
        a.status("app").unwrap().number("bytes_total")
    );

    // What was edited is another version, if that is wanted.
    edit(&directory(&b));
    lose_records(&mut b);
    is_named(&b);
    b.ok(&["share", directory(&b).to_str().unwrap(), "--replace"]);
    b.wait_seeding("app.tar");
    assert_eq!(fs::read_to_string(directory(&b).join("sub 1/1")).unwrap(), "edited");
}

#[test]
fn the_same_directory_is_adopted_when_it_is_wanted() {
    let tracker = Tracker::start();
    let items = items(300, 30, 100_000);
    let a = sharer(&tracker, &items);
    for more in [&[][..], &["--replace"]] {
        let b = Daemon::start(&tracker, &[]);
        make(&directory(&b), &items);
        b.ok(&[&["get", "app"], more].concat());
        b.wait_seeding("app.tar");
        assert_eq!(received(&b), 0, "{more:?}");
        check(&directory(&b), &items);
        a.ok(&["pause", "app"]);
        let c = Daemon::start(&tracker, &[]);
        c.ok(&["get", "app"]);
        check(&directory(&c), &items);
        a.ok(&["resume", "app"]);
    }
}

#[test]
fn a_different_directory_is_kept_unless_it_may_be_replaced() {
    let tracker = Tracker::start();
    let items = items(400, 12, 2 * MIB);
    let a = sharer(&tracker, &items);
    let total = a.wait_seeding("app").number("bytes_total");
    let file = |mode, bytes| Item::File(mode, content(9, bytes));
    // With the same listing; with another one, as long; with one more file, so that everything lies elsewhere.
    for (path, differs, restarts) in [
        ("sub 1/1", file(0o644, 2 * MIB), false),
        ("sub 1/1", file(0o600, 2 * MIB), false),
        ("mine", file(0o600, 70_000), false),
        ("mine", file(0o600, 70_000), true),
    ] {
        let mut b = Daemon::start(&tracker, &["--download-limit", "8 MiB/s"]);
        let mut other = items.clone();
        other.insert(path.to_owned(), differs);
        make(&directory(&b), &other);
        let output = b.ctl_code(4, &["get", "app"]);
        assert!(output.stderr.contains("with different content"), "{}", output.stderr);
        assert!(output.stderr.contains("--replace"), "{}", output.stderr);
        check(&directory(&b), &other);
        if restarts {
            b.restart();
            b.wait_status("app.tar", "still refused", |status| status.state() == "error");
            check(&directory(&b), &other);
        }
        b.ok(&["limit", "--download", "none"]);
        b.ok(&["get", "app", "--replace"]);
        check(&directory(&b), &items);
        b.wait_seeding("app.tar");
        assert!(received(&b) < total / 2, "what is the same was taken from the directory: {}", received(&b));
        assert!(fs::symlink_metadata(directory(&b).join("mine")).is_err());
        b.ok(&["verify", "app"]);
        let slots: Vec<_> = fs::read_dir(b.folder().join(".tinytorrent/resources")).unwrap().collect();
        let slot = slots[0].as_ref().unwrap().path();
        wait_until("nothing is left of what was replaced", CAP, || {
            !slot.join("older").exists() && !slot.join("tree").exists()
        });
        // What the new one does not have is not ours.
        let kept = b.folder().join("app.kept");
        if path == "mine" {
            wait_until("the file is kept", CAP, || kept.join("mine").is_file());
        }
        assert_eq!(kept.exists(), path == "mine");
    }
}

#[test]
fn a_download_goes_on_when_its_place_becomes_free() {
    let tracker = Tracker::start();
    let items = items(500, 20, 100_000);
    let _a = sharer(&tracker, &items);
    type Harm = fn(&Path);
    let harms: [(&str, Harm); 3] = [
        ("a directory", |path| fs::create_dir(path).unwrap()),
        ("a file", |path| fs::write(path, "mine").unwrap()),
        ("a symbolic link", |path| std::os::unix::fs::symlink("/tmp", path).unwrap()),
    ];
    for (what, harm) in harms {
        let b = Daemon::start(&tracker, &[]);
        harm(&directory(&b));
        let output = b.ctl_code(4, &["get", "app"]);
        assert!(output.stderr.contains("move it away"), "{what}: {}", output.stderr);
        if what != "a directory" {
            let output = b.ctl_code(4, &["get", "app", "--replace"]);
            assert!(output.stderr.contains(what), "{}", output.stderr);
        }
        fs::rename(directory(&b), b.outside().join("away")).unwrap();
        b.ok(&["resume", "app"]);
        b.wait_seeding("app.tar");
        check(&directory(&b), &items);
    }
}

#[test]
fn a_directory_beside_its_archive_is_none_of_our_business() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let (bytes, items) = (content(600, 2_000_000), items(600, 5, 1000));
    a.share_bytes("app.tar", &bytes);
    make(&directory(&b), &items);
    b.get("app.tar", &bytes);
    check(&directory(&b), &items);
    // As a file the tar of a directory has its place beside it, too.
    a.ok(&["remove", "app.tar", "--delete"]);
    b.ok(&["remove", "app.tar", "--delete"]);
    let bytes = tar("app", &items);
    a.share_bytes("app.tar", &bytes);
    b.ok(&["get", "app.tar", "--as-file"]);
    b.check_file("app.tar", &bytes);
    check(&directory(&b), &items);
}

#[test]
fn a_directory_has_one_name() {
    let tracker = Tracker::start();
    let items = items(700, 10, 100_000);
    let (a, b, c) =
        (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let bytes = tar("app", &items);
    for name in ["app.tar", "other.tar"] {
        a.share_bytes(name, &bytes);
    }
    b.ok(&["get", "app.tar"]);
    let output = b.ctl_code(4, &["get", "other.tar"]);
    assert!(output.stderr.contains("a directory has one name"), "{}", output.stderr);
    check(&directory(&b), &items);
    // The copy that the hint names, and the other name instead.
    let copy = b.outside().join("copy");
    b.ok(&["get", "app.tar", "-o", copy.to_str().unwrap()]);
    check(&copy, &items);
    b.ok(&["remove", "app.tar"]);
    b.ok(&["get", "other.tar"]);
    check(&b.folder().join("other"), &items);

    // Both are wanted before it is known that it is a directory: nobody sends anything of it.
    a.ok(&["pause", "app.tar"]);
    b.ok(&["pause", "other.tar"]);
    for name in ["app.tar", "other.tar"] {
        c.ok(&["get", name, "--detach"]);
    }
    a.ok(&["resume", "app.tar"]);
    c.wait_seeding("app.tar");
    check(&directory(&c), &items);
    let status = c.wait_status("other.tar", "refused", |status| status.state() == "error");
    assert!(status.text("reason").contains("a directory has one name"), "{}", status.text("reason"));
    c.ok(&["remove", "other.tar"]);
    c.ok(&["verify", "app.tar"]);
}
