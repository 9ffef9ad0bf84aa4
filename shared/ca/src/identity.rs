//! Certificates for keys that are made here: those that a person carries to a machine, and the tracker's own. And the
//! authority's certificates as text.

use crate::authority::{Authority, Certified, text_of};
use crate::disk;
use crate::error::CaError;
use crate::issued::{How, Issued};
use rcgen::KeyPair;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use shared::identity::{BACKDATED_S, Node};
use std::path::PathBuf;
use x509_parser::prelude::{ASN1Time, FromDer, GeneralName, X509Certificate};

/// A key with its certificate. It has no `Debug`, so that the key does not get into a message.
pub struct Identity {
    /// What the list says about the certificate.
    pub issued: Issued,
    text: String,
}

impl Identity {
    /// The key and then the certificate as PEM, **with the secret key**: for one file that only its owner may read.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// The tracker's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresentTracker {
    /// Whose it is.
    pub node: Node,
    /// Its serial number.
    pub serial: Vec<u8>,
    /// Its life from the moment at which it was issued, in seconds.
    pub life_s: u64,
    /// Its last second, since 1970.
    pub not_after: u64,
}

impl Authority {
    /// Makes a key, and issues a certificate for it. `life_s` is its life in seconds.
    ///
    /// # Errors
    /// As [`Authority::issue`].
    pub fn identity(&self, now: u64, node: &Node, life_s: u64) -> Result<Identity, CaError> {
        let key = KeyPair::generate()?;
        Ok(together(&key, self.issue(now, node, &key, life_s)?))
    }

    /// Gives the tracker of this authority a new key and a certificate, in [`Authority::tracker_identity`]. While a new
    /// authority takes the place of another, the other one signs it: a machine that was off has heard of no new one.
    ///
    /// # Errors
    /// As [`Authority::issue`], or if the file cannot be written.
    pub fn set_tracker_identity(&self, now: u64, node: &Node, life_s: u64) -> Result<Issued, CaError> {
        let _lock = self.directory.lock()?;
        self.set_tracker_identity_locked(self.eldest(), now, node, life_s)
    }

    /// [`Authority::set_tracker_identity`] by one of the authorities, for a caller that holds the lock.
    pub(crate) fn set_tracker_identity_locked(
        &self,
        by: usize,
        now: u64,
        node: &Node,
        life_s: u64,
    ) -> Result<Issued, CaError> {
        let (key, list) = (KeyPair::generate()?, self.directory.issued()?);
        let certified = self.sign_locked(by, now, &list, node, &key, (life_s, How::Issued))?;
        let identity = together(&key, certified);
        disk::replace(&self.tracker_identity(), 0o600, identity.text().as_bytes())?;
        Ok(identity.issued)
    }

    /// The file with the key and the certificate of the tracker. It need not exist.
    pub fn tracker_identity(&self) -> PathBuf {
        self.directory.tracker()
    }

    /// The tracker's certificate as it is now; `None` if there is none, or if it cannot be read.
    ///
    /// # Errors
    /// If the system refuses to read the file.
    pub fn present_tracker(&self) -> Result<Option<PresentTracker>, CaError> {
        Ok(disk::read(&self.tracker_identity())?.and_then(|file| present(&file)))
    }

    /// The file with the certificates that a machine of the fleet trusts.
    pub fn certificates_file(&self) -> PathBuf {
        self.directory.certificates()
    }

    /// The certificates that a machine of the fleet trusts, as PEM.
    pub fn certificates_text(&self) -> String {
        text_of(self.certificates())
    }
}

fn present(file: &[u8]) -> Option<PresentTracker> {
    let der = CertificateDer::from_pem_slice(file).ok()?;
    let (_, certificate) = X509Certificate::from_der(&der).ok()?;
    let names = certificate.subject_alternative_name().ok()??.value;
    let dns = names.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(*name),
        _ => None,
    });
    let second = |at: ASN1Time| u64::try_from(at.timestamp()).ok();
    let (from, not_after) =
        (second(certificate.validity().not_before)?, second(certificate.validity().not_after)?);
    Some(PresentTracker {
        node: Node::of_dns_names(dns).ok()?,
        serial: certificate.raw_serial().to_vec(),
        life_s: not_after.saturating_sub(from.saturating_add(BACKDATED_S)),
        not_after,
    })
}

fn together(key: &KeyPair, certified: Certified) -> Identity {
    let text = key.serialize_pem() + &text_of(&certified.chain);
    Identity { issued: certified.issued, text }
}
