//! Whole config files: which values are accepted, how mistakes are reported, and whether the example files are correct.

mod drop_ins;
mod rules;
mod tables;

use super::{ConfigError, DaemonConfig, Files, Key, TrackerConfig, WatchMode};
use std::path::{Path, PathBuf};

fn daemon(text: &str) -> Result<DaemonConfig, String> {
    DaemonConfig::of(&Files::of_texts([("ttd.toml", text)])).map_err(|error| error.to_string())
}

fn tracker(text: &str) -> TrackerConfig {
    TrackerConfig::of(&Files::of_texts([("tt-tracker.toml", text)])).unwrap()
}

#[test]
fn an_empty_file_is_the_default() {
    assert_eq!(daemon(""), Ok(DaemonConfig::default()));
    assert_eq!(tracker("# nothing\n"), TrackerConfig::default());
}

#[test]
fn every_key_is_taken() {
    let config = daemon(
        r#"
        directory = "/srv/files"
        listen = 7999
        socket = "/run/x.sock"
        socket_mode = "0600"
        trackers = ["tt://a", "tt://[::1]:99"]
        download_limit = "100 MB/s"
        upload_limit = 0
        zone = "hall 2"
        log_level = "debug"
        log_format = "json"
        file_mode = "0640"
        file_group = "staff"
        min_free_space = "1 GiB"
        peer_connections_max = 1_000
        unknown_connections_max = 0x10
        sync_every = 5
        stall_warning = "10 min"
        "#,
    )
    .unwrap();
    assert_eq!(config.directory, Some(PathBuf::from("/srv/files")));
    assert_eq!(config.listen.unwrap().to_string(), "[::]:7999");
    assert_eq!(config.trackers[1].host(), "::1");
    assert_eq!(config.download_limit.to_string(), "100 MB/s");
    assert_eq!(config.upload_limit.to_string(), "0");
    assert_eq!(config.zone.as_str(), "hall 2");
    assert_eq!((config.socket_mode.bits(), config.file_mode.bits()), (0o600, 0o640));
    assert_eq!(config.file_group.unwrap().as_str(), "staff");
    assert_eq!((config.peer_connections_max.get(), config.unknown_connections_max.get()), (1_000, 16));
    assert_eq!(config.sync_every.to_string(), "5 s");
    assert_eq!(config.stall_warning.to_string(), "10 min");
}

#[test]
fn whether_the_directory_is_watched_is_true_false_or_scan() {
    let watch = |text: &str| daemon(text).map(|config| config.watch);
    assert_eq!(watch(""), Ok(WatchMode::Off));
    assert_eq!(watch("watch = true"), Ok(WatchMode::Events));
    assert_eq!(watch("watch = \"scan\""), Ok(WatchMode::Scan));
    let wrong = |text: &str| daemon(text).unwrap_err();
    assert_eq!(wrong("watch = \"yes\""), "ttd.toml:1: watch: expected true, false or \"scan\"");
    assert_eq!(wrong("watch = 1"), "ttd.toml:1: watch: expected true, false or \"scan\", not an integer");
    let word = wrong("watch_directories = \"yes\"");
    assert_eq!(word, "ttd.toml:1: watch_directories: expected true or false, not a string");
    let config = daemon("watch_directories = true\nwatch_settle = \"500 ms\"\nwatch_ignore = []").unwrap();
    assert!(config.watch_directories && config.watch_ignore.is_empty());
    assert_eq!(config.watch_settle.to_string(), "500 ms");
}

#[test]
fn the_former_name_of_a_key_is_read() {
    let config = daemon("folder = \"/srv/files\"").unwrap();
    assert_eq!(config.directory, Some(PathBuf::from("/srv/files")));
    let wrong = daemon("\nfolder = 3").unwrap_err();
    assert_eq!(wrong, "ttd.toml:2: directory: expected an absolute path in quotes, not an integer");
    let twice = daemon("directory = \"/a\"\nfolder = \"/b\"").unwrap_err();
    assert!(twice.starts_with("ttd.toml:2: unknown key \"folder\""), "{twice}");
    let files = [("ttd.toml", "folder = \"/a\""), ("ttd.d/a.toml", "directory = \"/b\"")];
    let config = DaemonConfig::of(&Files::of_texts(files)).unwrap();
    assert_eq!(config.directory, Some(PathBuf::from("/b")), "the later file counts");
}

#[test]
fn what_is_fixed_waits_for_a_restart() {
    let all = daemon(
        r#"
        directory = "/srv/files"
        listen = 7999
        socket = "/run/x.sock"
        socket_mode = "0600"
        zone = "hall 2"
        log_format = "json"
        peer_connections_max = 1_000
        unknown_connections_max = 0x10
        file_mode = "0640"
        congestion_control = "reno"
        "#,
    );
    let (running, mut read) = (DaemonConfig::default(), all.unwrap());
    assert_eq!(read.keep_fixed(&running), DaemonConfig::FIXED);
    // Only the keys that are not fixed are left to change.
    assert_eq!(running.changed(&read), ["file_mode"]);

    let text = "listen = 99\nlog_format = \"json\"\nentries_max = 5\n";
    let running = TrackerConfig::default();
    let mut read = tracker(text);
    assert_eq!(read.keep_fixed(&running), TrackerConfig::FIXED);
    assert_eq!(running.changed(&read), ["entries_max"]);
}

#[test]
fn a_mistake_is_told_with_its_line_and_what_was_meant() {
    let cases = [
        ("\n\nupload_limt = 5", "ttd.toml:3: unknown key \"upload_limt\"; did you mean \"upload_limit\"?"),
        ("[section]\nx = 1", "ttd.toml:1: unknown key \"section\"; the example file lists all keys"),
        ("\"a\\nb\" = 1", "ttd.toml:1: unknown key \"a\\nb\"; the example file lists all keys"),
        (
            "zone = \"a\"\nfile_mode = 644",
            "ttd.toml:2: file_mode: expected octal digits in quotes, such as \"0644\", not an integer",
        ),
        (
            "sync_every = \"0 s\"",
            "ttd.toml:1: sync_every: less than a millisecond; expected a duration such as \"500 ms\", \
             \"2 s\", \"10 min\" or \"1h30m\" (a plain number is in seconds)",
        ),
        (
            "log_level = \"loud\"",
            "ttd.toml:1: log_level: expected error, warn, info, debug, trace or off, also",
        ),
        (
            "peer_connections_max = 0",
            "ttd.toml:1: peer_connections_max: expected a number from 1 to 4294967295",
        ),
        (
            "peer_connections_max = -1",
            "ttd.toml:1: peer_connections_max: expected a number from 1 to 4294967295",
        ),
        ("directory = \"files\"", "ttd.toml:1: directory: expected an absolute path"),
        ("directory = 3", "ttd.toml:1: directory: expected an absolute path in quotes, not an integer"),
        (
            "trackers = \"tt://a\"",
            "ttd.toml:1: trackers: expected a list in brackets, [\"…\", \"…\"], not a string",
        ),
        ("trackers = [\"http://a\"]", "ttd.toml:1: trackers: a tracker's URL begins with \"tt://\""),
        (
            "download_limit = nan",
            "ttd.toml:1: download_limit: expected a rate in quotes, such as \"100 MB/s\"",
        ),
        ("zone = \"a\"\nzone = \"b\"", "ttd.toml:2: duplicate key"),
        ("\nzone = ", "ttd.toml:2: "),
    ];
    for (text, expected) in cases {
        let error = daemon(text).unwrap_err();
        assert!(error.starts_with(expected), "{text:?}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn a_missing_file_matters_only_if_it_was_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("ttd.toml");
    let files = Files::read_if_any(&missing).unwrap();
    assert_eq!(DaemonConfig::of(&files).unwrap(), DaemonConfig::default());
    assert!(matches!(Files::read(&missing), Err(ConfigError::Read { .. })));
    // Any other problem with the file is reported in both cases.
    assert!(Files::read_if_any(folder.path()).is_err());
    std::fs::write(&missing, b"zone = \"\xff\"").unwrap();
    assert!(Files::read_if_any(&missing).is_err());
}

/// The example without its comments: the keys with their defaults, and these together with the tables. Update the files with `TT_UPDATE=1 cargo test -p shared --features host example`.
fn check_example(name: &str, keys: &[Key], example: &str) -> (String, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config").join(name);
    let program = name.trim_end_matches(".toml");
    let text = format!(
        "# The configuration of {program}. Every key is shown with its default: remove the \"#\" to set it.\n\
         # Files {program}.d/*.toml are read after this one, and override it.\n\
         # `{program} --check-config` checks all of them. Command-line options override them.\n{example}"
    );
    if std::env::var_os("TT_UPDATE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "config/{name} is not what the keys say");

    let uncommented = uncommented(&text);
    // Tables stand behind the keys. An array of tables has none by default, so its example is one that may be there.
    let first_table = uncommented.iter().position(|line| line.starts_with('[')).unwrap_or(uncommented.len());
    let (values, tables) = uncommented.split_at(first_table);
    let headers = tables.iter().filter_map(|line| line.strip_prefix("[[")?.strip_suffix("]]"));
    let names: Vec<&str> =
        values.iter().map(|line| line.split_once(" = ").unwrap().0).chain(headers).collect();
    assert_eq!(names, keys.iter().map(|key| key.name).collect::<Vec<_>>());
    for key in keys {
        assert!(key.description.concat().ends_with('.'), "{}: not a sentence", key.name);
    }
    (values.join("\n"), uncommented.join("\n"))
}

/// A line of text has a space after the "#"; a key does not.
fn uncommented(example: &str) -> Vec<&str> {
    let is_key = |line: &&str| line.starts_with('#') && !line.starts_with("# ");
    example.lines().filter(is_key).map(|line| &line[1..]).collect()
}

#[test]
fn the_example_files_show_every_key_with_its_default() {
    let (values, all) = check_example("ttd.toml", DaemonConfig::KEYS, &DaemonConfig::example());
    assert_eq!(daemon(&values), Ok(DaemonConfig::default()));
    daemon(&all).unwrap();
    let (values, all) = check_example("tt-tracker.toml", TrackerConfig::KEYS, &TrackerConfig::example());
    assert_eq!(tracker(&values), TrackerConfig::default());
    assert_eq!(tracker(&all).allow.len(), 1);
}
