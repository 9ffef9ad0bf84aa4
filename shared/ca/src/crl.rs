//! The signed list of what was revoked, as every tool for certificates reads it.

use crate::date::date;
use crate::error::CaError;
use crate::fingerprint::AUTHORITIES_MAX;
use crate::revoked::Revocations;
use rcgen::{
    CertificateRevocationListParams, Issuer, KeyIdMethod, KeyPair, RevocationReason, RevokedCertParams,
    SerialNumber,
};
use shared::der;
use x509_parser::prelude::{CertificateRevocationList, FromDer};

/// How long a list says that it is the newest, in seconds: 7 days. A tracker makes it anew each day.
const LIFE_S: u64 = 7 * 24 * 3600;

/// The list as DER.
pub(crate) fn sign(now: u64, list: &Revocations, issuer: &Issuer<'_, &KeyPair>) -> Result<Vec<u8>, CaError> {
    let revoked_certs = list.entries.iter().map(|entry| {
        Ok(RevokedCertParams {
            serial_number: SerialNumber::from_slice(&entry.serial),
            revocation_time: date(entry.at)?,
            reason_code: Some(RevocationReason::Unspecified),
            invalidity_date: None,
        })
    });
    let params = CertificateRevocationListParams {
        this_update: date(now)?,
        next_update: date(now.saturating_add(LIFE_S))?,
        crl_number: SerialNumber::from_slice(&number_bytes(list.number)),
        issuing_distribution_point: None,
        revoked_certs: revoked_certs.collect::<Result<_, CaError>>()?,
        key_identifier_method: KeyIdMethod::Sha256,
    };
    Ok(params.signed_by(issuer)?.der().to_vec())
}

/// The number of a signed list; `None` if it is none.
pub fn crl_number(der: &[u8]) -> Option<u64> {
    stamp(der).map(|stamp| stamp.number)
}

/// What a file of lists says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// The number, which all lists of a file have.
    pub(crate) number: u64,
    /// The date of the first one, in seconds since 1970.
    pub(crate) at: i64,
    /// How many lists there are: one for each authority that signs.
    pub(crate) lists: usize,
}

/// The stamp of a file of lists; `None` if it is none.
pub(crate) fn stamp(file: &[u8]) -> Option<Stamp> {
    let lists = der::sequences(file, AUTHORITIES_MAX)?;
    let (number, at) = number_and_date(lists[0])?;
    Some(Stamp { number, at, lists: lists.len() })
}

/// The number and the date of a list.
fn number_and_date(der: &[u8]) -> Option<(u64, i64)> {
    let (_, list) = CertificateRevocationList::from_der(der).ok()?;
    let number = list.crl_number()?.to_bytes_be();
    let number =
        number.iter().try_fold(0_u64, |number, &byte| number.checked_mul(256)?.checked_add(byte.into()))?;
    Some((number, list.last_update().timestamp()))
}

/// The bytes of a number without those in front that are 0.
fn number_bytes(number: u64) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    bytes[bytes.iter().position(|&byte| byte != 0).unwrap_or(7)..].to_vec()
}
