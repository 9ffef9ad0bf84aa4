//! A live fleet is closed, and then gets another authority, while a transfer runs.

use cluster::files::{MIB, content};
use cluster::{Authority, CAP, Daemon, Tracker, wait_until};
use serde_json::Value;
use std::fs;
use std::time::Duration;

/// A machine hears of a new authority within half a minute, and gets another certificate at once.
const HEARD_WITHIN: Duration = Duration::from_secs(120);

fn identity(daemon: &Daemon) -> Value {
    serde_json::from_str(&daemon.ctl(&["identity", "--json"]).stdout).unwrap()
}

fn rotation(authority: &Authority) -> Value {
    serde_json::from_str(&authority.ok(&["rotate", "--json"]).stdout).unwrap()
}

/// The pins of the authorities that a machine trusts.
fn trusts(daemon: &Daemon) -> Vec<String> {
    let pins = identity(daemon)["authorities"].as_array().unwrap().clone();
    pins.iter().map(|pin| pin.as_str().unwrap().to_owned()).collect()
}

fn behind(authority: &Authority) -> Vec<String> {
    let told = rotation(authority);
    let names = told["behind"].as_array().unwrap().iter();
    names.map(|one| one["node"].as_str().unwrap().to_owned()).collect()
}

fn join(machine: &Daemon, authority: &Authority, tracker: &Tracker, node: &str, args: &[&str]) {
    let url = tracker.url();
    let made = authority.ok(&[&["token", "--json", "--tracker", &url], args].concat()).stdout;
    let made: Value = serde_json::from_str(&made).unwrap();
    machine.ok(&["join", made["token"].as_str().unwrap(), "--tracker", &url, "--node", node]);
}

/// Slows transfers down, so that one lasts as long as the test.
const SLOW: &str = "download_limit = \"1 MB/s\"\nupload_limit = \"1 MB/s\"\n";

/// Sets the mode of a machine that has joined.
fn set_mode(machine: &mut Daemon, mode: &str) {
    machine.configure(&format!("{SLOW}tls = \"{mode}\"\n"));
    machine.reload();
    wait_until(&format!("its mode is {mode}"), CAP, || identity(machine)["tls"] == mode);
}

/// Waits until a transfer has come further.
fn goes_on(machine: &Daemon) {
    let had = machine.status("app").map_or(0, |status| status.number("chunks_have"));
    machine.wait_status("app", "going on", |status| status.number("chunks_have") > had);
}

/// A machine whose files came by hand, and which does not follow by itself.
fn ghost(authority: &Authority, tracker: &Tracker) -> Daemon {
    let config = authority.daemon("ghost", "require").replace("ca/ca.pem", "old.pem");
    fs::copy(authority.certificates(), authority.dir().with_file_name("old.pem")).unwrap();
    let ghost = Daemon::start_configured(tracker, &config);
    ghost.ok(&["tracker", "list"]);
    ghost
}

#[test]
fn a_live_fleet_is_closed_and_gets_another_authority_and_no_transfer_fails() {
    let (authority, mut tracker) = (Authority::new(), Tracker::start());
    let config = |mode: &str| format!("{}ca = \"{}\"\n", authority.tracker(mode), authority.dir().display());
    tracker.configure(&config("off"));
    let [mut a, mut b] = [(); 2].map(|()| Daemon::start_configured(&tracker, SLOW));
    let bytes = content(9530, 250 * MIB);
    a.share_bytes("app", &bytes);
    let mut getting = b.ctl_in_background(&["get", "app"]);
    goes_on(&b);

    // Off, prefer, require.
    tracker.configure(&config("prefer"));
    for (machine, node) in [(&a, "web-1"), (&b, "web-2")] {
        join(machine, &authority, &tracker, node, &["--turn-over"]);
        goes_on(&b);
    }
    for machine in [&mut a, &mut b] {
        set_mode(machine, "require");
    }
    tracker.configure(&config("require"));
    goes_on(&b);
    let old = trusts(&a);

    let ghost = ghost(&authority, &tracker);
    assert_eq!(rotation(&authority)["step"], "announced");
    let both = |machine: &Daemon| trusts(machine).len() == 2;
    wait_until("the machines trust both", HEARD_WITHIN, || both(&a) && both(&b));
    assert_eq!(behind(&authority), ["ghost"], "the others have heard of it");
    // A token from before counts, and one from now does, whichever authority issues.
    let c = Daemon::start_on(std::net::Ipv4Addr::LOCALHOST.into(), &[]);
    join(&c, &authority, &tracker, "web-3", &[]);
    assert!(c.ctl(&["tracker", "list"]).stdout.contains("app"));
    authority.ok(&["rotate", "--anyway"]);
    assert_eq!(rotation(&authority)["step"], "issuing");
    ghost.ok(&["tracker", "list"]);
    wait_until("the machines have certificates of the new one", HEARD_WITHIN, || {
        behind(&authority) == ["ghost"]
    });
    goes_on(&b);
    let early = authority.run(&["rotate", "--finish"]);
    assert!(early.code == 4 && early.stderr.contains("not followed yet: ghost"), "{early:?}");
    authority.ok(&["rotate", "--finish", "--anyway"]);
    let has_new = |machine: &Daemon| trusts(machine).len() == 1 && trusts(machine) != old;
    wait_until("the machines trust the new one alone", HEARD_WITHIN, || {
        [&a, &b, &c].into_iter().all(has_new)
    });
    goes_on(&b);
    for machine in [&a, &b, &c] {
        assert_eq!(identity(machine)["fault"], Value::Null, "{}", identity(machine));
    }
    let refused = ghost.ctl(&["tracker", "list"]);
    assert!(refused.code != 0, "{refused:?}");

    assert!(getting.ended().is_none(), "the transfer went on all the time");
    for machine in [&mut a, &mut b] {
        machine.configure("tls = \"require\"\n");
        machine.reload();
    }
    assert!(getting.wait(CAP).expect("it ends").success(), "{}", getting.log());
    b.check_file("app", &bytes);
    c.get("app", &bytes);
    b.restart();
    assert_eq!(identity(&b)["node"], "web-2");
}
