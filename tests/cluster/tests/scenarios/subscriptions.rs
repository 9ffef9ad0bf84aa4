//! Scenarios in which files come to machines by themselves when they are published.

use cluster::files::{MIB, content};
use cluster::keys::Keys;
use cluster::trees::{check, items, make};
use cluster::{CAP, Daemon, Tracker, wait_for, wait_until};
use shared::id::ResourceId;
use std::fs;
use std::time::Duration;

const RULE: &str = "[[subscribe]]\nnames = [\"app*\"]\n";

/// Shares this content under a name, in the place of what has the name.
#[track_caller]
fn share(daemon: &Daemon, name: &str, bytes: &[u8]) {
    let path = daemon.outside().join(name);
    fs::write(&path, bytes).unwrap();
    daemon.ok(&["share", "--replace", path.to_str().unwrap()]);
}

/// Waits until a machine has this content under a name.
#[track_caller]
fn wait_file(daemon: &Daemon, name: &str, bytes: &[u8]) {
    let has = || fs::read(daemon.file(name)).is_ok_and(|found| found == bytes);
    wait_until(&format!("{name} on {}: {}", daemon.addr(), daemon.log()), CAP, has);
    daemon.wait_seeding(name);
}

/// What `ttctl subscriptions` says of the only rule.
#[track_caller]
fn subscription(daemon: &Daemon) -> serde_json::Value {
    let output = daemon.ok(&["subscriptions", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    let all = document["subscriptions"].as_array().unwrap();
    assert_eq!(all.len(), 1, "{document}");
    all[0].clone()
}

/// Waits until the tracker told a machine everything, and there is nothing to fetch.
#[track_caller]
fn wait_up_to_date(daemon: &Daemon) {
    wait_for("a subscription that is up to date", CAP, || {
        let found = subscription(daemon);
        (found["trackers"][0]["answered"] == true && found["waiting"] == 0 && found["unfinished"] == 0)
            .then_some(())
    });
}

/// How many versions a machine has begun to fetch, by its log.
fn begun(daemon: &Daemon) -> usize {
    daemon.log().lines().filter(|line| line.contains("subscription app*: a new version")).count()
}

#[test]
fn what_is_published_comes_to_all_machines_without_a_command() {
    let tracker = Tracker::start();
    let publisher = Daemon::start(&tracker, &[]);
    let all: Vec<Daemon> = (0..6).map(|_| Daemon::start_configured(&tracker, RULE)).collect();
    let (old, new) = (content(1, 3 * MIB + 5), content(2, 2 * MIB));
    share(&publisher, "app.img", &old);
    share(&publisher, "other.img", &new);
    all.iter().for_each(|daemon| wait_file(daemon, "app.img", &old));
    share(&publisher, "app.img", &new);
    all.iter().for_each(|daemon| wait_file(daemon, "app.img", &new));
    let tree = items(300_000, 20, 40 << 10);
    let path = publisher.outside().join("app");
    make(&path, &tree);
    publisher.ok(&["share", path.to_str().unwrap()]);
    for daemon in &all {
        daemon.wait_seeding("app.tar");
        check(&daemon.folder().join("app"), &tree);
        assert!(!daemon.file("other.img").exists());
        assert_eq!(begun(daemon), 3, "{}", daemon.log());
        let found = subscription(daemon);
        assert_eq!((&found["state"], &found["fetched"]), (&"up to date".into(), &2.into()), "{found}");
        assert_eq!(found["newest"]["name"], "app.tar");
        assert!(found["from"].as_str().unwrap().ends_with("ttd.toml:1"), "{found}");
    }
}

#[test]
fn a_machine_that_was_off_gets_only_the_newest_version() {
    let tracker = Tracker::start();
    let publisher = Daemon::start(&tracker, &[]);
    let mut off = Daemon::start_configured(&tracker, RULE);
    share(&publisher, "app.img", &content(1, MIB));
    wait_file(&off, "app.img", &content(1, MIB));
    off.terminate();
    (2..5).for_each(|version| share(&publisher, "app.img", &content(version, MIB)));
    off.restart();
    wait_file(&off, "app.img", &content(4, MIB));
    wait_up_to_date(&off);
    assert_eq!(begun(&off), 2, "{}", off.log());
}

#[test]
fn a_tracker_that_was_restarted_brings_nothing_twice() {
    let mut tracker = Tracker::start();
    let publisher = Daemon::start(&tracker, &[]);
    let daemon = Daemon::start_configured(&tracker, RULE);
    share(&publisher, "app.img", &content(1, MIB));
    wait_file(&daemon, "app.img", &content(1, MIB));
    for version in 2..4 {
        tracker.restart();
        share(&publisher, "app.img", &content(version, MIB));
        wait_file(&daemon, "app.img", &content(version, MIB));
    }
    wait_up_to_date(&daemon);
    assert_eq!(begun(&daemon), 3, "{}", daemon.log());
}

#[test]
fn a_machine_that_is_killed_meanwhile_ends_with_the_newest_version() {
    let tracker = Tracker::start();
    let publisher = Daemon::start(&tracker, &[]);
    let mut daemon = Daemon::start_configured(&tracker, RULE);
    for version in 1..5 {
        share(&publisher, "app.img", &content(version, 8 * MIB));
        if version % 2 == 0 {
            let id = ResourceId::of(&content(version, 8 * MIB)).to_string();
            daemon.wait_log(&format!("app.img: being fetched id={}", &id[..12]));
        }
        daemon.kill();
        daemon.restart();
    }
    wait_file(&daemon, "app.img", &content(4, 8 * MIB));
    wait_up_to_date(&daemon);
}

#[test]
fn what_a_person_removed_comes_back_with_the_next_version_only() {
    let mut tracker = Tracker::start();
    let publisher = Daemon::start(&tracker, &[]);
    let mut daemon = Daemon::start_configured(&tracker, RULE);
    share(&publisher, "app.img", &content(1, MIB));
    share(&publisher, "app.other", &content(7, MIB));
    wait_file(&daemon, "app.img", &content(1, MIB));
    wait_file(&daemon, "app.other", &content(7, MIB));
    daemon.ok(&["remove", "--delete", "-y", "app.img"]);
    daemon.restart();
    tracker.restart();
    // A later publication is told after the removed one, so that was decided when this one has come.
    share(&publisher, "app.img", &content(1, MIB));
    share(&publisher, "app.third", &content(8, MIB));
    wait_file(&daemon, "app.third", &content(8, MIB));
    wait_up_to_date(&daemon);
    assert!(!daemon.file("app.img").exists(), "{}", daemon.log());
    share(&publisher, "app.img", &content(2, MIB));
    wait_file(&daemon, "app.img", &content(2, MIB));
}

#[test]
fn a_subscription_is_added_and_ended_by_a_command() {
    let tracker = Tracker::start();
    let publisher = Daemon::start(&tracker, &[]);
    let daemon = Daemon::start_configured(&tracker, "");
    share(&publisher, "app.img", &content(1, MIB));
    assert_eq!(daemon.ok(&["subscriptions"]).stdout, "");
    daemon.ok(&["subscribe", "app*", "not-yet"]);
    wait_file(&daemon, "app.img", &content(1, MIB));
    let table = daemon.ok(&["subscriptions"]).stdout;
    assert!(table.contains("60-subscriptions.toml:3") && table.contains("app.img"), "{table}");
    daemon.ok(&["subscribe", "--remove", "not-yet"]);
    assert_eq!(subscription(&daemon)["names"][0], "app*");
    daemon.ctl_code(4, &["subscribe", "--remove", "not-yet"]);
    daemon.ctl_code(2, &["subscribe", "a[b"]);
    daemon.ok(&["subscribe", "--remove", "app*"]);
    let rest = daemon.ok(&["subscriptions", "--json"]).stdout;
    assert!(rest.contains("\"subscriptions\":[]"), "{rest}");
    assert!(daemon.file("app.img").exists(), "the file stays");
}

#[test]
fn a_refusal_is_said_and_ends_when_the_file_is_signed() {
    let tracker = Tracker::start();
    let publisher = Daemon::start(&tracker, &[]);
    let keys = Keys::release(&publisher.outside());
    let trust = format!("{RULE}[[trust]]\nnames = [\"*\"]\nkeys = [\"{}\"]\n", keys.text);
    let daemon = Daemon::start_configured(&tracker, &trust);
    share(&publisher, "app.img", &content(1, MIB));
    let refused = wait_for("the refusal", CAP, || {
        let found = subscription(&daemon);
        (found["state"] == "error").then_some(found)
    });
    let error = refused["error"].as_str().unwrap();
    assert!(error.starts_with("app.img: ") && error.contains("sign"), "{error}");
    assert!(!daemon.file("app.img").exists());
    publisher.ok(&["sign", "-s", keys.secret.to_str().unwrap(), "app.img"]);
    wait_file(&daemon, "app.img", &content(1, MIB));
    wait_up_to_date(&daemon);
    assert_eq!(subscription(&daemon)["error"], serde_json::Value::Null);
}

/// The tracker's work for 10,000 machines that follow its catalogue while nothing changes:
/// `cargo test --release -p cluster measure_followers -- --ignored --nocapture`, with `ulimit -n 25000`.
#[test]
#[ignore = "measures, and asserts nothing by the clock"]
fn measure_followers_of_a_catalogue() {
    let tracker = Tracker::start();
    let publisher = Daemon::start(&tracker, &[]);
    (0..20).for_each(|number| share(&publisher, &format!("app-{number}"), &content(number, 1000)));
    let (span, machines) = (Duration::from_secs(30), 10_000);
    let (asked, time) = tracker.measure_followers(machines, span);
    let share = time.as_secs_f64() / span.as_secs_f64() * 100.0;
    let each = time.as_micros() as f64 / asked as f64;
    eprintln!(
        "{machines} machines asked {asked} times in {span:?}: {share:.1} % of a core, {each:.0} us each"
    );
}
