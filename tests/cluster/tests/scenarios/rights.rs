//! Scenarios in which a tracker's rules say who may do what.

use cluster::files::{MIB, content};
use cluster::{CAP, Daemon, Tracker, wait_until};

const READ_ONLY: &str =
    "[[allow]]\nwho = [\"*\"]\npublish = [\"mine-*\"]\nfetch = [\"public\", \"mine-*\"]\n";

/// Two files are shared while everybody may do everything; then rules come.
#[test]
fn rules_say_what_is_found_fetched_and_shared_and_a_reload_changes_them() {
    let mut tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    a.share_bytes("public", &content(840, MIB));
    a.share_bytes("secret", &content(841, MIB));
    tracker.configure(READ_ONLY);

    b.ok(&["get", "public"]);
    let refused = b.ctl_code(4, &["get", "secret"]);
    let why = "an anonymous caller may not fetch secret: no rule of [[allow]] gives it to anybody";
    assert!(refused.stderr.contains(why), "{}", refused.stderr);
    let listed = b.ok(&["tracker", "list"]).stdout;
    assert!(listed.contains("public") && !listed.contains("secret"), "{listed}");
    let watched = b.ctl_code(4, &["fleet", "public"]);
    assert!(watched.stderr.contains("may not watch public"), "{}", watched.stderr);

    // What may be published is, and the rest is shared here and found by nobody.
    b.share_bytes("mine-1", &content(842, MIB));
    let other = b.file("theirs");
    std::fs::write(&other, content(843, MIB)).unwrap();
    let refused = b.ctl_code(4, &["share", other.to_str().unwrap()]);
    assert!(refused.stderr.contains("an anonymous caller may not"), "{}", refused.stderr);
    let status = b.ok(&["status", "theirs"]).stdout;
    assert!(status.contains("an anonymous caller may not"), "{status}");

    // A member cannot put other content under a name that exists.
    let other = b.file("public");
    std::fs::remove_file(&other).unwrap();
    std::fs::write(&other, content(844, MIB)).unwrap();
    b.ctl_code(4, &["share", "--replace", other.to_str().unwrap()]);
    let c = Daemon::start(&tracker, &[]);
    c.ok(&["get", "public"]);
    assert_eq!(std::fs::read(c.file("public")).unwrap(), content(840, MIB));

    tracker.configure("");
    b.ok(&["get", "secret"]);
    assert_eq!(std::fs::read(b.file("secret")).unwrap(), content(841, MIB));
}

#[test]
fn status_names_the_rule_by_which_a_shared_file_is_refused() {
    let mut tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    a.share_bytes("app", &content(845, MIB));
    tracker.configure("[[allow]]\nwho = [\"group:build\"]\npublish = [\"app\"]\nfetch = [\"app\"]\n");
    let why = "rule 1 of [[allow]] gives it to group:build";
    wait_until("status names the rule", CAP, || a.ok(&["status", "app"]).stdout.contains(why));
}

/// Two addresses of loopback stand for the two sides of a NAT.
#[test]
fn a_machine_is_found_at_the_address_that_it_advertises_where_the_tracker_allows_it() {
    let mut tracker = Tracker::start();
    let mut a = Daemon::start(&tracker, &[]);
    a.share_bytes("app", &content(846, MIB));
    let port = a.addr().port();
    a.configure(&format!("advertise = \"127.0.0.9:{port}\"\n"));
    a.reload();
    let is_found_at = |a: &Daemon, tracker: &Tracker, ip: &str| {
        let peers = a.ok(&["tracker", "peers", "app", "--tracker", &tracker.url()]).stdout;
        peers.contains(&format!("{ip}:{port}"))
    };
    wait_until("the log says why it is not", CAP, || a.log().contains("advertise_networks"));
    assert!(!is_found_at(&a, &tracker, "127.0.0.9"), "any machine could claim to be any other one");
    tracker.configure("advertise_networks = [\"127.0.0.0/8\"]\n");
    a.configure(&format!("advertise = \"127.0.0.8:{port}\"\n"));
    a.reload();
    wait_until("it is found there", CAP, || is_found_at(&a, &tracker, "127.0.0.8"));
}
