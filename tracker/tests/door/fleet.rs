//! Authorities, certificates made by rcgen, and the files of a tracker.

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer, KeyIdMethod,
    KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
};
use shared::host::clock::time_of_day;
use shared::host::config::TrackerConfig;
use shared::rpc::tls::{Authorities, Identity, Revoked, Setup};
use shared::tls_mode::TlsMode;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;
use time::OffsetDateTime;

pub const DAY: i64 = 24 * 3600;

pub fn now() -> u64 {
    time_of_day().as_secs()
}

fn at(seconds_from_now: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(now() as i64 + seconds_from_now).unwrap()
}

/// The names in the certificate of a node with a role.
pub fn names(role: &str, node: &str) -> Vec<String> {
    vec![format!("{role}.tinytorrent.internal"), format!("{node}.node.tinytorrent.internal")]
}

/// An authority. All have the same name.
pub struct Ca {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Ca {
    pub fn new() -> Ca {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "a fleet");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        Ca { certificate, issuer: Issuer::new(params, key) }
    }

    /// A key and the certificate for it, with a life in seconds from now on.
    pub fn pem(&self, names: Vec<String>, life: (i64, i64), serial: u64) -> String {
        let mut params = CertificateParams::new(names).unwrap();
        (params.not_before, params.not_after) = (at(life.0), at(life.1));
        params.serial_number = Some(SerialNumber::from(serial));
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        format!("{}{certificate}", key.serialize_pem())
    }

    /// A list of revoked serial numbers.
    fn revoked(&self, serials: &[u64]) -> Vec<u8> {
        let revoked_certs = serials.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: at(-60),
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: at(-60),
            next_update: at(DAY),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: revoked_certs.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().der().to_vec()
    }

    /// What a member with a valid certificate brings.
    pub fn member(&self, node: &str) -> Arc<Setup> {
        self.caller(self, names("peer", node), (-3600, DAY), 7)
    }

    /// What a caller with a certificate of this authority brings, which believes in `trusted`. The certificate may have
    /// expired: its owner does not look at it.
    pub fn caller(&self, trusted: &Ca, names: Vec<String>, life: (i64, i64), serial: u64) -> Arc<Setup> {
        let identity = Identity::read(self.pem(names, life, serial).as_bytes()).unwrap();
        let both = format!("{}{}", self.certificate, trusted.certificate);
        let authorities = Authorities::read(both.as_bytes()).unwrap();
        let then = identity.not_before.max(identity.not_after.min(now()) - 60);
        Arc::new(Setup::new(Some(&identity), &authorities, &Revoked::default(), then).unwrap())
    }

    /// What a caller without a certificate brings.
    pub fn stranger(&self) -> Arc<Setup> {
        let authorities = Authorities::read(self.certificate.as_bytes()).unwrap();
        Arc::new(Setup::new(None, &authorities, &Revoked::default(), now()).unwrap())
    }
}

/// The files of a tracker.
pub struct Files(TempDir);

impl Files {
    /// Those of the tracker "hub" of an authority.
    pub fn new(ca: &Ca) -> Files {
        let files = Files(tempfile::tempdir().unwrap());
        fs::write(files.at("ca.pem"), &ca.certificate).unwrap();
        files.certify(ca, "hub");
        files
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Gives the tracker another certificate.
    pub fn certify(&self, ca: &Ca, node: &str) {
        let new = self.at("new");
        fs::write(&new, ca.pem(names("tracker", node), (-3600, DAY), 1)).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).unwrap();
        fs::rename(new, self.at("tracker.pem")).unwrap();
    }

    /// Revokes certificates.
    pub fn revoke(&self, ca: &Ca, serials: &[u64]) {
        fs::write(self.at("crl.new"), ca.revoked(serials)).unwrap();
        fs::rename(self.at("crl.new"), self.at("crl.der")).unwrap();
    }

    /// The configuration with these files.
    pub fn config(&self, tls: TlsMode) -> TrackerConfig {
        TrackerConfig {
            listen: "127.0.0.1:0".parse().unwrap(),
            tls,
            tls_identity: Some(self.at("tracker.pem")),
            tls_ca: Some(self.at("ca.pem")),
            tls_crl: Some(self.at("crl.der")),
            ..TrackerConfig::default()
        }
    }
}
