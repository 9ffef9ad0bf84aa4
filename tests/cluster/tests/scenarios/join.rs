//! Scenarios of machines that become members of a closed fleet.

use cluster::clock::own_clock;
use cluster::files::{MIB, content};
use cluster::{Authority, CAP, Daemon, Tracker, wait_for, wait_until};
use serde_json::Value;
use std::fs;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

const TOKEN: &str = "tt1.edmqgx35cnq20rksehjq683fcr.csmqcs9n.c4g76sb3e9jq8839egg6jws0447v";

/// A revoked machine is out within this.
const OUT_WITHIN: Duration = Duration::from_secs(60);

/// A fleet that is closed: a tracker that requires TLS, and its authority.
struct Fleet {
    authority: Authority,
    tracker: Tracker,
}

impl Fleet {
    fn new(more: &str) -> Fleet {
        let mut fleet = Fleet { authority: Authority::new(), tracker: Tracker::start() };
        fleet.configure(more);
        fleet
    }

    /// Gives its tracker these further keys.
    fn configure(&mut self, more: &str) {
        let ca = self.authority.dir();
        let config = format!("{}ca = \"{}\"\n{more}", self.authority.tracker("require"), ca.display());
        self.tracker.configure(&config);
    }

    fn token(&self, args: &[&str]) -> String {
        let url = self.tracker.url();
        let made = self.authority.ok(&[&["token", "--json", "--tracker", &url], args].concat()).stdout;
        let made: Value = serde_json::from_str(&made).unwrap();
        made["token"].as_str().unwrap().to_owned()
    }

    /// A machine that knows no tracker yet.
    fn machine() -> Daemon {
        Daemon::start_on(Ipv4Addr::LOCALHOST.into(), &[])
    }

    #[track_caller]
    fn joined(&self, token: &str, node: &str) -> Daemon {
        let machine = Fleet::machine();
        machine.ok(&["join", token, "--tracker", &self.tracker.url(), "--node", node]);
        machine
    }
}

fn identity(daemon: &Daemon) -> Value {
    serde_json::from_str(&daemon.ctl(&["identity", "--json"]).stdout).unwrap()
}

/// The part of a token that nobody may see.
fn secret(token: &str) -> &str {
    token.rsplit('.').next().unwrap()
}

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
        assert!(!text.contains(secret(TOKEN)) && !text.contains(TOKEN), "{text}");
    }
    let identity = a.folder().join(".tinytorrent/identity");
    let files: Vec<_> = fs::read_dir(identity).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, ["joining.key"], "the key that it will have when it joins");
}

#[test]
fn machines_join_with_a_token_and_exchange_files_where_tls_is_required() {
    let fleet = Fleet::new("");
    let token = fleet.token(&["--uses", "2", "--group", "web"]);
    let (a, b) = (fleet.joined(&token, "web-1"), fleet.joined(&token, "web-2"));
    let said = identity(&a);
    assert_eq!(
        (&said["node"], &said["groups"][0], &said["tls"]),
        (&"web-1".into(), &"web".into(), &"require".into())
    );
    assert_eq!(said["fault"], Value::Null, "{said}");

    // They use the tracker of the join, and nobody else is served.
    let bytes = content(9500, 5 * MIB);
    a.share_bytes("app", &bytes);
    b.get("app", &bytes);
    let stranger = Daemon::start(&fleet.tracker, &[]);
    stranger.ctl_code(5, &["get", "app", "--timeout", "5s"]);
    assert!(!stranger.file("app").exists());

    // Joining again keeps the key; another name needs --replace, and another machine another use.
    a.ok(&["join", &token, "--tracker", &fleet.tracker.url()]);
    let renamed = a.ctl_code(4, &["join", &token, "--tracker", &fleet.tracker.url(), "--node", "other"]);
    assert!(renamed.stderr.contains("has joined as web-1, not as other"), "{}", renamed.stderr);
    let c = Fleet::machine();
    let url = fleet.tracker.url();
    let used = c.ctl_code(4, &["join", &token, "--tracker", &url, "--node", "web-3"]);
    assert!(used.stderr.contains("the token is used up: it admitted 2 machines"), "{}", used.stderr);
    let again = fleet.token(&[]);
    let taken = c.ctl_code(4, &["join", &again, "--tracker", &url, "--node", "web-1"]);
    assert!(taken.stderr.contains("web-1 belongs to another key"), "{}", taken.stderr);
    let other = Fleet::new("");
    let foreign = c.ctl_code(4, &["join", &other.token(&[]), "--tracker", &url]);
    assert!(foreign.stderr.contains("somebody else answers"), "{}", foreign.stderr);

    // A restart needs nothing: the files and the tracker are those of the join.
    let mut b = b;
    b.restart();
    assert_eq!(identity(&b)["node"], "web-2");
    let more = content(9501, MIB);
    a.share_bytes("more", &more);
    b.get("more", &more);
    for (said, who) in
        [(a.log(), "web-1"), (b.log(), "web-2"), (c.log(), "web-3"), (fleet.tracker.log(), "tracker")]
    {
        assert!(!said.contains(secret(&token)) && !said.contains("PRIVATE KEY"), "{who}: {said}");
    }
}

#[test]
fn an_expired_token_and_a_wrong_clock_are_named() {
    let Some(clock) = own_clock() else { return };
    let fleet = Fleet::new("");
    let (short, long) = (fleet.token(&["--life", "2h"]), fleet.token(&["--life", "4h"]));
    clock.set(3);
    let (a, url) = (Fleet::machine(), fleet.tracker.url());
    let expired = a.ctl_code(4, &["join", &short, "--tracker", &url, "--node", "web-1"]);
    assert!(expired.stderr.contains("the token expired at 20"), "{}", expired.stderr);
    assert!(expired.stderr.contains("ttctl ca token"), "{}", expired.stderr);
    let late = Daemon::start_by(&fleet.tracker, &["env", &clock.another(0)]);
    let wrong = late.ctl_code(4, &["join", &long, "--tracker", &url, "--node", "web-1"]);
    assert!(wrong.stderr.contains("the clock: this machine's says 20"), "{}", wrong.stderr);
    assert!(wrong.stderr.contains("set the clock that is wrong"), "{}", wrong.stderr);
    a.ok(&["join", &long, "--tracker", &url, "--node", "web-1"]);
}

#[test]
fn a_revoked_machine_is_out_within_a_minute_and_stays_out() {
    let fleet = Fleet::new("");
    let token = fleet.token(&["--uses", "3"]);
    let (mut a, mut b) = (fleet.joined(&token, "web-1"), fleet.joined(&token, "web-2"));
    let c = fleet.joined(&token, "web-3");
    a.ok(&["limit", "--upload", "1 MB/s"]);
    let bytes = content(9510, 200 * MIB);
    a.share_bytes("app", &bytes);
    b.ok(&["get", "app", "--detach"]);
    wait_until("the transfer runs", CAP, || {
        b.status("app").is_some_and(|status| status.number("chunks_have") > 0)
    });

    let begin = Instant::now();
    fleet.authority.revoke("web-2");
    let is_out = |machine: &Daemon| {
        let fault = identity(machine)["fault"].as_str().unwrap_or_default().to_owned();
        fault.contains("revoked")
    };
    wait_until("it knows that it is out", OUT_WITHIN, || is_out(&b));
    let has_list = |machine: &Daemon| identity(machine)["revoked_list"].as_u64().is_some();
    wait_until("the others know it", OUT_WITHIN.saturating_sub(begin.elapsed()), || {
        has_list(&a) && has_list(&c)
    });
    wait_until("the transfer is cut", OUT_WITHIN.saturating_sub(begin.elapsed()), || {
        a.ok(&["peers", "--json", "--uploads"]).stdout.contains("\"peers\":[]")
    });
    eprintln!("out after {:.1} s", begin.elapsed().as_secs_f64());

    for machine in [&mut a, &mut b] {
        machine.restart();
    }
    let before = b.status("app").map(|status| status.number("chunks_have"));
    // The others go on meanwhile.
    a.ok(&["limit", "--upload", "none"]);
    c.get("app", &bytes);
    assert!(has_list(&a), "the list survives a restart");
    assert_eq!(
        b.status("app").map(|status| status.number("chunks_have")),
        before,
        "it gets nothing any more"
    );
    b.ctl_code(4, &["identity"]);
    let refused = b.ctl_code(4, &["join", &token, "--tracker", &fleet.tracker.url()]);
    assert!(refused.stderr.contains("the token was revoked"), "{}", refused.stderr);
}

#[test]
fn a_machine_that_was_off_past_its_certificates_end_renews_by_itself_until_the_grace_ends() {
    const LIFE: Duration = Duration::from_secs(6);
    let mut fleet = Fleet::new("certificate_life = \"6 s\"\n");
    let token = |fleet: &Fleet| fleet.token(&["--node", "web-1"]);
    let mut a = fleet.joined(&token(&fleet), "web-1");
    let off_for_long = |a: &mut Daemon| {
        a.kill();
        let since = Instant::now();
        wait_until("its certificate has expired", CAP, || since.elapsed() > LIFE + Duration::from_secs(2));
    };
    off_for_long(&mut a);
    let renewals = |a: &Daemon| a.log().matches("the certificate was renewed").count();
    let before = renewals(&a);
    a.restart();
    wait_until("it has renewed its certificate", CAP, || renewals(&a) > before);
    wait_until("it is a member", CAP, || a.ctl(&["tracker", "list"]).code == 0);

    off_for_long(&mut a);
    fleet.configure("certificate_life = \"6 s\"\nrenew_grace = \"1 s\"\n");
    a.restart();
    let told = wait_for("why it is not renewed", CAP, || {
        let said = a.ctl_code(4, &["identity"]).stderr;
        said.contains("renews one for 1 s after its end").then_some(said)
    });
    assert!(told.contains("ttctl ca token"), "{told}");
    a.ok(&["status"]);
    fleet.configure("");
    a.ok(&["join", &token(&fleet), "--tracker", &fleet.tracker.url()]);
    a.ok(&["identity"]);
    a.ok(&["tracker", "list"]);
}

/// A transfer that lasts through some renewals. Returns their number.
fn renewals_while_a_transfer_runs(lasts: Duration) -> usize {
    let fleet = Fleet::new("certificate_life = \"30 s\"\n");
    let token = fleet.token(&["--uses", "2"]);
    let (a, b) = (fleet.joined(&token, "web-1"), fleet.joined(&token, "web-2"));
    a.ok(&["limit", "--upload", "1 MB/s"]);
    let bytes = content(9520, usize::try_from(lasts.as_secs()).unwrap() * 1_000_000);
    a.share_bytes("app", &bytes);
    let begin = Instant::now();
    let mut getting = b.ctl_in_background(&["get", "app"]);
    let ended = getting.wait(lasts * 2).unwrap_or_else(|| panic!("it lasts too long: {}", getting.log()));
    assert!(ended.success(), "{}", getting.log());
    b.check_file("app", &bytes);
    assert!(begin.elapsed() > lasts * 9 / 10, "it lasted {:?}", begin.elapsed());
    assert_eq!(identity(&a)["fault"], Value::Null);
    let renewals = |daemon: &Daemon| daemon.log().matches("the certificate was renewed").count();
    renewals(&a).min(renewals(&b))
}

#[test]
fn a_transfer_runs_through_renewals() {
    assert!(renewals_while_a_transfer_runs(Duration::from_secs(50)) >= 2);
}

/// `cargo test -p cluster ten_renewals -- --ignored`
#[test]
#[ignore = "it lasts five minutes"]
fn a_transfer_of_five_minutes_runs_through_ten_renewals() {
    assert!(renewals_while_a_transfer_runs(Duration::from_secs(300)) >= 10);
}
