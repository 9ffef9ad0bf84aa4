//! Scenarios of fleets whose connections are encrypted, with certificates of `ttctl ca`.

use cluster::files::{MIB, content};
use cluster::hostile::Silent;
use cluster::process::{run_capped, sealed};
use cluster::slow_link::SlowLink;
use cluster::{Authority, CAP, Daemon, Status, Tracker, wait_until};
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

/// What `ttctl info` says about the certificate.
fn tls(daemon: &Daemon) -> Value {
    let document: Value = serde_json::from_str(&daemon.ok(&["info", "--json"]).stdout).expect("JSON");
    document["tls"].clone()
}

fn fault(daemon: &Daemon) -> String {
    tls(daemon)["fault"].as_str().unwrap_or_default().to_owned()
}

fn tracker(authority: &Authority, mode: &str) -> Tracker {
    let mut tracker = Tracker::start();
    tracker.configure(&authority.tracker(mode));
    tracker
}

fn machine(authority: &Authority, tracker: &Tracker, node: &str) -> Daemon {
    Daemon::start_configured(tracker, &authority.daemon(node, "require"))
}

/// Has a daemon read this configuration, and waits until its connections begin in the mode.
fn reconfigure(daemon: &mut Daemon, config: &str, mode: &str) {
    daemon.configure(config);
    daemon.reload();
    wait_until(&format!("its connections begin in the mode {mode}"), CAP, || tls(daemon)["mode"] == mode);
}

#[test]
fn a_closed_fleet_moves_a_file_and_keeps_everybody_else_out() {
    let authority = Authority::new();
    let tracker = tracker(&authority, "require");
    let [a, b, c] = ["a", "b", "c"].map(|node| machine(&authority, &tracker, node));
    let bytes = content(9401, 5 * MIB + 7);
    a.share_bytes("img", &bytes);
    b.get("img", &bytes);
    c.get("img", &bytes);
    assert!(b.log().contains("node=a") || c.log().contains("node=b"), "the log names the nodes");

    // Machines without a certificate, of another authority, and with that of a tracker.
    let hub = authority.issue("hub-2", &["--role", "tracker"]).join("identity.pem");
    let hub = authority.config("require", &hub, &authority.certificates());
    for config in [String::new(), Authority::new().daemon("b", "prefer"), hub] {
        let stranger = Daemon::start_configured(&tracker, &config);
        let refused = stranger.ctl(&["get", "--timeout", "3s", "img"]);
        assert!([5, 8].contains(&refused.code), "{refused:?}");
        assert!(!stranger.file("img").exists());
    }

    // And whoever comes to the port of a machine without TLS.
    let before = a.rejected("plain");
    for _ in 0..5 {
        let mut stranger = TcpStream::connect(a.addr()).unwrap();
        stranger.set_read_timeout(Some(CAP)).unwrap();
        stranger.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0]).unwrap();
        let mut answer = Vec::new();
        let _ = stranger.read_to_end(&mut answer); // it may be reset
        assert!(answer.is_empty());
    }
    wait_until("each is counted", CAP, || a.rejected("plain") == before + 5);
    let log = a.log();
    assert_eq!(log.matches("further ones without TLS are counted").count(), 1, "{log}");
}

#[test]
fn a_live_fleet_is_turned_over_to_tls_and_no_transfer_fails() {
    let authority = Authority::new();
    let mut tracker = tracker(&authority, "off");
    let limited =
        |node: &str, mode: &str| format!("{}download_limit = \"3 MB/s\"\n", authority.daemon(node, mode));
    let mut a = Daemon::start_configured(&tracker, &limited("a", "off"));
    let mut b = Daemon::start_configured(&tracker, &limited("b", "off"));
    let bytes = content(9404, 60 * MIB);
    a.share_bytes("img", &bytes);
    let mut getting = b.ctl_in_background(&["get", "img"]);
    let has_more = |b: &Daemon, than: u64| {
        let more = |status: &Status| status.number("chunks_have") > than;
        b.wait_status("img", "going on", more).number("chunks_have")
    };
    let mut have = has_more(&b, 0);
    for mode in ["prefer", "require"] {
        tracker.configure(&authority.tracker(mode));
        reconfigure(&mut a, &limited("a", mode), mode);
        reconfigure(&mut b, &limited("b", mode), mode);
        have = has_more(&b, have);
    }
    assert!(have < 60, "it was turned over while the transfer went on");
    let unlimited = authority.daemon("b", "require");
    reconfigure(&mut b, &unlimited, "require");
    assert!(getting.wait(CAP).expect("it ends").success(), "{}", getting.log());
    b.check_file("img", &bytes);
    let c = machine(&authority, &tracker, "c");
    c.get("img", &bytes);
}

#[test]
fn a_revoked_machine_loses_its_running_transfer_and_nobody_else_does() {
    let authority = Authority::new();
    let tracker = tracker(&authority, "require");
    let a = machine(&authority, &tracker, "a");
    let slow = |node: &str| format!("{}download_limit = \"1 MB/s\"\n", authority.daemon(node, "require"));
    // Whoever stole b does not have it look at the list.
    let blind: Vec<String> =
        slow("b").lines().filter(|line| !line.starts_with("tls_crl")).map(str::to_owned).collect();
    let mut b = Daemon::start_configured(&tracker, &blind.join("\n"));
    let c = Daemon::start_configured(&tracker, &slow("c"));
    let bytes = content(9405, 40 * MIB);
    a.share_bytes("img", &bytes);
    let _getting = [&b, &c].map(|daemon| daemon.ctl_in_background(&["get", "img"]));
    let goes_on = |status: &Status| status.number("chunks_have") > 0;
    for daemon in [&b, &c] {
        daemon.wait_status("img", "going on", goes_on);
    }
    authority.revoke("b");
    a.wait_rejected("revoked");
    b.wait_log("our certificate was revoked");
    // Whoever was revoked is not let in again, also after a restart.
    b.restart();
    let refused = b.ctl(&["tracker", "list"]);
    assert!(refused.code != 0 && refused.stderr.contains("was revoked"), "{refused:?}");
    assert!(!b.file("img").exists());
    let d = machine(&authority, &tracker, "d");
    d.get("img", &bytes);
    let had = c.status("img").expect("it is here").number("chunks_have");
    c.wait_status("img", "going on", |status| status.number("chunks_have") > had);
}

/// A machine of the fleet answers at the address of another one, as one behind the same NAT address could.
#[test]
fn another_machine_at_the_address_of_a_node_is_not_taken_for_it() {
    let authority = Authority::new();
    let tracker = tracker(&authority, "require");
    let mut a = machine(&authority, &tracker, "a");
    let b = machine(&authority, &tracker, "b");
    let bytes = content(9406, 3 * MIB);
    a.share_bytes("img", &bytes);
    a.kill();
    let to_b = SlowLink::start_at(a.addr(), Duration::ZERO);
    to_b.lead_to(b.addr());
    let c = machine(&authority, &tracker, "c");
    let mut getting = c.ctl_in_background(&["get", "img"]);
    wait_until("it is refused again and again", CAP, || c.rejected("other_node") > 1);
    let log = c.log();
    assert!(log.contains("that of the node b, and a tracker names a there"), "{log}");
    assert_eq!(log.matches("further ones at the address of another node are counted").count(), 1, "{log}");
    assert_eq!(b.rejected("malformed") + b.rejected("no_hello"), 0);
    drop(to_b);
    a.restart();
    assert!(getting.wait(CAP).expect("it ends").success(), "{}", getting.log());
    c.check_file("img", &bytes);
}

/// Each of them begins a handshake and then says nothing; who is let go begins anew. With few places for strangers they
/// make room for each other; with many, 64 make their handshake and the others wait.
#[test]
fn a_thousand_strangers_in_the_handshake_cost_ttd_little_and_keep_no_peer_out() {
    const STRANGERS: usize = 1_000;
    const MORE_KIB_MAX: u64 = 32 << 10;
    let authority = Authority::new();
    let tracker = tracker(&authority, "require");
    let bytes = content(9407, 5 * MIB);
    for (places, counted) in [(64, "crowded"), (2_000, "slow_handshake")] {
        let config = format!("{}unknown_connections_max = {places}\n", authority.daemon(counted, "require"));
        let a = Daemon::start_configured(&tracker, &config);
        a.share_bytes(counted, &bytes);
        let before = a.memory_peak_kib();
        let strangers = Silent::hold_in_handshake(a.addr(), STRANGERS);
        wait_until("strangers make way", CAP, || a.rejected(counted) > 64);
        let begin = Instant::now();
        let b = machine(&authority, &tracker, "b");
        b.get(counted, &bytes);
        let more = a.memory_peak_kib().saturating_sub(before);
        eprintln!("{places} places: b had it after {:?}; {more} KiB more", begin.elapsed());
        assert!(more < MORE_KIB_MAX, "{more} KiB more");
        assert!(a.log().matches("further ones too slow are counted").count() <= 1);
        drop(strangers);
    }
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

/// Two machines were cloned from one image, with its key and certificate.
#[test]
fn doctor_warns_of_two_machines_with_one_node_name() {
    let authority = Authority::new();
    let tracker = tracker(&authority, "require");
    let config = authority.daemon("web-1", "require");
    let [a, b] = [(); 2].map(|()| Daemon::start_configured(&tracker, &config));
    a.share_bytes("img", &content(9409, 7));
    assert!(!a.ok(&["doctor"]).stdout.contains("clones"), "b is not connected");
    b.share_bytes("img-2", &content(9410, 7));
    for daemon in [&a, &b] {
        let doctor = daemon.ctl(&["doctor"]).stdout;
        assert!(doctor.contains("2 machines that are this node"), "{doctor}");
    }
    drop(b);
    wait_until("the copy is gone", CAP, || !a.ok(&["doctor"]).stdout.contains("clones"));
}

#[test]
fn a_configuration_that_requires_tls_without_a_certificate_is_refused_by_the_check_and_ttd_starts_with_it() {
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("x.toml");
    fs::write(&config, "tls = \"require\"\ntls_ca = \"/nowhere/ca.pem\"\n").unwrap();
    for (program, helps) in [("ttd", "ttctl join"), ("tt-tracker", "ttctl ca init")] {
        let mut check = sealed(&cluster::program(program), home.path());
        check.args(["--check-config", "--config"]).arg(&config);
        let checked = run_capped(check, CAP).unwrap();
        assert_eq!(checked.code, 2, "{program}: {checked:?}");
        for part in ["x.toml:1: tls = \"require\" is set without tls_identity,", helps] {
            assert!(checked.stderr.contains(part), "{part}: {}", checked.stderr);
        }
    }
    let tracker = Tracker::start();
    let daemon = Daemon::start_configured(&tracker, "tls = \"require\"\n");
    assert!(fault(&daemon).contains("tls_identity is not set"), "{}", fault(&daemon));
    let refused = daemon.ctl_code(8, &["get", "img"]);
    assert!(refused.stderr.contains("join the fleet with a token"), "{}", refused.stderr);
}

/// A lookup that waits is repeated each second.
#[test]
fn a_command_that_fails_because_of_a_certificate_says_what_helps_and_the_log_says_it_once() {
    let authority = Authority::new();
    let tracker = tracker(&authority, "require");
    let revoked = machine(&authority, &tracker, "lost");
    authority.revoke("lost");
    let anonymous = Daemon::start_configured(
        &tracker,
        &format!("tls = \"prefer\"\ntls_ca = \"{}\"\n", authority.certificates().display()),
    );
    revoked.wait_log("was revoked");
    for (daemon, helps) in
        [(&revoked, "join again with a new token"), (&anonymous, "join the fleet with a token")]
    {
        for args in [&["tracker", "list"][..], &["get", "img"]] {
            let refused = daemon.ctl_code(8, args);
            assert!(refused.stderr.contains(helps), "{args:?}: {}", refused.stderr);
        }
        let begin = Instant::now();
        let refused = daemon.ctl_code(5, &["get", "--timeout", "4s", "img"]);
        assert!(
            begin.elapsed() > Duration::from_secs(3) && refused.stderr.contains(helps),
            "{}",
            refused.stderr
        );
        let lines = daemon.log().lines().filter(|line| line.contains("not fetched")).count();
        assert!((2..=3).contains(&lines), "once for each command:\n{}", daemon.log());
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
