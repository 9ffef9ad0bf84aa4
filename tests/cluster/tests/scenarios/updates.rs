//! Scenarios in which a new version of a directory is fetched: only what is new travels, and nothing of the old version
//! that was edited meanwhile gets into the new one.

use cluster::files::{MIB, content, corrupt};
use cluster::trees::{Item, Items, check, items, make};
use cluster::{CAP, Daemon, Tracker, wait_until};
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

fn directory(daemon: &Daemon) -> PathBuf {
    daemon.folder().join("app")
}

/// Shares a directory from elsewhere.
fn share(daemon: &Daemon, items: &Items) {
    let path = daemon.outside().join("app");
    make(&path, items);
    daemon.ok(&["share", "--replace", path.to_str().unwrap()]);
}

/// A daemon that shares a directory and another one that has fetched it.
fn two(old: &Items, config: &str) -> (Tracker, Daemon, Daemon) {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start_configured(&tracker, config));
    share(&a, old);
    b.ok(&["get", "app"]);
    (tracker, a, b)
}

/// Chunks of a download: those that came from peers (rounded up), those that were here, and all.
#[derive(Debug, PartialEq, Eq)]
struct Chunks {
    fetched: u64,
    reused: u64,
    total: u64,
}

/// Waits for a new version, and checks it.
#[track_caller]
fn updated(b: &Daemon, new: &Items) -> Chunks {
    let status = b.wait_seeding("app.tar");
    check(&directory(b), new);
    b.ok(&["verify", "app"]);
    Chunks {
        fetched: status.number("bytes_fetched").div_ceil(MIB as u64),
        reused: status.number("chunks_reused"),
        total: status.number("chunks_total"),
    }
}

/// Fetches a new version.
#[track_caller]
fn update(a: &Daemon, b: &Daemon, new: &Items) -> Chunks {
    share(a, new);
    b.ok(&["get", "app", "--replace"]);
    updated(b, new)
}

/// One file grew, one shrank, and one is new.
fn three_changed(old: &Items, files: usize) -> Items {
    let mut new = old.clone();
    let path = |at: usize| format!("sub {}/{at}", at % 7);
    new.insert(path(files / 4), Item::File(0o644, content(9000, 12_345)));
    new.insert(path(files / 2), Item::File(0o644, content(9001, 7)));
    new.insert("sub 5/brand new".to_owned(), Item::File(0o600, content(9002, 10_000)));
    new
}

/// A large directory is not fetched again because somebody wrote to one of its files.
#[test]
fn an_edited_directory_is_made_as_it_was_from_what_is_right_in_it() {
    let items = items(4_000_000, 300, 100 << 10);
    let (_tracker, _a, b) = two(&items, "");
    let path = items.keys().find(|path| matches!(items[*path], Item::File(..))).expect("a file");
    fs::write(directory(&b).join(path), "edited").unwrap();
    b.ctl_code(6, &["verify", "app"]);
    b.ok(&["get", "app", "--replace"]);
    let chunks = updated(&b, &items);
    assert!(chunks.fetched <= 2 && chunks.total > 25, "{chunks:?}");
    // Nothing that is only needed for that is left.
    let slots = || fs::read_dir(b.folder().join(".tinytorrent/resources")).unwrap();
    wait_until("its slot is tidy", CAP, || slots().all(|slot| !slot.unwrap().path().join("older").exists()));
}

#[test]
fn three_changed_files_cost_a_few_chunks() {
    let old = items(2_000_000, 3_000, 10 << 10);
    let (_tracker, a, b) = two(&old, "");
    let chunks = update(&a, &b, &three_changed(&old, 3_000));
    assert!(chunks.fetched <= 7 && chunks.total > 30, "{chunks:?}");
    assert!(chunks.reused + chunks.fetched >= chunks.total, "{chunks:?}");
    assert!(b.log().contains("chunks were made of the older directory"), "{}", b.log());
    let output = b.ok(&["status", "app"]);
    assert!(output.stdout.contains("reused"), "{}", output.stdout);
}

#[test]
fn a_directory_that_was_renamed_costs_listing_and_sums() {
    let old = items(2_100_000, 1_500, 15_000);
    let (_tracker, a, b) = two(&old, "");
    let renamed = |path: &String| path.replacen("sub 4", "another name", 1);
    let new: Items = old.iter().map(|(path, item)| (renamed(path), item.clone())).collect();
    let chunks = update(&a, &b, &new);
    assert!(chunks.fetched <= 4 && chunks.total > 20, "{chunks:?}");
}

#[test]
fn files_that_were_only_touched_are_found_by_their_sums() {
    let old = items(2_200_000, 40, MIB / 2);
    let (_tracker, a, b) = two(&old, "");
    share(&a, &three_changed(&old, 40));
    let path = a.folder().join("app");
    make(&path, &old);
    let touched = fs::File::open(path.join("sub 0/7")).unwrap();
    touched.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(1_700_000_000)).unwrap();
    a.ok(&["share", "--replace", path.to_str().unwrap()]);
    b.ok(&["get", "app", "--replace"]);
    let status = b.wait_seeding("app.tar");
    assert!(status.number("bytes_fetched") <= 3 * MIB as u64, "{}", status.number("bytes_fetched"));
}

#[test]
fn a_large_file_that_was_changed_within_costs_a_few_chunks() {
    let mut old = items(2_300_000, 20, 10_000);
    let image = content(2_300_100, 40 * MIB);
    old.insert("image".to_owned(), Item::File(0o644, image.clone()));
    let (_tracker, a, b) = two(&old, "");
    let changed = [&image[..10 * MIB], b"thirteen more", &image[10 * MIB..]].concat();
    let mut new = old.clone();
    new.insert("image".to_owned(), Item::File(0o644, changed));
    new.insert("before".to_owned(), Item::File(0o644, content(2_300_200, 5_000)));
    let chunks = update(&a, &b, &new);
    assert!(chunks.fetched <= 10 && chunks.total > 40, "{chunks:?}");
}

#[test]
fn a_file_of_this_machine_that_is_new_in_the_directory_is_not_fetched() {
    let old = items(2_400_000, 20, 10_000);
    let (_tracker, a, b) = two(&old, "");
    let image = content(2_400_100, 20 * MIB + 5);
    b.share_in_place("image.iso", &image);
    let mut new = old.clone();
    new.insert("image".to_owned(), Item::File(0o644, image));
    let chunks = update(&a, &b, &new);
    assert!(chunks.fetched <= 4 && chunks.total > 20, "{chunks:?}");
}

#[test]
fn a_directory_gives_its_content_to_a_newer_tar_that_stays_a_file() {
    let mut old = items(2_450_000, 20, 10_000);
    old.insert("image".to_owned(), Item::File(0o644, content(2_450_100, 30 * MIB)));
    let (_tracker, a, b) = two(&old, "");
    let mut new = old.clone();
    new.insert("before".to_owned(), Item::File(0o644, content(2_450_200, 5_000)));
    share(&a, &new);
    b.ok(&["get", "app.tar", "--as-file", "--replace", "--detach"]);
    let all = |status: &cluster::Status| status.number("chunks_have") == status.number("chunks_total");
    let status = b.wait_status("app.tar", "complete", all);
    let fetched = status.number("downloaded_bytes").div_ceil(MIB as u64);
    assert!(fetched <= 8, "{fetched} chunks were fetched");
}

#[test]
fn without_reuse_everything_is_fetched() {
    let old = items(2_500_000, 500, 20_000);
    let new = three_changed(&old, 500);
    for (config, option) in [("", Some("--no-reuse")), ("reuse = \"none\"", None)] {
        let (_tracker, a, b) = two(&old, config);
        share(&a, &new);
        let args = ["get", "app", "--replace"].into_iter().chain(option);
        b.ok(&args.collect::<Vec<_>>());
        let Chunks { fetched, reused, total } = updated(&b, &new);
        assert_eq!((fetched, reused), (total, 0), "{option:?}");
    }
}

#[test]
fn an_old_file_that_was_edited_costs_a_fetch() {
    let old = items(2_600_000, 1_000, 20_000);
    for restore_time in [false, true] {
        let (_tracker, a, b) = two(&old, "");
        for at in [100, 500, 900] {
            let path = directory(&b).join(format!("sub {}/{at}", at % 7));
            if restore_time {
                corrupt(&path, 100, b"edited").unwrap();
            } else {
                let file = fs::File::options().write(true).open(path).unwrap();
                file.write_all_at(b"edited", 100).unwrap();
            }
        }
        fs::write(directory(&b).join("sub 3/10"), "short").unwrap();
        fs::remove_file(directory(&b).join("sub 3/17")).unwrap();
        let chunks = update(&a, &b, &three_changed(&old, 1_000));
        assert!(chunks.fetched <= 13 && chunks.total > 18, "{chunks:?}");
    }
}

#[test]
fn old_files_that_are_edited_during_the_update_cost_no_wrong_byte() {
    let old = items(2_700_000, 2_000, 20_000);
    let (_tracker, a, b) = two(&old, "");
    let new = three_changed(&old, 2_000);
    share(&a, &new);
    let (root, is_over) = (fs::File::open(directory(&b)).unwrap(), AtomicBool::new(false));
    let below = PathBuf::from(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&root)));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for at in (0..2_000).step_by(31).cycle() {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                // The old directory, wherever it is by now.
                let path = below.join(format!("sub {}/{at}", at % 7));
                let Ok(file) = fs::File::options().write(true).open(path) else { continue };
                file.write_all_at(&[at as u8; 9], at as u64).unwrap();
                file.set_len(19_000).unwrap();
            }
        });
        b.ok(&["get", "app", "--replace"]);
        is_over.store(true, Ordering::Relaxed);
    });
    updated(&b, &new);
}

#[test]
fn an_update_is_complete_however_often_the_daemon_is_killed_meanwhile() {
    let old = items(2_800_000, 2_000, 30_000);
    let (_tracker, a, mut b) = two(&old, "");
    let new = three_changed(&old, 2_000);
    share(&a, &new);
    b.ok(&["get", "app", "--replace", "--detach"]);
    for _ in 0..4 {
        let begun = |b: &Daemon| {
            b.status("app.tar")
                .is_some_and(|status| status.number("chunks_have") > 0 || status.state() == "seeding")
        };
        wait_until("it has begun", CAP, || begun(&b));
        b.kill();
        b.restart();
        wait_until("it is known again", CAP, || b.status("app.tar").is_some());
    }
    let chunks = updated(&b, &new);
    assert!(chunks.fetched <= 12, "{chunks:?}");
    let slots = fs::read_dir(b.folder().join(".tinytorrent/resources")).unwrap();
    for slot in slots {
        let slot = slot.unwrap().path();
        wait_until("nothing of the old version is kept", CAP, || !slot.join("older").exists());
    }
}

/// What an update of a directory costs: `TMPDIR=/dev/shm cargo test --release -p cluster measure_an_update -- --ignored
/// --nocapture`, with `TT_BIN` at a release build. `TT_FILES` are the files (5,000 by default), and `TT_BYTES` the size
/// of each (10,240).
#[test]
#[ignore = "takes long; measures"]
fn measure_an_update_of_a_directory() {
    let number =
        |name: &str, default: usize| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let (files, bytes) = (number("TT_FILES", 5_000), number("TT_BYTES", 10 << 10));
    let old = items(1, files, bytes);
    let new = three_changed(&old, files);
    let tracker = Tracker::start();
    let (a, mut b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    // Sharing 300,000 files takes longer than scenarios wait for a command.
    let wait = |daemon: &Daemon, args: &[&str]| assert!(daemon.ttctl(args).status().unwrap().success());
    let share = |items: &Items| {
        let path = a.outside().join("app");
        make(&path, items);
        wait(&a, &["share", "--replace", path.to_str().unwrap()]);
    };
    share(&old);
    wait(&b, &["get", "app"]);
    b.restart(); // its peak of memory is that of the update
    b.wait_seeding("app.tar");
    share(&new);
    let begin = Instant::now();
    wait(&b, &["get", "app", "--replace"]);
    let took: Duration = begin.elapsed();
    let memory = b.memory_peak_kib();
    let status = b.wait_seeding("app.tar");
    check(&directory(&b), &new);
    let (fetched, reused) = (status.number("bytes_fetched"), status.number("chunks_reused"));
    let listing_and_sums = (files * (7 + 60 + 64 + 20)).div_ceil(MIB);
    eprintln!(
        "{files} files of {bytes} bytes, 3 changed: {:.1} MiB of {} chunks fetched, {reused} chunks reused, in {:.1} s; \
         VmHWM {} MiB; listing and sums have about {listing_and_sums} MiB",
        fetched as f64 / MIB as f64,
        status.number("chunks_total"),
        took.as_secs_f64(),
        memory / 1024,
    );
}
