//! Tables, nested and in arrays, in one file and across several.

use super::uncommented;
use crate::host::config::field::TABLES_MAX;
use crate::host::config::sample::{Limits, Origin, Rule, SampleConfig};
use crate::host::config::{Files, Key, RateLimit, Shape};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Files "a", "b" and so on.
fn read(texts: &[&str]) -> Result<SampleConfig, String> {
    let named = ["a", "b", "c"].into_iter().zip(texts.iter().copied());
    SampleConfig::of(&Files::of_texts(named)).map_err(|error| error.to_string())
}

#[track_caller]
fn good(texts: &[&str]) -> SampleConfig {
    read(texts).unwrap_or_else(|error| panic!("{error}"))
}

fn origin(tracker: &str, zone: &str) -> Origin {
    Origin { tracker: tracker.parse().unwrap(), zone: zone.parse().unwrap() }
}

fn rule(name: &str) -> Rule {
    let names = vec![name.parse().unwrap()];
    Rule { names, at_most: RateLimit::None, origin: None, except: Vec::new() }
}

#[test]
fn without_files_and_with_empty_ones_everything_is_as_by_default() {
    assert_eq!(good(&[]), SampleConfig::default());
    assert_eq!(good(&["", "# nothing\n"]), SampleConfig::default());
}

#[test]
fn tables_are_read_however_they_are_written() {
    let expected = SampleConfig {
        zone: "hall".parse().unwrap(),
        limits: Limits { upload: RateLimit::Pause, ..Limits::default() },
        origin: Some(origin("tt://a", "x")),
        rule: vec![
            Rule { except: vec![origin("tt://b", "y"), origin("tt://c", "z")], ..rule("tt://n") },
            Rule { origin: Some(origin("tt://d", "")), at_most: RateLimit::Pause, ..rule("tt://m") },
        ],
        trackers: Vec::new(),
    };
    let with_headers = r#"
        zone = "hall"
        [limits]
        upload = 0
        [origin]
        tracker = "tt://a"
        zone = "x"
        [[rule]]
        names = ["tt://n"]
        [[rule.except]]
        tracker = "tt://b"
        zone = "y"
        [[rule.except]]
        tracker = "tt://c"
        zone = "z"
        [[rule]]
        names = ["tt://m"]
        at_most = 0
        [rule.origin]
        tracker = "tt://d"
        zone = ""
    "#;
    let inline = r#"
        zone = "hall"
        limits.upload = 0
        origin = { tracker = "tt://a", zone = "x" }
        rule = [
            { names = ["tt://n"], except = [{ tracker = "tt://b", zone = "y" }, { tracker = "tt://c", zone = "z" }] },
            { names = ["tt://m"], at_most = 0, origin.tracker = "tt://d", origin.zone = "" },
        ]
    "#;
    assert_eq!(good(&[with_headers]), expected);
    assert_eq!(good(&[inline]), expected);
}

#[test]
fn a_later_file_replaces_values_and_lists_and_adds_tables() {
    let first = r#"
        zone = "a"
        trackers = ["tt://a", "tt://b"]
        [limits]
        download = "1 MB/s"
        upload = "1 MB/s"
        [[rule]]
        names = ["tt://one"]
    "#;
    let second = "limits.upload = 0\n[[rule]]\nnames = [\"tt://two\"]\n[[rule]]\nnames = [\"tt://three\"]\n";
    let third = "trackers = [\"tt://c\"]\nrule = []\n";
    let config = good(&[first, second, third]);
    assert_eq!(config.zone.as_str(), "a");
    assert_eq!(config.trackers, ["tt://c".parse().unwrap()]);
    assert_eq!(
        (config.limits.download.to_string().as_str(), config.limits.upload),
        ("1 MB/s", RateLimit::Pause)
    );
    assert_eq!(config.rule, ["tt://one", "tt://two", "tt://three"].map(rule));
}

#[test]
fn a_table_may_have_its_keys_in_several_files() {
    let config = good(&["[origin]\ntracker = \"tt://a\"\n", "[origin]\nzone = \"x\"\n"]);
    assert_eq!(config.origin, Some(origin("tt://a", "x")));
    let error =
        read(&["\n[origin]\ntracker = \"tt://a\"\n", "[origin]\ntracker = \"tt://b\"\n"]).unwrap_err();
    assert_eq!(error, "a:2: [origin] needs the key \"zone\"");
    // Each table of an array must be complete.
    let error = read(&["[[rule]]\nat_most = 0\n", "[[rule]]\nnames = []\n"]).unwrap_err();
    assert_eq!(error, "a:1: [[rule]] needs the key \"names\"");
}

#[test]
fn a_mistake_in_a_table_is_told_with_its_file_its_line_and_its_table() {
    let rule = "[[rule]]\nnames = []\n";
    let cases = [
        ("[[rul]]\nx = 1\n", "b:1: unknown key \"rul\"; did you mean \"rule\"?"),
        ("\n[limit]\n", "b:2: unknown key \"limit\"; did you mean \"limits\"?"),
        ("[limits]\n\nuplaod = 0\n", "b:3: unknown key \"uplaod\" in [limits]; did you mean \"upload\"?"),
        ("limits.uplaod = 0\n", "b:1: unknown key \"uplaod\" in [limits]; did you mean \"upload\"?"),
        ("limits = { uplaod = 0 }\n", "b:1: unknown key \"uplaod\" in [limits]; did you mean \"upload\"?"),
        ("[[rule]]\nnams = []\n", "b:2: unknown key \"nams\" in [[rule]]; did you mean \"names\"?"),
        (
            "rule = [\n  { names = [] },\n  { nam = [] },\n]\n",
            "b:3: unknown key \"nam\" in [[rule]]; did you mean \"names\"?",
        ),
        (
            "[[rule]]\nnames = []\n[[rule.except]]\nzon = \"\"\n",
            "b:4: unknown key \"zon\" in [[rule.except]]; did you mean \"zone\"?",
        ),
        (
            "[[rule]]\nnames = []\n[[rule.exept]]\n",
            "b:3: unknown key \"exept\" in [[rule]]; did you mean \"except\"?",
        ),
        ("[[rule]]\n\n[[rule]]\nnames = []\n", "b:1: [[rule]] needs the key \"names\""),
        ("[[rule]]\nnames = []\n[[rule]]\nat_most = 0\n", "b:3: [[rule]] needs the key \"names\""),
        ("rule = [{ names = [] }, {}]\n", "b:1: [[rule]] needs the key \"names\""),
        (
            "[[rule]]\nnames = []\n\n[rule.origin]\nzone = \"\"\n",
            "b:4: [rule.origin] needs the key \"tracker\"",
        ),
        ("origin.zone = \"\"\n", "b:1: [origin] needs the key \"tracker\""),
        ("[[rule]]\nnames = [\"x\"]\n", "b:2: rule.names: a tracker's URL begins with"),
        ("\n[limits]\nupload = 5\n", "b:3: limits.upload: missing unit, as in"),
        ("rule = 5\n", "b:1: rule: expected tables, each of which begins with [[rule]], not an integer"),
        ("rule = [5]\n", "b:1: rule: expected tables, each of which begins with [[rule]], not an integer"),
        (
            "[rule]\nnames = []\n",
            "b:1: rule: expected tables, each of which begins with [[rule]], not a table",
        ),
        ("[[limits]]\nupload = 0\n", "b:1: limits: expected a table that begins with [limits], not a list"),
        ("limits = \"none\"\n", "b:1: limits: expected a table that begins with [limits], not a string"),
        ("[zone]\n", "b:1: zone: expected a name in quotes, not a table"),
        ("[[zone]]\n", "b:1: zone: expected a name in quotes, not a list"),
        ("[limits]\n[limits]\n", "b:2: duplicate key"),
    ];
    for (text, expected) in cases {
        let error = read(&[rule, text]).unwrap_err();
        assert!(error.starts_with(expected), "{text:?}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn a_mistake_is_told_although_a_later_file_replaces_it() {
    let error = read(&["\nzone = 5\n", "zone = \"a\"\n"]).unwrap_err();
    assert!(error.starts_with("a:2: zone: "), "{error}");
    let error = read(&["\n[limits]\nupload = 5\n", "limits.upload = 0\n"]).unwrap_err();
    assert!(error.starts_with("a:3: limits.upload: "), "{error}");
}

#[test]
fn the_number_of_tables_is_bounded_over_all_files() {
    let one = "[[rule]]\nnames = []\n";
    let full = one.repeat(TABLES_MAX);
    assert_eq!(good(&[&full]).rule.len(), TABLES_MAX);
    let error = read(&[&full, "\n", one]).unwrap_err();
    assert_eq!(error, format!("c:1: rule: more than {TABLES_MAX} such tables"));
}

#[test]
fn no_depth_of_tables_overflows_the_stack() {
    let depth = 150_000;
    let texts = [
        format!("{}a = 1\n", "a.".repeat(depth)),
        format!("[{}a]\n", "a.".repeat(depth)),
        format!("rule = {}", "[".repeat(depth)),
        format!("rule = {}", "{a = ".repeat(depth)),
        format!("limits = {{ {}a = 1 }}\n", "a.".repeat(depth)),
    ];
    for text in texts {
        assert!(read(&[&text]).is_err());
    }
}

#[test]
fn a_file_names_itself_where_a_key_is_looked_for() {
    let texts = [("a", "zone = \"x\"\n\n[limits]\nupload = 0\n"), ("b", "\nlimits.upload = 0\n"), ("c", "")];
    let files = Files::of_texts(texts);
    assert_eq!(files.place_of("zone"), "a:1");
    assert_eq!(files.place_of("limits.upload"), "b:2");
    assert_eq!(files.place_of("limits.download"), "a");
    assert_eq!(files.place_of("zone.upload"), "a");
}

#[test]
fn keys_say_what_they_are() {
    let shown = |key: &Key| match key.shape {
        Shape::Value => key.name.to_owned(),
        Shape::Table(keys) => format!("[{}] {}", key.name, keys.len()),
        Shape::Tables(keys) => format!("[[{}]] {}", key.name, keys.len()),
    };
    let keys: Vec<String> = SampleConfig::KEYS.iter().map(shown).collect();
    assert_eq!(keys, ["zone", "[[rule]] 4", "[limits] 2", "[origin] 2", "trackers"]);
    let Shape::Tables(keys) = SampleConfig::KEYS[1].shape else { panic!() };
    let required: Vec<&str> = keys.iter().filter(|key| key.is_required).map(|key| key.name).collect();
    assert_eq!(required, ["names"]);
    assert!(SampleConfig::KEYS.iter().all(|key| !key.is_required));
}

#[test]
fn what_changed_is_named_by_its_key_outside_of_tables() {
    let config = good(&["limits.upload = 0\n[[rule]]\nnames = []\n"]);
    assert_eq!(SampleConfig::default().changed(&config), ["rule", "limits"]);
}

#[test]
fn the_example_shows_tables_after_everything_else_and_is_right() {
    let example = SampleConfig::example();
    let expected = r##"
# A value.
#zone = ""

# A list.
#trackers = []

# Rules, each of which begins
# with `[[rule]]`.
#[[rule]]

# For whom it is.
#names = ["tt://tracker.example"]

# What it grants.
#at_most = "none"

# From where.
#[rule.origin]

# The tracker.
#tracker = "tt://tracker.example"

# The zone.
#zone = "hall"

# Exceptions.
#[[rule.except]]

# The tracker.
#tracker = "tt://tracker.example"

# The zone.
#zone = "hall"

# A table whose keys all have defaults.
#[limits]

# In.
#download = "none"

# Out.
#upload = "none"

# A table that may be missing.
#[origin]

# The tracker.
#tracker = "tt://tracker.example"

# The zone.
#zone = "hall"
"##;
    assert_eq!(example, expected);
    let from = origin("tt://tracker.example", "hall");
    let config = SampleConfig {
        rule: vec![Rule {
            origin: Some(from.clone()),
            except: vec![from.clone()],
            ..rule("tt://tracker.example")
        }],
        origin: Some(from),
        ..SampleConfig::default()
    };
    assert_eq!(good(&[&uncommented(&example).join("\n")]), config);
}

/// Valid and invalid pieces from which files are made.
const PIECES: &[&str] = &[
    "zone = \"a\"\n",
    "zone = 5\n",
    "trackers = [\"tt://a\"]\n",
    "[limits]\n",
    "upload = 0\n",
    "limits.upload = \"none\"\n",
    "[[rule]]\n",
    "names = []\n",
    "names = [5]\n",
    "[[rule.except]]\n",
    "[rule.origin]\n",
    "[origin]\n",
    "tracker = \"tt://a\"\n",
    "rule = [{ names = [] }, {}]\n",
    "origin = { zone = \"é\" }\n",
    "\"\\u0007\" = 1\n",
    "[",
    "= ",
    "\r\n",
];

proptest! {
    #[test]
    fn no_files_make_a_panic(files in vec(vec(select(PIECES), 0..8), 0..4)) {
        let files: Vec<String> = files.into_iter().map(|pieces| pieces.concat()).collect();
        let texts: Vec<&str> = files.iter().map(String::as_str).collect();
        if let Err(error) = read(&texts) {
            prop_assert!(!error.contains(char::is_control), "{error:?}");
            prop_assert!(["a:", "b:", "c:"].iter().any(|file| error.starts_with(file)), "{error:?}");
        }
        let files = Files::of_texts(["a", "b", "c"].into_iter().zip(texts));
        for key in ["zone", "limits.upload", "rule.names"] {
            files.place_of(key);
        }
    }
}
