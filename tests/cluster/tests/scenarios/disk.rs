//! Scenarios in which shared files are changed behind the daemon's back, or the disk is full, damaged, read-only or
//! gone.

use cluster::files::{MIB, content, sha256};
use cluster::mounts::{mount_bind, mount_btrfs, mount_served, mount_tmpfs, own_mounts, remount, unmount};
use cluster::process::{Output, run_capped};
use cluster::{CAP, Daemon, Status, Tracker, wait_until};
use rustix::process::Signal;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

/// Does something to a shared file, and checks that nobody is served wrong bytes and that the status says why.
pub(super) fn check_not_served_after(seed: u64, change: impl Fn(&Path)) {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let bytes = content(seed, 3 * MIB);
    a.share_in_place("image.iso", &bytes);
    a.wait_seeding("image.iso");
    change(&a.file("image.iso"));

    b.ok(&["get", "--detach", "image.iso"]);
    let status = a.wait_status("image.iso", "no longer seeding", |status| status.state() != "seeding");
    assert_ne!(status.reason(), "", "{status:?}");
    assert!(!b.file("image.iso").exists(), "a file that had changed was served as if it had not");
    let status = b.status("image.iso").expect("the download goes on waiting");
    assert_ne!(status.state(), "seeding");
}

#[test]
fn an_edited_file_is_not_served() {
    check_not_served_after(30, |path| {
        let mut file = File::options().append(true).open(path).unwrap();
        file.write_all(b"one line more\n").unwrap();
    });
}

#[test]
fn a_file_that_was_overwritten_in_place_is_not_served() {
    // Size and inode are the same; only the time of change differs.
    check_not_served_after(31, |path| {
        let mut file = File::options().write(true).open(path).unwrap();
        file.write_all(b"other bytes").unwrap();
    });
}

#[test]
fn a_truncated_file_is_not_served() {
    check_not_served_after(32, |path| File::options().write(true).open(path).unwrap().set_len(9).unwrap());
}

#[test]
fn a_deleted_file_is_not_served() {
    check_not_served_after(33, |path| fs::remove_file(path).unwrap());
}

#[test]
fn a_file_that_became_a_link_is_not_served() {
    check_not_served_after(34, |path| {
        fs::remove_file(path).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", path).unwrap();
    });
}

#[test]
fn a_file_written_anew_is_a_new_resource_when_it_is_shared_again() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let (old, new) = (content(35, 2 * MIB), content(36, 3 * MIB + 5));
    let old_id = a.share_in_place("forecast.grib2", &old);
    b.get("forecast.grib2", &old);

    let new_id = a.share_in_place("forecast.grib2", &new);
    let all = a.statuses();
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!(all[0].text("resource"), new_id);
    let text = fs::read_to_string(a.file("forecast.grib2.tinytorrent")).unwrap();
    assert_eq!(text.lines().nth(1), Some(sha256(&new).as_str()));
    // The old content's swarm is left; other machines that have it still serve it.
    wait_until("A has left the old swarm", CAP, || tracker.peers(&old_id) == [b.addr()]);

    let c = Daemon::start(&tracker, &[]);
    c.get("forecast.grib2", &new);
    // Other content under a name is fetched only on demand.
    b.ctl_code(4, &["get", "forecast.grib2"]);
    b.check_file("forecast.grib2", &old);
    b.ok(&["get", "--replace", "forecast.grib2"]);
    b.check_file("forecast.grib2", &new);
    wait_until("B has left the old swarm", CAP, || tracker.peers(&old_id).is_empty());
}

#[test]
fn a_file_with_several_links_is_shared_and_the_users_is_never_ours() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let bytes = content(37, MIB + 1);
    let outside = a.outside().join("linked");
    fs::write(&outside, &bytes).unwrap();
    fs::hard_link(&outside, a.outside().join("other name")).unwrap();
    a.ok(&["share", outside.to_str().unwrap()]);
    // The kept file is a copy, so writing to one does not change the other.
    fs::write(&outside, b"changed").unwrap();
    a.check_file("linked", &bytes);
    b.get("linked", &bytes);
}

#[test]
fn a_deleted_file_is_fetched_again_when_it_is_asked_for() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let bytes = content(38, 2 * MIB + 1);
    a.share_bytes("image.iso", &bytes);
    b.get("image.iso", &bytes);
    fs::remove_file(b.file("image.iso")).unwrap();
    b.wait_status("image.iso", "missed", |status| status.state() == "error");
    b.get("image.iso", &bytes);
}

#[test]
fn one_of_the_daemons_own_files_is_not_shared() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    let output = a.ctl_code(4, &["share", a.file(".tinytorrent/lock").to_str().unwrap()]);
    assert!(output.stderr.contains("own files"), "{}", output.stderr);
    assert_eq!(a.listing(), [""; 0]);
}

// -- the disk itself

/// A daemon on a disk of its own.
struct OnDisk {
    daemon: Daemon,
    disk: std::path::PathBuf,
}

impl OnDisk {
    /// On a disk of `mib` MiB, of which one is kept free.
    fn start(tracker: &Tracker, mib: u32) -> OnDisk {
        let home = tempfile::tempdir().expect("a temporary folder");
        let disk = home.path().join("disk");
        mount_tmpfs(&disk, mib);
        OnDisk::start_in(home, tracker, disk)
    }

    /// On a disk of 128 MiB with checksums and shared blocks. `None` where there is no such file system.
    fn start_on_btrfs(tracker: &Tracker) -> Option<OnDisk> {
        let home = tempfile::tempdir().expect("a temporary folder");
        let disk = home.path().join("disk");
        mount_btrfs(&disk, 128).then(|| OnDisk::start_in(home, tracker, disk))
    }

    fn start_in(home: tempfile::TempDir, tracker: &Tracker, disk: std::path::PathBuf) -> OnDisk {
        let folder = home.path().join("config");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("ttd.toml"), "min_free_space = \"1 MiB\"\nfile_mode = \"0640\"").unwrap();
        let ip = std::net::Ipv4Addr::LOCALHOST.into();
        let daemon = Daemon::start_in(home, &disk.join("shared"), Some(ip), &["--tracker", &tracker.url()]);
        OnDisk { daemon, disk }
    }

    /// Fills the disk completely.
    fn fill(&self) {
        let mut file = File::create(self.disk.join("filler")).unwrap();
        while file.write_all(&[7; 4096]).is_ok() {}
    }

    fn free(&self) {
        fs::remove_file(self.disk.join("filler")).unwrap();
    }
}

fn make_folders<const N: usize>(home: &Path, names: [&str; N]) -> [std::path::PathBuf; N] {
    names.map(|name| {
        let folder = home.join(name);
        fs::create_dir(&folder).unwrap();
        folder
    })
}

fn is_without_space(status: &Status) -> bool {
    status.state() == "waiting" && status.reason().contains("no space")
}

#[test]
fn with_not_a_byte_free_a_get_is_accepted_and_a_remove_works() {
    if !own_mounts() {
        return;
    }
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    let b = OnDisk::start(&tracker, 12);
    let (first, second) = (content(201, 2 * MIB), content(202, 5 * MIB));
    a.share_bytes("first", &first);
    a.share_bytes("second", &second);
    b.daemon.get("first", &first);
    b.fill();
    let output = b.daemon.ctl_code(7, &["get", "second", "--timeout", "1 s"]);
    assert!(output.stderr.contains("no space"), "{}", output.stderr);
    b.daemon.wait_status("second", "waiting", is_without_space);
    b.daemon.ok(&["remove", "second"]);
    assert!(b.daemon.status("second").is_none());
    b.daemon.ok(&["get", "--detach", "second"]);
    b.daemon.wait_status("second", "waiting", is_without_space);
    b.daemon.ok(&["remove", "--delete", "first"]);
    assert!(!b.daemon.file("first").exists());

    b.free();
    b.daemon.wait_seeding("second");
    b.daemon.check_file("second", &second);
}

#[test]
fn a_disk_that_fills_up_during_a_download_is_waited_for() {
    if !own_mounts() {
        return;
    }
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &["--upload-limit", "4 MB/s"]);
    let mut b = OnDisk::start(&tracker, 24);
    let bytes = content(203, 10 * MIB + 1);
    a.share_bytes("image.iso", &bytes);
    b.daemon.ok(&["get", "--detach", "image.iso"]);
    b.daemon.wait_status("image.iso", "on its way", |status| status.number("chunks_have") >= 2);
    b.fill();
    let status = b.daemon.wait_status("image.iso", "waiting", is_without_space);
    assert!(status.reason().contains("needed") || status.reason().contains("no space left"), "{status:?}");
    assert!(b.daemon.runs());
    b.free();
    b.daemon.wait_seeding("image.iso");
    b.daemon.check_file("image.iso", &bytes);
}

#[test]
fn a_disk_that_becomes_read_only_is_waited_for_and_served_from() {
    if !own_mounts() {
        return;
    }
    let tracker = Tracker::start();
    let (a, c) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let mut b = OnDisk::start(&tracker, 16);
    let (first, second) = (content(204, 2 * MIB), content(205, 3 * MIB));
    b.daemon.share_bytes("first", &first);
    a.share_bytes("second", &second);
    // A restarted daemon has no open file that it could write to.
    b.daemon.restart();
    b.daemon.wait_seeding("first");
    remount(&b.disk, true);
    b.daemon.ok(&["get", "--detach", "second"]);
    let status = b.daemon.wait_status("second", "waiting", |status| status.state() == "waiting");
    assert!(status.reason().contains("read-only file system"), "{status:?}");
    c.get("first", &first);
    remount(&b.disk, false);
    b.daemon.wait_seeding("second");
    b.daemon.check_file("second", &second);
}

#[test]
fn a_folder_that_is_unmounted_is_waited_for_and_nothing_counts_as_deleted() {
    if !own_mounts() {
        return;
    }
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &["--upload-limit", "4 MB/s"]);
    let c = Daemon::start(&tracker, &[]);
    let home = tempfile::tempdir().unwrap();
    let [real, mounted] = make_folders(home.path(), ["real", "mounted"]);
    mount_bind(&real, &mounted);
    let ip = std::net::Ipv4Addr::LOCALHOST.into();
    let mut b = Daemon::start_in(home, &mounted, Some(ip), &["--tracker", &tracker.url()]);
    let (first, second) = (content(206, 2 * MIB), content(207, 12 * MIB));
    b.share_in_place("first", &first);
    a.share_bytes("second", &second);
    b.ok(&["get", "--detach", "second"]);
    b.wait_status("second", "on its way", |status| status.number("chunks_have") >= 2);

    unmount(&mounted);
    // The control socket in the folder can still be reached by its other path.
    let ask = |name: &str| -> Output {
        let mut command = b.ttctl(&[]);
        let home = command
            .get_envs()
            .find(|(key, _)| *key == "HOME")
            .and_then(|(_, value)| value)
            .unwrap()
            .to_owned();
        command = cluster::process::sealed(&cluster::program("ttctl"), Path::new(&home));
        command.arg("--directory").arg(&real).args(["status", "--json", "--", name]);
        run_capped(command, CAP).unwrap()
    };
    for name in ["first", "second"] {
        wait_until("it is missed", CAP, || {
            let output = ask(name);
            output.stdout.contains("waiting") && output.stdout.contains("is it mounted?")
        });
    }
    c.ok(&["get", "--detach", "first"]);
    assert!(fs::read_dir(&mounted).unwrap().next().is_none(), "something was written beside the directory");
    assert!(b.runs());

    mount_bind(&real, &mounted);
    b.wait_seeding("first");
    b.wait_seeding("second");
    b.check_file("first", &first);
    b.check_file("second", &second);
    c.wait_seeding("first");
    unmount(&mounted);
}

/// As at boot, when the disk comes later than the daemon.
#[test]
fn a_folder_that_is_mounted_late_is_taken_by_a_restart() {
    if !own_mounts() {
        return;
    }
    let tracker = Tracker::start();
    let home = tempfile::tempdir().unwrap();
    let [real, mounted] = make_folders(home.path(), ["real", "mounted"]);
    mount_bind(&real, &mounted);
    let ip = std::net::Ipv4Addr::LOCALHOST.into();
    let mut b = Daemon::start_in(home, &mounted, Some(ip), &["--tracker", &tracker.url()]);
    b.share_in_place("first", &content(211, MIB));
    assert!(b.terminate().0.success());
    unmount(&mounted);
    b.restart();
    assert!(b.statuses().is_empty(), "the directory is not there yet");

    mount_bind(&real, &mounted);
    // systemd would start it again after a failure.
    let status = b.wait_end();
    assert_eq!(status.code(), Some(1), "{status}: {}", b.log());
    assert!(b.log().contains("is a different shared directory than before"), "{}", b.log());
    b.restart();
    b.wait_seeding("first");
    unmount(&mounted);
}

/// Like a network file system whose server is down: every access blocks without an error or an end.
#[test]
fn a_folder_that_does_not_answer_is_named_and_gone_on_with_when_it_does() {
    if !own_mounts() {
        return;
    }
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &["--upload-limit", "2 MB/s"]);
    let home = tempfile::tempdir().unwrap();
    let [real, mounted] = make_folders(home.path(), ["real", "mounted"]);
    let [log, socket] = ["log", "socket"].map(|name| home.path().join(name));
    let Some(server) = mount_served(&real, &mounted, &log) else { return };
    let ip = std::net::Ipv4Addr::LOCALHOST.into();
    let args = ["--tracker", &tracker.url(), "--socket", socket.to_str().unwrap()];
    let mut b = Daemon::start_in(home, &mounted, Some(ip), &args);
    let mut server = server; // dropped first, also if the test fails, so that blocked accesses end
    let (first, second) = (content(208, 2 * MIB), content(209, 12 * MIB));
    b.share_in_place("first", &first);
    a.share_bytes("second", &second);
    a.share_bytes("third", b"third");
    b.ok(&["get", "--detach", "second"]);
    b.wait_status("second", "on its way", |status| status.number("chunks_have") >= 2);

    server.signal(Signal::STOP);
    for name in ["first", "second"] {
        let status = b.wait_status(name, "waiting", |status| status.state() == "waiting");
        assert!(status.reason().contains("has not responded for"), "{status:?}");
    }
    assert!(b.status("second").unwrap().number("chunks_have") < 12, "it came too fast to show anything");
    for command in [&["get", "--detach", "third"][..], &["pause", "second"], &["verify", "first"]] {
        let output = b.ctl(command);
        assert!(output.code != 0 && output.stderr.contains("has not responded for"), "{output:?}");
    }
    assert!(b.runs());

    server.signal(Signal::CONT);
    b.wait_seeding("first");
    b.wait_seeding("second");
    b.check_file("second", &second);
    unmount(&mounted);
}

/// Damages these bytes below the file system, which then finds a wrong checksum.
fn spoil(disk: &Path, file: &Path, bytes: &[u8]) {
    let file = File::open(file).unwrap();
    file.sync_all().unwrap();
    let image = disk.with_extension("image");
    let found = fs::read(&image).unwrap().windows(bytes.len()).position(|window| window == bytes);
    let at = found.expect("what is synced is in the image") as u64;
    let image = File::options().write(true).open(image).unwrap();
    image.write_all_at(&vec![0; bytes.len()], at).unwrap();
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
}

#[test]
fn what_the_disk_cannot_read_is_not_served_and_the_status_says_so() {
    if !own_mounts() {
        return;
    }
    let tracker = Tracker::start();
    let Some(a) = OnDisk::start_on_btrfs(&tracker) else { return };
    let (a, disk) = (a.daemon, a.disk);
    let bytes = content(207, 3 * MIB);
    a.share_bytes("image.iso", &bytes);
    a.wait_seeding("image.iso");
    spoil(&disk, &a.file("image.iso"), &bytes[MIB + 8192..][..4096]);
    let read = fs::read(a.file("image.iso")).expect_err("the disk reads what was damaged");
    assert_eq!(read.raw_os_error(), Some(5), "{read}");

    let b = Daemon::start(&tracker, &[]);
    b.ok(&["get", "--detach", "image.iso"]);
    let status = a.wait_status("image.iso", "in error", |status| status.state() == "error");
    assert!(status.reason().contains("input/output error"), "{status:?}");
    b.wait_status("image.iso", "waiting", |status| status.state() == "waiting");
    assert!(!b.file("image.iso").exists());
    // Another machine that has the file helps.
    let c = Daemon::start(&tracker, &[]);
    c.share_in_place("image.iso", &bytes);
    b.wait_seeding("image.iso");
    b.check_file("image.iso", &bytes);
}

/// Writing to a bad sector is what makes a disk put another in its place.
#[test]
fn what_the_disk_cannot_read_of_a_download_is_fetched_again() {
    if !own_mounts() {
        return;
    }
    let tracker = Tracker::start();
    let Some(OnDisk { daemon: mut b, disk }) = OnDisk::start_on_btrfs(&tracker) else { return };
    let mut a = Daemon::start(&tracker, &["--upload-limit", "2 MB/s"]);
    let bytes = content(210, 16 * MIB);
    a.share_bytes("image.iso", &bytes);
    b.ok(&["get", "--detach", "image.iso"]);
    b.wait_status("image.iso", "on its way", |status| status.number("chunks_have") >= 4);
    a.kill();
    let (status, _) = b.terminate();
    assert!(status.success(), "{status}");
    let part = only_part(b.folder());
    let on_disk = fs::read(&part).unwrap();
    let had = (0..16)
        .find(|chunk| on_disk.get(chunk * MIB..(chunk + 1) * MIB) == Some(&bytes[chunk * MIB..][..MIB]));
    let had = had.expect("a chunk is on the disk");
    spoil(&disk, &part, &bytes[had * MIB + 8192..][..4096]);
    assert_eq!(fs::read(&part).expect_err("the disk reads what was damaged").raw_os_error(), Some(5));

    b.restart();
    a.restart();
    b.wait_seeding("image.iso");
    b.check_file("image.iso", &bytes);
    assert!(b.log().contains("the disk cannot read parts of the download"), "{}", b.log());
}

/// The one part file of a shared directory.
fn only_part(folder: &Path) -> std::path::PathBuf {
    let resources = fs::read_dir(folder.join(".tinytorrent/resources")).unwrap();
    let [slot] = &resources.map(|entry| entry.unwrap().path()).collect::<Vec<_>>()[..] else {
        panic!("not one resource")
    };
    slot.join("data.part")
}

#[test]
fn a_file_on_the_same_disk_is_shared_without_a_copy() {
    if !own_mounts() {
        return;
    }
    let tracker = Tracker::start();
    let Some(b) = OnDisk::start_on_btrfs(&tracker) else { return };
    let (a, b, disk) = (Daemon::start(&tracker, &["--upload-limit", "0"]), b.daemon, b.disk);

    // There is room for one of them only.
    let image = content(206, 80 * MIB + 1);
    let outside = disk.join("image.iso");
    fs::write(&outside, &image).unwrap();
    b.ok(&["share", outside.to_str().unwrap()]);
    b.check_file("image.iso", &image);
    assert_eq!(fs::metadata(b.file("image.iso")).unwrap().mode() & 0o777, 0o640);
    let c = Daemon::start(&tracker, &[]);
    c.get("image.iso", &image);

    // A file that is here already, or is imported, is not touched.
    fs::write(&outside, b"other content").unwrap();
    let output = b.ctl_code(4, &["share", outside.to_str().unwrap()]);
    assert!(output.stderr.contains("--replace"), "{}", output.stderr);
    b.check_file("image.iso", &image);
    a.share_bytes("wanted", b"of that machine");
    b.ok(&["get", "--detach", "wanted"]);
    let outside = disk.join("wanted");
    fs::write(&outside, b"of this machine").unwrap();
    let output = b.ctl_code(4, &["share", outside.to_str().unwrap()]);
    assert!(output.stderr.contains("is being downloaded"), "{}", output.stderr);
    assert!(!b.file("wanted").exists(), "a clone that nobody wants was left behind");
}
