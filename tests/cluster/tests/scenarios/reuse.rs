//! Scenarios with chunks that a machine has already, in other files or at other positions: they are not fetched.

use cluster::files::{MIB, content, corrupt};
use cluster::{CAP, Daemon, Tracker, wait_until};
use std::fs;
use std::time::{Duration, Instant};

/// The chunks that came from peers, rounded up.
#[track_caller]
fn fetched(daemon: &Daemon, what: &str) -> u64 {
    daemon.status(what).expect("it is known").number("downloaded_bytes").div_ceil(MIB as u64)
}

/// A daemon that shares `new`, and one that has `old` and will fetch `new`.
fn two(old: (&str, &[u8]), new: (&str, &[u8]), config: &str) -> (Tracker, Daemon, Daemon) {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start_configured(&tracker, config));
    b.share_in_place(old.0, old.1);
    a.share_bytes(new.0, new.1);
    (tracker, a, b)
}

#[test]
fn only_the_chunks_of_changed_pages_are_fetched() {
    let old = content(600, 40 * MIB + 77);
    let mut new = old.clone();
    let pages: Vec<usize> = (0..9).map(|at| at * 1_100 * 4096 % (39 * MIB)).collect();
    pages.iter().for_each(|page| new[*page..page + 4096].fill(7));
    let (_tracker, a, b) = two(("app-1.img", &old), ("app-2.img", &new), "");
    b.get("app-2.img", &new);
    assert!(fetched(&b, "app-2.img") <= pages.len() as u64, "{}", fetched(&b, "app-2.img"));
    b.check_file("app-1.img", &old);
    assert_eq!(b.wait_seeding("app-1.img").text("state"), "seeding");
    assert!(b.log().contains("32 of 41 chunks were taken from other files here"), "{}", b.log());
    drop(a);
}

#[test]
fn of_a_file_that_grew_the_tail_and_one_chunk_are_fetched() {
    let new = content(601, 22 * MIB + 9);
    let old = &new[..20 * MIB - 1000];
    let (_tracker, _a, b) = two(("log-1", old), ("log-2", &new), "");
    b.get("log-2", &new);
    assert!(fetched(&b, "log-2") <= 4, "{}", fetched(&b, "log-2"));
}

#[test]
fn chunks_of_another_file_are_used_at_other_positions() {
    let old = content(602, 12 * MIB);
    let mut new = content(603, MIB);
    (0..12).rev().for_each(|at| new.extend_from_slice(&old[at * MIB..(at + 1) * MIB]));
    new.extend_from_slice(&old[..5 * MIB]);
    let (_tracker, _a, b) = two(("old", &old), ("new", &new), "");
    b.get("new", &new);
    assert_eq!(fetched(&b, "new"), 1);
}

#[test]
fn what_may_be_reused_is_configured_and_reloaded() {
    let old = content(604, 6 * MIB);
    let new = [&content(605, MIB)[..], &old].concat();
    let (_tracker, a, mut b) = two(("old", &old), ("new", &new), "reuse = \"none\"");
    b.get("new", &new);
    assert_eq!(fetched(&b, "new"), 7);
    b.ok(&["remove", "--delete", "new"]);
    b.configure("reuse = \"same-name\"");
    b.reload();
    b.get("new", &new);
    assert_eq!(fetched(&b, "new"), 7);
    b.ok(&["remove", "--delete", "new"]);
    b.configure("");
    b.reload();
    b.ok(&["get", "--no-reuse", "new"]);
    assert_eq!(fetched(&b, "new"), 7);
    b.ok(&["remove", "--delete", "new"]);
    b.get("new", &new);
    assert_eq!(fetched(&b, "new"), 1);
    drop(a);
}

#[test]
fn the_file_that_is_replaced_gives_its_chunks_from_any_position() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    let b = Daemon::start_configured(&tracker, "reuse = \"same-name\"");
    let old = content(606, 9 * MIB + 5);
    a.share_bytes("image", &old);
    b.get("image", &old);
    let new = [&content(607, 2 * MIB)[..], &old[MIB..]].concat();
    a.ok(&["remove", "--delete", "image"]);
    a.share_bytes("image", &new);
    b.ok(&["get", "--replace", "image"]);
    b.check_file("image", &new);
    assert_eq!(fetched(&b, "image"), 2);
}

#[test]
fn a_file_that_the_disk_has_damaged_costs_a_fetch_and_never_a_wrong_byte() {
    let old = content(608, 10 * MIB);
    let new = [&old[..], b"more"].concat();
    let (_tracker, _a, b) = two(("old", &old), ("new", &new), "");
    corrupt(&b.file("old"), 3 * MIB as u64 + 5, b"damaged").unwrap();
    b.get("new", &new);
    assert_eq!(fetched(&b, "new"), 2);
}

#[test]
fn a_kill_while_chunks_are_reused_costs_no_byte() {
    let old = content(609, 120 * MIB);
    let new = [&old[60 * MIB..], &old[..60 * MIB], b"more"].concat();
    let (_tracker, _a, mut b) = two(("old", &old), ("new", &new), "");
    b.ok(&["get", "--detach", "new"]);
    let has_begun = |b: &Daemon| {
        b.status("new").is_some_and(|status| status.number("chunks_have") > 0 || status.state() == "seeding")
    };
    for _ in 0..3 {
        wait_until("chunks are reused", CAP, || has_begun(&b));
        b.kill();
        b.restart();
    }
    b.wait_seeding("new");
    b.check_file("new", &new);
    b.check_file("old", &old);
    assert_eq!(fetched(&b, "new").min(1), fetched(&b, "new"), "only the last chunk is not here");
}

/// What looking for chunks costs where nothing is found:
/// `cargo test --release -p cluster measure_a_search -- --ignored --nocapture`.
#[test]
#[ignore = "measures, and asserts nothing by the clock"]
fn measure_a_search_that_finds_nothing() {
    /// The files that are searched; each has one chunk.
    const FILES: usize = 5_000;

    let tracker = Tracker::start();
    let (a, mut b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let files: Vec<String> = (0..FILES).map(|at| format!("file-{at}")).collect();
    files.iter().for_each(|name| fs::write(b.file(name), name).unwrap());
    for names in files.chunks(500) {
        let paths: Vec<String> = names.iter().map(|name| b.file(name).display().to_string()).collect();
        let mut args = vec!["share"];
        args.extend(paths.iter().map(String::as_str));
        b.ok(&args);
    }
    let bytes = content(610, 1_000 * MIB);
    a.share_bytes("wanted", &bytes);
    let mut times: [Vec<Duration>; 2] = [Vec::new(), Vec::new()];
    for round in 0..10 {
        let config = if round % 2 == 0 { "" } else { "reuse = \"none\"" };
        b.configure(config);
        b.reload();
        let begin = Instant::now();
        b.ok(&["get", "--detach", "wanted"]);
        b.wait_status("wanted", "fetched", |status| status.number("chunks_have") > 0);
        times[round % 2].push(begin.elapsed());
        b.ok(&["remove", "--delete", "wanted"]);
    }
    times.iter_mut().for_each(|times| times.sort());
    eprintln!(
        "to the first chunk of 1,000, with {FILES} files here (medians of 5): {:.1?} with a search, {:.1?} without",
        times[0][2], times[1][2]
    );
}

/// A file of 1 GiB of which the pages of 100 places were changed, and one to which a tenth was appended, each fetched by
/// a daemon that has the old one: `cargo test --release -p cluster measure_changed -- --ignored --nocapture`. It needs
/// 6 GiB of disk in `TMPDIR`.
#[test]
#[ignore = "takes long; measures"]
fn measure_changed_pages_and_an_appended_tail() {
    const PAGES: usize = 100;
    let distinct = |seed: u64, chunks: u64| -> Vec<u8> {
        (0..chunks).flat_map(|at| content(seed + at, MIB)).collect() // no chunk is like another one anywhere
    };
    let old = distinct(20_000, 1024);
    let mut changed = old.clone();
    for page in 0..PAGES {
        let at = page * (1024 / PAGES) * MIB + page * 4096;
        changed[at..at + 4096].fill(page as u8);
    }
    let appended = [&old[..], &distinct(30_000, 103)[..old.len() / 10]].concat();
    let (most_changed, most_appended) = (PAGES as u64, (old.len() / 10).div_ceil(MIB) as u64 + 1);
    for (what, new, most) in [("pages", changed, most_changed), ("a tail", appended, most_appended)] {
        let (_tracker, _a, b) = two(("image-1", &old), ("image-2", &new), "");
        let begin = Instant::now();
        b.get("image-2", &new);
        let (took, fetched) = (begin.elapsed().as_secs_f64(), fetched(&b, "image-2"));
        eprintln!("{what}: {fetched} chunks fetched, at most {most}, in {took:.2} s");
        assert!(fetched <= most, "{what}: {fetched} chunks");
    }
}
