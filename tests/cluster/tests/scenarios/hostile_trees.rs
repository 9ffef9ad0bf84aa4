//! Scenarios with resources that claim to be directories and do harm, or would: each is refused as bad data (exit 6),
//! leaves nothing, and keeps nobody from its name. The daemon may run as root.

use cluster::files::MIB;
use cluster::hostile::tar::{HEAD, tar_of_lines, tar_of_listing};
use cluster::mounts::{mount_casefold, own_mounts};
use cluster::trees::{Item, Items, check, items, tar};
use cluster::{CAP, Daemon, Tracker, wait_until};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

const TOP: &str = "./app type=dir mode=755 time=5.0\n";

/// Everything below a directory: the path, mode, size and time of change of each entry.
fn everything(below: &Path) -> BTreeMap<String, (u32, u64, i64)> {
    let (mut found, mut left) = (BTreeMap::new(), vec![below.to_owned()]);
    while let Some(path) = left.pop() {
        // What ttd has removed is deleted while this looks.
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        let size = if metadata.is_dir() { 0 } else { metadata.len() };
        // The directories of ttd's own files change when something was made in them and removed again.
        let ctime = if metadata.is_dir() { 0 } else { metadata.ctime() };
        found.insert(path.display().to_string(), (metadata.mode(), size, ctime));
        if metadata.is_dir() {
            let entries = fs::read_dir(&path).into_iter().flatten();
            left.extend(entries.map(|entry| entry.unwrap().path()));
        }
    }
    found
}

/// What is in a shared directory when nothing is being deleted any more.
fn settled(folder: &Path) -> BTreeMap<String, (u32, u64, i64)> {
    let trash = folder.join(".tinytorrent/trash");
    wait_until("everything is deleted", CAP, || fs::read_dir(&trash).unwrap().next().is_none());
    everything(folder)
}

/// A sharer of hostile resources, and a machine that fetches them.
struct Range {
    a: Daemon,
    b: Daemon,
    _tracker: Tracker,
}

impl Range {
    fn new() -> Range {
        let tracker = Tracker::start();
        let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
        let canary = b.outside().join("canary");
        fs::create_dir_all(&canary).unwrap();
        fs::write(canary.join("file"), "theirs").unwrap();
        Range { a, b, _tracker: tracker }
    }

    /// Has the machine fetch this, and checks that it refuses it. The message contains `says`.
    #[track_caller]
    fn refuses(&self, what: &str, says: &str, bytes: &[u8]) {
        let (a, b) = (&self.a, &self.b);
        let (before, canary) = (settled(b.folder()), everything(&b.outside().join("canary")));
        a.share_bytes("app.tar", bytes);
        let output = b.ctl_code(6, &["get", "app.tar"]);
        assert!(output.stderr.contains(says), "{what}: {}", output.stderr);
        assert!(output.stderr.contains("--as-file"), "{what}: {}", output.stderr);
        assert!(!output.stderr.contains('\u{1b}'), "{what}: {}", output.stderr);
        wait_until(&format!("{what}: nothing is left"), CAP, || everything(b.folder()) == before);
        assert_eq!(everything(&b.outside().join("canary")), canary, "{what}");
        a.ok(&["remove", "app.tar", "--delete"]);
    }

    /// The name is free: a good directory arrives under it.
    #[track_caller]
    fn takes_a_good_one(&self) {
        let good = items(10_000, 3, 10_000);
        self.a.share_bytes("app.tar", &tar("app", &good));
        self.b.ok(&["get", "app"]);
        check(&self.b.folder().join("app"), &good);
    }
}

#[test]
fn a_listing_that_leads_outside_is_bad_data() {
    let range = Range::new();
    let canary = range.b.outside().join("canary");
    let canary = canary.to_str().unwrap();
    let file = "type=file mode=644 time=5.0 size=6\n";
    let through =
        |target: &str| format!("{TOP}./app/l type=link mode=777 time=5.0 link={target}\n./app/l/file {file}");
    let link = |target: &str| format!("{TOP}./app/l type=link mode=777 time=5.0 link={target}\n");
    for (what, says, lines) in [
        ("a file through a link outside", "line 6", through(canary)),
        ("a file through a link inside", "line 6", through(".")),
        ("an absolute link", "app/l", link(canary)),
        ("a link upwards", "app/l", link("../../canary")),
        ("a link upwards through a name that is not here", "app/l", link("x/../../canary")),
        ("a name of dots", "line 5", format!("{TOP}./app/../file {file}")),
        ("a dot", "line 5", format!("{TOP}./app/./file {file}")),
        ("an absolute path", "line 5", format!("{TOP}{canary}/file {file}")),
        ("an absolute path after the dot", "line 5", format!("{TOP}./{canary}/file {file}")),
        ("an empty component", "line 5", format!("{TOP}./app//file {file}")),
        ("a slash at the end", "line 5", format!("{TOP}./app/file/ {file}")),
        ("another top directory", "line 5", format!("{TOP}./canary/file {file}")),
        ("a top directory of dots", "", format!("./.. type=dir mode=755 time=5.0\n./../file {file}")),
        ("our own directory", "", "./.tinytorrent type=dir mode=755 time=5.0\n".to_owned()),
        ("an escaped slash", "line 5", format!("{TOP}./app/..\\057..\\057canary\\057file {file}")),
        ("an escaped dot", "line 5", format!("{TOP}./app/\\056\\056/file {file}")),
    ] {
        range.refuses(what, says, &tar_of_lines(&lines));
    }
    range.takes_a_good_one();
}

#[test]
fn a_listing_that_is_not_one_is_bad_data() {
    let range = Range::new();
    let file = |path: &str| format!("./app/{path} type=file mode=644 time=5.0 size=0\n");
    let sized = |size: &str| format!("{TOP}./app/x type=file mode=644 time=5.0 size={size}\n");
    let deep = |depth: usize| {
        let at = |depth: usize| vec!["d"; depth].join("/");
        (1..=depth)
            .map(|depth| format!("./app/{} type=dir mode=755 time=5.0\n", at(depth)))
            .collect::<String>()
    };
    let with = |lines: String| format!("{TOP}{lines}");
    let tib = 1_u64 << 40;
    for (what, says, lines) in [
        ("NUL in a name", "line 5", with(file("a\\000b"))),
        ("a line feed in a name", "line 5", with(file("a\\012b"))),
        ("an escape character in a name", "line 5", with(file("a\\033[31mb"))),
        ("an escape character as it is", "line 5", with(file("a\u{1b}[31mb"))),
        ("a byte that is no text", "line 5", with(file("a\\377b"))),
        ("half an escape", "line 5", with(file("a\\37"))),
        ("a name of 256 bytes", "longer than 255 bytes", with(file(&"n".repeat(256)))),
        ("65 directories", "line 69", with(deep(65))),
        ("a path of 4,097 bytes", "line", {
            let long = |count: usize| vec!["n".repeat(254); count].join("/");
            let above = (1..=16).map(|count| format!("./app/{} type=dir mode=755 time=5.0\n", long(count)));
            with(above.collect::<String>() + &file(&format!("{}/{}", long(16), "n".repeat(20))))
        }),
        ("a path twice", "line 6", with(file("x") + &file("x"))),
        ("paths out of order", "line 6", with(file("y") + &file("x"))),
        (
            "a file and a directory of one name",
            "line 6",
            with(file("x") + "./app/x type=dir mode=755 time=5.0\n"),
        ),
        ("a directory that is missing", "line 5", with(file("x/y"))),
        ("a directory that is a file", "line 6", with(file("x") + &file("x/y"))),
        ("a size beyond 64 bits", "line 5", sized("18446744073709551616")),
        ("the largest size of 64 bits", "line 5", sized("18446744073709551615")),
        ("a negative size", "line 5", sized("-1")),
        ("sizes that are too large together", "4 TiB", {
            let large = |name: &str| format!("./app/{name} type=file mode=644 time=5.0 size={}\n", 3 * tib);
            with(large("x") + &large("y"))
        }),
        ("a setuid mode", "line 5", with("./app/x type=file mode=4755 time=5.0 size=0\n".to_owned())),
        ("a device", "line 5", with("./app/x type=char mode=644 time=5.0\n".to_owned())),
        ("a file without a time", "line 5", with("./app/x type=file mode=644 size=0\n".to_owned())),
        (
            "a time beyond 64 bits",
            "line 5",
            with("./app/x type=file mode=644 time=9999999999999999999.0 size=0\n".to_owned()),
        ),
        ("no entry", "", String::new()),
        ("a top directory that is a file", "line 4", "./app type=file mode=644 time=5.0 size=0\n".to_owned()),
        ("a line without an end", "line 5", with(file("x").trim_end().to_owned())),
    ] {
        range.refuses(what, says, &tar_of_lines(&lines));
    }
    range.takes_a_good_one();
}

#[test]
fn lengths_that_are_not_true_are_bad_data() {
    let range = Range::new();
    let listing = [HEAD, TOP].concat();
    for (what, says, length) in [
        ("a listing longer than the file", "longer than the file", 5 * MIB as u64),
        ("a listing longer than any", "256 MiB", (256 << 20) + 1),
        ("the longest length that a header has", "256 MiB", (1 << 33) - 1),
        ("a listing of nothing", "", 0),
        ("a listing that ends too early", "line 4", listing.len() as u64 - 1),
    ] {
        range.refuses(what, says, &tar_of_listing(&listing, Some(length)));
    }
    let good = tar("app", &items(20_000, 5, 300_000));
    let longer = |bytes: usize| [&good[..], &vec![0; bytes]].concat();
    let shorter = |bytes: usize| good[..good.len() - bytes].to_vec();
    for (what, bytes) in [
        ("one more block", longer(512)),
        ("one more byte", longer(1)),
        ("3 MiB more", longer(3 * MIB)),
        ("one block less", shorter(512)),
        ("one byte less", shorter(1)),
        ("half of it", shorter(good.len() / 2)),
        (
            "the listing alone",
            tar_of_lines(&format!("{TOP}./app/x type=file mode=644 time=5.0 size=10485760\n")),
        ),
    ] {
        range.refuses(what, "", &bytes);
    }
    range.takes_a_good_one();
}

#[test]
fn bytes_that_are_not_those_of_the_listing_are_bad_data() {
    let range = Range::new();
    let good = items(30_000, 3, 700_000);
    let bytes = tar("app", &good);
    let sums_at = bytes.windows(11).rposition(|window| window == b".SHA256SUMS").unwrap();
    let changed = |at: usize, new: &[u8]| {
        let mut bytes = bytes.clone();
        bytes[at..at + new.len()].copy_from_slice(new);
        bytes
    };
    let of_zeros = "0".repeat(64);
    for (what, bytes) in [
        ("an owner in a header", changed(2048 + 108, b"0000001")),
        ("another name in a header", changed(2048, b"etc")),
        ("a name in the sums", changed(sums_at + 512 + 66, b"etc")),
        ("no sum in the sums", changed(sums_at + 512, b"x")),
        ("an upper-case sum", changed(sums_at + 512, of_zeros.replace('0', "A").as_bytes())),
        ("padding that is not zero", changed(bytes.len() - 1, b"x")),
    ] {
        range.refuses(what, "", &bytes);
    }
    range.takes_a_good_one();
}

#[test]
fn more_entries_than_a_directory_may_have_are_bad_data() {
    let range = Range::new();
    let lines: String =
        (0..1_000_000).map(|at| format!("./app/{at:06} type=file mode=644 time=5.0 size=0\n")).collect();
    range.refuses("a million files in a directory", "line 1000004", &tar_of_lines(&[TOP, &lines].concat()));
    range.takes_a_good_one();
}

/// Names that are different ones here and the same on the other machine.
#[test]
fn names_that_the_file_system_takes_for_one_are_bad_data() {
    if !own_mounts() {
        return;
    }
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("disk/folding");
    if !mount_casefold(&home.path().join("disk"), "folding") {
        return;
    }
    let b = Daemon::start_in(
        home,
        &folder,
        Some(std::net::Ipv4Addr::LOCALHOST.into()),
        &["--tracker", &tracker.url()],
    );
    let file = Item::File(0o644, b"x".to_vec());
    let link = Item::Link("other".to_owned());
    let cases: [(&str, [(&str, Item); 2]); 5] = [
        ("two files", [("file", file.clone()), ("FILE", file.clone())]),
        ("two normal forms", [("\u{e9}", file.clone()), ("e\u{301}", file.clone())]),
        ("two directories", [("sub", Item::Directory(0o755)), ("Sub", Item::Directory(0o755))]),
        ("a link and a file", [("name", link.clone()), ("NAME", file)]),
        ("two links", [("name", link.clone()), ("NAME", link)]),
    ];
    for (what, pair) in cases {
        let before = settled(&folder);
        let mut items = Items::from([(String::new(), Item::Directory(0o755))]);
        items.extend(pair.map(|(name, item)| (name.to_owned(), item)));
        a.share_bytes("app.tar", &tar("app", &items));
        let output = b.ctl_code(6, &["get", "app.tar"]);
        assert!(output.stderr.contains("the same on this file system"), "{what}: {}", output.stderr);
        wait_until(&format!("{what}: nothing is left"), CAP, || everything(&folder) == before);
        a.ok(&["remove", "app.tar", "--delete"]);
        // The same directory is shared from a file system that tells the names apart.
        let path = b.outside().join("app");
        cluster::trees::make(&path, &items);
        let output = b.ctl_code(6, &["share", path.to_str().unwrap()]);
        assert!(output.stderr.contains("the same on this file system"), "{what}: {}", output.stderr);
        wait_until(&format!("{what}: nothing is left of it"), CAP, || everything(&folder) == before);
    }
    let good = items(40_000, 3, 10_000);
    a.share_bytes("app.tar", &tar("app", &good));
    b.ok(&["get", "app"]);
    check(&folder.join("app"), &good);
}

/// Links that lead outside are taken when that is asked for, also after a restart, and nothing follows them.
#[test]
fn links_that_lead_outside_are_taken_only_when_that_is_asked_for() {
    let tracker = Tracker::start();
    let (a, mut b) =
        (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &["--download-limit", "1 MiB/s"]));
    let canary = b.outside().join("canary");
    fs::create_dir_all(&canary).unwrap();
    fs::write(canary.join("file"), "theirs").unwrap();
    let before = everything(&canary);
    let mut items = items(50_000, 6, 500_000);
    items.insert("absolute".to_owned(), Item::Link(canary.to_str().unwrap().to_owned()));
    items.insert("sub 0/up".to_owned(), Item::Link("../../../canary/file".to_owned()));
    items.insert("nowhere".to_owned(), Item::Link("/does/not/exist".to_owned()));
    let path = a.folder().join("app");
    cluster::trees::make(&path, &items);
    a.ok(&["share", path.to_str().unwrap(), "--symlinks", "any"]);

    let output = b.ctl_code(6, &["get", "app"]);
    assert!(output.stderr.contains("the symbolic link app/absolute leads outside"), "{}", output.stderr);
    assert!(output.stderr.contains("ttctl get --symlinks any app.tar"), "{}", output.stderr);
    assert!(!b.folder().join("app").exists());

    b.ok(&["get", "app", "--symlinks", "any", "--detach"]);
    b.restart();
    b.ok(&["get", "app"]);
    check(&b.folder().join("app"), &items);
    b.ok(&["verify", "app"]);
    b.restart();
    b.wait_seeding("app.tar");
    a.ok(&["pause", "app"]);
    let c = Daemon::start(&tracker, &[]);
    c.ok(&["get", "app", "--symlinks", "any"]); // from b
    check(&c.folder().join("app"), &items);
    b.ok(&["remove", "app", "--delete"]);
    wait_until("it is gone", CAP, || b.listing().is_empty());
    assert_eq!(everything(&canary), before);
}
