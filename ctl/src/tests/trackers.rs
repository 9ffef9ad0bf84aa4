//! Tests commands that ask trackers through the daemon.

use super::fake::Fake;
use super::restarts::until;
use super::{text, ttctl, ttctl_fails};
use shared::id::ResourceId;
use shared::rpc::control::{ControlError, ErrorKind};
use shared::url::TrackerUrl;

fn url(text: &str) -> TrackerUrl {
    text.parse().unwrap()
}

fn unreachable(url: &str) -> ControlError {
    let message = format!("tracker {url} unreachable (connection refused)");
    ControlError { kind: ErrorKind::Unreachable, message, hint: None }
}

#[test]
fn a_long_list_comes_page_by_page_from_the_tracker_that_gave_the_first() {
    let fake = Fake::start();
    fake.state().trackers = vec!["tt://first", "tt://second"];
    fake.state().published = vec!["a", "b", "c", "d", "e"];
    let (printed, result) = ttctl(&["tracker", "list", "--json", "--directory", fake.folder()]);
    result.unwrap();
    let document: serde_json::Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(document["tracker"], url("tt://second").as_str());
    let publications = document["publications"].as_array().unwrap().iter();
    let names: Vec<&str> = publications.map(|entry| entry["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["a", "b", "c", "d", "e"]);
    assert_eq!(fake.state().asked, [None, Some(url("tt://second")), Some(url("tt://second"))]);
}

#[test]
fn who_knew_the_name_is_asked_for_the_rest() {
    let fake = Fake::start();
    fake.state().trackers = vec!["tt://first", "tt://second"];
    fake.state().published = vec!["x"];
    let args = ["--json", "wait", "x", "--percent", "75", "--directory", fake.folder()];
    let (printed, result) = ttctl(&args);
    result.unwrap();
    assert!(printed.contains("\"done\":3,\"running\":1"), "{printed}");
    assert_eq!(fake.state().asked, [None, Some(url("tt://second"))]);
    // An id needs no lookup, and a tracker that is named is the one that is asked.
    fake.state().asked.clear();
    let id = ResourceId::of(b"x").to_string();
    ttctl(&["fleet", &id, "--tracker", "tt://third", "--directory", fake.folder()]).1.unwrap();
    assert_eq!(fake.state().asked, [Some(url("tt://third"))]);
}

#[test]
fn who_has_counted_once_is_asked_again_also_after_an_error() {
    let fake = Fake::start();
    fake.state().trackers = vec!["tt://first", "tt://second"];
    fake.state().counted = [Ok(3), Err(unreachable("tt://second")), Ok(4)].into();
    let id = ResourceId::of(b"x").to_string();
    ttctl(&["wait", &id, "--peers", "4", "--directory", fake.folder()]).1.unwrap();
    assert_eq!(fake.state().asked, [None, Some(url("tt://second")), Some(url("tt://second"))]);
}

#[test]
fn what_a_tracker_does_not_know_or_does_not_say_has_an_exit_code() {
    let fake = Fake::start();
    for verb in [&["tracker", "peers", "x"][..], &["fleet", "x"], &["wait", "x", "--peers", "1"]] {
        let args = [verb, &["--tracker", "tt://third", "--directory", fake.folder()]].concat();
        fake.state().no_tracker = None;
        let unknown = format!("x is not published on {}", url("tt://third"));
        assert_eq!(ttctl_fails(&args), (4, unknown), "{args:?}");
        fake.state().no_tracker = Some(unreachable("tt://third"));
        assert_eq!(ttctl_fails(&args), (8, unreachable("tt://third").message), "{args:?}");
    }
}

#[test]
fn with_a_timeout_a_tracker_that_is_away_is_waited_for() {
    let fake = Fake::start();
    fake.state().published = vec!["x"];
    fake.state().no_tracker = Some(unreachable("tt://tracker.example"));
    let args = ["wait", "x", "--percent", "75", "--directory", fake.folder()];
    let error = ttctl(&args).1.unwrap_err();
    assert_eq!((error.exit_code(), error.hint.as_deref()), (8, Some("--timeout waits for it")));
    fake.state().asked.clear();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            until("the tracker is asked", || !fake.state().asked.is_empty());
            fake.state().no_tracker = None;
        });
        ttctl(&[&args[..], &["--timeout", "60s"]].concat()).1.unwrap();
    });
}

/// The machine that shared the file publishes it again only when it connects again.
#[test]
fn with_a_timeout_a_tracker_that_comes_back_empty_is_waited_for_also_by_a_restarted_ttd() {
    let fake = Fake::start();
    fake.state().no_tracker = Some(unreachable("tt://tracker.example"));
    let args = ["wait", "x", "--percent", "75", "--timeout", "60s", "--directory", fake.folder()];
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let asked_again = || {
                fake.state().asked.clear();
                until("the tracker is asked", || !fake.state().asked.is_empty());
            };
            asked_again();
            fake.state().no_tracker = None;
            asked_again();
            fake.state().trouble.cut();
            asked_again();
            fake.state().published = vec!["x"];
        });
        ttctl(&args).1.unwrap();
    });
}

#[test]
fn whoever_waits_for_what_was_never_counted_is_told_why() {
    let fake = Fake::start();
    fake.state().no_tracker = Some(unreachable("tt://tracker.example"));
    let args = ["wait", "x", "--percent", "75", "--timeout", "1s", "--directory", fake.folder()];
    let why = "tracker tt://tracker.example unreachable (connection refused)";
    assert_eq!(ttctl_fails(&args), (5, format!("x: no machine was counted within 1 s: {why}")));
}

#[test]
fn whoever_waits_for_what_is_not_here_is_told_how_to_fetch_it() {
    let fake = Fake::start();
    let error = ttctl(&["wait", "a b", "--directory", fake.folder()]).1.unwrap_err();
    let hint = "`ttctl get 'a b'` fetches it; --peers and --percent wait for other machines";
    assert_eq!((error.exit_code(), error.hint.as_deref()), (4, Some(hint)));
}

#[test]
fn without_a_daemon_no_tracker_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    for verb in [
        &["tracker", "list"][..],
        &["tracker", "peers", "x"],
        &["tracker", "resources", "10.0.0.1"],
        &["fleet", "x", "--watch"],
        &["wait", "x", "--peers", "2"],
    ] {
        let args = [verb, &["--tracker", "tt://127.0.0.1:1", "--directory", text(folder.path())]].concat();
        let error = ttctl(&args).1.unwrap_err();
        assert_eq!(error.exit_code(), 3, "{args:?}");
        assert_eq!(error.hint, Some(format!("start it: `ttd {}`", text(folder.path()))), "{args:?}");
    }
}
