//! Scenarios in which commands that wait for a download survive a restart of ttd.

use cluster::files::{MIB, content};
use cluster::{CAP, Daemon, Tracker};

const NAME: &str = "image.iso";

/// A daemon that fetches from a slow one and has a part of the file.
fn downloading(tracker: &Tracker, get: &[&str]) -> (Daemon, Daemon, cluster::process::Process) {
    let seeder = Daemon::start(tracker, &["--upload-limit", "2 MB/s"]);
    seeder.share_bytes(NAME, &content(77, 12 * MIB));
    let fetcher = Daemon::start(tracker, &[]);
    let process = fetcher.ctl_in_background(get);
    fetcher.wait_status(NAME, "has some chunks", |status| status.number("chunks_have") > 0);
    (seeder, fetcher, process)
}

#[test]
fn a_get_outlives_a_crash_of_its_daemon() {
    let tracker = Tracker::start();
    let (_seeder, mut fetcher, mut get) = downloading(&tracker, &["get", "-v", NAME]);
    fetcher.kill();
    fetcher.restart();
    let ended = get.wait(CAP).expect("get ends");
    assert!(ended.success(), "{}", get.log());
    let said = get.log();
    assert_eq!(said.matches("ttd has stopped; waiting for it to come back").count(), 1, "{said}");
    fetcher.check_file(NAME, &content(77, 12 * MIB));
}

#[test]
fn a_wait_outlives_a_restart_of_its_daemon() {
    let tracker = Tracker::start();
    let (_seeder, mut fetcher, mut get) = downloading(&tracker, &["get", "--detach", NAME]);
    assert!(get.wait(CAP).expect("get ends").success(), "{}", get.log());
    let mut wait = fetcher.ctl_in_background(&["wait", "-v", NAME, "--timeout", "2min"]);
    cluster::wait_until("wait has begun", CAP, || wait.log().contains("answers"));
    fetcher.terminate();
    fetcher.restart();
    let ended = wait.wait(CAP).expect("wait ends");
    assert!(ended.success(), "{}", wait.log());
}

#[test]
fn a_daemon_that_does_not_come_back_ends_a_get_with_3() {
    let tracker = Tracker::start();
    let (_seeder, mut fetcher, mut get) = downloading(&tracker, &["get", "--timeout", "5s", NAME]);
    fetcher.kill();
    assert_eq!(get.wait(CAP).expect("get ends").code(), Some(3), "{}", get.log());
}

#[test]
fn several_downloads_begin_together_and_each_is_told() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    for (seed, name) in [(1, "lab-1.img"), (2, "lab-2.img"), (3, "other.img")] {
        a.share_bytes(name, &content(seed, MIB));
    }
    let out = b.outside();
    let failed = b.ctl(&["get", "lab-*", "nothing", "other.img", "-o", out.to_str().unwrap()]);
    assert_eq!(failed.code, 4, "{failed:?}");
    let mut lines: Vec<&str> = failed.stdout.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines.len(), 3, "{failed:?}");
    assert!(failed.stderr.contains("nothing"), "{failed:?}");
    for (seed, name) in [(1, "lab-1.img"), (2, "lab-2.img"), (3, "other.img")] {
        b.check_file(name, &content(seed, MIB));
        assert_eq!(std::fs::read(out.join(name)).unwrap(), content(seed, MIB));
    }
    let again = b.ok(&["get", "--json", "lab-1.img", "lab-2.img"]);
    let document: serde_json::Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(document["got"][1]["name"], "lab-2.img", "{document}");
    let id = b.status("other.img").unwrap().text("resource").to_owned();
    b.ok(&["get", &id[..10]]);
    b.ok(&["wait", "lab-*", &id[..8]]);
}
