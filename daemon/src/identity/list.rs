//! A list of revoked certificates (a CRL), as far as rustls does not tell about it: its number, and who signed it.

use rustls_pki_types::CertificateDer;
use shared::der;
use shared::rpc::tracker::CERTIFICATES_MAX;
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

/// Limits the lists that come together: one for each authority of a tracker.
const LISTS_MAX: usize = CERTIFICATES_MAX;

/// The number of the lists, if our authorities signed them. While one authority takes the place of another there is a list of
/// each, with one number. A list of an authority that is not ours is passed over: connections do not look at it either.
///
/// # Errors
/// Why they do not count.
pub fn check(lists: &[u8], authorities: &[CertificateDer<'_>]) -> Result<u64, BadList> {
    let lists = der::sequences(lists, LISTS_MAX).ok_or(BadList::Malformed)?;
    let authorities: Vec<X509Certificate<'_>> = authorities
        .iter()
        .filter_map(|authority| X509Certificate::from_der(authority).ok().map(|(_, authority)| authority))
        .collect();
    let (mut number, mut is_ours) = (None, false);
    for list in lists {
        let (_, list) = CertificateRevocationList::from_der(list).map_err(|_| BadList::Malformed)?;
        let of_list = number_of(&list).ok_or(BadList::Malformed)?;
        if number.replace(of_list).is_some_and(|number| number != of_list) {
            return Err(BadList::Malformed);
        }
        let mut named =
            authorities.iter().filter(|it| it.subject().as_raw() == list.issuer().as_raw()).peekable();
        if named.peek().is_some() {
            if !named.any(|authority| list.verify_signature(authority.public_key()).is_ok()) {
                return Err(BadList::Foreign);
            }
            is_ours = true;
        }
    }
    number.filter(|_| is_ours).ok_or(BadList::Foreign)
}

fn number_of(list: &CertificateRevocationList<'_>) -> Option<u64> {
    let bytes = list.crl_number()?.to_bytes_be();
    bytes.iter().try_fold(0_u64, |number, &byte| number.checked_mul(256)?.checked_add(byte.into()))
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
