//! Scenarios in which directories are shared: where they lie, and from elsewhere.

use cluster::files::{MIB, content};
use cluster::process::run_capped;
use cluster::trees::{Item, check, items, make};
use cluster::{CAP, Daemon, Tracker, wait_until};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Shares the directory at a path. Returns its id.
#[track_caller]
fn share(daemon: &Daemon, path: &Path, more: &[&str]) -> String {
    let output = daemon.ok(&[&["share", path.to_str().unwrap()], more].concat());
    output.stdout.split_whitespace().next().expect("an id").to_owned()
}

#[test]
fn a_directory_is_shared_where_it_lies() {
    let tracker = Tracker::start();
    let mut a = Daemon::start(&tracker, &[]);
    let (b, c) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let (items, path) = (items(100, 200, 30_000), a.folder().join("app"));
    make(&path, &items);
    let id = share(&a, &path, &[]);
    let status = a.wait_seeding("app.tar");
    assert_eq!((status.text("kind"), status.text("path")), ("tree", path.to_str().unwrap()));
    assert_eq!(a.listing(), ["app", "app.tar.tinytorrent"]);
    assert_eq!(a.wait_seeding("app").text("name"), "app.tar", "the directory's own name means it, too");
    check(&path, &items);

    // Everything goes on after a restart, and without .tar.
    b.ok(&["get", "app"]);
    check(&b.folder().join("app"), &items);
    a.restart();
    a.wait_seeding("app.tar");
    b.ok(&["pause", "app"]);
    c.ok(&["get", "app"]);
    check(&c.folder().join("app"), &items);
    a.ok(&["verify", "app"]);

    // The same content has the same id anywhere, and `check` agrees.
    assert_eq!(share(&a, &path, &[]), id);
    let checked = c.ok(&["check", c.folder().join("app.tar.tinytorrent").to_str().unwrap()]);
    assert!(checked.stdout.contains("app matches"), "{}", checked.stdout);

    a.ok(&["remove", "app", "--delete"]);
    wait_until("it is gone", CAP, || a.listing().is_empty());
    b.ok(&["remove", "app"]);
    wait_until("it is forgotten", CAP, || b.status("app.tar").is_none());
    check(&b.folder().join("app"), &items);
}

#[test]
fn a_directory_from_elsewhere_is_laid_out_in_the_shared_directory() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let (items, path) = (items(300, 60, 100_000), a.outside().join("app"));
    make(&path, &items);
    let id = share(&a, &path, &[]);
    check(&a.folder().join("app"), &items);
    assert_eq!(a.wait_seeding("app.tar").text("kind"), "tree");
    b.ok(&["get", "app"]);
    check(&b.folder().join("app"), &items);
    assert_eq!(share(&a, &path, &[]), id, "it is there already");

    // A new version takes its place only if that is wanted.
    let mut newer = items.clone();
    newer.insert("sub 0/0".to_owned(), Item::File(0o755, content(999, 5)));
    newer.remove("sub 1/1");
    make(&path, &newer);
    let output = a.ctl_code(4, &["share", path.to_str().unwrap()]);
    assert!(output.stderr.contains("--replace"), "{}", output.stderr);
    check(&a.folder().join("app"), &items);
    assert_ne!(share(&a, &path, &["--replace"]), id);
    check(&a.folder().join("app"), &newer);
    b.ok(&["get", "app", "--replace"]);
    check(&b.folder().join("app"), &newer);
    let imports = fs::read_dir(a.folder().join(".tinytorrent/imports")).unwrap().count();
    assert_eq!(imports, 0, "nothing is left of the imports");
}

/// No file ever takes the place of a directory, so `--replace` is not what helps.
#[test]
fn a_file_is_not_shared_over_a_directory() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    fs::create_dir(a.folder().join("app")).unwrap();
    fs::write(a.outside().join("app"), "a file").unwrap();
    for more in [&[][..], &["--replace"]] {
        let output = a.ctl_code(4, &[&["share", a.outside().join("app").to_str().unwrap()], more].concat());
        assert!(output.stderr.contains("app is a directory\n"), "{}", output.stderr);
        assert!(output.stderr.contains("hint: move it away, then try again"), "{}", output.stderr);
    }
    assert!(a.folder().join("app").is_dir());
}

#[test]
fn a_directory_that_was_edited_is_shared_again_as_another_version() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let (mut items, path) = (items(500, 20, 50_000), a.folder().join("app"));
    make(&path, &items);
    let id = share(&a, &path, &[]);
    b.ok(&["get", "app"]);
    items.insert("sub 0/0".to_owned(), Item::File(0o644, content(1234, 70_000)));
    make(&path, &items);
    assert_ne!(share(&a, &path, &["--replace"]), id);
    b.ok(&["get", "app", "--replace"]);
    check(&b.folder().join("app"), &items);
}

#[test]
fn what_cannot_be_shared_is_named_and_leaves_nothing() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    for room in [a.folder(), &a.outside()] {
        let path = room.join("app");
        make(&path, &items(700, 3, 10));
        let refused = |more: &[&str]| {
            let output = a.ctl_code(4, &[&["share", path.to_str().unwrap()], more].concat());
            let resources = fs::read_dir(a.folder().join(".tinytorrent/resources")).unwrap().count();
            assert_eq!(resources, 0, "{}", output.stderr);
            output.stderr
        };
        std::os::unix::fs::symlink("/etc/passwd", path.join("sub 0/out")).unwrap();
        assert!(refused(&[]).contains("app/sub 0/out: the symbolic link leads outside"));
        share(&a, &path, &["--symlinks", "skip"]);
        a.ok(&["remove", "app"]);
        if room != a.folder() {
            fs::remove_dir_all(a.folder().join("app")).unwrap();
        }
        wait_until("it is forgotten", CAP, || a.status("app.tar").is_none());
        fs::remove_file(path.join("sub 0/out")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(path.join("socket")).unwrap();
        assert!(refused(&[]).contains("app/socket: it is a socket"));
        fs::remove_dir_all(&path).unwrap();
    }
    let folder = a.folder().to_str().unwrap().to_owned();
    let output = a.ctl_code(4, &["share", &folder]);
    assert!(output.stderr.contains("is ttd's shared directory"), "{}", output.stderr);
}

#[test]
fn the_chunks_of_an_edited_file_are_not_served_and_the_others_are() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let (items, path) = (items(900, 10, MIB), a.folder().join("app"));
    make(&path, &items);
    share(&a, &path, &[]);
    let edited = path.join("sub 3/3");
    fs::write(&edited, "edited").unwrap();
    b.ok(&["get", "app", "--detach"]);
    let total = a.status("app").unwrap().number("chunks_total");
    let status = a.wait_status("app", "without some chunks", |status| status.number("chunks_have") < total);
    assert_eq!(status.state(), "seeding");
    assert!(status.text("reason").contains("sub 3/3 was edited"), "{}", status.text("reason"));
    let have = status.number("chunks_have");
    assert!(have + 2 >= total, "only those of one file: {have} of {total}");
    b.wait_status("app.tar", "all others", |status| status.number("chunks_have") == have);
    assert!(!b.folder().join("app").exists());

    // A check finds the same; nothing is written into the directory.
    a.ctl_code(6, &["verify", "app"]);
    let status = a.wait_status("app", "still seeding", |status| status.state() == "seeding");
    assert_eq!(status.number("chunks_have"), have);
    assert_eq!(fs::read_to_string(&edited).unwrap(), "edited");

    // What is there now is another version.
    a.ok(&["share", path.to_str().unwrap(), "--replace"]);
    b.ok(&["get", "app", "--replace"]);
    assert_eq!(fs::read_to_string(b.folder().join("app/sub 3/3")).unwrap(), "edited");
}

/// 50,000 files of 10 KiB: `TMPDIR=/dev/shm cargo test --release -p cluster measure_sharing -- --ignored --nocapture`.
/// Alternating runs, each with a name of its own; it needs 3 GiB there.
#[test]
#[ignore = "measures"]
fn measure_sharing_a_directory() {
    const RUNS: usize = 5;
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    let shell = |script: &str| {
        let begin = Instant::now();
        let ended = Command::new("sh").args(["-euc", script]).current_dir(a.outside()).status().unwrap();
        assert!(ended.success(), "{script}");
        begin.elapsed()
    };
    let shared = |path: &Path| {
        let begin = Instant::now();
        let output =
            run_capped(a.ttctl(&["share", path.to_str().unwrap()]), Duration::from_secs(600)).unwrap();
        assert_eq!(output.code, 0, "{}", output.stderr);
        begin.elapsed()
    };
    let source = a.outside().join("source");
    make(&source, &items(1, 50_000, 10 << 10));
    let mut figures: [Vec<Duration>; 4] = Default::default();
    for run in 0..RUNS {
        let (here, elsewhere) =
            (a.folder().join(format!("here-{run}")), a.outside().join(format!("elsewhere-{run}")));
        shell(&format!(
            "cp -a source '{}'; mv source '{}'; cp -a elsewhere-{run} source",
            here.display(),
            elsewhere.display()
        ));
        figures[0].push(shell("tar c source | openssl sha256 >/dev/null"));
        figures[1].push(shared(&here));
        figures[2].push(shell("cp -a source copy"));
        figures[3].push(shared(&elsewhere));
        for name in [format!("here-{run}"), format!("elsewhere-{run}")] {
            a.ok(&["remove", "--delete", &name]);
        }
        shell(&format!("rm -rf copy elsewhere-{run}"));
    }
    let [tar, in_place, copy, imported] = figures.map(|mut figure| {
        figure.sort_unstable();
        figure[RUNS / 2].as_secs_f64()
    });
    eprintln!(
        "tar | openssl {tar:.2} s; shared where it lies in {in_place:.2} s: {:.2} of it",
        in_place / tar
    );
    let allowed = 1.3 * tar + 1.3 * copy;
    eprintln!(
        "cp -a {copy:.2} s; shared from elsewhere in {imported:.2} s: {:.2} of what is allowed",
        imported / allowed
    );
}
