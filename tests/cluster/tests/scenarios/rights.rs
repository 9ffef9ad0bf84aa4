//! Scenarios in which a tracker's rules say who may do what.

use cluster::files::{MIB, content, sha256};
use cluster::hostile::Asker;
use cluster::openssl::{self, Credential};
use cluster::{Authority, CAP, Daemon, Tracker, wait_until};
use shared::id::{ListDigest, PeerId, SwarmKey};
use std::str::FromStr;

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

/// Members of a closed fleet. Their groups are in their certificates, and not in what they say.
#[test]
fn a_member_without_the_right_changes_nothing_of_others_and_sees_nothing_that_is_not_for_it() {
    let (authority, mut tracker) = (Authority::new(), Tracker::start());
    let rules = "[[allow]]\nwho = [\"group:build\"]\npublish = [\"*\"]\nfetch = [\"*\"]\nwatch = [\"*\"]\n\
        [[allow]]\nwho = [\"*\"]\npublish = [\"mine-*\"]\nfetch = [\"app\", \"mine-*\"]\n";
    tracker.configure(&format!("{}{rules}", authority.tracker("require")));
    let builds = authority.issue("ci-1", &["--group", "build"]).join("identity.pem");
    let a =
        Daemon::start_configured(&tracker, &authority.config("require", &builds, &authority.certificates()));
    let b = Daemon::start_configured(&tracker, &authority.daemon("web-1", "require"));
    let app = content(850, MIB);
    a.share_bytes("app", &app);
    let id = a.share_bytes("secret", &content(851, MIB));
    b.get("app", &app);

    // It finds nothing that it may not fetch, by whatever way it asks.
    let rule = "rule 1 of [[allow]] gives it to group:build";
    let refused = b.ctl_code(4, &["get", "secret"]).stderr;
    assert!(refused.contains(&format!("web-1 may not fetch secret: {rule}")), "{refused}");
    let by_id = b.ctl_code(4, &["get", &id]).stderr;
    let of_nothing = b.ctl_code(4, &["get", &"9".repeat(64)]).stderr;
    assert_eq!(
        by_id.replace(&id, ""),
        of_nothing.replace(&"9".repeat(64), ""),
        "it cannot be told from nothing"
    );
    for args in [&["tracker", "list"][..], &["tracker", "list", "--json"], &["tracker", "peers", &id]] {
        let output = b.ctl(args);
        assert!(
            !output.stdout.contains("secret") && !output.stdout.contains(&a.addr().to_string()),
            "{output:?}"
        );
    }
    let watched = b.ctl_code(4, &["fleet", "app"]).stderr;
    assert!(watched.contains("web-1 may not watch app"), "{watched}");

    // It neither puts other content under a name, nor takes a name back.
    let other = b.outside().join("app");
    std::fs::write(&other, content(852, MIB)).unwrap();
    let refused = b.ctl_code(4, &["share", "--replace", other.to_str().unwrap()]).stderr;
    assert!(refused.contains(&format!("web-1 may not publish app: {rule}")), "{refused}");
    let refused = b.ctl_code(4, &["unpublish", "app"]).stderr;
    assert!(refused.contains("web-1 may not"), "{refused}");

    // Nor does it announce as another machine, with a port and an id that are not its own.
    let log = a.log();
    let (_, peer_id) = log.split_once("peer_id=").expect("it is logged at the start");
    let peer_id = PeerId::from_str(&peer_id[..32]).unwrap();
    let identity = authority.issue("web-2", &[]).join("identity.pem");
    let shown = Credential { key: identity.clone(), certificate: identity, above: None };
    let key = SwarmKey { resource: sha256(&app).parse().unwrap(), digest: ListDigest([1; 32]) };
    let claims = Asker::announcing_frames(peer_id, a.addr().port(), key);
    if openssl::is_missing() {
        return;
    }
    let answer = openssl::call(tracker.addr(), Some(&shown), &[], &claims);
    let said = String::from_utf8_lossy(&answer.said).into_owned();
    assert!(said.contains("belongs to the machine ci-1"), "{said} {}", answer.about);

    let c = Daemon::start_configured(&tracker, &authority.daemon("web-3", "require"));
    c.get("app", &app);
    let peers = a.ok(&["tracker", "peers", "app"]).stdout;
    assert!(peers.contains("ci-1") && !peers.contains("web-2"), "{peers}");
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
