//! Scenarios for free space on the disk: it is promised only once, and `min_free_space` of it to nobody.

use cluster::files::{MIB, content};
use cluster::mounts::{mount_tmpfs, own_mounts};
use cluster::process::run_capped;
use cluster::{CAP, Daemon, Tracker, wait_until};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::Ipv4Addr;

/// A daemon on a disk of its own, of which 8 MiB must stay free.
fn on_disk(tracker: &Tracker, mib: u32) -> Daemon {
    let home = tempfile::tempdir().unwrap();
    let (disk, config) = (home.path().join("disk"), home.path().join("config"));
    mount_tmpfs(&disk, mib);
    fs::create_dir(&config).unwrap();
    fs::write(config.join("ttd.toml"), "min_free_space = \"8 MiB\"").unwrap();
    let ip = Ipv4Addr::LOCALHOST.into();
    Daemon::start_in(home, &disk.join("shared"), Some(ip), &["--tracker", &tracker.url()])
}

fn free_bytes(daemon: &Daemon) -> u64 {
    let stat = rustix::fs::statvfs(daemon.folder()).unwrap();
    stat.f_bavail * stat.f_frsize
}

#[test]
fn of_six_imports_at_once_those_are_taken_that_fit() {
    if !own_mounts() {
        return;
    }
    let tracker = Tracker::start();
    let a = on_disk(&tracker, 80);
    let paths: Vec<_> = (0..6).map(|at| a.outside().join(format!("image-{at}"))).collect();
    for (at, path) in paths.iter().enumerate() {
        fs::write(path, content(300 + at as u64, 30 * MIB)).unwrap();
    }
    let codes: Vec<i32> = std::thread::scope(|scope| {
        let share = |path: &std::path::PathBuf| {
            let command = a.ttctl(&["share", path.to_str().unwrap()]);
            scope.spawn(move || run_capped(command, CAP).unwrap())
        };
        let running: Vec<_> = paths.iter().map(share).collect();
        running.into_iter().map(|share| share.join().unwrap().code).collect()
    });
    let count = |code| codes.iter().filter(|&&it| it == code).count();
    assert_eq!((count(0), count(7)), (2, 4), "{codes:?}");
    assert_eq!(a.statuses().len(), 2);
    assert!(free_bytes(&a) >= 8 * MIB as u64, "{}", free_bytes(&a));
}

#[test]
fn a_second_name_takes_no_room_that_is_to_stay_free_and_adopts_what_is_there() {
    if !own_mounts() {
        return;
    }
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), on_disk(&tracker, 28));
    let bytes = content(310, 10 * MIB);
    a.share_bytes("one", &bytes);
    a.share_bytes("two", &bytes);
    b.get("one", &bytes);
    let output = b.ctl_code(7, &["get", "two"]);
    assert!(output.stderr.contains("no space: 10 MiB needed"), "{}", output.stderr);
    assert!(!b.file("two").exists());
    assert!(free_bytes(&b) >= 8 * MIB as u64, "{}", free_bytes(&b));
    // A file that is here already needs no room.
    fs::hard_link(b.file("one"), b.file("two")).unwrap();
    b.ok(&["get", "two"]);
    b.wait_seeding("two");
}

#[test]
fn a_directory_that_changed_while_it_was_sent_takes_its_room_once() {
    if !own_mounts() {
        return;
    }
    let tracker = Tracker::start();
    let a = on_disk(&tracker, 80);
    let app = a.outside().join("app");
    fs::create_dir(&app).unwrap();
    for at in 0..9 {
        fs::write(app.join(at.to_string()), content(320 + at, 5 * MIB)).unwrap();
    }
    let command = a.ttctl(&["share", app.to_str().unwrap()]);
    let sharing = std::thread::spawn(move || run_capped(command, CAP).unwrap());
    // The last file changes when the import has begun, and so after the directory was looked through.
    let imports = a.file(".tinytorrent/imports");
    wait_until("the import begins", CAP, || fs::read_dir(&imports).unwrap().next().is_some());
    // A single byte, so that it comes long before the 40 MiB of the other files are sent.
    OpenOptions::new().append(true).open(app.join("8")).unwrap().write_all(b"!").unwrap();
    let output = sharing.join().unwrap();
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(fs::read(a.file("app/8")).unwrap() == [&content(328, 5 * MIB)[..], b"!"].concat());
    assert!(fs::read_dir(&imports).unwrap().next().is_none());
}
