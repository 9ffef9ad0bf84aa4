//! Scenarios of machines that become members of a closed fleet.

use cluster::{Daemon, Tracker};
use std::fs;

const TOKEN: &str = "tt1.edmqgx35cnq20rksehjq683fcr.csmqcs9n.c4g76sb3e9jq8839egg6jws0447v";

/// The part of the token that nobody may see.
const SECRET: &str = "c4g76sb3e9jq8839egg6jws0447v";

#[test]
fn each_reason_not_to_join_is_named_at_once_and_leaves_nothing_that_counts() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    let refused = a.ctl_code(4, &["join", TOKEN, "--tracker", &tracker.url()]);
    assert!(refused.stderr.contains("this tracker has no authority"), "{}", refused.stderr);
    let unreachable = a.ctl_code(8, &["join", TOKEN, "--tracker", "tt://127.0.0.1:1"]);
    assert!(unreachable.stderr.contains("tt://127.0.0.1:1 unreachable"), "{}", unreachable.stderr);
    let cut = a.ctl_code(4, &["join", &TOKEN[..50], "--tracker", &tracker.url()]);
    assert!(cut.stderr.contains("the token is cut: 50 characters, not 68"), "{}", cut.stderr);

    let who = a.ctl_code(4, &["identity"]);
    assert!(who.stderr.contains("this machine has no certificate"), "{}", who.stderr);
    assert!(who.stderr.contains("ttctl ca token"), "{}", who.stderr);
    let log = a.log();
    assert!(log.contains("this machine has not joined"), "{log}");
    for text in [&log, &refused.stderr, &unreachable.stderr, &cut.stderr] {
        assert!(!text.contains(SECRET) && !text.contains(TOKEN), "{text}");
    }
    let identity = a.folder().join(".tinytorrent/identity");
    let files: Vec<_> = fs::read_dir(identity).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, ["joining.key"], "the key that it will have when it joins");
}
