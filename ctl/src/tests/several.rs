//! Tests commands with several names, patterns, beginnings of ids and --all.

use super::fake::trouble::Loading;
use super::fake::{Fake, State_, accepted, status};
use super::{ttctl, ttctl_fails};
use serde_json::{Value, json};
use shared::id::ResourceId;
use shared::rpc::control::TaskState;
use std::collections::BTreeSet;

/// A fake daemon with these names, each with its own id.
fn with(names: &[&str]) -> Fake {
    let fake = Fake::start();
    let of = |name: &&str| status(name, ResourceId::of(name.as_bytes()), State_::Seeding);
    fake.state().here = names.iter().map(of).collect();
    fake
}

fn document(args: &[&str], fake: &Fake) -> (Value, u8) {
    let (printed, result) = ttctl(&[args, &["--json", "--directory", fake.folder()]].concat());
    (serde_json::from_str(&printed).unwrap(), result.map_or_else(|error| error.exit_code(), |()| 0))
}

fn short(name: &str) -> String {
    ResourceId::of(name.as_bytes()).to_string()[..8].to_owned()
}

#[test]
fn patterns_ids_and_all_mean_what_is_here() {
    let fake = with(&["lab-1", "lab-2", "other"]);
    for (verb, word) in [("pause", "paused"), ("resume", "resumed"), ("remove", "removed")] {
        let yes: &[&str] = if verb == "remove" { &["--yes"] } else { &[] };
        let run = |args: &[&str]| document(&[&[verb][..], yes, args].concat(), &fake);
        let (done, code) = run(&["lab-*", "other", "lab-1"]);
        assert_eq!(
            (&done[word], code),
            (&json!(["lab-1", "lab-2", "other"]), 0),
            "{verb}: each of them once"
        );
        let (done, code) = run(&[&short("other").to_uppercase()]);
        assert_eq!((&done[word], code), (&json!(["other"]), 0), "{verb}");
        let (done, code) = run(&["nothing-*", "lab-?"]);
        assert_eq!(
            (&done[word], code),
            (&json!(["lab-1", "lab-2"]), 4),
            "{verb}: the others are not kept back"
        );
        assert_eq!(done["errors"][0]["what"], "nothing-*", "{done}");
        assert_eq!(done["error"]["message"], "no file matches nothing-*", "{done}");
    }
    for verb in ["pause", "resume"] {
        let (done, code) = document(&[verb, "--all"], &fake);
        assert_eq!((done[format!("{verb}d")].as_array().unwrap().len(), code), (3, 0));
    }
    let nothing = with(&[]);
    assert_eq!(ttctl(&["pause", "--all", "--directory", nothing.folder()]), (String::new(), Ok(())));
}

#[test]
fn a_name_comes_before_a_pattern_and_an_id() {
    let digits = short("lab-1");
    let fake = with(&["lab-1", "lab-*", &digits]);
    for name in ["lab-*", &digits] {
        assert_eq!(document(&["pause", name], &fake).0["paused"], json!([name]));
    }
}

#[test]
fn an_ambiguous_id_is_an_error_that_lists_what_may_be_meant() {
    let fake = Fake::start();
    let id = |last: u8| ResourceId([[7; 31].as_slice(), &[last]].concat().try_into().unwrap());
    fake.state().here = vec![status("a", id(1), State_::Seeding), status("b", id(2), State_::Seeding)];
    let error = ttctl(&["pause", "07070707", "--directory", fake.folder()]).1.unwrap_err();
    assert_eq!((error.exit_code(), error.message.as_str()), (4, "07070707 is the beginning of 2 ids"));
    let (printed, _) = ttctl(&["pause", "07070707", "--json", "--directory", fake.folder()]);
    let hint = serde_json::from_str::<Value>(&printed).unwrap()["error"]["hint"].as_str().unwrap().to_owned();
    assert!(hint.contains("01 (a)") && hint.contains("02 (b)"), "{hint}");
    assert_eq!(document(&["pause", &id(2).to_string()[..]], &fake).0["paused"], json!(["b"]));
}

#[test]
fn what_cannot_be_taken_back_is_not_done_unasked() {
    let fake = with(&["lab-1", "lab-2"]);
    for (args, question) in [
        (&["remove", "--all"][..], "stop sharing 2 files (lab-1 and lab-2)"),
        (&["remove", "lab-*"], "stop sharing 2 files (lab-1 and lab-2)"),
        (&["remove", "lab-1", "lab-?"], "stop sharing 2 files (lab-1 and lab-2)"),
        (&["remove", "--delete", "lab-*"], "stop sharing and delete 2 files (lab-1 and lab-2)"),
        (&["rm", "--all", "--delete"], "stop sharing and delete 2 files (lab-1 and lab-2)"),
        (&["rm", "--unpublish", "lab-*"], "unpublish and stop sharing 2 files (lab-1 and lab-2)"),
        (
            &["rm", "--unpublish", "--delete", "lab-*"],
            "unpublish, stop sharing and delete 2 files (lab-1 and lab-2)",
        ),
        (&["unpublish", "--all"], "unpublish 2 files (lab-1 and lab-2)"),
        (&["unpublish", "lab-*"], "unpublish 2 files (lab-1 and lab-2)"),
    ] {
        let (code, message) = ttctl_fails(&[args, &["--directory", fake.folder()]].concat());
        let asked = format!("there is no terminal to ask: {question}?");
        assert_eq!((code, message), (2, asked), "{args:?}");
        let word = if args[0] == "unpublish" { "unpublished" } else { "removed" };
        let (done, code) = document(&[args, &["--yes"]].concat(), &fake);
        assert_eq!((done[word].as_array().unwrap().len(), code), (2, 0), "{args:?}");
        let (done, code) = document(&[args[0], "lab-1", "lab-2"], &fake);
        assert_eq!((done[word].as_array().unwrap().len(), code), (2, 0), "each is named");
    }
    let no_match = ttctl_fails(&["unpublish", "none-*", "--directory", fake.folder()]);
    assert_eq!(no_match, (4, "no file matches none-*".to_owned()), "there is nothing to ask about");
}

#[test]
fn several_are_verified_one_after_the_other() {
    let fake = with(&["a", "b"]);
    let verified = |chunks_good| TaskState::Verified { chunks_good, chunks_total: 2, edited: None };
    fake.state().tasks = [verified(2), verified(0)].into();
    let (printed, result) = ttctl(&["verify", "a", "b", "--directory", fake.folder()]);
    assert_eq!(printed, "a: 2 of 2 chunks good\nb: 0 of 2 chunks good\n");
    assert_eq!(result.unwrap_err().message, "b: 1 chunk is corrupt");
    fake.state().tasks = [verified(2), verified(2)].into();
    let (done, code) = document(&["verify", "--all"], &fake);
    assert_eq!((done["verified"][1]["name"].as_str(), code), (Some("b"), 0), "{done}");
    assert_eq!(done["errors"], json!([]));
}

#[test]
fn the_status_of_several_is_a_row_for_each() {
    let fake = with(&["a-1", "a-2", "b"]);
    let (printed, result) = ttctl(&["status", "a-*", "none", "--directory", fake.folder()]);
    assert_eq!(result.unwrap_err().exit_code(), 4);
    let rows: Vec<&str> = printed.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(rows, ["NAME", "a-1", "a-2"], "{printed}");
    let (several, code) = document(&["status", "b", "a-1"], &fake);
    assert_eq!((several["resources"].as_array().unwrap().len(), code), (2, 0), "{several}");
    let (one, code) = document(&["status", &short("b")], &fake);
    assert_eq!((one["name"].as_str(), code), (Some("b"), 0), "one is told as ever: {one}");
}

#[test]
fn list_and_peers_take_what_the_others_take() {
    let fake = with(&["a-1", "a-2", "b"]);
    let names = |document: &Value, of: &str| -> Vec<String> {
        let all = document[of].as_array().unwrap().iter();
        let mut names: Vec<String> = all.map(|one| one["name"].as_str().unwrap().to_owned()).collect();
        names.dedup();
        names
    };
    for (verb, of) in [("list", "resources"), ("peers", "peers")] {
        for (words, expected) in [
            (&["a-*"][..], &["a-1", "a-2"][..]),
            (&["a-*", "b", "a-1"], &["a-1", "a-2", "b"]),
            (&[&short("b")], &["b"]),
        ] {
            let (found, code) = document(&[&[verb], words].concat(), &fake);
            assert_eq!((names(&found, of), code), (expected.iter().map(ToString::to_string).collect(), 0));
            assert_eq!(found["errors"], Value::Null, "{found}");
        }
        let (found, code) = document(&[verb, "none", "a-1"], &fake);
        assert_eq!((names(&found, of), code), (vec!["a-1".to_owned()], 4), "{verb}: {found}");
        assert_eq!(found["errors"][0]["what"], "none", "{found}");
        let (printed, result) = ttctl(&[verb, "a-*", "--directory", fake.folder()]);
        result.unwrap();
        let shown = |name| printed.split_whitespace().any(|word| word == name);
        assert_eq!([shown("a-1"), shown("a-2"), shown("b")], [true, true, false], "{printed}");
        assert_eq!(document(&[verb, "none-*"], &fake).1, 4);
    }
    // the peers of a file with two names are shown once
    let mut other = fake.state().here[0].clone();
    other.name = "a-3".parse().unwrap();
    fake.state().here.push(other);
    let (found, _) = document(&["peers", "a-1", "a-3"], &fake);
    assert_eq!(found["peers"].as_array().unwrap().len(), 2, "{found}");
}

#[test]
fn a_tracker_is_asked_for_what_the_beginning_of_an_id_means() {
    let fake = Fake::start();
    fake.state().published = vec!["lab-1", "lab-2", "x"];
    let here = ["--json", "--directory", fake.folder()];
    for what in [short("x"), "x*".to_owned()] {
        let (printed, result) = ttctl(&[&["tracker", "peers", &what][..], &here].concat());
        result.unwrap();
        assert!(printed.contains(&ResourceId::of(b"x").to_string()), "{printed}");
    }
    let (code, message) = ttctl_fails(&[&["fleet", "lab-*"][..], &here].concat());
    assert_eq!((code, message.as_str()), (2, "lab-* matches 2 files; name one"));
    let failed = ttctl_fails(&[&["fleet", "0123456789"][..], &here].concat());
    assert_eq!(failed, (4, "no such file: 0123456789".to_owned()));
}

#[test]
fn a_pattern_that_nobody_has_yet_does_not_hold_back_the_other_names() {
    let fake = Fake::start();
    fake.state().accepted = Some(Ok(accepted("x", ResourceId::of(b"x"), true)));
    let (found, code) = document(&["get", "none-*", "x", "--timeout", "1 s"], &fake);
    assert_eq!((found["got"][0]["name"].as_str(), code), (Some("x"), 5), "{found}");
    assert_eq!(found["errors"][0]["what"], "none-*", "{found}");
    let why = "none-* was not found within 1 s: no file matches none-*";
    assert_eq!(found["error"]["message"], why, "{found}");

    // those that a pattern means stand at its place, and each of them once
    fake.state().published = vec!["a-1", "a-2", "x"];
    fake.state().got.clear();
    let (found, code) = document(&["get", "a-*", "none-*", "a-2", "--timeout", "1 s"], &fake);
    assert_eq!((found["got"].as_array().unwrap().len(), code), (2, 5), "{found}");
    assert_eq!(fake.state().got.len(), 2);
    let (_, code) = document(&["get", "a-*", "x"], &fake);
    assert_eq!(code, 0);
}

#[test]
fn patterns_and_all_wait_until_everything_is_loaded() {
    let fake = with(&["lab-1", "lab-2", "lab-3"]);
    for (args, of) in [
        (&["status", "lab-*"][..], "resources"),
        (&["status", "lab-1", "lab-2", "lab-3"], "resources"),
        (&["list", "lab-*"], "resources"),
        (&["list", "lab-3", "lab-1", "lab-2"], "resources"),
        (&["peers", "lab-*"], "peers"),
    ] {
        fake.state().trouble.loading = Some(Loading::Soon);
        let (found, code) = document(args, &fake);
        let names = found[of].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap());
        assert_eq!((names.collect::<BTreeSet<_>>().len(), code), (3, 0), "{args:?}: {found}");
        fake.state().trouble.loading = Some(Loading::TooLate);
        let (found, code) = document(args, &fake);
        assert_eq!((&found[of], code), (&Value::Null, 5), "{args:?}: {found}");
    }
    for args in [["pause", "--all"], ["pause", "lab-*"]] {
        fake.state().trouble.loading = Some(Loading::Soon);
        let (done, code) = document(&args, &fake);
        assert_eq!((&done["paused"], code), (&json!(["lab-1", "lab-2", "lab-3"]), 0), "{args:?}");
        fake.state().trouble.loading = Some(Loading::TooLate);
        let (done, code) = document(&args, &fake);
        assert_eq!((&done["paused"], code), (&Value::Null, 5), "{args:?}: {done}");
    }
}

#[test]
fn one_file_whose_name_is_a_pattern_is_taken_away_unasked() {
    let fake = with(&["a[1].img", "b.img"]);
    let (done, code) = document(&["remove", "--delete", "a[1].img"], &fake);
    assert_eq!((&done["removed"], code), (&json!(["a[1].img"]), 0), "{done}");
    let (done, code) = document(&["unpublish", "a[1].img"], &fake);
    assert_eq!((&done["unpublished"], code), (&json!(["a[1].img"]), 0), "{done}");
    let (code, message) = ttctl_fails(&["remove", "--delete", "b*", "--directory", fake.folder()]);
    let asked = "there is no terminal to ask: stop sharing and delete b.img?";
    assert_eq!((code, message.as_str()), (2, asked));
    let (done, code) = document(&["pause", "{a,b}.img", "b.img"], &fake);
    assert_eq!((&done["paused"], code), (&json!(["b.img"]), 0), "{done}");
}

#[test]
fn whoever_follows_is_told_of_a_bad_pattern_at_once() {
    let fake = with(&["lab-1"]);
    for args in [&["events", "lab-["][..], &["status", "--watch", "lab-["]] {
        let (code, message) = ttctl_fails(&[args, &["--directory", fake.folder()]].concat());
        assert!(code == 2 && message.starts_with("lab-[ is not a pattern"), "{code} {message}");
    }
}

#[test]
fn what_was_unpublished_is_listed_beside_the_name_that_a_tracker_keeps() {
    let fake = Fake::start();
    let id = ResourceId::of(b"both");
    fake.state().here = vec![status("gone", id, State_::Seeding), status("kept", id, State_::Seeding)];
    let (done, code) = document(&["unpublish", &id.to_string()], &fake);
    assert_eq!((&done["unpublished"], code), (&json!(["gone"]), 4), "{done}");
    assert_eq!(done["errors"][0]["message"], "it is kept", "{done}");
    let (printed, result) = ttctl(&["unpublish", &id.to_string(), "--directory", fake.folder()]);
    assert_eq!((printed.as_str(), result.unwrap_err().exit_code()), ("unpublished gone\n", 4));
}

#[test]
fn events_that_were_all_printed_are_a_success_even_if_ttd_does_not_say_what_is_here() {
    let fake = with(&["lab-1"]);
    fake.state().trouble.loading = Some(Loading::TooLate);
    let args = ["events", "--no-follow", "lab-2026-debian-bookworm-desktop.img", "none", "--directory"];
    let (printed, result) = ttctl(&[&args[..], &[fake.folder()]].concat());
    assert_eq!((printed.lines().count(), result), (4, Ok(())), "{printed}");
}
