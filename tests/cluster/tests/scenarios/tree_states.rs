//! Scenarios in which something is done with a directory in each of its states: it is removed, paused, restarted and
//! replaced while it is fetched, complete, edited or refused.

use cluster::files::content;
use cluster::trees::{Item, Items, check, found, items, make};
use cluster::{CAP, Daemon, Tracker, wait_until};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::process::{Child, Command};

fn directory(daemon: &Daemon) -> PathBuf {
    daemon.folder().join("app")
}

fn slots(daemon: &Daemon) -> usize {
    fs::read_dir(daemon.folder().join(".tinytorrent/resources")).unwrap().count()
}

fn sharer(tracker: &Tracker, items: &Items) -> Daemon {
    let daemon = Daemon::start(tracker, &[]);
    make(&directory(&daemon), items);
    daemon.ok(&["share", directory(&daemon).to_str().unwrap()]);
    daemon
}

/// Brings a daemon that fetches slowly into a state of the directory.
fn bring(daemon: &Daemon, state: &str) {
    match state {
        "fetching" => {
            daemon.ok(&["get", "app.tar", "--detach"]);
            let some = |status: &cluster::Status| status.number("chunks_have") > 0;
            daemon.wait_status("app.tar", "some chunks", some);
        }
        "laid out" => {
            daemon.ok(&["get", "app.tar", "--detach"]);
            daemon.wait_status("app.tar", "a directory", |status| status.text("kind") == "tree");
        }
        "paused" => {
            bring(daemon, "laid out");
            daemon.ok(&["pause", "app.tar"]);
        }
        "in the way" => {
            fs::create_dir(directory(daemon)).unwrap();
            daemon.ctl_code(4, &["get", "app.tar"]);
        }
        "seeding" => _ = daemon.ok(&["get", "app.tar"]),
        "edited" => {
            bring(daemon, "seeding");
            fs::write(directory(daemon).join("sub 0/0"), "edited").unwrap();
            let is_edited = |status: &cluster::Status| status.reason().contains("was edited");
            daemon.wait_status("app.tar", "the edit", is_edited);
        }
        "gone" => {
            bring(daemon, "seeding");
            fs::remove_dir_all(directory(daemon)).unwrap();
            daemon.wait_status("app.tar", "the loss", |status| status.state() == "error");
        }
        _ => panic!("{state}"),
    }
}

const STATES: [&str; 7] = ["fetching", "laid out", "paused", "in the way", "seeding", "edited", "gone"];

fn receiver(tracker: &Tracker, state: &str) -> Daemon {
    let is_slow = matches!(state, "fetching" | "laid out" | "paused");
    let limit = if is_slow { "4 MiB/s" } else { "none" };
    Daemon::start(tracker, &["--download-limit", limit])
}

#[test]
fn a_directory_is_removed_in_any_state_and_comes_again() {
    let tracker = Tracker::start();
    let items = items(100, 30, 200_000);
    let _a = sharer(&tracker, &items);
    for state in STATES {
        for delete in [false, true] {
            let mut b = receiver(&tracker, state);
            bring(&b, state);
            let more = if delete { &["--delete"][..] } else { &[] };
            b.ok(&[&["remove", "app.tar"], more].concat());
            let stays = match state {
                "in the way" => true, // it is not ours
                "seeding" => !delete,
                "edited" => true, // at least the edited file
                _ => false,
            };
            let listing = if stays { vec!["app".to_owned()] } else { Vec::new() };
            wait_until(&format!("{state}: the rest is gone"), CAP, || {
                slots(&b) == 0 && b.listing() == listing
            });
            if state == "edited" && stays {
                assert_eq!(fs::read_to_string(directory(&b).join("sub 0/0")).unwrap(), "edited");
            }
            b.ok(&["limit", "--download", "none"]);
            b.ok(&["get", "app", "--replace"]);
            check(&directory(&b), &items);
            b.terminate(); // else the next ones are sent to it
        }
    }
}

#[test]
fn a_directory_goes_on_after_a_restart_in_any_state() {
    let tracker = Tracker::start();
    let items = items(200, 30, 200_000);
    let _a = sharer(&tracker, &items);
    for state in STATES {
        let mut b = receiver(&tracker, state);
        bring(&b, state);
        b.restart();
        match state {
            "fetching" | "laid out" => {}
            "paused" => {
                b.wait_status("app.tar", "still paused", |status| status.state() == "paused");
                b.ok(&["resume", "app.tar"]);
            }
            "in the way" => {
                b.wait_status("app.tar", "still in the way", |status| status.state() == "error");
                fs::remove_dir(directory(&b)).unwrap();
                b.ok(&["resume", "app.tar"]);
            }
            "seeding" => _ = b.wait_seeding("app.tar"),
            "edited" => {
                let is_edited = |status: &cluster::Status| {
                    let some = 1..status.number("chunks_total");
                    status.state() == "seeding" && some.contains(&status.number("chunks_have"))
                };
                b.wait_status("app.tar", "the rest is served", is_edited);
                assert_eq!(fs::read_to_string(directory(&b).join("sub 0/0")).unwrap(), "edited");
                b.ok(&["get", "app", "--replace"]);
            }
            "gone" => {
                b.wait_status("app.tar", "still gone", |status| status.state() == "error");
                b.ok(&["get", "app"]);
            }
            _ => panic!("{state}"),
        }
        b.ok(&["wait", "app.tar"]);
        check(&directory(&b), &items);
    }
}

#[test]
fn what_somebody_puts_into_a_directory_is_kept() {
    let tracker = Tracker::start();
    let (old, new) = (items(500, 20, 100_000), items(510, 20, 100_000));
    let (a, b) = (sharer(&tracker, &old), Daemon::start(&tracker, &[]));
    b.ok(&["get", "app"]);
    let theirs = ["data/x.db", "sub 0/local.conf"];
    let put = || {
        fs::create_dir(directory(&b).join("data")).unwrap();
        theirs.iter().for_each(|path| fs::write(directory(&b).join(path), path).unwrap());
    };
    let has = |top: &str, paths: &[&str]| {
        let is_there = |path: &&str| b.folder().join(top).join(path).is_file();
        paths.iter().all(is_there)
    };

    // A new version, twice.
    for (items, kept) in [(&new, "app.kept"), (&old, "app.kept-2")] {
        put();
        let path = a.outside().join("app");
        make(&path, items);
        a.ok(&["share", "--replace", path.to_str().unwrap()]);
        b.ok(&["get", "app", "--replace"]);
        wait_until("it is kept", CAP, || has(kept, &theirs));
        check(&directory(&b), items);
        wait_until("the log says so", CAP, || {
            let log = b.log();
            log.lines().any(|line| line.contains(&format!("/{kept}")) && line.contains("files=2"))
        });
        assert_eq!(
            fs::read_dir(b.folder().join(kept)).unwrap().count(),
            theirs.len(),
            "something else is kept"
        );
    }

    // The directory is removed.
    put();
    fs::write(directory(&b).join("sub 2/2"), "edited").unwrap();
    let output = b.ok(&["remove", "app", "--delete"]);
    assert!(output.stderr.contains("3 files in") && output.stderr.contains("stay"), "{}", output.stderr);
    let left = ["data/x.db", "sub 0/local.conf", "sub 2/2"];
    wait_until("the rest is gone", CAP, || {
        has("app", &left) && slots(&b) == 0 && !directory(&b).join("sub 1").exists()
    });
    assert_eq!(fs::read_dir(directory(&b)).unwrap().count(), 3, "something of ours is left");
    let refused = b.ctl_code(4, &["get", "app"]);
    assert!(refused.stderr.contains("--replace"), "{}", refused.stderr);
    assert!(has("app", &left));
}

#[test]
fn an_edit_is_named_and_undone_by_whoever_made_it() {
    let tracker = Tracker::start();
    let items = items(300, 20, 200_000);
    let (a, b) = (sharer(&tracker, &items), Daemon::start(&tracker, &[]));
    b.ok(&["get", "app"]);
    for daemon in [&a, &b] {
        let total = daemon.status("app").unwrap().number("chunks_total");
        let file = directory(daemon).join("sub 2/2");
        let original = fs::read(&file).unwrap();
        fs::write(&file, "edited").unwrap();
        fs::remove_file(directory(daemon).join("nothing")).unwrap();
        let output = daemon.ctl_code(6, &["verify", "app"]);
        assert!(output.stderr.contains("nothing and sub 2/2 were edited"), "{}", output.stderr);
        assert!(output.stderr.contains("get --replace") && output.stderr.contains("share --replace"));
        let status = daemon.wait_status("app", "the rest", |status| status.number("chunks_have") < total);
        assert_eq!(status.state(), "seeding");
        fs::write(&file, original).unwrap();
        fs::write(directory(daemon).join("nothing"), "").unwrap();
        daemon.ok(&["verify", "app"]);
        let whole = |status: &cluster::Status| status.number("chunks_have") == total;
        assert_eq!(daemon.wait_status("app", "all", whole).state(), "seeding");
    }
    let c = Daemon::start(&tracker, &[]);
    c.ok(&["get", "app"]);
    check(&directory(&c), &items);
}

#[test]
fn a_directory_that_its_owner_edits_is_not_put_back_by_get() {
    let tracker = Tracker::start();
    let items = items(700, 10, 100_000);
    let (a, b) = (sharer(&tracker, &items), Daemon::start(&tracker, &[]));
    b.ok(&["get", "app"]);
    for daemon in [&b, &a] {
        let file = directory(daemon).join("sub 2/2");
        fs::write(&file, "edited").unwrap();
        let output = daemon.ctl_code(6, &["get", "app"]);
        assert!(output.stderr.contains("app/sub 2/2 was edited"), "{}", output.stderr);
        if daemon.id() == a.id() {
            daemon.ctl_code(6, &["get", "app", "--replace"]);
            assert_eq!(fs::read_to_string(&file).unwrap(), "edited");
        } else {
            daemon.ok(&["get", "app", "--replace"]); // nobody looked at it before
            check(&directory(daemon), &items);
        }
    }
}

#[test]
fn an_unpublished_directory_stays_and_is_served() {
    let tracker = Tracker::start();
    let items = items(400, 10, 100_000);
    let (a, b) = (sharer(&tracker, &items), Daemon::start(&tracker, &[]));
    a.ok(&["unpublish", "app"]);
    assert_ne!(b.ctl(&["get", "app"]).code, 0);
    b.ok(&["get", a.folder().join("app.tar.tinytorrent").to_str().unwrap()]);
    check(&directory(&b), &items);
    check(&directory(&a), &items);
}

/// A process whose working directory is in a directory, until it is dropped.
struct Inside(Child);

impl Inside {
    fn new(path: PathBuf) -> Inside {
        Inside(Command::new("sleep").arg("600").current_dir(path).spawn().unwrap())
    }

    fn directory(&self) -> PathBuf {
        fs::read_link(format!("/proc/{}/cwd", self.0.id())).unwrap()
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_directory_is_replaced_whatever_its_modes_are_and_who_is_in_it() {
    let tracker = Tracker::start();
    let one = items(500, 20, 100_000);
    let mut two = one.clone();
    two.insert("sub 0/0".to_owned(), Item::File(0o755, content(501, 5)));
    two.insert(String::new(), Item::Directory(0o555));
    two.insert("sub 1".to_owned(), Item::Directory(0o555));
    let (a, b) = (sharer(&tracker, &one), Daemon::start(&tracker, &[]));
    fs::set_permissions(b.folder(), fs::Permissions::from_mode(0o2775)).unwrap();
    b.ok(&["get", "app"]);
    let group = fs::metadata(b.folder()).unwrap().gid();
    for (round, items) in [&two, &one, &two].into_iter().enumerate() {
        let inside = Inside::new(directory(&b).join("sub 2"));
        make(&directory(&a), items);
        a.ok(&["share", directory(&a).to_str().unwrap(), "--replace"]);
        b.ok(&["get", "app", "--replace"]);
        let mut now = found(&directory(&b));
        for (path, item) in &mut now {
            assert_eq!(fs::metadata(directory(&b).join(path)).unwrap().gid(), group, "{path}");
            if let Item::Directory(mode) = item {
                assert_eq!(*mode & 0o2000, 0o2000, "{path}: what is made in it gets the group, too");
                *mode &= 0o777;
            }
        }
        assert!(now == *items, "round {round}");
        assert!(!inside.directory().starts_with(directory(&b)), "{:?}", inside.directory());
        b.ok(&["verify", "app"]);
    }
}

#[test]
fn a_large_directory_that_is_paused_while_it_is_laid_out_goes_on() {
    let tracker = Tracker::start();
    let items = items(600, 400, 2000);
    let _a = sharer(&tracker, &items);
    let b = Daemon::start(&tracker, &[]);
    b.ok(&["get", "app.tar", "--detach"]);
    for _ in 0..20 {
        b.ok(&["pause", "app.tar"]);
        b.ok(&["resume", "app.tar"]);
    }
    b.ok(&["wait", "app.tar"]);
    check(&directory(&b), &items);
}
