//! Scenarios in which the content of a new version lies shifted in the file that it replaces.

use cluster::files::MIB;
use cluster::{CAP, Daemon, Tracker};
use std::fs;
use std::time::{Duration, Instant};

const NAME: &str = "image.iso";

/// Bytes that repeat nowhere.
fn random(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let words = (0..bytes.div_ceil(8)).flat_map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    let mut random: Vec<u8> = words.collect();
    random.truncate(bytes);
    random
}

/// A daemon that shares an old version and another one that has fetched it.
fn two(old: &[u8]) -> (Tracker, Daemon, Daemon) {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    a.share_bytes(NAME, old);
    b.get(NAME, old);
    (tracker, a, b)
}

fn share_again(a: &Daemon, bytes: &[u8]) {
    let path = a.outside().join(NAME);
    fs::write(&path, bytes).unwrap();
    a.ok(&["share", "--replace", path.to_str().unwrap()]);
}

/// Fetches the new version. Returns how many bytes came from the other daemon.
fn update(a: &Daemon, b: &Daemon, new: &[u8]) -> u64 {
    share_again(a, new);
    b.ok(&["get", "--replace", NAME]);
    b.check_file(NAME, new);
    b.status(NAME).unwrap().number("downloaded_bytes")
}

fn insert(bytes: &mut Vec<u8>, at: usize, new: &[u8]) {
    bytes.splice(at..at, new.iter().copied());
}

#[test]
fn thirteen_bytes_that_were_inserted_cost_a_few_chunks() {
    let old = random(300, 64 * MIB);
    let (_tracker, a, b) = two(&old);
    let mut new = old.clone();
    insert(&mut new, old.len() / 10, b"thirteen more");
    let fetched = update(&a, &b, &new);
    assert!(fetched <= 16 * MIB as u64, "{fetched} bytes were fetched");
}

#[test]
fn each_of_many_small_edits_costs_a_few_chunks() {
    let old = random(301, 96 * MIB);
    let (_tracker, a, b) = two(&old);
    let mut new = old.clone();
    let edits = [(90, 50_000), (75, 1), (61, 4096), (48, 100), (33, 70_000), (17, 3), (2, 999)];
    for (number, (at, bytes)) in edits.into_iter().enumerate() {
        let at = at * MIB + 123_456;
        match number % 2 {
            0 => insert(&mut new, at, &random(310 + number as u64, bytes)),
            _ => drop(new.drain(at..at + bytes)),
        }
    }
    let fetched = update(&a, &b, &new);
    assert!(fetched <= (3 * 7 + 4) * MIB as u64, "{fetched} bytes were fetched");
}

#[test]
fn a_version_that_has_nothing_in_common_is_fetched_as_ever() {
    let (old, new) = (random(302, 24 * MIB), random(303, 24 * MIB + 5));
    let (_tracker, a, b) = two(&old);
    assert_eq!(update(&a, &b, &new), new.len() as u64);
}

#[test]
fn an_old_file_that_shrinks_and_changes_meanwhile_costs_fetches_and_no_wrong_byte() {
    let old = random(304, 32 * MIB);
    let (_tracker, a, b) = two(&old);
    let mut new = old.clone();
    insert(&mut new, 4 * MIB, b"thirteen more");
    // The second half is gone before anything of it is read; some of the first half has other content.
    let file = fs::File::options().write(true).open(b.file(NAME)).unwrap();
    file.set_len(16 * MIB as u64).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &[7; 3 * MIB], 9 * MIB as u64).unwrap();
    share_again(&a, &new);
    // The search has idle priority: on a busy machine all would be fetched before it began.
    b.ok(&["limit", "--download", "100kB/s"]);
    let mut get = b.ctl_in_background(&["get", "--replace", NAME]);
    b.wait_status(NAME, "something is found", |status| status.number("chunks_reused") > 0);
    b.ok(&["limit", "--download", "none"]);
    assert!(get.wait(CAP).expect("it ends").success(), "{}", get.log());
    b.check_file(NAME, &new);
}

#[test]
fn a_restarted_daemon_finds_the_rest_too() {
    let old = random(305, 48 * MIB);
    let (_tracker, a, mut b) = two(&old);
    let mut new = old.clone();
    insert(&mut new, 5 * MIB, b"thirteen more");
    share_again(&a, &new);
    // Nothing comes from the other daemon before the restart.
    b.ok(&["limit", "--download", "0"]);
    let get = b.ctl_in_background(&["get", "--replace", NAME]);
    b.wait_status(NAME, "begun", |status| status.number("chunks_have") == 5);
    b.kill();
    drop(get);
    b.restart();
    b.wait_seeding(NAME);
    b.check_file(NAME, &new);
    let fetched = b.status(NAME).unwrap().number("downloaded_bytes");
    assert!(fetched <= 16 * MIB as u64, "{fetched} bytes were fetched");
}

/// A file of 1 GiB in which 13 bytes were inserted at 10 %, and one in which all differs, each fetched by a daemon that
/// has the old version and by one that has nothing: `cargo test --release -p cluster measure_shifted -- --ignored
/// --nocapture`.
#[test]
#[ignore = "takes long; measures"]
fn measure_shifted_content() {
    let old = random(306, 1024 * MIB);
    let mut inserted = old.clone();
    insert(&mut inserted, old.len() / 10, b"thirteen more");
    let other = random(307, 1024 * MIB);
    for (what, new) in [("13 bytes inserted", &inserted), ("all different", &other)] {
        let (tracker, a, b) = two(&old);
        let fresh = Daemon::start(&tracker, &[]);
        share_again(&a, new);
        let timed = |daemon: &Daemon| {
            let start = Instant::now();
            daemon.ok(&["get", "--replace", NAME]);
            let took: Duration = start.elapsed();
            daemon.check_file(NAME, new);
            let fetched = daemon.status(NAME).unwrap().number("downloaded_bytes");
            format!("{:.2} s, {} chunks fetched", took.as_secs_f64(), fetched.div_ceil(MIB as u64))
        };
        eprintln!("{what}: with the old version {}; with nothing {}", timed(&b), timed(&fresh));
    }
}
