use super::*;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::os::unix::fs::PermissionsExt;
use tempfile::TempDir;
use time::OffsetDateTime;

const NOW: u64 = 1_800_000_000;

/// The files of a machine, and an authority.
struct Machine {
    dir: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Machine {
    fn new() -> Machine {
        let dir = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let key = KeyPair::generate().unwrap();
        fs::write(dir.path().join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        Machine { dir, issuer: Issuer::new(params, key) }
    }

    fn identity(&self) -> PathBuf {
        self.dir.path().join("identity.pem")
    }

    /// Gives the machine a certificate that ends `life_s` seconds from now. The file is replaced by a rename, as every
    /// administrator should do it.
    fn certify(&self, name: &str, life_s: i64) {
        let names = ["peer.tinytorrent.internal".to_owned(), format!("{name}.node.tinytorrent.internal")];
        let mut params = CertificateParams::new(names.to_vec()).unwrap();
        let at = |seconds| OffsetDateTime::from_unix_timestamp(NOW as i64 + seconds).unwrap();
        (params.not_before, params.not_after) = (at(-60), at(life_s));
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        self.write(&format!("{}{certificate}", key.serialize_pem()), 0o600);
    }

    fn write(&self, text: &str, mode: u32) {
        let new = self.dir.path().join("new");
        fs::write(&new, text).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(mode)).unwrap();
        fs::rename(new, self.identity()).unwrap();
    }

    fn certificates(&self) -> Certificates {
        let at = |name: &str| Some(self.dir.path().join(name));
        let (identity, authorities, revoked) = (at("identity.pem"), at("ca.pem"), at("revoked.crl"));
        Certificates::new(Places { identity, authorities, revoked })
    }
}

fn name(certificates: &Certificates) -> Option<&str> {
    certificates.setup().and_then(|setup| setup.node()).map(|node| node.name.as_str())
}

#[test]
fn a_changed_file_is_used_and_one_that_is_not_is_not_read_again() {
    let machine = Machine::new();
    machine.certify("web-1", 90 * 24 * 3600);
    let mut certificates = machine.certificates();
    assert!(certificates.look(NOW) && !certificates.look(NOW));
    assert_eq!(name(&certificates), Some("web-1"));
    assert_eq!(
        certificates.line(NOW),
        "web-1, certificate valid until 2027-04-15 08:00:00 UTC (90 days left)"
    );
    let before = certificates.setup().unwrap().clone();
    machine.certify("web-2", 3600);
    assert!(certificates.look(NOW));
    assert_eq!(name(&certificates), Some("web-2"));
    assert_eq!(before.node().unwrap().name.as_str(), "web-1", "connections keep theirs");
}

#[test]
fn a_broken_file_is_named_and_the_former_pair_stays_until_its_end() {
    let machine = Machine::new();
    machine.certify("web-1", 100);
    let mut certificates = machine.certificates();
    certificates.look(NOW);
    machine.write("garbage", 0o600);
    assert!(certificates.look(NOW) && !certificates.look(NOW));
    assert_eq!(name(&certificates), Some("web-1"));
    let named = certificates.unusable().unwrap().to_string();
    assert!(
        named.starts_with(&format!("{}: it has no certificate", machine.identity().display())),
        "{named}"
    );
    assert!(certificates.look(NOW + 101), "its time has come");
    assert_eq!(name(&certificates), None);
    assert!(certificates.line(NOW + 101).starts_with("no usable certificate: /"));
    machine.certify("web-1", 1000);
    assert!(certificates.look(NOW + 101));
    assert_eq!(
        (name(&certificates), certificates.unusable()),
        (Some("web-1"), None),
        "it comes back by itself"
    );
}

#[test]
fn an_expired_certificate_and_a_wrong_clock_are_named_and_the_time_mends_one() {
    let machine = Machine::new();
    machine.certify("web-1", 100);
    let mut certificates = machine.certificates();
    certificates.look(NOW + 3600);
    assert!(certificates.unusable().unwrap().to_string().contains("expired at 2027-01-15 08:01:40 UTC"));
    let mut certificates = machine.certificates();
    certificates.look(NOW - 3600);
    assert!(certificates.unusable().unwrap().to_string().ends_with("is the clock right?"));
    assert!(certificates.look(NOW), "the clock was set");
    assert_eq!(name(&certificates), Some("web-1"));
}

#[test]
fn what_cannot_be_read_is_named_with_what_to_do() {
    let machine = Machine::new();
    let mut certificates = machine.certificates();
    let why = |certificates: &mut Certificates| {
        certificates.look(NOW);
        certificates.unusable().unwrap().to_string()
    };
    assert!(why(&mut certificates).contains("identity.pem: cannot read it: "));
    machine.certify("web-1", 100);
    fs::set_permissions(machine.identity(), fs::Permissions::from_mode(0o644)).unwrap();
    let readable = why(&mut certificates);
    assert!(readable.contains("(mode 0644); run: chmod 600 "), "{readable}");
    fs::set_permissions(machine.identity(), fs::Permissions::from_mode(0o600)).unwrap();
    assert!(certificates.look(NOW) && name(&certificates).is_some());
    assert_eq!(why(&mut Certificates::default()), "tls_identity is not set in the configuration");
    let pipe = machine.dir.path().join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    certificates.set_places(Places { identity: Some(pipe), ..certificates.places.clone() });
    assert!(why(&mut certificates).ends_with("it is not a regular file"));
    assert!(name(&certificates).is_some(), "what was usable stays so");
}

/// Otherwise whoever was revoked would be let in again, and nobody would hear of it.
#[test]
fn a_list_of_revoked_certificates_that_cannot_be_read_is_not_taken_for_an_empty_one() {
    let machine = Machine::new();
    machine.certify("web-1", 100);
    let list = machine.dir.path().join("revoked.crl");
    let looks = || {
        let mut certificates = machine.certificates();
        certificates.look(NOW);
        (certificates.setup().is_some(), certificates.unusable().map(ToString::to_string).unwrap_or_default())
    };
    assert_eq!(looks(), (true, String::new()), "there need not be one");
    std::os::unix::fs::symlink("nowhere", &list).unwrap();
    let (is_usable, why) = looks();
    assert!(!is_usable && why.contains("revoked.crl: cannot read it: "), "{why}");
    fs::remove_file(&list).unwrap();
    fs::create_dir(&list).unwrap();
    let (is_usable, why) = looks();
    assert!(!is_usable && why.contains("revoked.crl: "), "{why}");
}

#[test]
fn a_cause_is_reported_once_a_day_and_few_are_remembered() {
    let mut reports = DailyReports::default();
    assert!(reports.note("expired", 0));
    assert!(!reports.note("expired", DAY_S - 1));
    assert!(reports.note("foreign", 1), "another cause");
    assert!(reports.note("expired", DAY_S));
    for cause in 0..100 {
        assert!(reports.note(&cause.to_string(), DAY_S + 1));
    }
    assert_eq!(reports.0.len(), CAUSES_MAX);
}
