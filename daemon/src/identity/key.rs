//! This machine's secret key, and requests for certificates that are signed by it. The key is made here and never sent.

#[cfg(test)]
use rcgen::PublicKeyData;
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use std::fmt;

/// A secret key: ECDSA on the curve P-256, if it was made here. `Debug` does not show it.
pub struct Key(KeyPair);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    /// A new key.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub fn make() -> Result<Key, rcgen::Error> {
        KeyPair::generate().map(Key)
    }

    /// The first key of a PEM file; `None` if there is none, or if it is of a kind that cannot sign.
    pub fn read(pem: &[u8]) -> Option<Key> {
        let der = PrivateKeyDer::from_pem_slice(pem).ok()?;
        KeyPair::try_from(&der).ok().map(Key)
    }

    /// The key as PEM. It is a secret.
    pub fn text(&self) -> String {
        self.0.serialize_pem()
    }

    /// A PKCS#10 request as DER, signed by the key. It has no names: what a certificate says is decided by who issues it.
    ///
    /// # Errors
    /// If signing fails.
    pub fn request(&self) -> Result<Vec<u8>, rcgen::Error> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        Ok(params.serialize_request(&self.0)?.der().to_vec())
    }

    /// The public key, as the DER that certificates have.
    #[cfg(test)]
    pub fn public(&self) -> Vec<u8> {
        self.0.subject_public_key_info()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_was_written_also_with_certificates_behind_it() {
        let key = Key::make().unwrap();
        let text = format!("{}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", key.text());
        assert_eq!(Key::read(text.as_bytes()).unwrap().public(), key.public());
        assert!(Key::read(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").is_none());
        assert!(Key::read(b"").is_none());
        assert_eq!(format!("{key:?}"), "Key(…)");
    }

    #[test]
    fn a_request_has_the_public_key_and_no_names() {
        use x509_parser::prelude::{FromDer, X509CertificationRequest};

        let key = Key::make().unwrap();
        let request = key.request().unwrap();
        let (rest, request) = X509CertificationRequest::from_der(&request).unwrap();
        assert!(rest.is_empty());
        request.verify_signature().unwrap();
        let info = &request.certification_request_info;
        assert_eq!(info.subject_pki.raw, key.public());
        assert_eq!(info.subject.iter().count(), 0);
        assert!(request.requested_extensions().is_none_or(|extensions| extensions.count() == 0));
    }
}
