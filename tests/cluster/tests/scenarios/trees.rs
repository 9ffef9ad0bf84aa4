//! Scenarios with directories: they arrive as directories, are served from their files, are replaced in one step, and
//! what only claims to be one is refused and leaves nothing.

use cluster::files::{MIB, content};
use cluster::trees::{Item, Items, check, items, tar};
use cluster::{CAP, Daemon, Tracker, wait_until};
use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

fn directory(daemon: &Daemon) -> PathBuf {
    daemon.folder().join("app")
}

/// What a slot of the daemon has on disk, by name.
fn slots(daemon: &Daemon) -> Vec<PathBuf> {
    let resources = fs::read_dir(daemon.folder().join(".tinytorrent/resources")).unwrap();
    resources.map(|entry| entry.unwrap().path()).collect()
}

/// Fetches a directory, and checks that it is there and nothing else.
#[track_caller]
fn get(daemon: &Daemon, items: &Items) {
    let output = daemon.ok(&["get", "app.tar", "--replace"]);
    assert!(output.stdout.contains(directory(daemon).to_str().unwrap()), "{}", output.stdout);
    check(&directory(daemon), items);
    let status = daemon.wait_seeding("app.tar");
    assert_eq!(status.text("kind"), "tree");
    assert_eq!(status.text("path"), directory(daemon).to_str().unwrap());
}

#[test]
fn a_directory_arrives_and_is_served_from_its_files() {
    let tracker = Tracker::start();
    let mut daemons = [(); 3].map(|()| Daemon::start(&tracker, &[]));
    for (seed, files, bytes) in [(1000, 3, 10), (1100, 300, 20_000), (1500, 3, 3 * MIB)] {
        let [a, b, c] = &mut daemons;
        let items = items(seed, files, bytes);
        a.share_bytes("app.tar", &tar("app", &items));
        get(b, &items);
        assert_eq!(b.listing(), ["app", "app.tar.tinytorrent"]);
        a.ok(&["pause", "app.tar"]);
        get(c, &items); // from the files of b
        b.ok(&["verify", "app.tar"]);
        b.restart();
        b.wait_seeding("app.tar");
        assert_eq!(b.status("app.tar").unwrap().number("downloaded_bytes"), 0);
        c.ok(&["remove", "app.tar", "--delete"]);
        wait_until("the directory is gone", CAP, || !directory(c).exists());
        get(c, &items);
        for daemon in [&*b, &*c] {
            daemon.ok(&["remove", "app.tar", "--delete"]);
            wait_until("nothing is left", CAP, || daemon.listing().is_empty() && slots(daemon).is_empty());
        }
        a.ok(&["remove", "app.tar", "--delete"]);
    }
}

#[test]
fn a_new_version_takes_the_place_of_the_old_one() {
    let tracker = Tracker::start();
    let (a, mut b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let mut one = items(2000, 20, 100_000);
    one.insert(String::new(), Item::Directory(0o555));
    a.share_bytes("app.tar", &tar("app", &one));
    get(&b, &one);
    let open = fs::File::open(directory(&b).join("sub 0/0")).unwrap();
    let mut two = one.clone();
    two.insert("sub 0/0".to_owned(), Item::File(0o755, content(2100, 5)));
    two.remove("sub 1/1");
    a.ok(&["share", "--replace", "--", write(&a, &tar("app", &two)).to_str().unwrap()]);
    get(&b, &two);
    assert_eq!(
        std::os::unix::fs::FileExt::read_at(&open, &mut [0; 9], 0).unwrap(),
        9,
        "the old file is still open"
    );
    wait_until("what was replaced is gone", CAP, || {
        slots(&b).len() == 1 && !slots(&b)[0].join("tree").exists()
    });
    b.restart();
    b.wait_seeding("app.tar");
    check(&directory(&b), &two);
}

fn write(daemon: &Daemon, bytes: &[u8]) -> PathBuf {
    let path = daemon.outside().join("app.tar");
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn what_cannot_be_a_directory_is_bad_data_and_leaves_nothing() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let good = items(3000, 5, 300_000);
    let with = |path: &str, target: &str| {
        let mut items = good.clone();
        items.insert(path.to_owned(), Item::Link(target.to_owned()));
        tar("app", &items)
    };
    let broken = |at: usize| {
        let mut tar = tar("app", &good);
        tar[at] ^= 1;
        tar
    };
    let length = tar("app", &good).len();
    let end_of_sums = tar("app", &good).iter().rposition(|byte| *byte == b'\n').unwrap();
    let cases = [
        ("an absolute link", with("x", "/etc/passwd")),
        ("a link upwards", with("sub 0/x", "../../x")),
        ("a byte of the listing", broken(600)),
        ("a byte of the first header", broken(150)),
        ("a byte of the padding at the end", broken(length - 1)),
        ("a name in the sums", broken(end_of_sums - 1)),
        ("a short file", tar("app", &good)[..length - 2 * MIB / 2].to_vec()),
    ];
    for (what, bytes) in cases {
        a.share_bytes("app.tar", &bytes);
        let output = b.ctl_code(6, &["get", "app.tar"]);
        assert!(output.stderr.contains("--as-file"), "{what}: {}", output.stderr);
        wait_until(&format!("{what}: nothing is left"), CAP, || {
            slots(&b).is_empty() && b.listing().is_empty()
        });
        b.ok(&["get", "app.tar", "--as-file"]);
        b.check_file("app.tar", &bytes);
        assert_eq!(b.status("app.tar").unwrap().text("kind"), "file");
        for daemon in [&a, &b] {
            daemon.ok(&["remove", "app.tar", "--delete"]);
        }
        wait_until("it is gone", CAP, || b.listing().is_empty());
    }
}

#[test]
fn a_file_that_was_edited_is_noticed_and_repaired() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let items = items(4000, 20, 200_000);
    a.share_bytes("app.tar", &tar("app", &items));
    get(&b, &items);
    let harms: [fn(&Path); 3] = [
        |path| fs::write(path.join("sub 0/0"), "edited").unwrap(),
        |path| fs::remove_dir_all(path.join("sub 1")).unwrap(),
        |path| fs::remove_file(path.join("link")).unwrap(),
    ];
    for harm in harms {
        harm(&directory(&b));
        assert_ne!(b.ctl(&["verify", "app.tar"]).code, 0);
        get(&b, &items);
    }
}

#[test]
fn a_tar_of_somebody_else_stays_a_file_and_so_does_a_directory_that_is_fetched_as_one() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let other = content(5000, 3 * MIB);
    a.share_bytes("other.tar", &other);
    b.get("other.tar", &other);
    let bytes = tar("app", &items(5100, 30, 100_000));
    a.share_bytes("app.tar", &bytes);
    b.ok(&["get", "app.tar", "--as-file"]);
    b.check_file("app.tar", &bytes);
    assert!(!directory(&b).exists());
}

#[test]
fn a_copy_of_a_directory_goes_where_it_is_wanted() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let items = items(6000, 30, 10_000);
    a.share_bytes("app.tar", &tar("app", &items));
    let (new, into) = (b.outside().join("copy"), b.outside().join("into"));
    fs::create_dir(&into).unwrap();
    b.ok(&["get", "app.tar", "-o", new.to_str().unwrap()]);
    check(&new, &items);
    b.ok(&["get", "app.tar", "-o", into.to_str().unwrap()]);
    check(&into.join("app"), &items);
    assert_ne!(b.ctl(&["get", "app.tar", "-o", into.to_str().unwrap()]).code, 0, "it is there already");
    b.ok(&["get", "app.tar", "--replace", "-o", into.to_str().unwrap()]);
    check(&into.join("app"), &items);
}

#[test]
fn a_directory_is_complete_however_often_the_daemon_is_killed_meanwhile() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    let items = items(7000, 400, 100_000);
    a.share_bytes("app.tar", &tar("app", &items));
    let mut b = Daemon::start(&tracker, &["--download-limit", "8 MiB/s"]);
    b.ok(&["get", "app.tar", "--detach"]);
    let mut last = 0;
    while b.status("app.tar").is_none_or(|status| status.state() != "seeding") {
        let more = |status: &cluster::Status| {
            status.state() == "seeding" || status.number("chunks_have") >= last + 9
        };
        let status = b.wait_status("app.tar", "further", more);
        last = status.number("chunks_have");
        b.kill();
        assert!(status.state() == "seeding" || !directory(&b).exists());
        b.restart();
        wait_until("it is known again", CAP, || b.status("app.tar").is_some());
    }
    check(&directory(&b), &items);
    b.ok(&["verify", "app.tar"]);
}

#[test]
fn whenever_a_daemon_is_killed_the_old_directory_is_there_or_the_new_one() {
    let seed = RandomState::new().build_hasher().finish();
    eprintln!("seed {seed}");
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &["--upload-limit", "80 MB/s"]);
    let mut b = Daemon::start(&tracker, &[]);
    let versions = [items(8000, 60, 150_000), items(9000, 60, 150_000)];
    a.share_bytes("app.tar", &tar("app", &versions[0]));
    let begin = Instant::now();
    get(&b, &versions[0]);
    let span = begin.elapsed();
    for round in 1..=8_u64 {
        let new = &versions[round as usize % 2];
        a.ok(&["share", "--replace", "--", write(&a, &tar("app", new)).to_str().unwrap()]);
        b.ok(&["get", "app.tar", "--replace", "--detach"]);
        // Nothing is waited for here: the moment must be random.
        let moment = seed.wrapping_mul(2 * round + 1) % (span.as_micros() as u64).max(1);
        std::thread::sleep(Duration::from_micros(moment));
        b.kill();
        let there = cluster::trees::found(&directory(&b));
        assert!(versions.contains(&there), "round {round}: a mix, after {moment} us");
        b.restart();
        wait_until("the new one is there", CAP, || {
            b.status("app.tar").is_some_and(|status| status.state() == "seeding")
                && cluster::trees::found(&directory(&b)) == *new
        });
        wait_until("what was replaced is gone", CAP, || {
            slots(&b).len() == 1 && !slots(&b)[0].join("tree").exists()
        });
    }
}
