//! A list of revoked certificates (a CRL), as far as rustls does not tell about it: its number, and who signed it.

use rustls_pki_types::CertificateDer;
use std::fmt;
use x509_parser::prelude::{CertificateRevocationList, FromDer, X509Certificate};

/// Why a list does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadList {
    /// It is not a list.
    Malformed,
    /// None of the authorities signed it.
    Foreign,
    /// It is not newer than the one that is known.
    Older {
        /// Its number.
        number: u64,
        /// The number of the known one.
        known: u64,
    },
}

impl fmt::Display for BadList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadList::Malformed => f.write_str("it is not a list of revoked certificates with a number"),
            BadList::Foreign => f.write_str("none of this machine's authorities signed it"),
            BadList::Older { number, known } => {
                write!(f, "its number is {number}, and the list with number {known} is known here")
            }
        }
    }
}

impl std::error::Error for BadList {}

/// The number of a list, if one of the authorities signed the list.
///
/// # Errors
/// Why it does not count.
pub fn check(list: &[u8], authorities: &[CertificateDer<'_>]) -> Result<u64, BadList> {
    let (rest, list) = CertificateRevocationList::from_der(list).map_err(|_| BadList::Malformed)?;
    let number = list.crl_number().map(|number| number.to_bytes_be()).filter(|_| rest.is_empty());
    let number = number.and_then(|bytes| {
        bytes.iter().try_fold(0_u64, |number, &byte| number.checked_mul(256)?.checked_add(byte.into()))
    });
    let number = number.ok_or(BadList::Malformed)?;
    let is_signed = authorities.iter().any(|authority| {
        X509Certificate::from_der(authority).is_ok_and(|(_, authority)| {
            list.issuer().as_raw() == authority.subject().as_raw()
                && list.verify_signature(authority.public_key()).is_ok()
        })
    });
    if is_signed { Ok(number) } else { Err(BadList::Foreign) }
}

/// The number of a list that may take the place of the one with the number `known`.
///
/// # Errors
/// Why it may not.
pub fn check_newer(list: &[u8], authorities: &[CertificateDer<'_>], known: u64) -> Result<u64, BadList> {
    match check(list, authorities)? {
        number if number <= known => Err(BadList::Older { number, known }),
        number => Ok(number),
    }
}
