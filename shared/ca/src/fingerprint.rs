//! What tells one authority from another in a few letters. Pure.

use crate::sealed::{hex, unhex};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// Limits the certificates in `ca.pem`; more are an error. While one authority takes the place of another there are two.
pub const AUTHORITIES_MAX: usize = 4;

/// The first four bytes of the SHA-256 of an authority's public key. They stand at the end of its subject, so that no two
/// authorities of a fleet have one name, and beside each certificate in the list. Nothing is trusted because of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fingerprint(pub [u8; 4]);

impl Fingerprint {
    /// That of a public key, which is the DER of its `SubjectPublicKeyInfo`.
    pub(crate) fn of(public_key: &[u8]) -> Fingerprint {
        let digest: [u8; 32] = Sha256::digest(public_key).into();
        Fingerprint([digest[0], digest[1], digest[2], digest[3]])
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&hex(&self.0))
    }
}

/// The text is no fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadFingerprint;

impl FromStr for Fingerprint {
    type Err = BadFingerprint;

    fn from_str(text: &str) -> Result<Fingerprint, BadFingerprint> {
        let bytes = unhex(text).and_then(|bytes| bytes.try_into().ok());
        bytes.map(Fingerprint).ok_or(BadFingerprint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_eight_digits() {
        let print = Fingerprint::of(b"key");
        assert_eq!(print.to_string().parse(), Ok(print));
        assert_ne!(print, Fingerprint::of(b"kex"));
        for bad in ["", "3f9a2c1", "3f9a2c1b0", "3F9A2C1B", "xf9a2c1b"] {
            assert_eq!(bad.parse::<Fingerprint>(), Err(BadFingerprint), "{bad}");
        }
    }
}
