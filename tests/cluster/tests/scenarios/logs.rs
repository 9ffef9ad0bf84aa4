//! What an administrator reads: one line for each thing that happened, with the name first, at both ends.

use cluster::files::{MIB, content};
use cluster::{CAP, Daemon, Tracker, wait_until};
use std::fs;

/// The lines at info and above about this file, without their times; numbers that differ from run to run are replaced
/// by #.
fn lines_about(log: &str, name: &str) -> Vec<String> {
    let told = log.lines().filter_map(|line| Some(line.split_once(' ')?.1.trim_start()));
    let told = told.filter(|line| !line.starts_with("DEBUG") && line.contains(name));
    told.map(without_measures).collect()
}

/// Times, ports and users are told in words of which only the units are compared. A rate is left out: a transfer of
/// less than a tenth of a second has none.
fn without_measures(line: &str) -> String {
    let is_measure = |word: &str| {
        let number = word.trim_start_matches('(');
        number.parse::<f64>().is_ok() || word.contains("127.0.0.1:")
    };
    let words = line.split(' ').map(|word| match word {
        word if is_measure(word) => if word.starts_with('(') { "(#" } else { "#" }.to_owned(),
        word => match word.split_once('=') {
            Some((key @ ("user" | "by"), _)) => format!("{key}=#"),
            _ => word.to_owned(),
        },
    });
    words
        .collect::<Vec<_>>()
        .join(" ")
        .replace(" ms ", " s ")
        .replace("GiB/s", "MiB/s")
        .replace(" (# MiB/s)", "")
}

#[test]
fn each_thing_that_happens_is_told_once_at_both_ends() {
    let tracker = Tracker::start();
    let (mut a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let bytes = content(911, 2 * MIB);
    let id = a.share_bytes("app.tar.gz", &bytes)[..12].to_owned();
    b.get("app.tar.gz", &bytes);
    b.ok(&["get", "app.tar.gz"]);
    b.ok(&["pause", "app.tar.gz"]);
    b.ok(&["resume", "app.tar.gz"]);
    b.ok(&["verify", "app.tar.gz"]);
    b.ok(&["remove", "--delete", "app.tar.gz"]);
    b.ctl_code(4, &["remove", "app.tar.gz"]);
    a.wait_log("app.tar.gz: sent "); // when the peer has asked for nothing for a while
    let expected = [
        format!("INFO app.tar.gz: being fetched id={id} chunks=2 user=#"),
        format!("INFO app.tar.gz: fetched # MiB in # s from # peer id={id}"),
        format!("INFO app.tar.gz: requested; it is already complete id={id} user=#"),
        format!("INFO app.tar.gz: paused id={id} user=#"),
        format!("INFO app.tar.gz: resumed id={id} user=#"),
        format!("INFO app.tar.gz: verified, # of # chunks are good id={id} user=#"),
        format!("INFO app.tar.gz: removed, and its file deleted id={id} user=#"),
    ];
    let told = lines_about(&b.log(), "app.tar.gz");
    assert_eq!(told[..told.len() - 1], expected, "{told:#?}");
    assert!(told.last().unwrap().starts_with("INFO app.tar.gz: not removed: "), "{told:#?}");
    let expected = [
        format!("INFO app.tar.gz: shared, # MiB id={id} user=#"),
        format!("INFO app.tar.gz: sent # MiB to # in # s id={id}"),
    ];
    assert_eq!(lines_about(&a.log(), "app.tar.gz"), expected);
    let expected = [format!("INFO app.tar.gz: published, # MiB id={id} chunks=2 by=#")];
    assert_eq!(lines_about(&tracker.log(), "app.tar.gz"), expected);

    // what is asked for and does not exist, or has no room
    b.ctl_code(4, &["get", "nobody-has-this"]);
    assert!(lines_about(&b.log(), "nobody-has-this")[0].starts_with("INFO nobody-has-this: not fetched: "));
    b.ok(&["limit", "--upload", "5 MB/s"]);
    b.wait_log("upload limit set to ");
    a.terminate();
    for text in
        [&format!("ttd {} is ready directory=", env!("CARGO_PKG_VERSION")), "ttd stops", "ttd has stopped"]
    {
        assert_eq!(a.log().matches(text).count(), 1, "{text}");
    }
    assert!(!a.log().contains("import") && !b.log().contains("verb="), "{}", a.log());
}

#[test]
fn programs_find_all_fields_in_the_json_format() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    let b = Daemon::start_configured(&tracker, "log_format = \"json\"\n");
    let bytes = content(912, 3 * MIB);
    let id = a.share_bytes("app.tar.gz", &bytes);
    b.get("app.tar.gz", &bytes);
    b.ctl_code(4, &["pause", "nothing"]);
    let events = || -> Vec<serde_json::Value> {
        b.log().lines().map(|line| serde_json::from_str(line).expect("each line is an object")).collect()
    };
    let told =
        |text: &str| events().into_iter().find(|event| event["message"].as_str().unwrap().contains(text));
    wait_until("all is told", CAP, || told("not paused").is_some());
    let fetched = told("fetched ").unwrap();
    assert_eq!((&fetched["name"], &fetched["id"]), (&"app.tar.gz".into(), &id.into()));
    assert_eq!((&fetched["bytes"], &fetched["peers"]), (&(3 * MIB).into(), &1.into()));
    assert!(fetched["took_ms"].is_u64() && fetched["bytes_per_s"].is_u64(), "{fetched}");
    let begun = told("being fetched").unwrap();
    assert!(begun["user"].is_string(), "{begun}");
    let refused = told("not paused").unwrap();
    assert!(refused["uid"].is_u64() && refused["error"].is_string(), "{refused}");
    fs::remove_dir_all(b.outside()).unwrap();
}
