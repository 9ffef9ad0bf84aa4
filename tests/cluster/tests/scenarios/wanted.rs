//! Scenarios for who wants a file, as `ttctl status` shows it.

use cluster::files::{MIB, content};
use cluster::{CAP, Daemon, Tracker, wait_until};
use std::fs;
use std::process::Command;

const NAME: &str = "image.iso";

/// The user who runs this test, as ttd names users.
fn this_user() -> String {
    let id = Command::new("id").arg("-un").output().expect("id is a part of every system");
    match id.status.success() {
        true => String::from_utf8(id.stdout).expect("a name").trim().to_owned(),
        false => format!("uid {}", rustix::process::getuid().as_raw()),
    }
}

fn wanted_by(daemon: &Daemon) -> Vec<String> {
    let status = daemon.wait_seeding(NAME);
    let all = status.0["wanted_by"].as_array().unwrap_or_else(|| panic!("no list in {}", status.0));
    all.iter().map(|by| by.as_str().expect("words").to_owned()).collect()
}

#[test]
fn status_says_who_wants_a_file_also_after_a_restart() {
    let tracker = Tracker::start();
    let (seeder, mut leecher) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let (bytes, user) = (content(310, MIB + 7), this_user());
    seeder.share_bytes(NAME, &bytes);
    leecher.get(NAME, &bytes);
    for daemon in [&seeder, &leecher] {
        assert_eq!(wanted_by(daemon), [user.as_str()]);
    }
    leecher.restart();
    assert_eq!(wanted_by(&leecher), [user.as_str()]);
    let text = leecher.ok(&["status", NAME]).stdout;
    assert!(text.contains(&format!("wanted by {user}\n")), "{text}");

    // Without a record it is unknown who it was.
    leecher.kill();
    fs::remove_dir_all(leecher.folder().join(".tinytorrent")).expect("it is there");
    leecher.restart();
    wait_until("it is found again", CAP, || leecher.status(NAME).is_some());
    assert_eq!(wanted_by(&leecher), ["found in the shared directory"]);
    leecher.get(NAME, &bytes);
    assert_eq!(wanted_by(&leecher), ["found in the shared directory", user.as_str()]);
    leecher.ok(&["remove", NAME]);
    assert!(leecher.status(NAME).is_none(), "a user removes it, whoever wants it");
}
