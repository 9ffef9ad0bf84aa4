//! Scenarios with many downloads that begin together: a change of one must not cost another one its news.

use cluster::fake_tracker::{FakeTracker, Manners, Says};
use cluster::files::content;
use cluster::process::Process;
use cluster::slow_link::SlowLink;
use cluster::{CAP, Daemon, Tracker, wait_until};
use std::time::{Duration, Instant};

const BYTES: usize = 64 << 10;

/// The names of `number` files, each with its bytes.
fn files(seed: u64, number: u64) -> Vec<(String, Vec<u8>)> {
    (0..number).map(|at| (format!("file-{at}"), content(seed + at, BYTES))).collect()
}

#[track_caller]
fn wait_for_all(daemon: &Daemon, files: &[(String, Vec<u8>)]) {
    wait_until("all are here", CAP, || {
        let statuses = daemon.statuses();
        statuses.len() == files.len() && statuses.iter().all(|status| status.state() == "seeding")
    });
    files.iter().for_each(|(name, bytes)| daemon.check_file(name, bytes));
}

#[test]
fn downloads_that_begin_at_once_all_end() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let files = files(10_000, 50);
    files.iter().for_each(|(name, bytes)| _ = a.share_in_place(name, bytes));
    let begin = |(name, _): &(String, Vec<u8>)| b.ctl_in_background(&["get", "--detach", name]);
    let mut begun: Vec<Process> = files.iter().map(begin).collect();
    for get in &mut begun {
        let status = get.wait(CAP).expect("ttctl ends");
        assert!(status.success(), "{}", get.log());
    }
    wait_for_all(&b, &files);
}

/// Downloads one after the other, each before the news of the last one are out; a removed one is begun again.
#[test]
fn downloads_that_begin_while_news_are_on_their_way_all_end() {
    for delay in [10, 25].map(Duration::from_millis) {
        let way = SlowLink::start(delay);
        let says = Says { peers: vec![way.addr()], interval_ms: 1_000, ..Says::default() };
        let tracker = FakeTracker::start(Manners::Says(says));
        let start = |url: &str| Daemon::start_on(way.addr().ip(), &["--tracker", url]);
        let (a, b) = (start(&tracker.url()), start(&tracker.url()));
        way.lead_to(a.addr());
        let files = files(11_000, 12);
        files.iter().for_each(|(name, bytes)| _ = a.share_in_place(name, bytes));
        let get = |(name, _): &(String, Vec<u8>)| {
            let manifest = a.file(&format!("{name}.tinytorrent"));
            b.ok(&["get", "--detach", manifest.to_str().expect("a path in UTF-8")]);
        };
        files.iter().for_each(get);
        b.ok(&["remove", "--delete", &files[11].0]);
        get(&files[11]);
        wait_for_all(&b, &files);
    }
}

/// 2,000 downloads that begin at once, and one of as many bytes:
/// `cargo test --release -p cluster measure_many -- --ignored --nocapture`.
#[test]
#[ignore = "measures, and asserts nothing by the clock"]
fn measure_many_downloads() {
    /// How many `ttctl get` run at once.
    const CALLERS: usize = 32;

    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let files = files(20_000, 2_000);
    files.iter().for_each(|(name, bytes)| _ = a.share_in_place(name, bytes));
    a.share_bytes("whole", &content(30_000, files.len() * BYTES));
    let begin = Instant::now();
    b.ok(&["get", "whole"]);
    let whole = begin.elapsed();
    b.ok(&["remove", "whole"]);
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for files in files.chunks(files.len().div_ceil(CALLERS)) {
            scope.spawn(|| files.iter().for_each(|(name, _)| _ = b.ok(&["get", "--detach", name])));
        }
    });
    let accepted = begin.elapsed();
    wait_for_all(&b, &files);
    eprintln!(
        "{} downloads: accepted after {accepted:.2?}, all here after {:.2?}",
        files.len(),
        begin.elapsed()
    );
    eprintln!("one of as many bytes: {whole:.2?}");
}
