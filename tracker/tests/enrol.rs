//! Certificates from a tracker with a real authority, asked for over TCP and TLS.

use ca::revoke::Whom;
use ca::tokens::{Admission, Mode};
use ca::{Authority, Init};
use rcgen::{CertificateParams, KeyPair};
use shared::host::clock::time_of_day;
use shared::host::config::TrackerConfig;
use shared::identity::{Node, Role};
use shared::rpc::PROTOCOL_VERSION;
use shared::rpc::tls::{self, Authorities, Dialing, Identity, Revoked, Setup};
use shared::rpc::tracker::*;
use shared::rpc::wire::{self, ClientOptions, Sideband};
use shared::tls_mode::TlsMode;
use shared::token::{Secret, TokenId};
use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tracker::server::{Handle, Server};

const SOON: Duration = Duration::from_secs(20);
const SECRET: Secret = Secret([2; 16]);
const YEAR: u64 = 365 * 24 * 3600;

fn now() -> u64 {
    time_of_day().as_secs()
}

/// Starts a tracker on a free port. It ends with the test's runtime.
fn start(config: &TrackerConfig) -> (SocketAddr, Handle) {
    let server = Server::bind(config).unwrap();
    let (addr, handle) = (server.local_addr(), server.handle());
    tokio::spawn(server.run());
    (addr, handle)
}

fn plain() -> TrackerConfig {
    TrackerConfig { listen: "127.0.0.1:0".parse().unwrap(), ..Default::default() }
}

/// A caller that only asks.
async fn asker(link: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> TrackerCaller {
    let (caller, link): (TrackerCaller, _) = wire::client(link, ClientOptions::default());
    tokio::spawn(link);
    let hello = TrackerHello { version: PROTOCOL_VERSION, capabilities: 0, peer: None };
    caller.hello(hello, SOON).await.unwrap().unwrap();
    caller
}

async fn plain_asker(addr: SocketAddr) -> TrackerCaller {
    asker(TcpStream::connect(addr).await.unwrap()).await
}

/// An authority in a directory of its own, and the configuration of its tracker.
struct Fleet {
    dir: TempDir,
    authority: Authority,
    config: TrackerConfig,
}

impl Fleet {
    fn new() -> Fleet {
        let dir = tempfile::tempdir().unwrap();
        let init = Init { name: "fleet".to_owned(), life_s: YEAR };
        let authority = Authority::init(dir.path(), now(), &init).unwrap();
        let node = Node { name: "hub".parse().unwrap(), roles: [Role::Tracker].into(), groups: [].into() };
        authority.set_tracker_identity(now(), &node, YEAR).unwrap();
        let config = TrackerConfig {
            tls: TlsMode::Require,
            tls_identity: Some(authority.tracker_identity()),
            tls_ca: Some(authority.certificates_file()),
            ca: Some(dir.path().to_owned()),
            ..plain()
        };
        Fleet { dir, authority, config }
    }

    /// Makes a token for these names; its number is its id.
    fn token(&self, number: u8, nodes: &str, uses_max: u32) {
        self.token_until(number, nodes, uses_max, now() + 600);
    }

    fn token_until(&self, number: u8, nodes: &str, uses_max: u32, until: u64) {
        let token = Admission {
            id: TokenId([number; 5]),
            secret: SECRET.digest(),
            mode: Mode::Prefer,
            groups: ["web".parse().unwrap()].into(),
            nodes: nodes.parse().unwrap(),
            uses_max,
            until,
            is_revoked: false,
            uses: Vec::new(),
        };
        self.authority.add_token(now(), token).unwrap();
    }

    /// Dials as a machine that knows the authority and shows what it has.
    async fn dial(&self, addr: SocketAddr, identity: Option<&Identity>) -> TrackerCaller {
        let authorities = Authorities::read(self.authority.certificates_text().as_bytes()).unwrap();
        let setup = Setup::new(identity, &authorities, &Revoked::default(), now()).unwrap();
        let how = Dialing { mode: TlsMode::Require, setup: Some(Arc::new(setup)), fault: None };
        let connect = || async { Ok((TcpStream::connect(addr).await?, Sideband::new())) };
        asker(tls::dial(&how, Role::Tracker, connect).await.unwrap()).await
    }
}

/// A machine's key, and what it asks with it.
struct Machine(KeyPair);

impl Machine {
    fn new() -> Machine {
        Machine(KeyPair::generate().unwrap())
    }

    fn request(&self, names: &[&str]) -> Der {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let request = CertificateParams::new(names).unwrap().serialize_request(&self.0).unwrap();
        request.der().to_vec().try_into().unwrap()
    }

    fn join(&self, token: u8, node: &str) -> JoinAsk {
        let (token, request) = (TokenId([token; 5]), self.request(&[]));
        JoinAsk { token, secret: SECRET, node: node.parse().unwrap(), request }
    }

    fn renew(&self, enrolled: &Enrolled) -> RenewAsk {
        RenewAsk { certificate: enrolled.chain[0].clone(), request: self.request(&[]) }
    }

    fn identity(&self, enrolled: &Enrolled) -> Identity {
        let certificate = pem::encode(&pem::Pem::new("CERTIFICATE", enrolled.chain[0].as_slice()));
        Identity::read(format!("{}{certificate}", self.0.serialize_pem()).as_bytes()).unwrap()
    }
}

async fn join(caller: &TrackerCaller, ask: JoinAsk) -> Result<Enrolled, NotEnrolled> {
    caller.join(ask, SOON).await.unwrap()
}

async fn renew(caller: &TrackerCaller, ask: RenewAsk) -> Result<Enrolled, NotEnrolled> {
    caller.renew(ask, SOON).await.unwrap()
}

fn pattern(text: &str) -> NotEnrolled {
    NotEnrolled::OtherName { pattern: Pattern::cut(text) }
}

#[tokio::test]
async fn a_tracker_without_an_authority_says_so() {
    let caller = plain_asker(start(&plain()).0).await;
    let none = NotEnrolled::NoAuthority;
    assert_eq!(caller.authority(SOON).await.unwrap(), Err(none.clone()));
    let machine = Machine::new();
    assert_eq!(join(&caller, machine.join(1, "web-1")).await, Err(none.clone()));
    let ask = RenewAsk { certificate: machine.request(&[]), request: machine.request(&[]) };
    assert_eq!(renew(&caller, ask).await, Err(none));
    let page = caller.revoked(RevokedAsk { seen: 0, offset: 0 }, SOON).await.unwrap().unwrap();
    assert_eq!((page.number, page.bytes_total, page.part.bytes.len()), (0, 0, 0));
}

#[tokio::test]
async fn a_stranger_without_tls_gets_the_authority_and_nothing_else() {
    let fleet = Fleet::new();
    let caller = plain_asker(start(&fleet.config).0).await;
    let reply = caller.authority(SOON).await.unwrap().unwrap();
    assert_eq!(reply.certificates[0].as_slice(), fleet.authority.certificates()[0].as_ref());
    assert!((reply.now_ms / 1000).abs_diff(now()) < 60);
    fleet.token(1, "*", 1);
    let machine = Machine::new();
    assert_eq!(join(&caller, machine.join(1, "web-1")).await, Err(NotEnrolled::NotEncrypted));
    let revoked = caller.revoked(RevokedAsk { seen: 0, offset: 0 }, SOON).await.unwrap();
    assert_eq!(revoked, Err(TrackerError::NoCertificate));
    assert_eq!(caller.list(None, SOON).await.unwrap(), Err(TrackerError::NoCertificate));
}

#[tokio::test]
async fn who_was_served_without_a_certificate_does_not_stay_where_one_is_required() {
    let mut fleet = Fleet::new();
    fleet.config.tls = TlsMode::Prefer;
    let (addr, handle) = start(&fleet.config);
    let callers = [plain_asker(addr).await, fleet.dial(addr, None).await];
    for caller in &callers {
        assert_eq!(caller.list(None, SOON).await.unwrap(), Ok(Vec::new()));
    }
    fleet.config.tls = TlsMode::Require;
    handle.configure(&fleet.config);
    let begin = Instant::now();
    for caller in &callers {
        while caller.list(None, SOON).await.is_ok() {
            assert!(begin.elapsed() < SOON);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test]
async fn a_machine_joins_with_what_its_token_says_and_each_refusal_has_its_cause() {
    let fleet = Fleet::new();
    let (addr, _) = start(&fleet.config);
    let caller = fleet.dial(addr, None).await;
    fleet.token(1, "web-*", 2);
    let machine = Machine::new();
    // The names in the request are not read.
    let names =
        ["tracker.tinytorrent.internal", "db-1.node.tinytorrent.internal", "x.group.tinytorrent.internal"];
    let ask = JoinAsk { request: machine.request(&names), ..machine.join(1, "web-1") };
    let enrolled = join(&caller, ask.clone()).await.unwrap();
    assert_eq!(enrolled.mode, Some(EnrolledMode::Prefer));
    let identity = machine.identity(&enrolled);
    let groups = ["web".parse().unwrap()].into();
    assert_eq!(identity.node, Node { name: "web-1".parse().unwrap(), roles: [Role::Peer].into(), groups });
    assert_eq!(identity.not_after.abs_diff(now() + 90 * 24 * 3600) / 60, 0);
    // With it the machine is let in.
    let member = fleet.dial(addr, Some(&identity)).await;
    assert_eq!(member.list(None, SOON).await.unwrap(), Ok(Vec::new()));
    // The same key again costs no second use.
    join(&caller, ask.clone()).await.unwrap();
    let other = Machine::new();
    let refusals = [
        (other.join(1, "web-1"), NotEnrolled::NameTaken("web-1".parse().unwrap())),
        (other.join(1, "db-1"), pattern("web-*")),
        (other.join(9, "web-2"), NotEnrolled::UnknownToken),
        (JoinAsk { secret: Secret([3; 16]), ..other.join(1, "web-2") }, NotEnrolled::UnknownToken),
        (
            JoinAsk { request: vec![0x30, 0].try_into().unwrap(), ..other.join(1, "web-2") },
            NotEnrolled::Malformed,
        ),
    ];
    for (ask, why) in refusals {
        assert_eq!(join(&caller, ask).await, Err(why));
    }
    join(&caller, other.join(1, "web-2")).await.unwrap();
    assert_eq!(join(&caller, Machine::new().join(1, "web-3")).await, Err(NotEnrolled::UsedUp { uses: 2 }));
    let until = now() - 5;
    fleet.token_until(2, "*", 1, until);
    assert_eq!(join(&caller, other.join(2, "web-4")).await, Err(NotEnrolled::Expired { until }));
    fleet.token(3, "*", 1);
    fleet.authority.revoke(now(), &Whom::Token(TokenId([3; 5]))).unwrap();
    assert_eq!(join(&caller, other.join(3, "web-4")).await, Err(NotEnrolled::TokenRevoked));
}

#[tokio::test]
async fn a_certificate_is_renewed_by_its_key_until_its_grace_ends() {
    let mut fleet = Fleet::new();
    fleet.config.certificate_life = "2 s".parse().unwrap();
    let (addr, handle) = start(&fleet.config);
    let caller = fleet.dial(addr, None).await;
    fleet.token(1, "*", 9);
    let machine = Machine::new();
    let mut enrolled = join(&caller, machine.join(1, "web-1")).await.unwrap();
    for _ in 0..3 {
        let next = renew(&caller, machine.renew(&enrolled)).await.unwrap();
        assert_ne!(next.chain, enrolled.chain);
        assert_eq!((next.mode, &machine.identity(&next).node.name.to_string()[..]), (None, "web-1"));
        enrolled = next;
    }
    let thief = RenewAsk { certificate: enrolled.chain[0].clone(), request: Machine::new().request(&[]) };
    assert_eq!(renew(&caller, thief).await, Err(NotEnrolled::OtherKey));
    let foreign = rcgen::generate_simple_self_signed(vec!["a".to_owned()]).unwrap().cert.der().to_vec();
    let ask = RenewAsk { certificate: foreign.try_into().unwrap(), request: machine.request(&[]) };
    assert_eq!(renew(&caller, ask).await, Err(NotEnrolled::Foreign));
    // After its end, and by somebody who cannot show it any more.
    let until = machine.identity(&enrolled).not_after;
    while now() <= until {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let late = renew(&fleet.dial(addr, None).await, machine.renew(&enrolled)).await.unwrap();
    assert!(machine.identity(&late).not_after > until);
    fleet.config.renew_grace = "0".parse().unwrap();
    handle.configure(&fleet.config);
    assert_eq!(
        renew(&caller, machine.renew(&enrolled)).await,
        Err(NotEnrolled::TooLate { until, grace_s: 0 })
    );
}

#[tokio::test]
async fn who_was_revoked_is_out_and_everybody_hears_of_it() {
    let fleet = Fleet::new();
    let (addr, _) = start(&fleet.config);
    let caller = fleet.dial(addr, None).await;
    fleet.token(1, "*", 9);
    let (machine, thief) = (Machine::new(), Machine::new());
    let enrolled = join(&caller, machine.join(1, "web-1")).await.unwrap();
    let stolen = join(&caller, thief.join(1, "web-2")).await.unwrap();
    let member = fleet.dial(addr, Some(&machine.identity(&enrolled))).await;
    let lost = fleet.dial(addr, Some(&thief.identity(&stolen))).await;
    let before = member.revoked(RevokedAsk { seen: 0, offset: 0 }, SOON).await.unwrap().unwrap();
    assert_eq!(before.part.bytes.len(), before.bytes_total as usize);
    fleet.authority.revoke(now(), &Whom::Node("web-2".parse().unwrap())).unwrap();
    let begin = Instant::now();
    // Its connection is closed, and the list is told.
    while lost.clock(SOON).await.is_ok() {
        assert!(begin.elapsed() < SOON);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let after = loop {
        let ask = RevokedAsk { seen: before.number, offset: 0 };
        let page = member.revoked(ask, SOON).await.unwrap().unwrap();
        if page.number > before.number {
            break page;
        }
        assert_eq!(page.part.bytes.len(), 0);
        assert!(begin.elapsed() < SOON);
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(after.part.bytes, fs::read(fleet.dir.path().join(ca::CRL)).unwrap());
    assert_eq!(renew(&caller, thief.renew(&stolen)).await, Err(NotEnrolled::Revoked));
    assert_eq!(join(&caller, thief.join(1, "web-2")).await, Err(NotEnrolled::TokenRevoked));
}

#[tokio::test]
async fn a_long_list_comes_in_pages() {
    let fleet = Fleet::new();
    let node = Node { name: "web-1".parse().unwrap(), roles: [Role::Peer].into(), groups: [].into() };
    let machine = Machine::new();
    // A list with many certificates of one node, as if it had renewed often.
    let certified = fleet.authority.issue(now(), &node, &machine.0, YEAR).unwrap();
    let mut issued = ca::issued::List::default();
    for number in 0..8000_u32 {
        let serial = [&certified.issued.serial[..12], &number.to_be_bytes()].concat();
        issued.entries.push(ca::issued::Issued { serial, ..certified.issued.clone() });
    }
    fs::write(fleet.dir.path().join("issued"), ca::issued::List::to_file(issued.entries.iter())).unwrap();
    fleet.authority.revoke(now(), &Whom::Node(node.name)).unwrap();
    fleet.token(1, "*", 9);
    let (addr, _) = start(&fleet.config);
    let enrolled = join(&fleet.dial(addr, None).await, machine.join(1, "web-9")).await.unwrap();
    let member = fleet.dial(addr, Some(&machine.identity(&enrolled))).await;
    let (mut list, mut pages) = (Vec::new(), 0);
    loop {
        let ask = RevokedAsk { seen: 0, offset: list.len() as u32 };
        let page = member.revoked(ask, SOON).await.unwrap().unwrap();
        assert!(page.part.bytes.len() <= REVOKED_PAGE_BYTES);
        list.extend_from_slice(&page.part.bytes);
        pages += 1;
        if list.len() == page.bytes_total as usize {
            break;
        }
    }
    assert!(pages > 1, "{} bytes", list.len());
    assert_eq!(list, fs::read(fleet.dir.path().join(ca::CRL)).unwrap());
    let far = RevokedAsk { seen: 0, offset: u32::MAX };
    assert_eq!(member.revoked(far, SOON).await.unwrap().unwrap().part.bytes.len(), 0);
}

#[tokio::test]
async fn an_address_that_asks_too_often_has_to_wait() {
    let fleet = Fleet::new();
    let caller = fleet.dial(start(&fleet.config).0, None).await;
    let machine = Machine::new();
    let begin = Instant::now();
    loop {
        match join(&caller, machine.join(7, "web-1")).await {
            Err(NotEnrolled::UnknownToken) => assert!(begin.elapsed() < SOON),
            Err(NotEnrolled::TryLater { after_ms }) => break assert!((1..=100).contains(&after_ms)),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn the_tracker_renews_its_own_certificate() {
    let mut fleet = Fleet::new();
    fleet.config.certificate_life = "30 d".parse().unwrap();
    let node = Node { name: "hub".parse().unwrap(), roles: [Role::Tracker].into(), groups: [].into() };
    let present = fleet.authority.set_tracker_identity(now(), &node, 1).unwrap();
    let (addr, handle) = start(&fleet.config);
    let begin = Instant::now();
    while !handle.tls().unwrap().contains("(29 days left)") {
        assert!(begin.elapsed() < SOON, "{:?}", handle.tls());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let renewed = Identity::read(&fs::read(fleet.authority.tracker_identity()).unwrap()).unwrap();
    assert!(renewed.not_after > present.not_after + 29 * 24 * 3600);
    assert_eq!(renewed.node, node);
    fleet.dial(addr, None).await.authority(SOON).await.unwrap().unwrap();
}
