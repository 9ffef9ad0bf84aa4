//! The authority: made once, opened by every command and by the tracker, and what it issues.

use crate::date::date;
use crate::directory::Directory;
use crate::error::CaError;
use crate::issued::{How, Issued, List};
use crate::revoked::Revocations;
use crate::tokens::{Admission, Tokens};
use crate::{crl, disk};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PublicKeyData, SerialNumber,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use sha2::{Digest, Sha256};
use shared::identity::Node;
use shared::token::Pin;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Limits the certificates in `ca.pem`; more are an error. While one authority takes the place of another there are two or
/// three.
pub const AUTHORITIES_MAX: usize = 4;

/// Limits the life of an authority in seconds: 100 years. A longer one is an error.
pub const LIFE_S_MAX: u64 = 100 * 365 * 24 * 3600;

/// How much earlier than now a certificate begins, in seconds, so that a machine whose clock is behind takes it.
pub const EARLIER_S: u64 = 3600;

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
    key: Option<KeyPair>,
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
        if init.name.is_empty() || init.name.len() > 64 || init.name.chars().any(char::is_control) {
            return Err(CaError::Invalid(
                "an authority's name has 1 to 64 bytes and no control characters".to_owned(),
            ));
        }
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(disk::failed("make", dir))?;
        let directory = Directory::new(dir);
        let lock = directory.lock()?;
        // Without its certificate a key that has issued nothing is the rest of an attempt.
        if disk::read(&directory.certificates())?.is_some() || directory.has_issued()? {
            return Err(CaError::Exists(dir.to_owned()));
        }
        let key = KeyPair::generate()?;
        let certificate = authority_params(now, init)?.self_signed(&key)?;
        directory.begin_issued()?;
        directory.set_tokens(&Tokens::default())?;
        let mut revocations = Revocations::default();
        revocations.turn(now);
        directory.set_revocations(&revocations)?;
        disk::replace(&directory.key(), 0o600, key.serialize_pem().as_bytes())?;
        let issuer = Issuer::from_ca_cert_der(certificate.der(), &key)?;
        disk::replace(&directory.crl(), 0o644, &crl::sign(now, &revocations, &issuer)?)?;
        disk::replace(&directory.certificates(), 0o644, certificate.pem().as_bytes())?;
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
        let (_, first) =
            X509Certificate::from_der(&certificates[0]).map_err(|_| damaged("it has no certificate"))?;
        let (from, until) = (first.validity().not_before.timestamp(), first.validity().not_after.timestamp());
        let key = key_of(&directory, first.public_key().raw)?;
        Ok(Authority { directory, key, from, until, certificates })
    }

    /// All certificates that a machine of the fleet trusts, the issuing one first.
    pub fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.certificates
    }

    /// What its tokens begin with.
    ///
    /// # Errors
    /// If the certificate cannot be read, which `open` has excluded.
    pub fn pin(&self) -> Result<Pin, CaError> {
        Ok(Pin::of_public_key(&public_key_of(&self.certificates[0])?))
    }

    /// The last second of the authority's life, since 1970.
    pub fn until(&self) -> i64 {
        self.until
    }

    /// Whether the key is at hand, so that something can be signed.
    pub fn can_sign(&self) -> bool {
        self.key.is_some()
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
        if node.roles.is_empty() {
            return Err(CaError::Invalid(format!("{} has no role", node.name)));
        }
        let issuer = self.issuer(now)?;
        let not_after = now.saturating_add(life_s).min(u64::try_from(self.until).unwrap_or_default());
        let serial: [u8; 16] = rand::random();
        // The first bit would be the sign, and a first byte of 0 would be left out.
        let serial = [&[serial[0] & 0x3f | 0x40], &serial[1..]].concat();
        let mut params = CertificateParams::new(node.dns_names())?;
        params.not_before = date(now.saturating_sub(EARLIER_S))?;
        params.not_after = date(not_after)?;
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        params.distinguished_name = common_name(node.name.as_str());
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(public_key, &issuer)?;
        let key = key_digest(&public_key.subject_public_key_info());
        let issued = Issued { serial, node: node.clone(), key, not_after, how };
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
        let key = self.key.as_ref().ok_or_else(|| CaError::NoKey(self.directory.key()))?;
        let at = i64::try_from(now).unwrap_or(i64::MAX);
        if at < self.from || at >= self.until {
            return Err(CaError::OutOfTime { from: self.from, until: self.until, now });
        }
        Ok(Issuer::from_ca_cert_der(&self.certificates[0], key)?)
    }
}

fn authority_params(now: u64, init: &Init) -> Result<CertificateParams, CaError> {
    let mut params = CertificateParams::default();
    params.not_before = date(now.saturating_sub(EARLIER_S))?;
    params.not_after = date(now.saturating_add(init.life_s))?;
    params.distinguished_name = common_name(&init.name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

/// A certificate's subject. X.509 allows 64 characters, and a longer name is in the DNS names anyway.
fn common_name(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, &name[..name.floor_char_boundary(64)]);
    subject
}

/// The authority's key, if it is there, and if it belongs to the public key.
fn key_of(directory: &Directory, public_key: &[u8]) -> Result<Option<KeyPair>, CaError> {
    let path = directory.key();
    let Some(pem) = disk::read(&path)? else { return Ok(None) };
    let mode = disk::mode(&path)?;
    if mode & 0o077 != 0 {
        return Err(CaError::OthersMayRead { path, mode });
    }
    let text = String::from_utf8(pem).unwrap_or_default();
    let damaged = |_| CaError::Damaged { path: path.clone(), why: "it is not a private key".to_owned() };
    let key = KeyPair::from_pem(&text).map_err(damaged)?;
    if key.subject_public_key_info() != public_key {
        return Err(CaError::NotAPair(path));
    }
    Ok(Some(key))
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
