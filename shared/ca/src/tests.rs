//! The authority with its directory, from outside.

use crate::authority::{Authority, Init};
use crate::enrol::{JoinRequest, Joined, NotEnrolled};
use crate::error::CaError;
use crate::revoke::{Revocation, Whom};
use crate::tokens::{Admission, Mode, NoGrant};
use crate::{crl, issued::How};
use rcgen::{CertificateParams, KeyPair, PublicKeyData};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use shared::identity::{Node, Role};
use shared::token::{Secret, TokenId};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use x509_parser::prelude::{FromDer, X509Certificate};

const NOW: u64 = 1_800_000_000;
const DAY: u64 = 24 * 3600;
const SECRET: Secret = Secret([9; 16]);
const TOKEN: TokenId = TokenId([3; 5]);

fn made(dir: &Path) -> Authority {
    let ca = Authority::init(dir, NOW, &Init { name: "test fleet".to_owned(), life_s: 3650 * DAY }).unwrap();
    ca.add_token(NOW, token(TOKEN, "web-*")).unwrap();
    ca
}

fn token(id: TokenId, nodes: &str) -> Admission {
    Admission {
        id,
        secret: SECRET.digest(),
        mode: Mode::Require,
        groups: ["web".parse().unwrap()].into(),
        nodes: nodes.parse().unwrap(),
        uses_max: 2,
        until: NOW + DAY,
        is_revoked: false,
        uses: Vec::new(),
    }
}

/// A request that asks for more than it may have.
fn request(key: &KeyPair) -> Vec<u8> {
    let names = vec!["tracker.tinytorrent.internal".to_owned(), "boss.node.tinytorrent.internal".to_owned()];
    CertificateParams::new(names).unwrap().serialize_request(key).unwrap().der().to_vec()
}

fn join(ca: &Authority, now: u64, token: TokenId, name: &str, key: &KeyPair) -> Result<Joined, NotEnrolled> {
    let wanted = JoinRequest { token, secret: SECRET, node: name.parse().unwrap(), request: &request(key) };
    ca.join(now, &wanted, 90 * DAY)
}

fn names_of(certificate: &[u8]) -> Vec<String> {
    let (_, certificate) = X509Certificate::from_der(certificate).unwrap();
    let names = certificate.subject_alternative_name().unwrap().unwrap().value;
    let text = |name: &x509_parser::extensions::GeneralName<'_>| match name {
        x509_parser::extensions::GeneralName::DNSName(name) => (*name).to_owned(),
        other => panic!("a name of another kind: {other:?}"),
    };
    names.general_names.iter().map(text).collect()
}

#[test]
fn a_request_that_asks_for_tracker_gets_what_the_token_says() {
    let dir = tempfile::tempdir().unwrap();
    let ca = made(dir.path());
    let joined = join(&ca, NOW, TOKEN, "web-1", &KeyPair::generate().unwrap()).unwrap();
    assert_eq!(joined.mode, Mode::Require);
    let names = names_of(&joined.certified.chain[0]);
    let due =
        ["peer.tinytorrent.internal", "web-1.node.tinytorrent.internal", "web.group.tinytorrent.internal"];
    assert_eq!(names, due);
    assert_eq!(Node::of_dns_names(names.iter().map(String::as_str)).unwrap(), joined.certified.issued.node);
}

#[test]
fn a_token_admits_so_many_keys_and_each_name_has_one() {
    let dir = tempfile::tempdir().unwrap();
    let ca = made(dir.path());
    let (one, two, three) =
        (KeyPair::generate().unwrap(), KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    join(&ca, NOW, TOKEN, "web-1", &one).unwrap();
    join(&ca, NOW, TOKEN, "web-1", &one).unwrap();
    assert!(matches!(join(&ca, NOW, TOKEN, "web-1", &two), Err(NotEnrolled::NameTaken(_))));
    join(&ca, NOW, TOKEN, "web-2", &two).unwrap();
    let used_up = join(&ca, NOW, TOKEN, "web-3", &three);
    assert!(matches!(used_up, Err(NotEnrolled::Token(NoGrant::UsedUp { uses: 2 }))));

    // A token for one name is for a machine that was installed anew.
    let other = TokenId([4; 5]);
    ca.add_token(NOW, token(other, "web-1")).unwrap();
    let renewed = join(&ca, NOW, other, "web-1", &three).unwrap();
    let old = join(&ca, NOW, TOKEN, "web-1", &one);
    assert!(matches!(old, Err(NotEnrolled::NameTaken(_))), "{old:?}");
    ca.renew(NOW, &renewed.certified.chain[0], &request(&three), DAY, 0).unwrap();
}

/// ttd and tt-tracker on one machine have its name, and a key each.
#[test]
fn the_trackers_machine_may_join_by_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let ca = made(dir.path());
    let node = Node { name: "web-1".parse().unwrap(), roles: [Role::Tracker].into(), groups: [].into() };
    ca.set_tracker_identity(NOW, &node, DAY).unwrap();
    let (daemon, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let joined = join(&ca, NOW, TOKEN, "web-1", &daemon).unwrap().certified;
    ca.set_tracker_identity(NOW, &node, DAY).unwrap();
    ca.renew(NOW, &joined.chain[0], &request(&daemon), DAY, 0).unwrap();
    assert!(matches!(join(&ca, NOW, TOKEN, "web-1", &other), Err(NotEnrolled::NameTaken(_))));
}

#[test]
fn an_expired_certificate_renews_within_the_grace_and_keeps_its_names() {
    let dir = tempfile::tempdir().unwrap();
    let ca = made(dir.path());
    let key = KeyPair::generate().unwrap();
    let first = join(&ca, NOW, TOKEN, "web-1", &key).unwrap().certified;
    let end = first.issued.not_after;
    let renew = |now, certificate: &[u8], key| ca.renew(now, certificate, &request(key), 90 * DAY, 30 * DAY);
    let second = renew(end + 30 * DAY, &first.chain[0], &key).unwrap();
    assert_eq!((&second.issued.node, second.issued.how), (&first.issued.node, How::Renewed));
    assert!(second.issued.not_after > end && names_of(&second.chain[0]) == names_of(&first.chain[0]));
    let late = renew(end + 30 * DAY + 1, &first.chain[0], &key);
    assert!(matches!(late, Err(NotEnrolled::TooLate { not_after }) if not_after == end));
    let stranger = KeyPair::generate().unwrap();
    let other = renew(NOW, &first.chain[0], &stranger);
    assert!(matches!(other, Err(NotEnrolled::OtherKey)));
    let elsewhere = tempfile::tempdir().unwrap();
    let foreign = join(&made(elsewhere.path()), NOW, TOKEN, "web-1", &key).unwrap().certified;
    assert!(matches!(renew(NOW, &foreign.chain[0], &key), Err(NotEnrolled::Foreign)));
    for garbage in [&b""[..], b"\x30\x82\xff\xff", &[0; 5000]] {
        assert!(matches!(renew(NOW, garbage, &key), Err(NotEnrolled::Foreign)));
        assert!(matches!(ca.renew(NOW, &first.chain[0], garbage, DAY, 0), Err(NotEnrolled::Request)));
    }
}

#[test]
fn a_renewed_copy_dies_with_its_node() {
    let dir = tempfile::tempdir().unwrap();
    let ca = made(dir.path());
    let key = KeyPair::generate().unwrap();
    let first = join(&ca, NOW, TOKEN, "web-1", &key).unwrap().certified;
    let second = ca.renew(NOW + 1, &first.chain[0], &request(&key), DAY, 0).unwrap();
    let node = Whom::Node("web-1".parse().unwrap());
    assert_eq!(ca.revoke(NOW + 2, &node).unwrap(), Revocation { certificates: 2, tokens: 1 });
    assert_eq!(ca.revoke(NOW + 3, &node).unwrap(), Revocation { certificates: 0, tokens: 0 });
    for certificate in [&first, &second] {
        let again = ca.renew(NOW + 4, &certificate.chain[0], &request(&key), DAY, 0);
        assert!(matches!(again, Err(NotEnrolled::Revoked)));
    }
    assert!(matches!(join(&ca, NOW, TOKEN, "web-2", &key), Err(NotEnrolled::Token(NoGrant::Revoked))));
    assert!(matches!(ca.revoke(NOW, &Whom::Node("web-7".parse().unwrap())), Err(CaError::Unknown(_))));
    assert!(matches!(ca.revoke(NOW, &Whom::Serial(vec![1])), Err(CaError::Unknown(_))));
}

#[test]
fn what_a_killed_process_left_is_made_up() {
    let dir = tempfile::tempdir().unwrap();
    let ca = made(dir.path());
    join(&ca, NOW, TOKEN, "web-1", &KeyPair::generate().unwrap()).unwrap();
    let before = fs::read(dir.path().join("crl.der")).unwrap();
    ca.revoke(NOW + 5, &Whom::Node("web-1".parse().unwrap())).unwrap();
    let number = |list: &[u8]| crl::crl_number(list).unwrap();

    // Killed between the list and its signed form, and once while a file was written.
    fs::write(dir.path().join("crl.der"), &before).unwrap();
    fs::write(dir.path().join("tokens.new"), "half").unwrap();
    let healed = Authority::open(dir.path()).unwrap().refresh(NOW + 6).unwrap();
    assert!(number(&healed) > number(&before));
    assert_eq!(fs::read(dir.path().join("crl.der")).unwrap(), healed);
    assert_eq!(ca.refresh(NOW + 7).unwrap(), healed, "a fresh list stays");
    assert_eq!(ca.refresh(NOW - 1000).unwrap(), healed, "also after the clock jumped back");
    assert!(number(&ca.refresh(NOW + 2 * DAY).unwrap()) > number(&healed));
    ca.add_token(NOW, token(TokenId([8; 5]), "*")).unwrap();

    // A torn line is followed by a whole one.
    let issued = dir.path().join("issued");
    let whole = fs::read(&issued).unwrap();
    fs::write(&issued, [&whole, &whole[20..90]].concat()).unwrap();
    let node = Node { name: "x".parse().unwrap(), roles: [Role::Tracker].into(), groups: [].into() };
    ca.issue(NOW, &node, &KeyPair::generate().unwrap(), DAY).unwrap();
    assert_eq!(ca.contents().unwrap().0.entries.len(), 2);
}

#[test]
fn a_directory_is_private_and_made_once() {
    let outer = tempfile::tempdir().unwrap();
    let dir = outer.path().join("ca");
    made(&dir);
    let mode = |name: &str| fs::metadata(dir.join(name)).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode("."), 0o700);
    for (name, due) in
        [("ca.key", 0o600), ("issued", 0o600), ("tokens", 0o600), ("revoked", 0o600), ("ca.pem", 0o644)]
    {
        assert_eq!(mode(name), due, "{name}");
    }
    let again = Authority::init(&dir, NOW, &Init { name: "x".to_owned(), life_s: DAY });
    assert!(matches!(again, Err(CaError::Exists(_))));

    // An attempt that was killed is repeated; what has issued something is not made anew.
    fs::remove_file(dir.join("ca.pem")).unwrap();
    let ca = made(&dir);
    join(&ca, NOW, TOKEN, "web-1", &KeyPair::generate().unwrap()).unwrap();
    let pem = fs::read(dir.join("ca.pem")).unwrap();
    fs::remove_file(dir.join("ca.pem")).unwrap();
    let over = Authority::init(&dir, NOW, &Init { name: "x".to_owned(), life_s: DAY });
    assert!(matches!(over, Err(CaError::Exists(_))));
    fs::write(dir.join("ca.pem"), pem).unwrap();
    fs::set_permissions(dir.join("ca.key"), fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(Authority::open(&dir), Err(CaError::OthersMayRead { mode: 0o640, .. })));
    assert!(matches!(Authority::open(outer.path()), Err(CaError::Missing(_))));
}

#[test]
fn without_its_key_or_outside_of_its_time_nothing_is_signed_or_counted() {
    let dir = tempfile::tempdir().unwrap();
    let ca = made(dir.path());
    let key = KeyPair::generate().unwrap();
    for now in [NOW - 2 * DAY, NOW + 4000 * DAY, u64::MAX] {
        let node = Node { name: "x".parse().unwrap(), roles: [Role::Peer].into(), groups: [].into() };
        assert!(matches!(ca.issue(now, &node, &key, DAY), Err(CaError::OutOfTime { .. })), "{now}");
    }
    fs::rename(dir.path().join("ca.key"), dir.path().join("away")).unwrap();
    let without = Authority::open(dir.path()).unwrap();
    assert!(matches!(join(&without, NOW, TOKEN, "web-1", &key), Err(NotEnrolled::Ca(CaError::NoKey(_)))));
    assert_eq!(without.contents().unwrap().1.0[0].uses, []);
    fs::write(dir.path().join("ca.key"), key.serialize_pem()).unwrap();
    fs::set_permissions(dir.path().join("ca.key"), fs::Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(Authority::open(dir.path()), Err(CaError::NotAPair(_))));
}

#[test]
fn several_processes_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    made(dir.path());
    std::thread::scope(|scope| {
        for thread in 0..3_u8 {
            let dir = dir.path();
            scope.spawn(move || {
                let ca = Authority::open(dir).unwrap();
                for n in 0..3_u8 {
                    let id = TokenId([10 + thread, n, 0, 0, 0]);
                    ca.add_token(NOW, token(id, "*")).unwrap();
                    join(&ca, NOW, id, &format!("m-{thread}-{n}"), &KeyPair::generate().unwrap()).unwrap();
                }
            });
        }
    });
    let (list, tokens, _) = Authority::open(dir.path()).unwrap().contents().unwrap();
    assert_eq!((list.entries.len(), tokens.0.len()), (9, 10));
    assert!(tokens.0.iter().skip(1).all(|token| token.uses.len() == 1));
}

#[test]
fn an_identity_is_a_key_with_its_certificate() {
    let dir = tempfile::tempdir().unwrap();
    let ca = made(dir.path());
    let node = Node { name: "t".parse().unwrap(), roles: [Role::Tracker].into(), groups: [].into() };
    let issued = ca.set_tracker_identity(NOW, &node, 90 * DAY).unwrap();
    let path = dir.path().join("tracker.pem");
    assert_eq!(ca.tracker_identity(), path);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    let text = fs::read_to_string(&path).unwrap();
    let key = KeyPair::from_pem(&text[..text.find("-----BEGIN CERTIFICATE").unwrap()]).unwrap();
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(text.as_bytes()).collect::<Result<_, _>>().unwrap();
    assert_eq!(certificates.len(), 1);
    let (_, certificate) = X509Certificate::from_der(&certificates[0]).unwrap();
    assert_eq!(certificate.public_key().raw, key.subject_public_key_info());
    assert_eq!(certificate.raw_serial(), issued.serial);
    assert_eq!(ca.certificates_text(), fs::read_to_string(ca.certificates_file()).unwrap());
}

#[test]
fn a_wrong_clock_is_named_with_both_dates() {
    let dir = tempfile::tempdir().unwrap();
    let ca = made(dir.path());
    let node = Node { name: "x".parse().unwrap(), roles: [Role::Peer].into(), groups: [].into() };
    let error = ca.identity(NOW - 2 * DAY, &node, DAY).err().unwrap();
    assert_eq!(
        error.to_string(),
        "the authority is valid from 2027-01-15 07:00:00 UTC to 2037-01-12 08:00:00 UTC, and this machine's clock says \
         2027-01-13 08:00:00 UTC"
    );
}

#[test]
fn a_list_that_is_a_link_is_not_written_through() {
    let dir = tempfile::tempdir().unwrap();
    let ca = made(dir.path());
    let elsewhere = dir.path().join("elsewhere");
    fs::rename(dir.path().join("issued"), &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, dir.path().join("issued")).unwrap();
    let before = fs::read(&elsewhere).unwrap();
    let node = Node { name: "x".parse().unwrap(), roles: [Role::Peer].into(), groups: [].into() };
    assert!(matches!(ca.identity(NOW, &node, DAY), Err(CaError::Io { .. })));
    assert_eq!(fs::read(&elsewhere).unwrap(), before);
}

/// The machines of a fleet with two machines, of which one is told of everything.
struct Pair {
    dir: tempfile::TempDir,
    keys: [KeyPair; 2],
    certificates: [Vec<u8>; 2],
}

impl Pair {
    fn new() -> Pair {
        let dir = tempfile::tempdir().unwrap();
        let ca = made(dir.path());
        let hub = Node { name: "hub".parse().unwrap(), roles: [Role::Tracker].into(), groups: [].into() };
        ca.set_tracker_identity(NOW, &hub, 365 * DAY).unwrap();
        let keys = [KeyPair::generate().unwrap(), KeyPair::generate().unwrap()];
        let certificates = [("web-1", &keys[0]), ("web-2", &keys[1])]
            .map(|(name, key)| join(&ca, NOW, TOKEN, name, key).unwrap().certified.chain[0].to_vec());
        Pair { dir, keys, certificates }
    }

    fn ca(&self) -> Authority {
        Authority::open(self.dir.path()).unwrap()
    }

    /// Renews the certificate of one of the machines.
    fn renew(&mut self, at: usize) {
        let request = request(&self.keys[at]);
        let renewed = self.ca().renew(NOW, &self.certificates[at], &request, 90 * DAY, 0).unwrap();
        self.certificates[at] = renewed.chain[0].to_vec();
    }

    fn behind(&self) -> Vec<String> {
        let rotation = self.ca().rotation(NOW).unwrap().unwrap();
        rotation.behind.iter().map(|one| one.node.to_string()).collect()
    }
}

/// Which of the authorities has signed a certificate.
fn signer(certificate: &[u8], authorities: &[CertificateDer<'_>]) -> Option<usize> {
    let (_, certificate) = X509Certificate::from_der(certificate).unwrap();
    authorities.iter().position(|authority| {
        let (_, authority) = X509Certificate::from_der(authority).unwrap();
        certificate.verify_signature(Some(authority.public_key())).is_ok()
    })
}

#[test]
fn a_new_authority_takes_the_place_of_another_step_by_step() {
    let mut pair = Pair::new();
    let dir = pair.dir.path().to_owned();
    let (old, pin) = (pair.ca().certificates().to_vec(), pair.ca().pin().unwrap());
    assert_eq!(pair.ca().rotation(NOW).unwrap(), None);
    assert!(matches!(Authority::issue_from_new(&dir, NOW, true), Err(CaError::NotRotating)));
    assert!(matches!(Authority::finish_rotation(&dir, NOW, true), Err(CaError::NotRotating)));

    Authority::begin_rotation(&dir, NOW, 3650 * DAY).unwrap();
    Authority::begin_rotation(&dir, NOW, 3650 * DAY).unwrap(); // once more does nothing
    let both = pair.ca().certificates().to_vec();
    assert_eq!((both.len(), &both[0]), (2, &old[0]));
    let subjects: Vec<_> =
        both.iter().map(|der| X509Certificate::from_der(der).unwrap().1.subject().to_string()).collect();
    assert!(subjects[0] != subjects[1] && subjects.iter().all(|name| name.starts_with("CN=test fleet ")));
    assert_eq!(pair.behind(), ["web-1", "web-2"]);
    pair.renew(0);
    assert_eq!(signer(&pair.certificates[0], &both), Some(0), "the old one issues");
    assert_eq!(pair.behind(), ["web-2"]);
    let early = Authority::issue_from_new(&dir, NOW, false).unwrap_err();
    assert_eq!(early.to_string(), "these machines have not followed yet: web-2");
    assert!(matches!(Authority::finish_rotation(&dir, NOW, false), Err(CaError::Behind(_))));
    pair.renew(1);
    assert_eq!(pair.behind(), [""; 0]);
    assert!(matches!(Authority::finish_rotation(&dir, NOW, false), Err(CaError::Invalid(_))));

    for _ in 0..2 {
        Authority::issue_from_new(&dir, NOW, false).unwrap();
    }
    assert_eq!(pair.behind(), ["web-1", "web-2"]);
    pair.renew(0);
    assert_eq!(signer(&pair.certificates[0], &both), Some(1));
    // Tokens and the tracker stay with the authority that every machine trusts.
    assert_eq!(pair.ca().pin().unwrap(), pin);
    let hub = Node { name: "hub".parse().unwrap(), roles: [Role::Tracker].into(), groups: [].into() };
    pair.ca().set_tracker_identity(NOW, &hub, 365 * DAY).unwrap();
    let tracker = || CertificateDer::from_pem_slice(&fs::read(dir.join("tracker.pem")).unwrap()).unwrap();
    assert_eq!(signer(&tracker(), &both), Some(0));
    assert!(matches!(Authority::finish_rotation(&dir, NOW, false), Err(CaError::Behind(_))));
    pair.renew(1);
    pair.ca().add_token(NOW, token(TokenId([8; 5]), "*")).unwrap();

    assert_eq!(Authority::finish_rotation(&dir, NOW, false).unwrap().tokens, [TokenId([8; 5])]);
    let ca = pair.ca();
    assert_eq!((ca.certificates(), ca.rotation(NOW).unwrap()), (&both[1..], None));
    assert_eq!(signer(&tracker(), &both), Some(1));
    assert_eq!(ca.present_tracker().unwrap().unwrap().life_s, 365 * DAY);
    assert_ne!(ca.pin().unwrap(), pin);
    let keys = fs::read_to_string(dir.join("ca.key")).unwrap();
    assert_eq!(keys.matches("BEGIN PRIVATE KEY").count(), 1);
    pair.renew(1);
    assert!(matches!(Authority::finish_rotation(&dir, NOW, true), Err(CaError::NotRotating)));
}

#[test]
fn both_authorities_say_what_was_revoked_and_the_number_grows_with_each_step() {
    let mut pair = Pair::new();
    let dir = pair.dir.path().to_owned();
    let list = || fs::read(dir.join("crl.der")).unwrap();
    let first = crl::stamp(&list()).unwrap();
    Authority::begin_rotation(&dir, NOW, DAY).unwrap();
    pair.ca().revoke(NOW, &Whom::Node("web-2".parse().unwrap())).unwrap();
    let stamp = crl::stamp(&list()).unwrap();
    assert!(stamp.number > first.number);
    assert_eq!((first.lists, stamp.lists), (1, 2));
    let lists = list();
    let lists = shared::der::sequences(&lists, 4).unwrap();
    for (der, authority) in lists.iter().zip(pair.ca().certificates()) {
        let (_, list) = x509_parser::prelude::CertificateRevocationList::from_der(der).unwrap();
        let (_, authority) = X509Certificate::from_der(authority).unwrap();
        assert_eq!(list.issuer(), authority.subject());
        list.verify_signature(authority.public_key()).unwrap();
        assert_eq!(list.iter_revoked_certificates().count(), 1);
    }
    // Whoever was revoked is waited for by nobody.
    pair.renew(0);
    Authority::issue_from_new(&dir, NOW, false).unwrap();
    pair.renew(0);
    let before = crl::stamp(&list()).unwrap();
    Authority::finish_rotation(&dir, NOW, false).unwrap();
    let after = crl::stamp(&list()).unwrap();
    assert!(after.number > before.number && after.lists == 1);
    // The old one ends while it is still trusted: the new one goes on alone.
    Authority::begin_rotation(&dir, NOW, 10 * DAY).unwrap();
    Authority::issue_from_new(&dir, NOW, true).unwrap();
    let late = NOW + 2 * DAY;
    assert_eq!(crl::stamp(&pair.ca().refresh(late).unwrap()).unwrap().lists, 1);
}

#[test]
fn a_step_that_was_killed_is_done_by_the_same_command_again() {
    let mut pair = Pair::new();
    let dir = pair.dir.path().to_owned();
    let read = |name: &str| fs::read(dir.join(name)).unwrap();
    let (pem, key) = (read("ca.pem"), read("ca.key"));
    Authority::begin_rotation(&dir, NOW, 3650 * DAY).unwrap();
    let old_key = key.len();
    // Killed between the key and the certificate: nothing has begun.
    fs::write(dir.join("ca.pem"), &pem).unwrap();
    assert_eq!(pair.ca().rotation(NOW).unwrap(), None);
    Authority::begin_rotation(&dir, NOW, 3650 * DAY).unwrap();
    assert_eq!(read("ca.key").len(), 2 * old_key);
    Authority::issue_from_new(&dir, NOW, true).unwrap();
    let (both, keys) = (read("ca.pem"), read("ca.key"));
    for at in [0, 1] {
        pair.renew(at);
    }
    Authority::finish_rotation(&dir, NOW, false).unwrap();
    let new = read("ca.pem");
    // Killed before the certificate was replaced, and before the key was.
    fs::write(dir.join("ca.pem"), &both).unwrap();
    fs::write(dir.join("ca.key"), &keys).unwrap();
    Authority::finish_rotation(&dir, NOW, false).unwrap();
    assert_eq!(read("ca.pem"), new);
    fs::write(dir.join("ca.key"), &keys).unwrap();
    assert_eq!(pair.ca().rotation(NOW).unwrap(), None);
    Authority::finish_rotation(&dir, NOW, false).unwrap();
    assert_eq!(read("ca.key").len(), old_key);
    // Killed between the number of the list and the list.
    fs::write(dir.join("crl.der"), b"").unwrap();
    assert!(crl::stamp(&pair.ca().refresh(NOW).unwrap()).is_some());
}
