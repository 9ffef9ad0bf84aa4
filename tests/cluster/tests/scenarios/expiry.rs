//! Scenarios of what ends: an authority, and a certificate that cannot be renewed. Somebody is told in time.

use cluster::{Authority, CAP, Daemon, Tracker, wait_until};
use serde_json::Value;
use std::net::Ipv4Addr;

#[test]
fn an_authority_that_ends_soon_is_named_by_ttd_and_by_the_tracker_once() {
    let (authority, mut tracker) = (Authority::with_life("20 d"), Tracker::start());
    tracker.configure(&authority.tracker("require"));
    let machine = Daemon::start_configured(&tracker, &authority.daemon("web-1", "require"));
    machine.wait_log("the fleet's authority ends at");
    wait_until("the tracker says it", CAP, || tracker.log().contains("the fleet's authority ends at"));
    let doctor = machine.ok(&["doctor"]).stdout;
    assert!(doctor.contains("warning  identity     the fleet's authority ends at"), "{doctor}");
    assert!(doctor.contains("run `ttctl ca rotate` on the tracker's machine"), "{doctor}");
    let told = machine.ok(&["identity"]);
    assert!(told.stderr.contains("the fleet's authority ends at"), "{told:?}");
    // A look at the files that finds nothing new says nothing again.
    machine.ok(&["info"]);
    assert_eq!(machine.log().matches("the fleet's authority ends at").count(), 1);
    assert_eq!(tracker.log().matches("the fleet's authority ends at").count(), 1);
}

#[test]
fn a_certificate_that_cannot_be_renewed_is_a_finding_of_doctor() {
    let (authority, mut tracker) = (Authority::new(), Tracker::start());
    let config = format!("{}ca = \"{}\"\n", authority.tracker("require"), authority.dir().display());
    tracker.configure(&format!("{config}certificate_life = \"15 s\"\n"));
    let url = tracker.url();
    let made: Value =
        serde_json::from_str(&authority.ok(&["token", "--json", "--tracker", &url]).stdout).unwrap();
    let machine = Daemon::start_on(Ipv4Addr::LOCALHOST.into(), &[]);
    machine.ok(&["join", made["token"].as_str().unwrap(), "--tracker", &url, "--node", "web-1"]);
    let doctor = || machine.ctl(&["doctor"]).stdout;
    assert!(doctor().contains("ok       identity"), "{}", doctor());
    tracker.kill();
    wait_until("doctor says it", CAP, || doctor().contains("the renewal fails: tracker tt://127.0.0.1"));
    assert!(doctor().contains("check that tt-tracker runs there"), "{}", doctor());
}
