//! Scenarios with trouble on the machine itself: other things in a file's place, few descriptors, sockets in odd
//! places.

use super::disk::check_not_served_after;
use cluster::clock::own_clock;
use cluster::files::{MIB, content};
use cluster::process::{run_capped, sealed};
use cluster::{CAP, Daemon, Tracker, program, wait_until};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::fs;
use std::os::unix::net::UnixListener;
use std::path::Path;

/// Replaces a file by a FIFO, a socket or a folder. Opening the first one like a file would block for ever.
fn swap(path: &Path, kind: FileType) {
    fs::remove_file(path).unwrap();
    match kind {
        FileType::Fifo => mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap(),
        FileType::Socket => drop(UnixListener::bind(path).unwrap()),
        _ => fs::create_dir(path).unwrap(),
    }
}

#[test]
fn a_file_that_became_a_fifo_is_not_served() {
    check_not_served_after(240, |path| swap(path, FileType::Fifo));
}

#[test]
fn a_file_that_became_a_folder_is_not_served() {
    check_not_served_after(241, |path| swap(path, FileType::Directory));
}

#[test]
fn a_file_that_became_a_socket_is_not_served() {
    check_not_served_after(242, |path| swap(path, FileType::Socket));
}

#[test]
fn a_file_that_became_a_link_to_a_device_is_not_served() {
    check_not_served_after(243, |path| {
        fs::remove_file(path).unwrap();
        std::os::unix::fs::symlink("/dev/zero", path).unwrap();
    });
}

/// Whatever happens to the file while half of it is sent, no wrong bytes arrive, and the rest comes when the file is
/// back.
#[test]
fn a_file_that_is_swapped_in_the_middle_is_served_as_far_as_it_was_right() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &["--upload-limit", "8 MB/s"]);
    let b = Daemon::start(&tracker, &[]);
    let bytes = content(244, 16 * MIB);
    a.share_in_place("image.iso", &bytes);
    b.ok(&["get", "--detach", "image.iso"]);
    b.wait_status("image.iso", "on its way", |status| status.number("chunks_have") >= 3);
    swap(&a.file("image.iso"), FileType::Fifo);
    a.wait_status("image.iso", "not served", |status| status.state() != "seeding");
    assert!(b.status("image.iso").unwrap().number("chunks_have") < 16);

    fs::remove_file(a.file("image.iso")).unwrap();
    a.share_in_place("image.iso", &bytes);
    b.wait_seeding("image.iso");
    b.check_file("image.iso", &bytes);
}

/// An object at the name of a complete download is neither followed nor written to.
#[test]
fn what_took_the_name_of_a_download_is_left_alone() {
    for (seed, kind) in [(245, FileType::Symlink), (246, FileType::Fifo), (247, FileType::Directory)] {
        let tracker = Tracker::start();
        let a = Daemon::start(&tracker, &["--upload-limit", "8 MB/s"]);
        let b = Daemon::start(&tracker, &[]);
        let bytes = content(seed, 5 * MIB);
        a.share_bytes("image.iso", &bytes);
        b.ok(&["get", "--detach", "image.iso"]);
        b.wait_status("image.iso", "on its way", |status| status.number("chunks_have") >= 1);
        let (name, victim) = (b.file("image.iso"), b.outside().join("victim"));
        fs::write(&victim, "mine").unwrap();
        match kind {
            FileType::Symlink => std::os::unix::fs::symlink(&victim, &name).unwrap(),
            FileType::Fifo => mknodat(CWD, &name, kind, Mode::from_raw_mode(0o644), 0).unwrap(),
            _ => fs::create_dir(&name).unwrap(),
        }
        // The daemon waits for it to go; then the file appears.
        let status = b.wait_status("image.iso", "in the way of itself", |status| {
            status.reason().contains("move it away")
        });
        assert_eq!(status.state(), "waiting", "{status:?}");
        assert_eq!(fs::read(&victim).unwrap(), b"mine");

        match kind {
            FileType::Directory => fs::remove_dir(&name).unwrap(),
            _ => fs::remove_file(&name).unwrap(),
        }
        b.wait_seeding("image.iso");
        b.check_file("image.iso", &bytes);
    }
}

#[test]
fn what_is_no_file_or_directory_is_not_shared() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    for (name, kind) in [("fifo", FileType::Fifo), ("socket", FileType::Socket)] {
        fs::write(a.file(name), "").unwrap();
        swap(&a.file(name), kind);
        a.ctl_code(4, &["share", a.file(name).to_str().unwrap()]);
    }
    assert!(a.statuses().is_empty());
}

#[test]
fn sixty_four_descriptors_are_enough() {
    let tracker = Tracker::start();
    let a = Daemon::start_with_descriptors(&tracker, 64);
    let others: Vec<Daemon> = (0..5).map(|_| Daemon::start_with_descriptors(&tracker, 64)).collect();
    let bytes = content(248, 12 * MIB);
    a.share_bytes("image.iso", &bytes);
    let _strangers = cluster::hostile::strangers(a.addr(), 100);
    for other in &others {
        other.ok(&["get", "--detach", "image.iso"]);
    }
    for other in &others {
        other.wait_seeding("image.iso");
        other.check_file("image.iso", &bytes);
    }
    assert!(a.descriptors() <= 64);
}

/// A script that starts ttd and continues at once still finds it.
#[test]
fn a_daemon_that_is_just_starting_is_waited_for() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("shared");
    let mut ttd = sealed(&program("ttd"), home.path());
    ttd.arg(&folder).args(["--listen", "127.0.0.1:0"]);
    let mut ttctl = sealed(&program("ttctl"), home.path());
    ttctl.arg("--directory").arg(&folder).args(["status", "--json"]);
    let log = home.path().join("ttd.log");
    let _process = cluster::process::Process::start("ttd", ttd, &log).unwrap();
    let output = run_capped(ttctl, CAP).unwrap();
    assert_eq!(output.code, 0, "{}", output.stderr);
}

/// As the help says, the socket's folder is made, but none above it.
#[test]
fn the_folder_of_a_socket_is_made_but_none_above_it() {
    let home = tempfile::tempdir().unwrap();
    let start = |socket: &Path| {
        let mut ttd = sealed(&program("ttd"), home.path());
        ttd.arg(home.path().join("shared")).args(["--listen", "127.0.0.1:0", "--socket"]).arg(socket);
        ttd
    };
    let deep = home.path().join("no/such/s");
    let output = run_capped(start(&deep), CAP).unwrap();
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("no/such"), "{}", output.stderr);
    assert!(!home.path().join("no").exists());

    let socket = home.path().join("new/s");
    let log = home.path().join("ttd.log");
    let _process = cluster::process::Process::start("ttd", start(&socket), &log).unwrap();
    wait_until("the socket is there", CAP, || socket.exists());
}

#[test]
fn a_clock_that_jumps_by_hours_both_ways_is_of_no_consequence() {
    let Some(clock) = own_clock() else {
        return;
    };
    let tracker = Tracker::start();
    let mut a = Daemon::start(&tracker, &["--upload-limit", "2 MB/s"]);
    let mut b = Daemon::start(&tracker, &[]);
    let (old, new) = (content(250, 16 * MIB), content(251, MIB));
    a.share_bytes("image.iso", &old);
    b.ok(&["get", "--detach", "image.iso"]);
    let mut chunks = 0;
    for (at, hours) in [(1, 5), (4, -7), (7, 3)] {
        let status = b.wait_status("image.iso", "on its way", |status| status.number("chunks_have") >= at);
        chunks = status.number("chunks_have");
        assert!(chunks < 16, "it came too fast to show anything: {status:?}");
        clock.set(hours);
    }
    let status = b.wait_seeding("image.iso");
    assert!(status.number("chunks_have") > chunks);
    b.check_file("image.iso", &old);
    assert_eq!(
        tracker.peers("image.iso").len(),
        2,
        "who announced in the future is forgotten, or twice there"
    );

    // Content that was shared before the clock was set back is not the newest for ever.
    clock.set(-2);
    let path = a.outside().join("image.iso");
    fs::write(&path, &new).unwrap();
    a.ok(&["share", "--replace", path.to_str().unwrap()]);
    let c = Daemon::start(&tracker, &[]);
    c.get("image.iso", &new);
    assert!(a.runs() && b.runs());
    let log = a.log();
    let goes_back = log.lines().zip(log.lines().skip(1)).any(|(line, next)| next.get(..19) < line.get(..19));
    assert!(goes_back, "its clock was not put back:\n{log}");
}
