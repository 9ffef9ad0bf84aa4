//! Certificates for keys that are made here: those that a person carries to a machine, and the tracker's own. And the
//! authority's certificates as text.

use crate::authority::Authority;
use crate::disk;
use crate::error::CaError;
use crate::issued::Issued;
use pem::{EncodeConfig, LineEnding, Pem};
use rcgen::KeyPair;
use rustls_pki_types::CertificateDer;
use shared::identity::Node;
use std::path::PathBuf;

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

impl Authority {
    /// Makes a key, and issues a certificate for it. `life_s` is its life in seconds.
    ///
    /// # Errors
    /// As [`Authority::issue`].
    pub fn identity(&self, now: u64, node: &Node, life_s: u64) -> Result<Identity, CaError> {
        let key = KeyPair::generate()?;
        let certified = self.issue(now, node, &key, life_s)?;
        let text = key.serialize_pem() + &text_of(&certified.chain);
        Ok(Identity { issued: certified.issued, text })
    }

    /// Gives the tracker of this authority a new key and a certificate, in [`Authority::tracker_identity`].
    ///
    /// # Errors
    /// As [`Authority::issue`], or if the file cannot be written.
    pub fn set_tracker_identity(&self, now: u64, node: &Node, life_s: u64) -> Result<Issued, CaError> {
        let identity = self.identity(now, node, life_s)?;
        disk::replace(&self.tracker_identity(), 0o600, identity.text().as_bytes())?;
        Ok(identity.issued)
    }

    /// The file with the key and the certificate of the tracker. It need not exist.
    pub fn tracker_identity(&self) -> PathBuf {
        self.directory.tracker()
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

fn text_of(certificates: &[CertificateDer<'_>]) -> String {
    let lines = EncodeConfig::new().set_line_ending(LineEnding::LF);
    let text = |der: &CertificateDer<'_>| pem::encode_config(&Pem::new("CERTIFICATE", der.to_vec()), lines);
    certificates.iter().map(text).collect()
}
