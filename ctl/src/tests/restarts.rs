//! What commands do when the daemon stops, is restarted, or gives no answer.

use super::fake::{Fake, State_, accepted, status};
use super::ttctl;
use crate::error::Error;
use shared::id::ResourceId;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// The longest that a command of these tests may take, on a machine however busy. One that takes longer hangs.
const ENDS_WITHIN: Duration = Duration::from_secs(60);

/// A command that runs beside the test.
struct Running(mpsc::Receiver<(String, Result<(), Error>)>);

impl Running {
    fn start(args: &[&str], fake: &Fake) -> Running {
        let args: Vec<String> =
            args.iter().chain(&["--directory", fake.folder()]).map(ToString::to_string).collect();
        let (ended, wait) = mpsc::channel();
        std::thread::spawn(move || {
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let _ = ended.send(ttctl(&args)); // the test may have failed by then
        });
        Running(wait)
    }

    /// What it printed, and how it ended.
    fn end(self) -> (String, Result<(), Error>) {
        self.0.recv_timeout(ENDS_WITHIN).expect("the command ends")
    }

    /// The exit code and the message of one that fails.
    fn fails(self) -> (u8, String) {
        let (printed, result) = self.end();
        let error = result.expect_err(&format!("it should have failed: {printed}"));
        (error.exit_code(), error.message)
    }
}

pub(super) fn until(what: &str, is_so: impl Fn() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < ENDS_WITHIN, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_get_of_many_ends_in_time_although_ttd_is_silent_about_most() {
    let fake = Fake::start();
    let id = ResourceId::of(b"a");
    fake.state().here = vec![status("other", ResourceId::of(b"other"), State_::Seeding)];
    fake.state().accepted = Some(Ok(accepted("a", id, false)));
    fake.state().trouble.silent = vec!["b", "c", "d", "e", "f", "g", "h", "i"];
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
    let get = Running::start(&[&["get", "--timeout", "1s", "--json"], &names[..]].concat(), &fake);
    let (printed, result) = get.end();
    assert_eq!(result.unwrap_err().exit_code(), 4, "{printed}");
    let document: serde_json::Value = serde_json::from_str(&printed).unwrap();
    let errors = document["errors"].as_array().unwrap();
    assert_eq!((errors.len(), errors[0]["message"].as_str()), (9, Some("a was removed")), "{document}");
    assert!(errors[1..].iter().all(|error| error["exit_code"] == 5), "{document}");
}

#[test]
fn what_is_removed_after_a_restart_is_not_begun_again() {
    let fake = Fake::start();
    let id = ResourceId::of(b"x");
    let other = status("other", ResourceId::of(b"other"), State_::Seeding);
    fake.state().here = vec![other.clone(), status("x", id, State_::Downloading)];
    fake.state().accepted = Some(Ok(accepted("x", id, false)));
    let get = Running::start(&["get", "x"], &fake);
    until("it is watched", || fake.state().trouble.watched >= 2);
    fake.state().trouble.cut();
    until("it is watched again", || fake.state().trouble.watched >= 4);
    fake.state().here = vec![other];
    assert_eq!(get.fails(), (4, "x was removed".to_owned()));
    assert_eq!(fake.state().got.len(), 1, "it was asked for once");
}

#[test]
fn what_a_restart_has_forgotten_is_begun_again_unless_its_name_has_another_version() {
    let (v1, v2) = (ResourceId::of(b"v1"), ResourceId::of(b"v2"));
    let other = status("other", ResourceId::of(b"other"), State_::Seeding);
    for (here, gets) in [(other.clone(), 2), (status("x", v2, State_::Downloading), 1)] {
        let fake = Fake::start();
        fake.state().here = vec![other.clone(), status("x", v1, State_::Downloading)];
        fake.state().accepted = Some(Ok(accepted("x", v1, false)));
        let get = Running::start(&["get", "x", "--replace"], &fake);
        until("it is watched", || fake.state().trouble.watched >= 2);
        let is_forgotten = here == other;
        {
            let mut state = fake.state();
            state.here = vec![here];
            state.trouble.cut();
        }
        if is_forgotten {
            until("it is asked for again", || fake.state().got.len() == 2);
            fake.state().here = vec![other.clone(), status("x", v1, State_::Seeding)];
            get.end().1.unwrap();
        } else {
            assert_eq!(get.fails(), (4, "x was replaced by another version meanwhile".to_owned()));
        }
        assert_eq!(fake.state().got.len(), gets);
    }
}

#[test]
fn who_counts_machines_does_not_wait_for_a_ttd_of_another_version() {
    let fake = Fake::start();
    fake.state().published = vec!["x"];
    let wait = Running::start(&["wait", "x", "--peers", "9"], &fake);
    until("it counts", || fake.state().asked.len() >= 2);
    {
        let mut state = fake.state();
        state.trouble.other_version_from = Some(2);
        state.trouble.cut();
    }
    let (code, message) = wait.fails();
    assert!(code == 4 && message.contains("has a different version"), "{code} {message}");
}

#[test]
fn a_watch_of_the_fleet_does_not_wait_for_a_ttd_of_another_version() {
    let fake = Fake::start();
    fake.state().published = vec!["x"];
    let watch = Running::start(&["fleet", "x", "--watch"], &fake);
    until("it watches", || !fake.state().asked.is_empty());
    {
        let mut state = fake.state();
        state.trouble.other_version_from = Some(2);
        state.trouble.cut();
    }
    let (code, message) = watch.fails();
    assert!(code == 4 && message.contains("has a different version"), "{code} {message}");
}

#[test]
fn what_was_done_before_ttd_went_is_told() {
    for (verb, word) in
        [("pause", "paused"), ("resume", "resumed"), ("remove", "removed"), ("unpublish", "unpublished")]
    {
        for json in [false, true] {
            let fake = Fake::start();
            fake.state().trouble.calls_left = Some(1);
            let args = [verb, "a", "b", "c", "--json"];
            let (printed, result) = Running::start(&args[..if json { 5 } else { 4 }], &fake).end();
            assert_eq!(result.unwrap_err().exit_code(), 3, "{verb}: {printed}");
            if !json {
                assert_eq!(printed, format!("{word} a\n"));
                continue;
            }
            let document: serde_json::Value = serde_json::from_str(&printed).unwrap();
            assert_eq!(document[word], serde_json::json!(["a"]), "{document}");
            assert_eq!(document["errors"].as_array().unwrap().len(), 1, "{document}");
            assert_eq!(document["errors"][0]["what"], "b", "{document}");
        }
    }
}

#[test]
fn the_timeout_holds_for_a_ttd_that_does_not_even_say_hello() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join(".tinytorrent")).unwrap();
    let socket = folder.path().join(".tinytorrent/ttd.sock");
    let _silent = std::os::unix::net::UnixListener::bind(socket).unwrap();
    for args in [["get", "x"], ["get", "lab-*"], ["wait", "x"], ["wait", "lab-*"]] {
        let here = ["--timeout", "100ms", "--directory", folder.path().to_str().unwrap()];
        let failed = super::ttctl_fails(&[&args[..], &here].concat());
        assert_eq!(failed, (5, "ttd has not answered within 0.1 s".to_owned()), "{args:?}");
    }
}
