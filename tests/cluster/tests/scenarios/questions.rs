//! Scenarios in which ttctl asks trackers through its daemon.

use cluster::fake_tracker::{FakeTracker, Manners, Says};
use cluster::files::{MIB, content};
use cluster::{CAP, Daemon, Tracker, wait_until};
use std::net::Ipv4Addr;

fn names(daemon: &Daemon, args: &[&str]) -> Vec<String> {
    let output = daemon.ok(&[&["tracker", "list", "--json"], args].concat());
    let document: serde_json::Value = serde_json::from_str(&output.stdout).expect("a document");
    let publications = document["publications"].as_array().expect("a list of publications");
    publications.iter().filter_map(|entry| entry["name"].as_str()).map(str::to_owned).collect()
}

#[test]
fn a_daemon_asks_its_own_tracker_and_the_one_that_is_named() {
    let (near, far) = (Tracker::start(), Tracker::start());
    let (a, b) = (Daemon::start(&near, &[]), Daemon::start(&far, &[]));
    a.share_bytes("here", &content(430, MIB));
    let id = b.share_bytes("there", &content(431, MIB));
    assert_eq!(names(&a, &[]), ["here"]);
    assert_eq!(names(&a, &["--tracker", &far.url()]), ["there"]);
    let peers = a.ok(&["tracker", "peers", "there", "--tracker", &far.url()]).stdout;
    assert!(peers.contains(&b.addr().to_string()), "{peers}");
    let unknown = a.ctl_code(4, &["tracker", "peers", "there"]);
    assert!(unknown.stderr.contains(&near.url()), "{}", unknown.stderr);
    let resources = a.ok(&["tracker", "resources", &b.addr().to_string(), "--tracker", &far.url()]).stdout;
    assert!(resources.contains("there") && resources.contains(&id), "{resources}");
}

/// The first of the daemon's trackers that answers is asked, and the rest of an answer comes from the same one.
#[test]
fn the_first_tracker_that_answers_is_asked() {
    const FILES: usize = 300; // more than a page
    let (mut first, second) = (Tracker::start(), Tracker::start());
    let (first_url, second_url) = (first.url(), second.url());
    let trackers = ["--tracker", &first_url, "--tracker", &second_url];
    let a = Daemon::start_on(Ipv4Addr::LOCALHOST.into(), &trackers);
    let mut args = vec!["share".to_owned()];
    for number in 0..FILES {
        let path = a.file(&format!("file-{number:03}"));
        std::fs::write(&path, number.to_string()).unwrap();
        args.push(path.to_str().unwrap().to_owned());
    }
    a.ok(&args.iter().map(String::as_str).collect::<Vec<_>>());
    first.kill();
    wait_until("all is published", CAP, || second.list().len() == FILES);
    let listed = names(&a, &[]);
    assert_eq!(
        (listed.len(), listed[0].as_str(), listed[FILES - 1].as_str()),
        (FILES, "file-000", "file-299")
    );
    let named = a.ctl_code(8, &["tracker", "list", "--tracker", &first.url()]);
    let message = format!("tracker {} unreachable (connection refused)", first.url());
    assert!(named.stderr.contains(&message), "{}", named.stderr);
}

/// Commands that watch ask every second or two.
#[test]
fn a_connection_serves_many_questions() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    let fake = FakeTracker::start(Manners::Says(Says::default()));
    for _ in 0..8 {
        assert!(names(&a, &["--tracker", &fake.url()]).is_empty());
    }
    assert!(fake.connections() < 8, "{} connections for 8 questions", fake.connections());
}

#[test]
fn a_tracker_that_goes_round_in_circles_is_found_out() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    let fake = FakeTracker::start(Manners::Says(Says { circles: true, ..Says::default() }));
    let (url, id) = (fake.url(), "1".repeat(64));
    for verb in [&["tracker", "list"][..], &["tracker", "resources", "10.0.0.1"], &["fleet", &id]] {
        let output = a.ctl_code(1, &[verb, &["--tracker", &url]].concat());
        assert!(
            output.stderr.contains(&format!("{url} sends its answers out of order")),
            "{}",
            output.stderr
        );
    }
}

/// Questions that wait for a tracker delay neither requests without trackers nor questions to other trackers.
#[test]
fn a_tracker_that_says_nothing_holds_nobody_up() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    a.share_bytes("image.iso", &content(432, MIB));
    let silent = FakeTracker::start(Manners::IsSilent);
    let mut waiting = a.ctl_in_background(&["tracker", "list", "--tracker", &silent.url()]);
    wait_until("it is asked", CAP, || silent.connections() > 0);
    a.ok(&["status"]);
    assert_eq!(names(&a, &[]), ["image.iso"]);
    assert_eq!(waiting.wait(CAP).expect("it ends").code(), Some(8), "{}", waiting.log());
    assert!(waiting.log().contains(&silent.url()), "{}", waiting.log());
}

#[test]
fn a_rollout_is_watched_through_restarts_of_the_tracker_and_of_ttd() {
    let mut tracker = Tracker::start();
    let mut a = Daemon::start(&tracker, &[]);
    let (b, c, d) =
        (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let bytes = content(433, 2 * MIB);
    d.share_bytes("image.iso", &bytes);
    let mut watching = a.ctl_in_background(&["fleet", "image.iso", "--watch"]);
    let is_done = |log: &str, machine: &Daemon| log.contains(&format!("{}: done 100 %", machine.addr()));
    wait_until("the sharer is seen", CAP, || is_done(&watching.log(), &d));
    tracker.kill();
    let unreachable = format!("tracker {} unreachable", tracker.url());
    wait_until("it is told of the tracker", CAP, || watching.log().contains(&unreachable));
    tracker.restart();
    wait_until("the name is known again", CAP, || tracker.meaning("image.iso").is_some());
    b.get("image.iso", &bytes);
    wait_until("it goes on with the tracker", CAP, || is_done(&watching.log(), &b));
    a.kill();
    wait_until("it is told of ttd", CAP, || watching.log().contains("ttd closed the connection"));
    a.restart();
    c.get("image.iso", &bytes);
    wait_until("it goes on with ttd", CAP, || is_done(&watching.log(), &c));
    assert!(watching.ended().is_none());
    let log = watching.log();
    assert_eq!(log.matches(&unreachable).count(), 1, "told once: {log}");
}

#[test]
fn a_wait_for_machines_that_begins_before_a_restarted_tracker_knows_the_name_waits_for_it() {
    let mut tracker = Tracker::start();
    let (a, mut b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    b.share_bytes("image.iso", &content(434, MIB));
    b.kill();
    tracker.kill();
    tracker.restart();
    wait_until("it is back", CAP, || a.ctl(&["tracker", "list"]).code == 0);
    let mut waiting = a.ctl_in_background(&["wait", "image.iso", "--peers", "1", "--progress"]);
    wait_until("it was asked in vain", CAP, || waiting.log().contains("retrying"));
    b.restart();
    assert_eq!(waiting.wait(CAP).expect("it ends").code(), Some(0), "{}", waiting.log());
}

#[test]
fn a_doctor_without_a_daemon_names_the_trackers_that_it_cannot_ask() {
    let tracker = Tracker::start();
    let config = "trackers = [\"tt://tracker.example\"]\n";
    let mut daemon = Daemon::start_configured(&tracker, config);
    daemon.terminate();
    let output = daemon.ctl_code(3, &["doctor"]);
    assert!(output.stdout.contains("not asked: tt://tracker.example"), "{}", output.stdout);
    assert!(output.stdout.contains("start ttd, then run"), "{}", output.stdout);
}
