//! Scenarios of fleets whose connections are encrypted, with certificates of `ttctl ca`.

use cluster::files::{MIB, content};
use cluster::{Authority, CAP, Daemon, Tracker, wait_until};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// What `ttctl info` says about the certificate.
fn tls(daemon: &Daemon) -> Value {
    let document: Value = serde_json::from_str(&daemon.ok(&["info", "--json"]).stdout).expect("JSON");
    document["tls"].clone()
}

fn fault(daemon: &Daemon) -> String {
    tls(daemon)["fault"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn ttd_runs_whatever_is_wrong_with_its_certificate_and_says_what_until_it_is_right() {
    let (authority, tracker) = (Authority::new(), Tracker::start());
    let config = authority.daemon("web-1", "prefer");
    let identity = authority.issue("web-1", &[]).join("identity.pem");
    let good = fs::read_to_string(&identity).unwrap();
    let secret = good.lines().nth(1).expect("a line of the key").to_owned();
    fs::remove_file(&identity).unwrap();

    let daemon = Daemon::start_configured(&tracker, &config);
    assert!(fault(&daemon).contains("no such file"), "{}", fault(&daemon));
    let doctor = daemon.ctl_code(4, &["doctor"]).stdout;
    assert!(doctor.contains("failure  tls") && doctor.contains("within 5 s"), "{doctor}");
    let status = daemon.ok(&["status"]).stdout;
    assert!(status.contains("no usable certificate"), "{status}");
    // Nobody shows a certificate, and under "prefer" everything goes on.
    daemon.share_bytes("img", &content(9402, MIB));

    let write = |text: &str, mode: u32| {
        let new = identity.with_extension("new");
        fs::write(&new, text).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(mode)).unwrap();
        fs::rename(new, &identity).unwrap();
    };
    for (text, mode, why) in [
        (good.as_str(), 0o644, "chmod 600"),
        (good.split_once("-----BEGIN CERT").unwrap().0, 0o600, "it has no certificate"),
        ("nothing", 0o600, "it has no"),
    ] {
        write(text, mode);
        wait_until(&format!("it says {why}"), CAP, || fault(&daemon).contains(why));
        daemon.wait_log(why);
    }
    write(&good, 0o600);
    wait_until("the certificate is used", CAP, || tls(&daemon)["node"] == "web-1");
    assert_eq!(fault(&daemon), "");
    let doctor = daemon.ok(&["doctor"]).stdout;
    assert!(doctor.contains("ok       tls"), "{doctor}");
    let info = daemon.ok(&["info"]).stdout;
    assert!(info.contains("days left"), "{info}");
    for said in [daemon.log(), doctor, info, daemon.ok(&["info", "--json"]).stdout] {
        assert!(!said.contains(&secret), "the key is shown: {said}");
    }
}

#[test]
fn a_tracker_without_tls_is_not_asked_where_tls_is_required_and_status_says_so() {
    let (authority, tracker) = (Authority::new(), Tracker::start());
    let daemon = Daemon::start_configured(&tracker, &authority.daemon("web-1", "require"));
    let path = daemon.file("img");
    fs::write(&path, content(9403, MIB)).unwrap();
    daemon.ctl(&["share", path.to_str().unwrap()]);
    let says = "it speaks no TLS, and tls = \"require\" is set here";
    wait_until("status says it", CAP, || daemon.ok(&["status", "img"]).stdout.contains(says));
    let asked = daemon.ctl_code(8, &["tracker", "list"]);
    assert!(asked.stderr.contains(says), "{}", asked.stderr);
    assert!(tracker.list().is_empty(), "nothing was told in the clear");
}
