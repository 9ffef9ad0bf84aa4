//! Scenarios with machines that do not belong to a closed fleet, and have nothing but Debian's `openssl`. The fleet's own
//! certificates are made by it, too, as docs/security.md says.

use cluster::document::Section;
use cluster::files::{MIB, content, sha256};
use cluster::hostile::Asker;
use cluster::openssl::{self, Called, Credential, OpensslCa, Server, Wanted, call};
use cluster::ports::free_port;
use cluster::{Authority, CAP, Daemon, Tracker, wait_until};
use shared::id::{ListDigest, PeerId, SwarmKey};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

const SECURITY: &str = include_str!("../../../../docs/security.md");

const PEER: &str = "DNS:peer.tinytorrent.internal,DNS:web-9.node.tinytorrent.internal";
const TRACKER: &str = "DNS:tracker.tinytorrent.internal,DNS:hub-9.node.tinytorrent.internal";

/// Makes the identity of a node with the commands that the document has for the peer web-1.
fn documented(ca: &OpensslCa, role: &str, node: &str) -> PathBuf {
    let commands = Section::find(SECURITY, "3. Your own authority").unwrap().commands("sh").unwrap();
    let (made, commands) = commands.split_once("-out ca.pem\n").expect("it makes the authority first");
    assert!(made.starts_with("openssl req -x509 ") && made.ends_with(" -days 3650 "), "{made}");
    let role = format!("{role}.tinytorrent.internal");
    ca.sh(&commands.replace("web-1", node).replace("peer.tinytorrent.internal", &role));
    let identity = ca.dir().join(format!("{node}.pem"));
    fs::rename(ca.dir().join("identity.pem"), &identity).unwrap();
    ca.sh(&format!("chmod 600 {node}.pem"));
    identity
}

/// A fleet that is closed by certificates of stock openssl.
struct Fleet {
    ca: OpensslCa,
    tracker: Tracker,
}

impl Fleet {
    fn new() -> Option<Fleet> {
        let ca = OpensslCa::new()?;
        ca.list_revoked();
        let mut tracker = Tracker::start();
        tracker.configure(&ca.config_of(&documented(&ca, "tracker", "hub")));
        Some(Fleet { ca, tracker })
    }

    fn member(&self, node: &str) -> Daemon {
        Daemon::start_configured(&self.tracker, &self.ca.config_of(&documented(&self.ca, "peer", node)))
    }
}

#[test]
fn a_fleet_with_certificates_of_stock_openssl_moves_files_and_shuts_out_whom_it_revokes() {
    let Some(fleet) = Fleet::new() else { return };
    let (a, b) = (fleet.member("web-1"), fleet.member("web-2"));
    let bytes = content(9700, 5 * MIB + 1);
    a.share_bytes("app", &bytes);
    b.get("app", &bytes);
    let identity = b.ok(&["identity"]).stdout;
    assert!(identity.contains("web-2") && identity.contains("by whoever writes the file"), "{identity}");

    // One that has its certificate from an authority below.
    let below = fleet.ca.issue(Wanted { is_ca: true, ..Wanted::new("below", "") });
    let shown = fleet.ca.issue_below(&below, Wanted::new("web-9", PEER));
    let c = Daemon::start_configured(&fleet.tracker, &fleet.ca.config(&shown));
    c.get("app", &bytes);

    let lost = fleet.ca.issue(Wanted::new("web-8", &PEER.replace("web-9", "web-8")));
    let d = Daemon::start_configured(&fleet.tracker, &fleet.ca.config(&lost));
    d.get("app", &bytes);
    fleet.ca.revoke("web-8");
    d.wait_log("was revoked");
    let hello = Asker::hello_frame(7, 9);
    wait_until("machines shut it out", CAP, || call(a.addr(), Some(&lost), &[], &hello).said.is_empty());
    a.wait_rejected("revoked");
    let refused = d.ctl(&["tracker", "list"]);
    assert!(refused.code != 0 && refused.stderr.contains("revoked"), "{refused:?}");
}

/// A stranger: what it has, how it uses it, and how it is called in counts and in the log of a tracker and of ttd.
struct Stranger {
    shown: Option<Credential>,
    more: &'static [&'static str],
    count: &'static str,
    why: &'static str,
}

fn strangers(ca: &OpensslCa, other: &OpensslCa) -> Vec<Stranger> {
    let stranger = |shown, count, why| Stranger { shown, more: &["-tls1_3"], count, why };
    let past = &["-startdate", "200101000000Z", "-enddate", "200201000000Z"];
    let future = &["-startdate", "400101000000Z", "-enddate", "400201000000Z"];
    let expired = ca.issue(Wanted { life: past, ..Wanted::new("expired", PEER) });
    let early = ca.issue(Wanted { life: future, ..Wanted::new("early", PEER) });
    let foreign = other.issue(Wanted::new("foreign", PEER));
    let self_made = ca.self_made(Wanted::new("self", PEER));
    let tracker = ca.issue(Wanted::new("hub-9", TRACKER));
    let small = ca.issue(Wanted { key: &["rsa:1024"], ..Wanted::new("small", PEER) });
    let nameless = ca.issue(Wanted::new("nameless", "DNS:web-9"));
    let revoked = ca.issue(Wanted::new("revoked", PEER));
    ca.revoke("revoked");
    let mut above = ca.issue(Wanted { is_ca: true, ..Wanted::new("above-0", "") });
    for depth in 1..9 {
        above = ca.issue_below(&above, Wanted { is_ca: true, ..Wanted::new(&format!("above-{depth}"), "") });
    }
    let long = ca.issue_below(&above, Wanted::new("long", PEER));
    vec![
        stranger(None, "no_certificate", "it shows no certificate"),
        stranger(Some(expired), "expired", "its certificate expired at 2020-02-01 00:00:00 UTC"),
        stranger(Some(early), "expired", "its certificate is valid from 2040-01-01 00:00:00 UTC on"),
        stranger(Some(foreign), "foreign", "its certificate is of an authority that is not in tls_ca here"),
        stranger(Some(self_made), "foreign", "its certificate is of an authority that is not in tls_ca here"),
        stranger(Some(tracker), "role", "its certificate is not one of a peer"),
        stranger(Some(revoked), "revoked", "its certificate was revoked"),
        // What a key of 1,024 bits signs counts for nothing, as what no known authority signed.
        stranger(Some(small), "foreign", "its certificate is of an authority that is not in tls_ca here"),
        stranger(Some(nameless), "certificate", "its certificate cannot be used: "),
        stranger(Some(long), "certificate", "its certificate cannot be used: "),
    ]
}

#[test]
fn strangers_with_stock_openssl_are_refused_counted_and_named_once_by_tracker_and_peers() {
    let (Some(fleet), Some(other)) = (Fleet::new(), OpensslCa::new()) else { return };
    let a = fleet.member("web-1");
    let bytes = content(9701, MIB);
    a.share_bytes("app", &bytes);
    let resource = sha256(&bytes).parse().unwrap();
    let key = SwarmKey { resource, digest: ListDigest([1; 32]) };
    let to_tracker = |port| Asker::announcing_frames(PeerId([7; 16]), port, key);
    let to_peer = Asker::hello_frame(7, 9);

    // What they send is answered if a member sends it.
    let member = fleet.ca.issue(Wanted::new("web-9", PEER));
    for (addr, hello) in [(fleet.tracker.addr(), &to_tracker(9)), (a.addr(), &to_peer)] {
        let Called { said, about } = call(addr, Some(&member), &["-tls1_3"], hello);
        assert!(!said.is_empty(), "{about}");
    }
    let strangers = strangers(&fleet.ca, &other);
    wait_until("the list of revoked certificates is read", CAP, || {
        let revoked = strangers.iter().find(|stranger| stranger.count == "revoked").unwrap();
        call(a.addr(), revoked.shown.as_ref(), revoked.more, &to_peer).said.is_empty()
            && call(fleet.tracker.addr(), revoked.shown.as_ref(), revoked.more, &to_tracker(9))
                .said
                .is_empty()
    });
    for (number, stranger) in strangers.iter().enumerate() {
        let Stranger { shown, more, count, why } = stranger;
        let before = a.rejected(count);
        let refusals = || fleet.tracker.log().matches(&format!("a caller is refused: {why}")).count();
        let before_at_tracker = refusals();
        for _ in 0..2 {
            let at_tracker =
                call(fleet.tracker.addr(), shown.as_ref(), more, &to_tracker(1000 + number as u16));
            let at_peer = call(a.addr(), shown.as_ref(), more, &to_peer);
            for Called { said, about } in [at_tracker, at_peer] {
                assert!(said.is_empty(), "{count} was told {said:?}\n{about}");
            }
        }
        wait_until(&format!("the peer counts {count}: {why}\n{}", a.log()), CAP, || {
            a.rejected(count) == before + 2
        });
        wait_until(&format!("the tracker counts: {why}\n{}", fleet.tracker.log()), CAP, || {
            refusals() == before_at_tracker + 2
        });
    }
    for (who, log) in [("tracker", fleet.tracker.log()), ("peer", a.log())] {
        let warned: Vec<&str> =
            log.lines().filter(|line| line.contains("WARN") && line.contains("refused")).collect();
        // Six causes: none, expired (or early), foreign, another role, revoked, and faulty.
        assert_eq!(warned.len(), 6, "{who}: {warned:#?}");
    }
    let listed = a.ok(&["tracker", "peers", "app"]).stdout;
    for port in 1000..1000 + strangers.len() {
        assert!(!listed.contains(&format!(":{port}")), "{listed}");
    }
    // Members go on.
    fleet.member("web-2").get("app", &bytes);
}

/// A tracker that admits machines lets strangers in to ask for that. They get nothing else.
#[test]
fn strangers_at_a_tracker_that_admits_machines_are_counted_and_named_once_if_they_ask_for_more() {
    if openssl::is_missing() {
        return;
    }
    let (authority, mut tracker) = (Authority::new(), Tracker::start());
    tracker.configure(&format!("{}ca = \"{}\"\n", authority.tracker("require"), authority.dir().display()));
    let made = authority.ok(&["token", "--json"]).stdout;
    let made: serde_json::Value = serde_json::from_str(&made).unwrap();
    let token = made["token"].as_str().unwrap();
    let a = Daemon::start_on(Ipv4Addr::LOCALHOST.into(), &[]);
    a.ok(&["join", token, "--tracker", &tracker.url(), "--node", "web-1"]);
    let bytes = content(9702, MIB);
    a.share_bytes("app", &bytes);
    let refusals = |log: &str, why: &str| log.matches(&format!("a caller is refused: {why}")).count();
    let whys = ["it shows no certificate", "it speaks no TLS"];
    assert!(whys.iter().all(|why| refusals(&tracker.log(), why) == 0), "who joins is no stranger");

    let key = SwarmKey { resource: sha256(&bytes).parse().unwrap(), digest: ListDigest([1; 32]) };
    let asks = Asker::announcing_frames(PeerId([7; 16]), 1000, key);
    for count in 1..=2 {
        // It is told why, and no more.
        let Called { said, about } = call(tracker.addr(), None, &[], &asks);
        assert!((1..50).contains(&said.len()), "{said:?}\n{about}");
        let mut plain = Asker::dial(tracker.addr());
        plain.write(&asks).unwrap();
        assert!(plain.answer().unwrap().len() < 50 && plain.read_to_end());
        for why in whys {
            wait_until(why, CAP, || refusals(&tracker.log(), why) == count);
        }
    }
    let log = tracker.log();
    let warned = log.lines().filter(|line| line.contains("WARN") && line.contains("a caller is refused"));
    assert_eq!(warned.count(), 2, "{log}");
    let listed = a.ok(&["tracker", "peers", "app"]).stdout;
    assert!(listed.contains("web-1") && !listed.contains(":1000"), "{listed}");
}

#[test]
fn a_false_tracker_of_stock_openssl_is_told_nothing() {
    let (Some(fleet), Some(other)) = (Fleet::new(), OpensslCa::new()) else { return };
    let past = &["-startdate", "200101000000Z", "-enddate", "200201000000Z"];
    let revoked = fleet.ca.issue(Wanted::new("hub-8", TRACKER));
    fleet.ca.revoke("hub-8");
    let false_ones = [
        (fleet.ca.issue(Wanted::new("web-9", PEER)), "its certificate is not one of a tracker"),
        (fleet.ca.issue(Wanted { life: past, ..Wanted::new("old", TRACKER) }), "its certificate expired at"),
        (other.issue(Wanted::new("foreign", TRACKER)), "of an authority that is not in tls_ca here"),
        (fleet.ca.self_made(Wanted::new("self", TRACKER)), "of an authority that is not in tls_ca here"),
        (
            fleet.ca.issue(Wanted { key: &["rsa:1024"], ..Wanted::new("small", TRACKER) }),
            "of an authority that is not in tls_ca here",
        ),
        (revoked, "its certificate was revoked"),
    ];
    for (shown, why) in &false_ones {
        let port = free_port(Ipv4Addr::LOCALHOST.into()).unwrap();
        let server = Server::start(&fleet.ca, SocketAddr::from((Ipv4Addr::LOCALHOST, port)), shown);
        let config = fleet.ca.config_of(&documented(&fleet.ca, "peer", "web-1"));
        let daemon = Daemon::start_configured(&fleet.tracker, &config);
        let url = server.url();
        let asked = daemon.ctl_code(8, &["tracker", "list", "--tracker", &url]);
        assert!(asked.stderr.contains(why), "{why}: {}", asked.stderr);
        let got = daemon.ctl_code(5, &["get", "--timeout", "1s", &format!("{url}/app")]);
        assert!(got.stderr.contains(why), "{why}: {}", got.stderr);
        // Its name, its port and its files are told to nobody who is no tracker. s_server shows what it is told.
        let heard = server.log();
        assert!(heard.contains("ACCEPT") && !heard.contains("\0") && !heard.contains("web-1"), "{heard}");
        assert!(!heard.contains("CIPHER is"), "the handshake was finished: {heard}");
    }
}
