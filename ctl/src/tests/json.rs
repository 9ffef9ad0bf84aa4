//! Tests the JSON of commands that fail.

use super::fake::{Fake, State_, status};
use super::{bytes, manifest, text, ttctl};
use serde_json::Value;
use shared::id::ResourceId;
use shared::rpc::control::{ControlError, ErrorKind, TaskState};
use std::fs;

/// The document that a failing command prints, and its exit code.
fn document(args: &[&str]) -> (Value, u8) {
    let (printed, result) = ttctl(&[args, &["--json"]].concat());
    assert_eq!(printed.matches('\n').count(), 1, "{printed}");
    (serde_json::from_str(&printed).unwrap(), result.unwrap_err().exit_code())
}

#[test]
fn an_error_is_a_document_whatever_fails() {
    let fake = Fake::start();
    let id = ResourceId::of(b"x");
    let mut false_manifest = status("x", id, State_::Error);
    (false_manifest.kind, false_manifest.reason) = (Some(ErrorKind::BadData), Some("the hash failed".into()));
    fake.state().watched = [false_manifest].into();
    let here = ["--directory", fake.folder()];
    for (args, kind, code, message) in [
        (vec!["status", "x", "--socket", "/none/ttd.sock"], "no_daemon", 3, "no ttd answers"),
        (vec!["get", "ftp://x"], "usage", 2, "unknown scheme ftp://"),
        (vec!["check", "/none/x.tinytorrent"], "refused", 4, "/none/x.tinytorrent"),
        ([&["get", "x"][..], &here].concat(), "refused", 4, "nobody knows it"),
        ([&["wait", "x"][..], &here].concat(), "bad_data", 6, "the hash failed"),
        ([&["tracker", "peers", "x"][..], &here].concat(), "refused", 4, "is not published on"),
    ] {
        let (document, exit_code) = document(&args);
        assert_eq!(document["schema_version"], 1, "{args:?}");
        let error = &document["error"];
        assert_eq!((error["kind"].as_str(), exit_code), (Some(kind), code), "{args:?}: {document}");
        assert_eq!(error["exit_code"], code, "{args:?}");
        assert!(error["message"].as_str().unwrap().contains(message), "{args:?}: {error}");
    }
}

#[test]
fn what_was_done_stands_beside_the_error() {
    let (fake, home) = (Fake::start(), tempfile::tempdir().unwrap());
    fake.state().watched = [status("x", ResourceId::of(b"x"), State_::Waiting)].into();
    fake.state().tasks = [TaskState::Verified { chunks_good: 0, chunks_total: 2, edited: None }].into();
    let (document, code) = self::document(&["verify", "x", "--directory", fake.folder()]);
    assert_eq!(
        (&document["chunks_good"], &document["error"]["kind"], code),
        (&0.into(), &"bad_data".into(), 6)
    );

    let torrent = home.path().join("x.tinytorrent");
    fs::write(&torrent, manifest("x", &bytes(10)).to_text()).unwrap();
    fs::write(home.path().join("x"), "other").unwrap();
    let (document, code) = self::document(&["check", text(&torrent)]);
    assert_eq!((&document["matches"], &document["error"]["exit_code"], code), (&false.into(), &6.into(), 6));
}

#[test]
fn a_command_that_succeeds_has_no_error_in_its_document() {
    let fake = Fake::start();
    let (printed, result) = ttctl(&["list", "--json", "--directory", fake.folder()]);
    result.unwrap();
    assert!(!printed.contains("error"), "{printed}");
}

#[test]
fn what_is_said_to_be_done_is_left_out_when_nobody_wants_to_hear_it() {
    let fake = Fake::start();
    for args in [&["pause", "x"][..], &["resume", "x"], &["remove", "x"]] {
        let quiet = [args, &["-q", "--directory", fake.folder()]].concat();
        assert_eq!(ttctl(&quiet), (String::new(), Ok(())), "{args:?}");
    }
    let peers = ttctl(&["-q", "peers", "x", "--directory", fake.folder()]).0;
    assert!(peers.contains("10.0.0.9:7987"), "what was asked for is told: {peers}");
}

#[test]
fn a_directory_that_nobody_could_look_at_is_not_said_to_be_deleted_completely() {
    let fake = Fake::start();
    let error = |kind| ControlError { kind, message: "it takes too long".into(), hint: None };
    for (kind, unsure) in
        [(None, None), (Some(ErrorKind::Unknown), None), (Some(ErrorKind::TimedOut), Some("x"))]
    {
        fake.state().trouble.unreadable = kind.map(error);
        let (printed, result) = ttctl(&["remove", "x", "--delete", "--json", "--directory", fake.folder()]);
        result.unwrap();
        let document: serde_json::Value = serde_json::from_str(&printed).unwrap();
        assert_eq!(document["removed"][0], "x");
        assert_eq!(document["kept_unknown"][0].as_str(), unsure, "{printed}");
    }
}
