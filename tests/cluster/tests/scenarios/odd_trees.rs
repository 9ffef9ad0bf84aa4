//! Scenarios with directories of odd names, modes and times: they arrive as they are, and the tools of the system agree.

use cluster::files::{allocated, sha256_file};
use cluster::mounts::{mount_tmpfs, own_mounts};
use cluster::skip::skipped;
use cluster::trees::{Item, check, items, make, tar};
use cluster::{CAP, Daemon, Tracker, wait_until};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Each entry below a directory: its mode, time, and its content's hash, target or nothing.
fn state(top: &Path) -> BTreeMap<PathBuf, (u32, i64, String)> {
    let (mut found, mut left) = (BTreeMap::new(), vec![top.to_owned()]);
    while let Some(path) = left.pop() {
        let metadata = fs::symlink_metadata(&path).unwrap();
        let what = if metadata.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            "directory".to_owned()
        } else if metadata.is_symlink() {
            format!("-> {}", fs::read_link(&path).unwrap().display())
        } else {
            sha256_file(&path).unwrap()
        };
        let below = path.strip_prefix(top).unwrap().to_owned();
        found.insert(below, (metadata.mode(), metadata.mtime(), what));
    }
    found
}

#[track_caller]
fn must_be_same(one: &Path, other: &Path) {
    let (one, other) = (state(one), state(other));
    for (path, state) in &one {
        assert_eq!(Some(state), other.get(path), "{}", path.display());
    }
    assert_eq!(one.len(), other.len());
}

fn set_time(path: &Path, seconds: i64) {
    let time = Timespec { tv_sec: seconds, tv_nsec: 0 };
    let times = Timestamps { last_access: time, last_modification: time };
    utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Runs a program of the system, if it is here. Its output is in the message of a failure.
#[track_caller]
fn run(program: &str, args: &[&str], at: &Path) {
    match Command::new(program).args(args).current_dir(at).env("LC_ALL", "C.UTF-8").output() {
        Err(_) => skipped(&format!("{program} is not installed")),
        Ok(output) => assert!(
            output.status.success(),
            "{program} {args:?}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ),
    }
}

/// Names that are allowed and odd.
const NAMES: [&str; 20] = [
    "模型",
    "Ünïcödé",
    "cafe\u{301}",
    "caf\u{e9}",
    "עברית",
    "\u{202e}gnirtsrever",
    "emoji 🦀",
    "back\\slash",
    "sp ace",
    "-rf",
    "*glob?[x]",
    "#hash=equals",
    "quote\"'",
    "$HOME",
    "a.tar",
    ".hidden",
    "CASE",
    "case",
    "trailing.",
    "trailing ",
];

/// Makes a directory with everything that is allowed and odd.
fn make_odd(top: &Path) {
    fs::create_dir(top).unwrap();
    let longest = "n".repeat(255);
    let names = NAMES.into_iter().chain([longest.as_str()]);
    for (at, name) in names.enumerate() {
        fs::write(top.join(name), format!("content {at}")).unwrap();
    }
    fs::create_dir(top.join("empty directory")).unwrap();
    fs::write(top.join("empty"), "").unwrap();
    std::os::unix::fs::symlink("模型", top.join("to 模型")).unwrap();
    std::os::unix::fs::symlink("is not here", top.join("dangling")).unwrap();

    // 64 directories deep, and a path of 4,000 bytes.
    let mut deep = top.to_owned();
    (0..63).for_each(|at| deep.push(format!("d{at}")));
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("bottom"), "deep").unwrap();
    let mut long = top.to_owned();
    let below = |path: &Path| path.strip_prefix(top).unwrap().as_os_str().len();
    while below(&long) < 4000 - 251 - "app/".len() {
        long.push("l".repeat(250));
    }
    fs::create_dir_all(&long).unwrap();
    let rest = 4000 - "app/".len() - below(&long) - 1;
    fs::write(long.join("e".repeat(rest)), "at the end of a long path").unwrap();

    // Modes.
    for mode in [0o400, 0o444, 0o555, 0o600, 0o640, 0o666, 0o777] {
        let path = top.join(format!("mode {mode:o}"));
        fs::write(&path, "content").unwrap();
        set_mode(&path, mode);
    }
    for mode in [0o500, 0o555, 0o700, 0o777] {
        let path = top.join(format!("directory {mode:o}"));
        fs::create_dir(&path).unwrap();
        fs::write(path.join("inside"), "content").unwrap();
        set_mode(&path, mode);
    }

    // Times: before 1970, after 2038, and the first and last ones of ext4.
    for time in [-1, -86_400 * 365 * 60, 0, 1 << 31, (1 << 31) - 1, 8_589_934_592, 10_000_000_000] {
        let path = top.join(format!("time {time}"));
        fs::write(&path, "content").unwrap();
        set_time(&path, time);
    }
    fs::create_dir(top.join("old")).unwrap();
    std::os::unix::fs::symlink("nothing", top.join("old/link")).unwrap();
    set_time(&top.join("old/link"), -5);
    set_time(&top.join("old"), -12_345);
    set_mode(top, 0o755);
    set_time(top, 1_600_000_000);
}

#[test]
fn odd_names_modes_and_times_arrive_and_the_tools_of_the_system_agree() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    let (b, c) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let source = a.folder().join("app");
    make_odd(&source);
    a.ok(&["share", source.to_str().unwrap()]);
    b.ok(&["get", "app"]);
    let copy = b.folder().join("app");
    must_be_same(&source, &copy);
    run(
        "diff",
        &["-r", "--no-dereference", source.to_str().unwrap(), copy.to_str().unwrap()],
        Path::new("/"),
    );

    // The tar is what any tar unpacks, and its sums are right.
    c.ok(&["get", "app.tar", "--as-file"]);
    let place = c.outside();
    let at = place.join("tar");
    fs::create_dir(&at).unwrap();
    run("tar", &["-xpf", c.file("app.tar").to_str().unwrap()], &at);
    must_be_same(&source, &at.join("app"));
    run("sha256sum", &["--quiet", "--strict", "-c", ".SHA256SUMS"], &at);
    let listing = fs::read_to_string(place.join("tar/.MTREE")).unwrap();
    assert!(listing.starts_with("#mtree\n# tinytorrent-tree 1\n"));

    // Shared from elsewhere it is the same, it is copied out with the user's rights, and it is removed completely.
    let id = |daemon: &Daemon| daemon.status("app.tar").unwrap().text("resource").to_owned();
    let d = Daemon::start(&tracker, &[]);
    d.ok(&["share", place.join("tar/app").to_str().unwrap()]);
    assert_eq!(id(&d), id(&a));
    must_be_same(&source, &d.folder().join("app"));
    b.ok(&["get", "app", "-o", b.outside().join("out").to_str().unwrap()]);
    must_be_same(&source, &b.outside().join("out"));
    b.ok(&["verify", "app"]);
    for daemon in [&b, &d] {
        daemon.ok(&["remove", "app", "--delete"]);
        wait_until("it is gone", CAP, || daemon.listing().is_empty());
    }
}

/// Each name takes four times its bytes in the listing, so that most of the tar is the listing, up to its last chunk.
#[test]
fn a_listing_that_reaches_into_the_last_chunk_is_read() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let name = |at: usize| format!("{}{at:03}", "é".repeat(120));
    let deep: Vec<String> = (0..12).map(name).collect();
    let mut items = cluster::trees::Items::from([(String::new(), Item::Directory(0o755))]);
    (1..=deep.len()).for_each(|depth| drop(items.insert(deep[..depth].join("/"), Item::Directory(0o755))));
    for at in 0..83 {
        items.insert(format!("{}/{}", deep.join("/"), name(at)), Item::File(0o644, Vec::new()));
    }
    let bytes = tar("app", &items);
    let listing_bytes = usize::from_str_radix(std::str::from_utf8(&bytes[124..135]).unwrap(), 8).unwrap();
    assert!(listing_bytes > 1 << 20 && bytes.len() < 2 << 20, "{listing_bytes} of {}", bytes.len());
    a.share_bytes("app.tar", &bytes);
    b.ok(&["get", "app"]);
    check(&b.folder().join("app"), &items);
}

#[test]
fn a_line_feed_in_a_name_is_refused_and_named() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    for at in [a.folder().to_owned(), a.outside()] {
        let top = at.join("app");
        fs::create_dir_all(top.join("sub")).unwrap();
        fs::write(top.join("sub/one\ntwo"), "x").unwrap();
        let output = a.ctl_code(4, &["share", top.to_str().unwrap()]);
        assert!(output.stderr.contains("sub/one\\ntwo"), "{}", output.stderr);
        assert!(output.stderr.contains("control character"), "{}", output.stderr);
        fs::remove_dir_all(top).unwrap();
    }
}

#[test]
fn sparse_files_stay_sparse_on_both_sides() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let source = a.folder().join("app");
    fs::create_dir(&source).unwrap();
    let image = fs::File::create(source.join("image")).unwrap();
    image.set_len(300 << 20).unwrap();
    image.write_all_at(&[7; 100_000], 150 << 20).unwrap();
    fs::File::create(source.join("hole")).unwrap().set_len(3 << 20).unwrap();
    fs::write(source.join("small"), "data").unwrap();
    a.ok(&["share", source.to_str().unwrap()]);
    b.ok(&["get", "app"]);
    must_be_same(&source, &b.folder().join("app"));
    // and when it is sent from elsewhere
    let c = Daemon::start(&tracker, &[]);
    run("cp", &["-a", "--sparse=always", source.to_str().unwrap(), "."], &c.outside());
    c.ok(&["share", c.outside().join("app").to_str().unwrap()]);
    must_be_same(&source, &c.folder().join("app"));
    b.ok(&["get", "app", "-o", b.outside().join("copy").to_str().unwrap()]);
    for top in [b.folder().join("app"), c.folder().join("app"), b.outside().join("copy"), source] {
        for name in ["image", "hole"] {
            let bytes = allocated(&top.join(name));
            assert!(bytes <= 400 << 10, "{}/{name} takes up {bytes} bytes", top.display());
        }
    }
}

/// The size is in a pax record then. Hashing 9 GiB of zeros three times takes a while:
/// `cargo test -p cluster -- --ignored nine_gib`.
#[test]
#[ignore = "minutes"]
fn a_sparse_file_of_nine_gib_in_a_directory_arrives() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let source = a.folder().join("app");
    fs::create_dir(&source).unwrap();
    let image = fs::File::create(source.join("image")).unwrap();
    image.set_len(9 << 30).unwrap();
    image.write_all_at(b"beginning", 0).unwrap();
    image.write_all_at(b"behind 8 GiB", (8 << 30) + 5).unwrap();
    image.write_all_at(b"end", (9 << 30) - 3).unwrap();
    fs::write(source.join("z"), "behind it").unwrap();
    let patient = |daemon: &Daemon, args: &[&str]| {
        let output = cluster::process::run_capped(daemon.ttctl(args), CAP * 20).unwrap();
        assert_eq!(output.code, 0, "{}", output.stderr);
    };
    patient(&a, &["share", source.to_str().unwrap()]);
    patient(&b, &["get", "app"]);
    let copy = b.folder().join("app");
    must_be_same(&source, &copy);
    assert!(allocated(&copy.join("image")) <= 1 << 20);
    // Other programs read the size of the member from the pax record.
    let c = Daemon::start(&tracker, &[]);
    patient(&c, &["get", "app.tar", "--as-file"]);
    let listed = Command::new("tar").arg("-tvf").arg(c.file("app.tar")).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.contains(&format!(" {} ", 9_u64 << 30)) && listed.contains("app/z"), "{listed}");
}

/// As most machines run it: ttd is not root, and may not write where it has no permission.
#[test]
fn read_only_directories_are_replaced_and_removed_by_a_daemon_that_is_not_root() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    let Some(mut b) = Daemon::start_as_nobody(&tracker) else { return };
    let mut one = items(1_000, 20, 30_000);
    for (path, item) in &mut one {
        match item {
            Item::Directory(mode) => *mode = if path == "empty" { 0o500 } else { 0o555 },
            Item::File(mode, _) => *mode = 0o444,
            Item::Link(_) => {}
        }
    }
    let mut two = one.clone();
    two.insert("sub 0/0".to_owned(), Item::File(0o400, b"changed".to_vec()));
    two.insert("sub 1/more".to_owned(), Item::File(0o444, b"new".to_vec()));
    two.remove("sub 2/2");
    let top = b.folder().join("app");
    for items in [&one, &two, &one] {
        fs::write(a.outside().join("app.tar"), tar("app", items)).unwrap();
        a.ok(&["share", "--replace", a.outside().join("app.tar").to_str().unwrap()]);
        b.ok(&["get", "app.tar", "--replace"]);
        check(&top, items);
        assert_eq!(fs::metadata(&top).unwrap().uid(), 65534, "ttd is not root");
        wait_until("what was replaced is gone", CAP, || {
            let slots = fs::read_dir(b.folder().join(".tinytorrent/resources")).unwrap();
            let slots: Vec<PathBuf> = slots.map(|slot| slot.unwrap().path()).collect();
            slots.len() == 1 && !slots[0].join("tree").exists()
        });
        b.restart();
        b.wait_seeding("app.tar");
    }
    // Its user copies it out, and once more over the copy.
    fs::set_permissions(b.outside(), fs::Permissions::from_mode(0o777)).unwrap();
    let copy = b.outside().join("app");
    for more in [&[][..], &["--replace"]] {
        let args = [&["get", "app.tar", "-o", "."], more].concat();
        let status = b.ttctl(&args).uid(65534).gid(65534).stdout(Stdio::null()).status().unwrap();
        assert_eq!(status.code(), Some(0), "{args:?}");
        check(&copy, &one);
        assert_eq!(fs::metadata(&copy).unwrap().uid(), 65534, "ttctl is not root");
    }
    // A directory whose owner may not even write to it is checked, and made again where it was edited.
    set_mode(&top.join("sub 0"), 0o755);
    fs::write(top.join("sub 0/0"), "edited").unwrap();
    set_mode(&top.join("sub 0"), 0o555);
    b.ctl_code(6, &["verify", "app.tar"]);
    b.ok(&["get", "app.tar", "--replace"]);
    check(&top, &one);
    b.ok(&["remove", "app.tar", "--delete"]);
    wait_until("it is gone", CAP, || b.listing().is_empty());
    wait_until("nothing is left", CAP, || {
        let left = |name: &str| fs::read_dir(b.folder().join(".tinytorrent").join(name)).unwrap().count();
        left("resources") + left("imports") == 0
    });

    // Shared where it lies, by somebody who may not write to it.
    make(&top, &one);
    for path in ["", "empty", "nothing", "sub 0", "sub 0/0"] {
        chown(top.join(path), Some(65534), Some(65534)).unwrap();
    }
    b.ok(&["share", top.to_str().unwrap()]);
    check(&top, &one);
}

/// The disk fills up in the middle of a new version: the old one stays, `status` says why, and the download goes on when
/// there is room.
#[test]
fn the_old_version_stays_while_the_disk_is_too_full_for_the_new_one() {
    if !own_mounts() {
        return;
    }
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &["--upload-limit", "4 MB/s"]);
    let home = tempfile::tempdir().unwrap();
    let ip = std::net::Ipv4Addr::LOCALHOST.into();
    let (disk, config) = (home.path().join("disk"), home.path().join("config"));
    mount_tmpfs(&disk, 32);
    fs::create_dir(&config).unwrap();
    fs::write(config.join("ttd.toml"), "min_free_space = \"1 MiB\"").unwrap();
    let mut b = Daemon::start_in(home, &disk.join("shared"), Some(ip), &["--tracker", &tracker.url()]);
    let (old, new) = (items(4_000, 20, 200_000), items(5_000, 20, 500_000));
    let share = |items| {
        fs::write(a.outside().join("app.tar"), tar("app", items)).unwrap();
        a.ok(&["share", "--replace", a.outside().join("app.tar").to_str().unwrap()]);
    };
    share(&old);
    b.ok(&["get", "app.tar"]);
    share(&new);
    b.ok(&["get", "app.tar", "--replace", "--detach"]);
    b.wait_status("app.tar", "on its way", |status| {
        (2..8).contains(&status.number("chunks_have")) && status.state() == "downloading"
    });
    let mut filler = fs::File::create(disk.join("filler")).unwrap();
    while filler.write_all(&[7; 4096]).is_ok() {}
    drop(filler);
    let is_full =
        |status: &cluster::Status| status.state() == "waiting" && status.reason().contains("no space");
    b.wait_status("app.tar", "waiting for room", is_full);
    check(&b.folder().join("app"), &old);
    b.restart();
    b.wait_status("app.tar", "waiting for room", is_full);
    check(&b.folder().join("app"), &old);
    fs::remove_file(disk.join("filler")).unwrap();
    b.wait_seeding("app.tar");
    check(&b.folder().join("app"), &new);
}

#[test]
fn what_is_in_a_setgid_directory_gets_its_group() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let group = 54_321;
    if chown(b.folder(), None, Some(group)).is_err() {
        return skipped("only root can choose any group");
    }
    set_mode(b.folder(), 0o2775);
    let items = items(2_000, 9, 30_000);
    a.share_bytes("app.tar", &tar("app", &items));
    b.ok(&["get", "app"]);
    let mut left = vec![b.folder().join("app")];
    while let Some(path) = left.pop() {
        let metadata = fs::symlink_metadata(&path).unwrap();
        assert!(metadata.is_symlink() || metadata.gid() == group, "{}", path.display());
        if metadata.is_dir() {
            assert_ne!(metadata.mode() & 0o2000, 0, "{} hands its group on", path.display());
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
}

#[test]
fn the_umask_of_the_daemon_changes_no_mode() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    let b = Daemon::start_by(&tracker, &["/bin/sh", "-c", "umask 077; exec \"$@\"", "sh"]);
    let items = items(3_000, 9, 30_000);
    a.share_bytes("app.tar", &tar("app", &items));
    b.ok(&["get", "app"]);
    check(&b.folder().join("app"), &items);
    let source = b.outside().join("again");
    make(&source, &items);
    b.ok(&["share", source.to_str().unwrap()]);
    check(&b.folder().join("again"), &items);
}
