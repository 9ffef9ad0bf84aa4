//! Tests with a real authority: its answers and its lists, as a tracker would send them.

use super::answer::{BadAnswer, CLOCKS_DIFFER_S_MAX, Kept, check, node_of_host, pins};
use super::list::{self, BadList};
use super::membership::{Membership, NotKept, Trouble};
use super::settled::ConfiguredTls;
use super::{Key, pem};
use crate::store::{Credentials, Joined};
use ca::authority::{Authority, Init};
use ca::revoke::Whom;
use rcgen::SubjectPublicKeyInfo;
use rustls_pki_types::CertificateDer;
use shared::host::clock::time_of_day;
use shared::identity::{Node, NodeName, Role};
use shared::rpc::tls::FileFault;
use shared::tls_mode::TlsMode;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const DAY: u64 = 24 * 3600;

struct Fleet {
    dir: TempDir,
    authority: Authority,
    /// The list with which it began.
    first_list: Vec<u8>,
}

impl Fleet {
    fn new() -> Fleet {
        let dir = tempfile::tempdir().unwrap();
        let init = Init { name: "a fleet".to_owned(), life_s: 3650 * DAY };
        let authority = Authority::init(&dir.path().join("ca"), now(), &init).unwrap();
        let first_list = authority.refresh(now()).unwrap();
        Fleet { dir, authority, first_list }
    }

    fn dir(&self) -> PathBuf {
        self.dir.path().join("ca")
    }

    /// The chain that is issued for a key.
    fn issue(&self, key: &Key, name: &str, life_s: u64) -> Vec<Vec<u8>> {
        let node = Node { name: name_of(name), roles: [Role::Peer].into(), groups: Default::default() };
        let public = SubjectPublicKeyInfo::from_der(&key.public()).unwrap();
        let issued = self.authority.issue(now(), &node, &public, life_s).unwrap();
        issued.chain.iter().map(|der| der.to_vec()).collect()
    }

    fn authorities(&self) -> Vec<Vec<u8>> {
        self.authority.certificates().iter().map(|der| der.to_vec()).collect()
    }

    /// Revokes a node, and returns the list.
    fn revoke(&self, name: &str) -> Vec<u8> {
        self.authority.revoke(now(), &Whom::Node(name_of(name))).unwrap();
        self.authority.refresh(now()).unwrap()
    }

    fn kept(&self, name: &str) -> Kept {
        let key = Key::make().unwrap();
        let chain = self.issue(&key, name, 90 * DAY);
        check(&key, &name_of(name), (&chain, &self.authorities()), None, now()).unwrap()
    }
}

fn now() -> u64 {
    time_of_day().as_secs()
}

fn name_of(name: &str) -> NodeName {
    name.parse().unwrap()
}

fn joined() -> Joined {
    Joined { tracker: "tt://hub".parse().unwrap(), mode: TlsMode::Require }
}

#[test]
fn an_answer_for_our_key_and_our_name_is_kept() {
    let (fleet, key) = (Fleet::new(), Key::make().unwrap());
    let pin = fleet.authority.pin().unwrap();
    let chain = fleet.issue(&key, "web-1", 90 * DAY);
    let authorities = fleet.authorities();
    let kept = check(&key, &name_of("web-1"), (&chain, &authorities), Some(pin), now()).unwrap();
    assert_eq!(kept.node.name, name_of("web-1"));
    assert!(kept.identity.starts_with(&key.text()) && kept.not_after > now() + 89 * DAY);
    assert!(!format!("{kept:?}").contains("PRIVATE"));
}

#[test]
fn any_other_answer_is_not() {
    let (fleet, other, key) = (Fleet::new(), Fleet::new(), Key::make().unwrap());
    let pin = fleet.authority.pin().unwrap();
    let (chain, authorities) = (fleet.issue(&key, "web-1", DAY), fleet.authorities());
    let with = |key: &Key, name: &str, chain: &[Vec<u8>], authorities: &[Vec<u8>], at: u64| {
        check(key, &name_of(name), (chain, authorities), Some(pin), at).unwrap_err().to_string()
    };
    let cases = [
        (with(&Key::make().unwrap(), "web-1", &chain, &authorities, now()), "private key does not belong"),
        (with(&key, "web-2", &chain, &authorities, now()), "is for web-1, and not for web-2"),
        (with(&key, "web-1", &chain, &other.authorities(), now()), "authority of the token is not among"),
        (
            with(&key, "web-1", &other.issue(&key, "web-1", DAY), &authorities, now()),
            "none of the authorities",
        ),
        (with(&key, "web-1", &[b"nonsense".to_vec()], &authorities, now()), "certificate"),
        (with(&key, "web-1", &chain, &[b"nonsense".to_vec()], now()), "certificate"),
    ];
    for (said, part) in cases {
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn a_clock_that_is_wrong_is_named_as_the_cause() {
    let (fleet, key) = (Fleet::new(), Key::make().unwrap());
    let (chain, authorities) = (fleet.issue(&key, "web-1", DAY), fleet.authorities());
    let at = |at: u64| check(&key, &name_of("web-1"), (&chain, &authorities), None, at);
    at(now() - CLOCKS_DIFFER_S_MAX + 60).unwrap();
    let early = at(now() - CLOCKS_DIFFER_S_MAX - 60).unwrap_err();
    assert!(matches!(early, BadAnswer::Clock(FileFault::NotYet { .. })), "{early:?}");
    let late = at(now() + 2 * DAY).unwrap_err();
    assert!(matches!(late, BadAnswer::Clock(FileFault::Expired { .. })), "{late:?}");
    assert!(late.to_string().starts_with("the clock: "), "{late}");
}

#[test]
fn an_authority_has_the_pin_of_its_tokens() {
    let fleet = Fleet::new();
    let certificates: Vec<CertificateDer<'_>> = fleet.authority.certificates().to_vec();
    assert_eq!(pins(&certificates), [fleet.authority.pin().unwrap()]);
    assert!(pins(&[CertificateDer::from(b"nonsense".to_vec())]).is_empty());
}

#[test]
fn a_list_counts_if_our_authority_signed_it_and_it_is_newer() {
    let (fleet, other) = (Fleet::new(), Fleet::new());
    let ours = fleet.authority.certificates();
    fleet.kept("web-1");
    fleet.kept("web-2");
    other.kept("web-1");
    let first = fleet.revoke("web-1");
    let number = list::check(&first, ours).unwrap();
    assert_eq!(list::check_newer(&first, ours, number - 1), Ok(number));
    assert_eq!(list::check_newer(&first, ours, number), Err(BadList::Older { number, known: number }));
    let second = fleet.revoke("web-2");
    assert_eq!(list::check_newer(&second, ours, number), Ok(number + 1));
    assert_eq!(list::check(&other.revoke("web-1"), ours), Err(BadList::Foreign), "the names are the same");
    for at in [10, first.len() / 2, first.len() - 3] {
        assert!(list::check(&first[..at], ours).is_err(), "cut at {at}");
        let mut changed = first.clone();
        changed[at] ^= 1;
        assert!(list::check(&changed, ours).is_err(), "changed at {at}");
    }
    assert_eq!(list::check(b"", ours), Err(BadList::Malformed));
    assert_eq!(list::check(&[&first[..], b"more"].concat(), ours), Err(BadList::Malformed));
}

#[test]
fn lists_of_two_authorities_come_together_and_each_counts_for_who_trusts_it() {
    let (fleet, other) = (Fleet::new(), Fleet::new());
    fleet.kept("web-1");
    let dir = fleet.dir();
    let old = fleet.authorities();
    Authority::begin_rotation(&dir, now(), 100 * DAY).unwrap();
    let ca = Authority::open(&dir).unwrap();
    ca.revoke(now(), &Whom::Node(name_of("web-1"))).unwrap();
    let lists = ca.refresh(now()).unwrap();
    let certificates = ca.certificates();
    assert_eq!((certificates[0].as_ref(), certificates.len()), (&old[0][..], 2));
    let number = list::check(&lists, certificates).unwrap();
    for authority in certificates {
        assert_eq!(list::check(&lists, std::slice::from_ref(authority)), Ok(number));
    }
    assert_eq!(list::check(&lists, other.authority.certificates()), Err(BadList::Foreign));
    // One with our name and another signature spoils all, and so does one with another number.
    let mut forged = lists.clone();
    *forged.last_mut().unwrap() ^= 1;
    assert!(list::check(&forged, certificates).is_err());
    assert_eq!(list::check(&forged, &certificates[..1]), Ok(number), "nobody looks at it yet");
    let older = fleet.authority.refresh(now()).unwrap();
    let older = shared::der::sequences(&older, 4).unwrap()[0].to_vec();
    let first = fleet.first_list.clone();
    assert_eq!(list::check(&[&older[..], &first].concat(), certificates), Err(BadList::Malformed));
}

#[test]
fn another_authority_at_the_tracker_is_a_reason_to_renew_once() {
    let (fleet, other, dir) = (Fleet::new(), Fleet::new(), tempfile::tempdir().unwrap());
    let membership = open(dir.path());
    let named = [fleet.authorities(), other.authorities()].concat();
    membership.told_authorities(named.clone());
    assert_eq!(membership.known().news, None, "who has not joined has nothing to renew");
    membership.keep_joined(&joined(), &fleet.kept("web-1"), None).unwrap();
    membership.told_authorities(fleet.authorities());
    assert_eq!(membership.known().news, None, "they are those of this machine");
    membership.told_authorities(named.clone());
    membership.look();
    assert_eq!(membership.known().news, Some(named.clone()));
    membership.keep_renewed(&fleet.kept("web-1")).unwrap();
    assert_eq!(membership.known().news, None);
    membership.told_authorities(named);
    assert_eq!(
        membership.known().news,
        None,
        "a tracker that says something else than it gives is heeded once"
    );
    membership.told_authorities(other.authorities());
    assert!(membership.known().news.is_some());
}

fn open(dir: &Path) -> Membership {
    let membership = Membership::default();
    membership.open(Credentials::at(dir.to_owned()), ConfiguredTls::default());
    membership
}

#[test]
fn what_was_joined_is_there_after_a_restart_with_the_newest_list() {
    let (fleet, dir) = (Fleet::new(), tempfile::tempdir().unwrap());
    let membership = open(dir.path());
    assert_eq!(membership.known().in_use(), None);
    assert!(matches!(membership.keep_list(b"anything"), Err(NotKept::Bad(_))), "nobody is believed yet");
    membership.keep_joined(&joined(), &fleet.kept("web-1"), None).unwrap();
    assert_eq!(membership.known().list, 0);
    fleet.kept("web-2");
    let older = fleet.revoke("web-2");
    fleet.kept("web-3");
    let newer = fleet.revoke("web-3");
    let number = membership.keep_list(&newer).unwrap();
    assert!(matches!(membership.keep_list(&older), Err(NotKept::Bad(BadList::Older { .. }))));

    for membership in [membership, open(dir.path())] {
        let known = membership.known();
        let (found, certificate) = known.in_use().unwrap();
        assert_eq!((found, &certificate.node.name), (&joined(), &name_of("web-1")));
        assert_eq!((known.list, known.pins()), (number, vec![fleet.authority.pin().unwrap()]));
        assert_eq!(known.settled.mode, TlsMode::Require);
        assert!(known.settled.places.revoked.is_some());
    }
}

#[test]
fn a_list_of_another_authority_is_not_kept_with_what_was_joined() {
    let (fleet, other, dir) = (Fleet::new(), Fleet::new(), tempfile::tempdir().unwrap());
    other.kept("web-1");
    let membership = open(dir.path());
    membership.keep_joined(&joined(), &fleet.kept("web-1"), Some(&other.revoke("web-1"))).unwrap();
    assert_eq!((membership.known().list, membership.known().settled.places.revoked.clone()), (0, None));
    fleet.kept("web-2");
    membership.keep_joined(&joined(), &fleet.kept("web-1"), Some(&fleet.revoke("web-2"))).unwrap();
    assert!(membership.known().list > 0);
}

#[test]
fn a_renewed_certificate_ends_the_trouble_and_is_told_to_those_who_follow() {
    let (fleet, dir) = (Fleet::new(), tempfile::tempdir().unwrap());
    let membership = open(dir.path());
    membership.keep_joined(&joined(), &fleet.kept("web-1"), None).unwrap();
    let mut following = membership.subscribe();
    following.mark_unchanged();
    let trouble = Trouble { message: "no answer".to_owned(), hint: None };
    membership.failed(trouble.clone());
    assert!(following.has_changed().unwrap());
    membership.look();
    assert_eq!(membership.known().trouble, Some(trouble), "a look does not mend it");
    following.mark_unchanged();
    membership.look();
    assert!(!following.has_changed().unwrap(), "nothing is new");
    let key = Key::read(&std::fs::read(dir.path().join("identity.pem")).unwrap()).unwrap();
    let chain = fleet.issue(&key, "web-1", 91 * DAY);
    let kept = check(&key, &name_of("web-1"), (&chain, &fleet.authorities()), None, now()).unwrap();
    membership.keep_renewed(&kept).unwrap();
    assert_eq!(membership.known().trouble, None);
    assert_eq!(membership.known().certificate.as_ref().unwrap().not_after, kept.not_after);
    assert!(following.has_changed().unwrap());
}

#[test]
fn a_host_name_makes_a_node_name() {
    let cases = [
        ("web-1", Some("web-1")),
        ("Web-1.Example.ORG", Some("web-1.example.org")),
        ("web_1.", Some("web_1")),
        ("-a-.-.b?", Some("a.b")),
        ("", None),
        ("...", None),
    ];
    for (host, name) in cases {
        assert_eq!(node_of_host(host).as_ref().map(NodeName::as_str), name, "{host}");
    }
    assert!(node_of_host(&"a".repeat(300)).is_some_and(|name| name.as_str().len() == 63));
    assert!(pem(&[]).is_empty());
}
