//! Scenarios of a watched directory: what other programs put into it is shared, once for each content.

use cluster::files::{MIB, content, sha256};
use cluster::skip::skipped;
use cluster::{CAP, Daemon, Tracker, wait_for, wait_until};
use serde_json::{Value, json};
use std::fs::{self, File, FileTimes};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::SystemTime;

/// A daemon that watches its directory.
#[track_caller]
fn watcher(tracker: &Tracker, more: &str) -> Daemon {
    Daemon::start_configured(tracker, &format!("watch = true\nwatch_settle = \"300 ms\"\n{more}"))
}

/// What ttctl tells of the watch.
#[track_caller]
fn watch(daemon: &Daemon) -> Value {
    let info: Value = serde_json::from_str(&daemon.ok(&["info", "--json"]).stdout).expect("JSON");
    info["watch"].clone()
}

/// Waits until a name has this content and is served.
#[track_caller]
fn wait_shared(daemon: &Daemon, name: &str, bytes: &[u8]) {
    let id = sha256(bytes);
    daemon.wait_status(name, "shared with its last content", |status| {
        status.state() == "seeding" && status.text("resource") == id
    });
}

/// The contents that were shared under a name so far, one for each share: the digits of their ids that the log shows.
fn shares(daemon: &Daemon, name: &str) -> Vec<String> {
    let (log, begin) = (daemon.log(), format!(" {name}: shared, "));
    let ids = log.lines().filter(|line| line.contains(&begin)).filter_map(|line| line.split("id=").nth(1));
    ids.map(|id| id.chars().take(LOGGED_DIGITS).collect()).collect()
}

/// How many digits of an id are in a line of the log.
const LOGGED_DIGITS: usize = 12;

/// What [`shares`] has of a content.
fn short(bytes: &[u8]) -> String {
    sha256(bytes)[..LOGGED_DIGITS].to_owned()
}

/// Shares another file and waits for that: whatever came before it and was to be shared is shared then.
#[track_caller]
fn one_more(daemon: &Daemon, name: &str) {
    fs::write(daemon.file(name), name).unwrap();
    wait_shared(daemon, name, name.as_bytes());
}

/// Whether a program is here. Its version is asked for with this option.
fn has(program: &str, option: &str) -> bool {
    let runs = Command::new(program).arg(option).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if runs.is_err() {
        skipped(&format!("{program} is not installed"));
    }
    runs.is_ok()
}

#[track_caller]
fn run(program: &str, args: &[&str]) {
    let status = Command::new(program).args(args).stdin(Stdio::null()).stdout(Stdio::null()).status();
    assert!(status.unwrap_or_else(|error| panic!("{program}: {error}")).success(), "{program} {args:?}");
}

/// Has a writer put a file into the watched directory, and checks that it is shared once, complete.
fn check_writer(writes: impl Fn(&Path, &Path)) {
    let tracker = Tracker::start();
    let daemon = watcher(&tracker, "");
    let bytes = content(31, 3 * MIB + 5);
    let from = daemon.outside().join("from");
    fs::write(&from, &bytes).unwrap();
    writes(&from, &daemon.file("image"));
    wait_shared(&daemon, "image", &bytes);
    one_more(&daemon, "later");
    assert_eq!(shares(&daemon, "image"), [short(&bytes)], "{}", daemon.log());
    daemon.check_file("image", &bytes);
    let fetcher = Daemon::start(&tracker, &[]);
    fetcher.get("image", &bytes);
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

#[test]
fn cp_mv_and_dd_are_shared_once() {
    check_writer(|from, to| run("cp", &["-p", text(from), text(to)]));
    check_writer(|from, to| run("mv", &[text(from), text(to)]));
    check_writer(|from, to| {
        let elsewhere = tempfile::tempdir_in("/dev/shm").unwrap(); // another file system, as a rule
        let other = elsewhere.path().join("from");
        fs::copy(from, &other).unwrap();
        run("mv", &[text(&other), text(to)]);
    });
    check_writer(|from, to| {
        run("dd", &[&format!("if={}", text(from)), &format!("of={}", text(to)), "bs=64k", "status=none"]);
    });
}

#[test]
fn a_file_that_rsync_writes_beside_and_renames_is_shared_once() {
    if has("rsync", "--version") {
        check_writer(|from, to| run("rsync", &["-a", text(from), text(to)]));
        check_writer(|from, to| run("rsync", &["-a", "--inplace", text(from), text(to)]));
    }
}

#[test]
fn a_file_that_scp_or_curl_writes_in_place_is_shared_once() {
    if has("scp", "-V") {
        check_writer(|from, to| run("scp", &["-q", "-p", text(from), text(to)]));
    }
    if has("curl", "--version") {
        check_writer(|from, to| {
            run("curl", &["--silent", "--output", text(to), &format!("file://{}", text(from))]);
        });
    }
}

#[test]
fn a_slow_download_of_wget_is_shared_once() {
    if !has("wget", "--version") {
        return;
    }
    check_writer(|from, to| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, bytes) = (listener.local_addr().unwrap().port(), fs::read(from).unwrap());
        let serve = std::thread::spawn(move || {
            let (mut caller, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            let _ = caller.read(&mut request).unwrap();
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", bytes.len());
            caller.write_all(head.as_bytes()).unwrap();
            for part in bytes.chunks(512 << 10) {
                caller.write_all(part).unwrap();
                std::thread::sleep(std::time::Duration::from_millis(400)); // longer than the time to settle
            }
        });
        run("wget", &["--quiet", "-O", text(to), &format!("http://127.0.0.1:{port}/image")]);
        serve.join().unwrap();
    });
}

#[test]
fn a_file_that_vim_saves_is_shared_anew() {
    if !has("vim", "--version") {
        return;
    }
    let tracker = Tracker::start();
    let daemon = watcher(&tracker, "");
    let path = daemon.file("motd");
    fs::write(&path, "first\n").unwrap();
    wait_shared(&daemon, "motd", b"first\n");
    run(
        "vim",
        &[
            "-u",
            "NONE",
            "-es",
            "-c",
            "set backup writebackup",
            "-c",
            "%s/first/second/",
            "-c",
            "wq",
            text(&path),
        ],
    );
    wait_shared(&daemon, "motd", b"second\n");
    one_more(&daemon, "later");
    let names: Vec<String> = daemon.statuses().iter().map(|status| status.text("name").to_owned()).collect();
    assert_eq!(names, ["later", "motd"], "vim's own files are not shared");
}

#[test]
fn a_file_is_not_shared_while_its_writer_has_it_open() {
    let tracker = Tracker::start();
    let daemon = watcher(&tracker, "");
    let bytes = content(32, 2 * MIB);
    let mut file = File::create(daemon.file("slow")).unwrap();
    file.write_all(&bytes[..MIB]).unwrap();
    one_more(&daemon, "other"); // it came later and has stood still for long enough
    assert!(daemon.status("slow").is_none(), "half a file is shared");
    wait_until("it is told that one file has to settle", CAP, || watch(&daemon)["settling"] == 1);
    file.write_all(&bytes[MIB..]).unwrap();
    drop(file);
    wait_shared(&daemon, "slow", &bytes);
    assert_eq!(shares(&daemon, "slow"), [short(&bytes)]);
}

#[test]
fn another_file_of_the_same_name_size_and_time_is_shared_and_the_old_one_is_left() {
    let tracker = Tracker::start();
    let (daemon, other) = (watcher(&tracker, ""), Daemon::start(&tracker, &[]));
    let time =
        FileTimes::new().set_modified(SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000));
    let versions: Vec<Vec<u8>> = (0..4).map(|version| content(40 + version, 2 * MIB + 9)).collect();
    let path = daemon.file("image");
    let put = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        File::options().write(true).open(&path).unwrap().set_times(time).unwrap();
    };
    put(&versions[0]);
    wait_shared(&daemon, "image", &versions[0]);
    other.get("image", &versions[0]);
    // Written in place: the inode is the same, too.
    let inode = fs::metadata(&path).unwrap().ino();
    put(&versions[1]);
    assert_eq!(fs::metadata(&path).unwrap().ino(), inode);
    wait_shared(&daemon, "image", &versions[1]);
    other.ok(&["get", "--replace", "image"]);
    other.check_file("image", &versions[1]);
    // Deleted and made anew at once, as in the classic sequence; the version between two is never shared.
    fs::remove_file(&path).unwrap();
    put(&versions[2]);
    fs::remove_file(&path).unwrap();
    put(&versions[3]);
    wait_shared(&daemon, "image", &versions[3]);
    other.ok(&["get", "--replace", "image"]);
    other.check_file("image", &versions[3]);
    let shared = [&versions[0], &versions[1], &versions[3]].map(|bytes| short(bytes));
    assert_eq!(shares(&daemon, "image"), shared, "{}", daemon.log());
}

#[test]
fn without_events_a_scan_finds_files_and_their_changes() {
    let tracker = Tracker::start();
    let daemon = watcher(&tracker, "");
    let scanner = Daemon::start_configured(
        &tracker,
        "watch = \"scan\"\nwatch_interval = \"500 ms\"\nwatch_settle = \"300 ms\"\n",
    );
    wait_until("the state of the watch", CAP, || watch(&scanner).is_object() && watch(&daemon).is_object());
    assert_eq!(watch(&scanner)["scans_only"], "watch = \"scan\"");
    assert_eq!(watch(&daemon)["scans_only"], Value::Null);
    let (first, second) = (content(50, MIB), content(51, MIB));
    fs::write(scanner.file("x"), &first).unwrap();
    wait_shared(&scanner, "x", &first);
    fs::remove_file(scanner.file("x")).unwrap();
    fs::write(scanner.file("x"), &second).unwrap();
    wait_shared(&scanner, "x", &second);
    assert_eq!(shares(&scanner, "x"), [short(&first), short(&second)]);
}

#[test]
fn own_hidden_and_unfinished_files_are_not_shared_and_what_cannot_be_is_named() {
    let tracker = Tracker::start();
    let mut daemon = watcher(&tracker, "watch_ignore = [\".*\", \"*.part\", \"secret-*\"]\n");
    for name in [".hidden", "x.part", "secret-1", "x.torrent", "x\u{7}y"] {
        fs::write(daemon.file(name), name).unwrap();
    }
    symlink("/etc/passwd", daemon.file("link")).unwrap();
    fs::create_dir(daemon.file("directory")).unwrap();
    run("mkfifo", &[text(&daemon.file("fifo"))]);
    one_more(&daemon, "later");
    wait_shared(&daemon, "x.torrent", b"x.torrent"); // not among these patterns
    let names: Vec<String> = daemon.statuses().iter().map(|status| status.text("name").to_owned()).collect();
    assert_eq!(names, ["later", "x.torrent"]);
    // The name with a control character is found by a scan.
    daemon.configure(
        "watch = true\nwatch_interval = \"500 ms\"\nwatch_ignore = [\".*\", \"*.part\", \"secret-*\"]\n",
    );
    daemon.reload();
    let refused = wait_for("what cannot be shared", CAP, || {
        let watch = watch(&daemon);
        (watch["refused"] == 3).then(|| watch["first_refused"].clone())
    });
    let told: Vec<String> = refused
        .as_array()
        .unwrap()
        .iter()
        .map(|it| format!("{}: {}", it["name"].as_str().unwrap(), it["why"].as_str().unwrap()))
        .collect();
    let expected = [
        "fifo: it is a FIFO",
        "link: it is a symbolic link",
        "x\u{fffd}y: the name contains a control character",
    ];
    assert_eq!(told, expected);
    let shown = daemon.ok(&["info"]).stdout;
    assert!(shown.contains("link: it is a symbolic link"), "{shown}");
}

#[test]
fn a_finished_download_is_not_shared_a_second_time() {
    let tracker = Tracker::start();
    let (source, daemon) = (Daemon::start(&tracker, &[]), watcher(&tracker, ""));
    let (first, second) = (content(60, 2 * MIB + 1), content(61, MIB));
    source.share_bytes("image", &first);
    daemon.get("image", &first);
    one_more(&daemon, "later");
    source.ok(&[
        "share",
        "--replace",
        text(&{
            let path = source.outside().join("image");
            fs::write(&path, &second).unwrap();
            path
        }),
    ]);
    daemon.ok(&["get", "--replace", "image"]);
    daemon.check_file("image", &second);
    one_more(&daemon, "last");
    wait_until("all are known to be shared", CAP, || watch(&daemon)["shared"] == 3);
    assert_eq!(shares(&daemon, "image"), [""; 0], "{}", daemon.log());
    daemon.share_bytes("by-hand", b"from elsewhere");
    one_more(&daemon, "very last");
    wait_until("all are known to be shared", CAP, || watch(&daemon)["shared"] == 5);
    assert_eq!(shares(&daemon, "by-hand").len(), 1);
}

#[test]
fn after_a_restart_nothing_is_hashed_again_and_what_appeared_meanwhile_is_found() {
    let tracker = Tracker::start();
    let mut daemon = watcher(&tracker, "");
    for name in ["one", "two", "three"] {
        one_more(&daemon, name);
    }
    daemon.terminate(); // all of it is saved then
    fs::write(daemon.file("new"), "it came while ttd was off").unwrap();
    fs::write(daemon.file("two"), "it was changed while ttd was off").unwrap();
    fs::remove_file(daemon.file("three")).unwrap();
    daemon.restart();
    wait_shared(&daemon, "new", b"it came while ttd was off");
    wait_shared(&daemon, "two", b"it was changed while ttd was off");
    wait_until("all are known to be shared", CAP, || watch(&daemon)["shared"] == 3);
    let counts = ["one", "two", "three", "new"].map(|name| shares(&daemon, name).len());
    assert_eq!(counts, [1, 2, 1, 1], "{}", daemon.log());
    daemon.wait_status("three", "gone", |status| status.state() == "error");
}

#[test]
fn a_deleted_file_is_withdrawn_and_comes_back_with_its_content() {
    let tracker = Tracker::start();
    let daemon = watcher(&tracker, "");
    let bytes = content(70, MIB + 1);
    let (path, aside) = (daemon.file("image"), daemon.outside().join("aside"));
    fs::write(&path, &bytes).unwrap();
    wait_shared(&daemon, "image", &bytes);
    fs::rename(&path, &aside).unwrap();
    daemon.wait_status("image", "gone", |status| status.state() == "error");
    fs::rename(&aside, &path).unwrap();
    wait_shared(&daemon, "image", &bytes);
    fs::remove_file(&path).unwrap();
    daemon.wait_status("image", "gone", |status| status.state() == "error");
    fs::write(&path, &bytes).unwrap();
    wait_shared(&daemon, "image", &bytes);
}

/// Waits until a directory is shared as it is now: its id is another one than before.
#[track_caller]
fn wait_tree(daemon: &Daemon, before: &str) -> String {
    let status = daemon.wait_status("app", "shared anew", |status| {
        status.state() == "seeding" && status.text("resource") != before
    });
    status.text("resource").to_owned()
}

#[test]
fn a_directory_is_shared_when_it_is_quiet_and_anew_after_a_change_and_not_by_a_restart() {
    let tracker = Tracker::start();
    let mut daemon = watcher(&tracker, "watch_directories = true\nwatch_interval = \"1 s\"\n");
    let other = Daemon::start(&tracker, &[]);
    let made = daemon.outside().join("app");
    fs::create_dir_all(made.join("bin")).unwrap();
    fs::write(made.join("bin/tool"), content(80, MIB + 3)).unwrap();
    fs::write(made.join("README"), "one").unwrap();
    fs::write(daemon.file("file"), "beside it").unwrap();
    run("cp", &["-r", text(&made), text(daemon.folder())]);
    let first = wait_tree(&daemon, "");
    wait_shared(&daemon, "file", b"beside it");
    fs::write(daemon.file("app/README"), "another one").unwrap();
    fs::write(daemon.file("app/new"), "it was added").unwrap();
    let second = wait_tree(&daemon, &first);
    other.ok(&["get", "app"]);
    assert_eq!(fs::read_to_string(other.file("app/new")).unwrap(), "it was added");
    assert_eq!(fs::read_to_string(other.file("app/README")).unwrap(), "another one");
    wait_until("the watch knows that it is shared", CAP, || {
        let watch = watch(&daemon);
        (&watch["shared"], &watch["settling"], &watch["waiting"]) == (&json!(2), &json!(0), &json!(0))
    });
    daemon.terminate();
    daemon.restart();
    wait_until("all are known to be shared", CAP, || watch(&daemon)["shared"] == 2);
    let shared = [&first, &second].map(|id| id[..LOGGED_DIGITS].to_owned());
    assert_eq!(shares(&daemon, "app.tar"), shared, "{}", daemon.log());
    daemon.kill();
    fs::remove_file(daemon.file("app/new")).unwrap();
    daemon.restart();
    wait_tree(&daemon, &second);
}

#[test]
fn a_reload_begins_and_ends_the_watch() {
    let tracker = Tracker::start();
    let mut daemon = Daemon::start_configured(&tracker, "");
    assert_eq!(watch(&daemon), Value::Null);
    fs::write(daemon.file("x"), "some").unwrap();
    daemon.configure("watch = true\nwatch_settle = \"300 ms\"\n");
    daemon.reload();
    wait_shared(&daemon, "x", b"some");
    daemon.configure("watch = false\n");
    daemon.reload();
    wait_until("the end of the watch", CAP, || watch(&daemon) == Value::Null);
    fs::set_permissions(daemon.file("x"), fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(shares(&daemon, "x").len(), 1);
}
