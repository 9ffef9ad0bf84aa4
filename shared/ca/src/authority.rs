//! The authority: made once, opened by every command and by the tracker, and what it issues.

use crate::date::date;
use crate::directory::Directory;
use crate::error::CaError;
use crate::fingerprint::{AUTHORITIES_MAX, Fingerprint};
use crate::issued::{How, Issued, List};
use crate::revoked::Revocations;
use crate::tokens::{Admission, Tokens};
use crate::{crl, disk};
use pem::{EncodeConfig, LineEnding, Pem};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SerialNumber,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use shared::identity::{BACKDATED_S, Node};
use shared::token::Pin;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Limits the life of an authority in seconds: 100 years. A longer one is an error.
pub const LIFE_S_MAX: u64 = 100 * 365 * 24 * 3600;

/// Limits an authority's name in bytes. With its fingerprint it is a subject of at most 64, as X.509 allows.
const NAME_BYTES_MAX: usize = 55;

/// What a new authority is like.
#[derive(Debug, Clone)]
pub struct Init {
    /// Its name, which people see in certificates.
    pub name: String,
    /// Its life in seconds.
    pub life_s: u64,
}

/// A certificate that was just issued.
#[derive(Debug, Clone)]
pub struct Certified {
    /// The certificate, and behind it nothing: all authorities are roots.
    pub chain: Vec<CertificateDer<'static>>,
    /// What the list says about it.
    pub issued: Issued,
}

/// An authority that was opened.
pub struct Authority {
    pub(crate) directory: Directory,
    certificates: Vec<CertificateDer<'static>>,
    /// The same authorities, as far as something is known of them.
    roots: Vec<Root>,
    /// The one whose key stands first in the file of keys, if there are two: it is being replaced.
    leaving: Option<usize>,
    has_other_keys: bool,
}

/// One of the authorities of a directory.
struct Root {
    key: Option<KeyPair>,
    fingerprint: Fingerprint,
    from: i64,
    until: i64,
}

impl Authority {
    /// Makes an authority in a directory, which may be there and empty. The certificate is written last: without it there
    /// is no authority, and a process that is killed before that can be repeated.
    ///
    /// # Errors
    /// If there is an authority already, if the values make no sense, or if writing fails.
    pub fn init(dir: &Path, now: u64, init: &Init) -> Result<Authority, CaError> {
        if init.life_s == 0 || init.life_s > LIFE_S_MAX {
            return Err(CaError::Invalid(format!("an authority lives 1 to {LIFE_S_MAX} seconds")));
        }
        let has_bad_name = init.name.is_empty() || init.name.chars().any(char::is_control);
        if has_bad_name || init.name.len() > NAME_BYTES_MAX {
            return Err(CaError::Invalid(format!(
                "an authority's name has 1 to {NAME_BYTES_MAX} bytes and no control characters"
            )));
        }
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(disk::failed("make", dir))?;
        let directory = Directory::new(dir);
        let lock = directory.lock()?;
        // Without its certificate a key that has issued nothing is the rest of an attempt.
        if disk::read(&directory.certificates())?.is_some() || directory.has_issued()? {
            return Err(CaError::Exists(dir.to_owned()));
        }
        let (key, certificate) = new_root(now, init)?;
        directory.begin_issued()?;
        directory.set_tokens(&Tokens::default())?;
        let mut revocations = Revocations::default();
        revocations.turn(now);
        directory.set_revocations(&revocations)?;
        disk::replace(&directory.key(), 0o600, key.serialize_pem().as_bytes())?;
        let issuer = Issuer::from_ca_cert_der(certificate.der(), &key)?;
        disk::replace(&directory.crl(), 0o644, &crl::sign(now, &revocations, &issuer)?)?;
        disk::replace(&directory.certificates(), 0o644, text_of(&[certificate.der().clone()]).as_bytes())?;
        drop(lock);
        Authority::open(dir)
    }

    /// Opens an authority. Its key may be missing: then everything works that signs nothing.
    ///
    /// # Errors
    /// If there is none, if a file is damaged, or if others may read the key.
    pub fn open(dir: &Path) -> Result<Authority, CaError> {
        let directory = Directory::new(dir);
        let path = directory.certificates();
        let pem = disk::read(&path)?.ok_or_else(|| CaError::Missing(dir.to_owned()))?;
        let damaged = |why: &str| CaError::Damaged { path: path.clone(), why: why.to_owned() };
        let certificates = CertificateDer::pem_slice_iter(&pem)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| damaged("it is not a list of certificates"))?;
        if certificates.is_empty() || certificates.len() > AUTHORITIES_MAX {
            return Err(damaged("it has no certificate, or too many"));
        }
        let keys = keys_of(&directory)?;
        let mut roots = Vec::new();
        for certificate in &certificates {
            let (_, read) =
                X509Certificate::from_der(certificate).map_err(|_| damaged("it has no certificate"))?;
            roots.push(Root {
                key: None,
                fingerprint: Fingerprint::of(read.public_key().raw),
                from: read.validity().not_before.timestamp(),
                until: read.validity().not_after.timestamp(),
            });
        }
        let count = keys.len();
        let mut order = Vec::new();
        for key in keys {
            let print = Fingerprint::of(&key.subject_public_key_info());
            // A key without a certificate is the rest of a step that was not done.
            if let Some(at) = roots.iter().position(|root| root.fingerprint == print) {
                roots[at].key = Some(key);
                order.push(at);
            }
        }
        if count > 0 && roots[0].key.is_none() {
            return Err(CaError::NotAPair(directory.key()));
        }
        let leaving = order.first().copied().filter(|_| order.len() == 2);
        let has_other_keys = count > order.len();
        Ok(Authority { directory, certificates, roots, leaving, has_other_keys })
    }

    /// All certificates that a machine of the fleet trusts, the issuing one first.
    pub fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.certificates
    }

    /// What its tokens begin with: the authority of the tracker's certificate, which every machine has to trust.
    ///
    /// # Errors
    /// If the certificate cannot be read, which `open` has excluded.
    pub fn pin(&self) -> Result<Pin, CaError> {
        Ok(Pin::of_public_key(&public_key_of(&self.certificates[self.eldest()])?))
    }

    /// The fingerprints of all authorities, the issuing one first.
    pub fn fingerprints(&self) -> Vec<Fingerprint> {
        self.roots.iter().map(|root| root.fingerprint).collect()
    }

    /// The place of the authority that is being replaced, if one is.
    pub(crate) fn leaving(&self) -> Option<usize> {
        self.leaving
    }

    /// The place of the authority that every machine of the fleet trusts, also one that was off for a while.
    pub(crate) fn eldest(&self) -> usize {
        self.leaving.unwrap_or(0)
    }

    /// The last second of the life of one of the authorities, since 1970.
    pub(crate) fn until_of(&self, at: usize) -> i64 {
        self.roots[at].until
    }

    /// Whether the file of keys has keys of no authority.
    pub(crate) fn has_other_keys(&self) -> bool {
        self.has_other_keys
    }

    /// The key of one of the authorities.
    pub(crate) fn key(&self, at: usize) -> Option<&KeyPair> {
        self.roots[at].key.as_ref()
    }

    /// The last second of the authority's life, since 1970.
    pub fn until(&self) -> i64 {
        self.roots[0].until
    }

    /// Whether the key is at hand, so that something can be signed.
    pub fn can_sign(&self) -> bool {
        self.roots[0].key.is_some()
    }

    /// Issues a certificate for a key that somebody made. `life_s` is its life from now on, in seconds; it ends with the
    /// authority at the latest.
    ///
    /// The certificate is in the list, on the disk, before it is returned.
    ///
    /// # Errors
    /// If the key is not at hand, if this machine's clock is outside of the authority's life, or if writing fails.
    pub fn issue(
        &self,
        now: u64,
        node: &Node,
        public_key: &impl PublicKeyData,
        life_s: u64,
    ) -> Result<Certified, CaError> {
        let _lock = self.directory.lock()?;
        self.issue_locked(now, &self.directory.issued()?, node, public_key, life_s, How::Issued)
    }

    /// [`Authority::issue`] for a caller that holds the lock and has read the list under it.
    pub(crate) fn issue_locked(
        &self,
        now: u64,
        list: &List,
        node: &Node,
        public_key: &impl PublicKeyData,
        life_s: u64,
        how: How,
    ) -> Result<Certified, CaError> {
        self.sign_locked(0, now, list, node, public_key, (life_s, how))
    }

    /// [`Authority::issue_locked`] by one of the authorities.
    pub(crate) fn sign_locked(
        &self,
        by: usize,
        now: u64,
        list: &List,
        node: &Node,
        public_key: &impl PublicKeyData,
        (life_s, how): (u64, How),
    ) -> Result<Certified, CaError> {
        if node.roles.is_empty() {
            return Err(CaError::Invalid(format!("{} has no role", node.name)));
        }
        let issuer = self.issuer_at(by, now)?;
        let not_after =
            now.saturating_add(life_s).min(u64::try_from(self.roots[by].until).unwrap_or_default());
        let serial: [u8; 16] = rand::random();
        // The first bit would be the sign, and a first byte of 0 would be left out.
        let serial = [&[serial[0] & 0x3f | 0x40], &serial[1..]].concat();
        let mut params = CertificateParams::new(node.dns_names())?;
        params.not_before = date(now.saturating_sub(BACKDATED_S))?;
        params.not_after = date(not_after)?;
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        params.distinguished_name = common_name(node.name.as_str());
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(public_key, &issuer)?;
        let key = key_digest(&public_key.subject_public_key_info());
        let mut authorities = self.fingerprints();
        authorities.swap(0, by);
        let issued = Issued { serial, node: node.clone(), key, not_after, how, authorities };
        self.directory.add_issued(now, list, &issued)?;
        Ok(Certified { chain: vec![certificate.der().clone()], issued })
    }

    /// Keeps a new token.
    ///
    /// # Errors
    /// If it makes no sense, if there are too many, or if writing fails.
    pub fn add_token(&self, now: u64, token: Admission) -> Result<(), CaError> {
        let _lock = self.directory.lock()?;
        let mut tokens = self.directory.tokens()?;
        tokens.add(now, token).map_err(CaError::Invalid)?;
        self.directory.set_tokens(&tokens)
    }

    /// All that the directory knows at one moment: certificates, tokens, revocations.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn contents(&self) -> Result<(List, Tokens, Revocations), CaError> {
        let _lock = self.directory.lock()?;
        Ok((self.directory.issued()?, self.directory.tokens()?, self.directory.revocations()?))
    }

    /// What signs, if it is at hand and its time is now.
    pub(crate) fn issuer(&self, now: u64) -> Result<Issuer<'static, &KeyPair>, CaError> {
        self.issuer_at(0, now)
    }

    fn issuer_at(&self, at: usize, now: u64) -> Result<Issuer<'static, &KeyPair>, CaError> {
        let Root { key, from, until, .. } = &self.roots[at];
        let key = key.as_ref().ok_or_else(|| CaError::NoKey(self.directory.key()))?;
        let second = i64::try_from(now).unwrap_or(i64::MAX);
        if second < *from || second >= *until {
            return Err(CaError::OutOfTime { from: *from, until: *until, now });
        }
        Ok(Issuer::from_ca_cert_der(&self.certificates[at], key)?)
    }

    /// All that sign: those whose key is at hand and whose time is now.
    pub(crate) fn signers(&self, now: u64) -> Result<Vec<Issuer<'static, &KeyPair>>, CaError> {
        let mut signers = Vec::new();
        for at in 0..self.roots.len() {
            match self.issuer_at(at, now) {
                Ok(issuer) => signers.push(issuer),
                Err(CaError::NoKey(_) | CaError::OutOfTime { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(signers)
    }
}

/// Makes the key of a new authority and its certificate. The fingerprint in its subject tells it from all others: lists of
/// revoked certificates name the authority by the subject alone.
pub(crate) fn new_root(now: u64, init: &Init) -> Result<(KeyPair, Certificate), CaError> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.not_before = date(now.saturating_sub(BACKDATED_S))?;
    params.not_after = date(now.saturating_add(init.life_s))?;
    let print = Fingerprint::of(&key.subject_public_key_info());
    params.distinguished_name = common_name(&format!("{} {print}", init.name));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(&key)?;
    Ok((key, certificate))
}

/// Certificates as PEM.
pub(crate) fn text_of(certificates: &[CertificateDer<'_>]) -> String {
    let lines = EncodeConfig::new().set_line_ending(LineEnding::LF);
    let text = |der: &CertificateDer<'_>| pem::encode_config(&Pem::new("CERTIFICATE", der.to_vec()), lines);
    certificates.iter().map(text).collect()
}

/// A certificate's subject. X.509 allows 64 characters, and a longer name is in the DNS names anyway.
fn common_name(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, &name[..name.floor_char_boundary(64)]);
    subject
}

/// The keys of the directory, in the order of their file; none if the file is elsewhere.
fn keys_of(directory: &Directory) -> Result<Vec<KeyPair>, CaError> {
    let path = directory.key();
    let Some(pem) = disk::read(&path)? else { return Ok(Vec::new()) };
    let mode = disk::mode(&path)?;
    if mode & 0o077 != 0 {
        return Err(CaError::OthersMayRead { path, mode });
    }
    let damaged = || CaError::Damaged { path: path.clone(), why: "it is not a private key".to_owned() };
    let mut keys = Vec::new();
    for der in PrivateKeyDer::pem_slice_iter(&pem) {
        let der = der.map_err(|_| damaged())?;
        keys.push(KeyPair::try_from(&der).map_err(|_| damaged())?);
    }
    if keys.is_empty() {
        return Err(damaged());
    }
    Ok(keys)
}

/// The SHA-256 of a public key, which is the DER of its `SubjectPublicKeyInfo`.
pub(crate) fn key_digest(public_key: &[u8]) -> [u8; 32] {
    Sha256::digest(public_key).into()
}

fn public_key_of(certificate: &[u8]) -> Result<Vec<u8>, CaError> {
    let (_, certificate) =
        X509Certificate::from_der(certificate).map_err(|_| rcgen::Error::CouldNotParseCertificate)?;
    Ok(certificate.public_key().raw.to_vec())
}
