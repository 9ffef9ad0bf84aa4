//! Scenarios with records that are torn, empty or gone, and with folders from a backup: no finished resource is lost
//! whose file and manifest are in the shared directory.

use cluster::files::{MIB, content};
use cluster::{CAP, Daemon, Tracker, wait_until};
use std::fs;
use std::path::{Path, PathBuf};

/// All of the daemon's own files in its shared directory, without its socket and its lock.
fn own_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.join(".tinytorrent")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let (kind, path) = entry.map(|entry| (entry.file_type().unwrap(), entry.path())).unwrap();
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() && !path.ends_with("lock") {
                files.push(path);
            }
        }
    }
    files
}

/// Completes three resources, one of them with a second name; damages the daemon's own files while it is down, and
/// checks that all are served again and nothing is fetched.
fn check_nothing_is_lost(seed: u64, with_tracker: bool, harm: impl Fn(&Path)) {
    let mut tracker = Tracker::start();
    let (a, mut b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let contents = [content(seed, 3 * MIB - 7), content(seed + 1, MIB), Vec::new()];
    let files = ["one", "two", "empty"].into_iter().zip(&contents).chain([("again", &contents[0])]);
    let files: Vec<(&str, &Vec<u8>)> = files.collect();
    for (name, bytes) in &files {
        a.share_bytes(name, bytes);
        b.get(name, bytes);
    }
    b.kill();
    if !with_tracker {
        tracker.kill();
    }
    harm(b.folder());
    b.restart();
    for (name, bytes) in &files {
        wait_until(&format!("{name} is known again"), CAP, || b.status(name).is_some());
        let status = b.wait_seeding(name);
        assert_eq!(status.number("downloaded_bytes"), 0, "{name}");
        b.check_file(name, bytes);
    }
    // The next run has records of them.
    b.restart();
    files.iter().for_each(|(name, _)| _ = b.wait_seeding(name));
    if with_tracker {
        a.ok(&["remove", "one", "--delete"]);
        a.get("one", &contents[0]);
    }
}

#[test]
fn without_any_record_finished_files_are_served_again() {
    for (seed, with_tracker) in [(220, true), (230, false)] {
        check_nothing_is_lost(seed, with_tracker, |folder| {
            fs::remove_dir_all(folder.join(".tinytorrent")).unwrap();
        });
    }
}

#[test]
fn without_the_folders_of_the_swarms_finished_files_are_served_again() {
    check_nothing_is_lost(240, true, |folder| {
        fs::remove_dir_all(folder.join(".tinytorrent/resources")).unwrap();
    });
}

#[test]
fn whatever_became_of_the_small_files_finished_files_are_served_again() {
    let harms: [fn(&Path); 3] = [
        |path| fs::remove_file(path).unwrap(),
        |path| fs::write(path, b"").unwrap(),
        |path| {
            let bytes = fs::read(path).unwrap();
            fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
        },
    ];
    for (at, harm) in harms.into_iter().enumerate() {
        check_nothing_is_lost(250 + 10 * at as u64, at == 0, |folder| {
            own_files(folder).iter().for_each(|path| harm(path));
        });
    }
}

#[test]
fn each_single_file_of_the_records_may_be_torn_or_gone() {
    for name in ["state.toml", "manifest", "folder"] {
        for torn in [false, true] {
            check_nothing_is_lost(280, true, |folder| {
                let files = own_files(folder).into_iter().filter(|path| path.ends_with(name));
                for path in files {
                    match torn {
                        true => fs::write(path, b"torn").unwrap(),
                        false => fs::remove_file(path).unwrap(),
                    }
                }
            });
        }
    }
}

#[test]
fn a_folder_from_a_backup_is_served_and_what_is_half_right_is_left_alone() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let (whole, half) = (content(290, 2 * MIB + 5), content(291, 4 * MIB));
    for (name, bytes) in [("whole", &whole), ("half", &half)] {
        a.share_bytes(name, bytes);
        b.get(name, bytes);
    }
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("restored");
    fs::create_dir(&folder).unwrap();
    for name in ["whole", "whole.tinytorrent", "half", "half.tinytorrent"] {
        fs::copy(b.file(name), folder.join(name)).unwrap();
    }
    let mut wrong = half.clone();
    wrong[MIB] ^= 1;
    fs::write(folder.join("half"), &wrong).unwrap();
    // Manifests without a file, with another file, and empty ones.
    fs::copy(b.file("whole.tinytorrent"), folder.join("absent.tinytorrent")).unwrap();
    fs::copy(b.file("whole.tinytorrent"), folder.join("other.tinytorrent")).unwrap();
    fs::write(folder.join("other"), &whole).unwrap();
    fs::write(folder.join("junk.tinytorrent"), "junk").unwrap();
    fs::write(folder.join("junk"), "junk").unwrap();

    let c = Daemon::start_in(home, &folder, Some(tracker.addr().ip()), &["--tracker", &tracker.url()]);
    wait_until("the whole one is known", CAP, || c.status("whole").is_some());
    c.wait_seeding("whole");
    c.wait_log("the existing file stays as it is");
    let known: Vec<String> = c.statuses().iter().map(|status| status.text("name").to_owned()).collect();
    assert_eq!(known, ["whole"]);
    c.check_file("half", &wrong);
    c.check_file("other", &whole);
    // The next `get` uses it.
    c.ok(&["get", "--replace", "half"]);
    c.check_file("half", &half);
    assert_eq!(c.status("half").unwrap().number("downloaded_bytes"), MIB as u64);
}

#[test]
fn what_was_removed_is_not_taken_in_again_by_a_start() {
    let tracker = Tracker::start();
    let mut a = Daemon::start(&tracker, &[]);
    let bytes = content(292, MIB);
    a.share_bytes("one", &bytes);
    a.share_bytes("two", &content(293, MIB));
    a.ok(&["remove", "one"]);
    assert!(!a.file("one.tinytorrent").exists());
    a.restart();
    a.wait_seeding("two");
    a.wait_log("the shared directory is loaded");
    assert!(a.status("one").is_none());
    a.check_file("one", &bytes);
}
