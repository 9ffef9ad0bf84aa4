//! Callers and peers with certificates, over loopback. The certificates are from a real authority.

use super::*;
use crate::net::{Network, Ways};
use crate::peer::connection::{DialError, DialedConnection};
use crate::throttle::Bucket;
use ca::revoke::Whom;
use ca::{Authority, Init};
use shared::host::clock::time_of_day;
use shared::host::config::RateLimit;
use shared::host::doors::Doors;
use shared::id::PeerId;
use shared::identity::Node;
use shared::rpc::tls::{self, Authorities, Dialing, Identity, Revoked, Setup};
use shared::rpc::wire::Meter;
use shared::tls_mode::TlsMode;
use std::io;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

const SOON: Duration = Duration::from_secs(20);
const HOUR: u64 = 3600;

fn now() -> u64 {
    time_of_day().as_secs()
}

/// An authority, and the machines that have certificates of it.
struct Fleet {
    dir: TempDir,
    authority: Authority,
}

impl Fleet {
    fn new(name: &str) -> Fleet {
        let dir = tempfile::tempdir().unwrap();
        let init = Init { name: name.to_owned(), life_s: 100 * HOUR };
        let authority = Authority::init(&dir.path().join("ca"), now() - 20 * HOUR, &init).unwrap();
        Fleet { dir, authority }
    }

    fn authorities(&self) -> String {
        self.authority.certificates_text()
    }

    fn identity(&self, name: &str, role: Role, issued: u64, life_s: u64) -> Identity {
        let node = Node { name: name.parse().unwrap(), roles: [role].into(), groups: [].into() };
        Identity::read(self.authority.identity(issued, &node, life_s).unwrap().text().as_bytes()).unwrap()
    }

    fn revoked(&self) -> Revoked {
        Revoked::read(&std::fs::read(self.dir.path().join("ca/crl.der")).unwrap()).unwrap()
    }

    /// What a peer of this name brings. It knows who is revoked now.
    fn setup(&self, name: &str) -> Setup {
        let identity = self.identity(name, Role::Peer, now(), HOUR);
        setup(&identity, &self.authorities(), &self.revoked(), now())
    }

    fn doors(&self, mode: TlsMode, name: &str) -> Arc<Doors> {
        Arc::new(Doors { mode, setup: Some(Arc::new(self.setup(name))), ..Doors::default() })
    }
}

fn setup(identity: &Identity, authorities: &str, revoked: &Revoked, at: u64) -> Setup {
    Setup::new(Some(identity), &Authorities::read(authorities.as_bytes()).unwrap(), revoked, at).unwrap()
}

/// A daemon that accepts peers on a port of loopback, and can change its doors.
struct Machine {
    context: Arc<Context>,
    at: PeerAddr,
    publish: watch::Sender<Arc<Doors>>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Machine {
    async fn new(id: u8, doors: Arc<Doors>) -> Machine {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let limit = || Bucket::new(RateLimit::None);
        let (publish, doors) = watch::channel(doors);
        let ways = Ways { network: Network::System, doors, membership: Arc::default() };
        let (context, _, _) = Context::new(PeerId([id; 16]), at, String::new(), (limit(), limit()), ways);
        let caps = Caps { peers_max: 8, strangers_max: 8 };
        let accepting = tokio::spawn(accept(context.clone(), Listener::Tcp(listener), caps));
        Machine { context, at, publish, accepting }
    }

    fn counted(&self, why: Rejection) -> u64 {
        self.context.rejections.all().into_iter().find(|one| one.0 == why).unwrap().1
    }

    async fn until_counted(&self, why: Rejection, times: u64) {
        let counted = async {
            while self.counted(why) < times {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(SOON, counted).await.unwrap_or_else(|_| panic!("{why:?} is not counted"));
        assert_eq!(self.counted(why), times);
    }

    async fn dial(&self, other: &Machine) -> Result<DialedConnection, DialError> {
        let (broken, _) = watch::channel(None);
        let dialling =
            DialedConnection::dial(&self.context, other.at, LinkKind::Quick, Meter::default(), broken);
        tokio::time::timeout(SOON, dialling).await.unwrap()
    }
}

fn why_not(dialled: Result<DialedConnection, DialError>) -> String {
    match dialled {
        Err(DialError::Failed(why)) => why,
        Err(DialError::ForGood(_, why) | DialError::Broke(why)) => {
            panic!("it is held against the peer: {why}")
        }
        Ok(_) => panic!("they are connected"),
    }
}

/// A stranger that says hello as soon as it can. Returns what it is answered, up to its connection's end.
async fn answer(at: PeerAddr, setup: Option<Setup>) -> Vec<u8> {
    let dialing = match setup {
        Some(setup) => Dialing { mode: TlsMode::Require, setup: Some(Arc::new(setup)), fault: None },
        None => Dialing::default(),
    };
    let connect = || async { io::Result::Ok((TcpStream::connect(at).await?, Sideband::new())) };
    let talking = async {
        let mut stream = tls::dial(&dialing, Role::Peer, connect).await?;
        stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0]).await?;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        io::Result::Ok(answer)
    };
    tokio::time::timeout(SOON, talking).await.unwrap().unwrap_or_default()
}

#[tokio::test]
async fn a_stranger_is_refused_and_counted_by_its_kind_and_never_served_a_byte() {
    let (fleet, other) = (Fleet::new("ours"), Fleet::new("theirs"));
    let none = Revoked::default();
    let authorities = fleet.authorities();
    let theirs = other.identity("peer-1", Role::Peer, now(), HOUR);
    let expired = fleet.identity("late", Role::Peer, now() - 10 * HOUR, HOUR);
    let future = fleet.identity("early", Role::Peer, now() + 10 * HOUR, HOUR);
    let tracker = fleet.identity("hub", Role::Tracker, now(), HOUR);
    let stolen = fleet.setup("stolen");
    fleet.authority.revoke(now(), &Whom::Node("stolen".parse().unwrap())).unwrap();
    let nobody = Setup::new(None, &Authorities::read(authorities.as_bytes()).unwrap(), &none, now()).unwrap();
    let both = format!("{authorities}{}", other.authorities());
    let strangers = [
        (Rejection::Plain, None),
        (Rejection::NoCertificate, Some(nobody)),
        (Rejection::Expired, Some(setup(&expired, &authorities, &none, now() - 10 * HOUR))),
        (Rejection::Expired, Some(setup(&future, &authorities, &none, now() + 10 * HOUR))),
        (Rejection::Foreign, Some(setup(&theirs, &both, &none, now()))),
        (Rejection::Role, Some(setup(&tracker, &authorities, &none, now()))),
        (Rejection::Revoked, Some(stolen)),
    ];
    let machine = Machine::new(1, fleet.doors(TlsMode::Require, "web-1")).await;
    for (why, stranger) in strangers {
        let before = machine.counted(why);
        assert!(answer(machine.at, stranger).await.is_empty(), "{why:?}");
        machine.until_counted(why, before + 1).await;
    }
    let total: u64 = machine.context.rejections.all().iter().map(|(_, times)| times).sum();
    assert_eq!(total, 7, "each counts once: {:?}", machine.context.rejections.all());
}

#[tokio::test]
async fn machines_of_one_fleet_connect_and_a_revoked_one_is_cut_off_while_others_stay() {
    let fleet = Fleet::new("ours");
    let require = |name: &str| fleet.doors(TlsMode::Require, name);
    let (a, b) = (Machine::new(1, require("a")).await, Machine::new(2, require("b")).await);
    let c = Machine::new(3, require("c")).await;
    let mut of_b = b.dial(&a).await.unwrap_or_else(|_| panic!("b is of the fleet"));
    let of_c = c.dial(&a).await.unwrap_or_else(|_| panic!("so is c"));
    let mut to_b = a.dial(&b).await.unwrap_or_else(|_| panic!("so is a"));
    assert_eq!(of_b.welcome.peer_id, PeerId([1; 16]));

    fleet.authority.revoke(now(), &Whom::Node("b".parse().unwrap())).unwrap();
    a.publish.send_replace(require("a"));
    tokio::time::timeout(SOON, &mut of_b.carrier).await.unwrap().unwrap();
    let end = tokio::time::timeout(SOON, &mut to_b.carrier).await.unwrap().unwrap();
    assert!(end.to_string().contains("was revoked"), "{end}");
    a.until_counted(Rejection::Revoked, 1).await;
    assert!(!of_c.carrier.is_finished());
    let why = why_not(b.dial(&a).await);
    assert!(why.contains("our certificate was revoked"), "{why}");
    let why = why_not(a.dial(&b).await);
    assert!(why.contains("its certificate was revoked"), "{why}");
}

#[tokio::test]
async fn under_prefer_everybody_is_talked_with_and_require_ends_what_is_plain() {
    let fleet = Fleet::new("ours");
    let a = Machine::new(1, fleet.doors(TlsMode::Prefer, "a")).await;
    let plain = Machine::new(2, Arc::new(Doors::open())).await;
    let mut from_plain = plain.dial(&a).await.unwrap_or_else(|_| panic!("it is served"));
    let mut to_plain = a.dial(&plain).await.unwrap_or_else(|_| panic!("it is asked at the second try"));
    a.publish.send_replace(fleet.doors(TlsMode::Require, "a"));
    tokio::time::timeout(SOON, &mut from_plain.carrier).await.unwrap().unwrap();
    tokio::time::timeout(SOON, &mut to_plain.carrier).await.unwrap().unwrap();
    let why = why_not(a.dial(&plain).await);
    assert!(why.contains("speaks no TLS"), "{why}");
    assert!(plain.dial(&a).await.is_err());
}

/// A machine of the fleet answers at the address of another one.
#[tokio::test]
async fn another_node_than_a_tracker_named_is_refused_before_hello_and_counted() {
    let fleet = Fleet::new("ours");
    let (a, b) = (
        Machine::new(1, fleet.doors(TlsMode::Require, "a")).await,
        Machine::new(2, fleet.doors(TlsMode::Require, "b")).await,
    );
    let told = |node: Option<&str>| {
        b.context.nodes.told(Instant::now(), a.at, node.map(|node| node.parse().unwrap()));
    };
    told(Some("c"));
    for times in 1..=2 {
        let why = why_not(b.dial(&a).await);
        assert_eq!(why, "its certificate is that of the node a, and a tracker names c there");
        assert_eq!(b.counted(Rejection::OtherNode), times);
    }
    assert!(a.context.rejections.all().iter().all(|(_, times)| *times == 0), "a did nothing wrong");
    told(Some("a"));
    assert!(b.dial(&a).await.is_ok(), "a tracker names it as well");
    // Without a certificate nobody shows which node it is: "prefer" allows that.
    let plain = Machine::new(3, Arc::new(Doors::open())).await;
    plain.context.nodes.told(Instant::now(), a.at, Some("c".parse().unwrap()));
    a.publish.send_replace(fleet.doors(TlsMode::Prefer, "a"));
    assert!(plain.dial(&a).await.is_ok());
}

/// The certificate is missing or broken: the daemon runs, and talks with nobody.
#[tokio::test]
async fn without_a_usable_certificate_require_lets_nobody_in_and_dials_nobody() {
    let fleet = Fleet::new("ours");
    let broken = Doors { mode: TlsMode::Require, fault: Some("it is broken".into()), ..Doors::default() };
    let (a, b) =
        (Machine::new(1, Arc::new(broken)).await, Machine::new(2, fleet.doors(TlsMode::Require, "b")).await);
    let why = why_not(a.dial(&b).await);
    assert!(why.contains("it is broken"), "{why}");
    let why = why_not(b.dial(&a).await);
    assert!(why.contains("no usable certificate"), "{why}");
    a.until_counted(Rejection::NotReady, 2).await;
}

#[tokio::test]
async fn who_calls_from_another_network_is_disconnected_before_a_byte() {
    let machine = Machine::new(1, Arc::new(Doors::open())).await;
    machine.context.served.send_replace(vec!["10.0.0.0/8".parse().unwrap()]);
    assert!(answer(machine.at, None).await.is_empty());
    machine.until_counted(Rejection::Network, 1).await;
    machine.context.served.send_replace(vec!["127.0.0.0/8".parse().unwrap()]);
    let other = Machine::new(2, Arc::new(Doors::open())).await;
    assert!(other.dial(&machine).await.is_ok());
}
