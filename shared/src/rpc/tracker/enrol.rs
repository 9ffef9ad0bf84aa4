//! How a machine comes to a certificate and to the list of revoked ones: the arguments and results of `authority`,
//! `join`, `renew` and `revoked`.
//!
//! Certificates and requests are DER, and nothing here looks inside. [`NotEnrolled`](super::NotEnrolled) has the reasons
//! for which a machine gets none.

use crate::identity::NodeName;
use crate::rpc::message::Payload;
use crate::tls_mode::TlsMode;
use crate::token::{Secret, TokenId};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// Limits a certificate, and a request for one, in bytes. Ours have 700 and 300. A longer one ends the connection.
pub const DER_BYTES_MAX: usize = 4096;
/// Limits the certificates in one answer. While one authority takes the place of another there are two or three. More
/// end the connection.
pub const CERTIFICATES_MAX: usize = 4;
/// Limits the list of revoked certificates in bytes; it has some 40 bytes for each. A longer one is neither served nor
/// fetched.
pub const REVOKED_BYTES_MAX: usize = 4 << 20;
/// The bytes in one page of the list of revoked certificates. The last page may have fewer.
pub const REVOKED_PAGE_BYTES: usize = 256 << 10;

/// A certificate, or a request for one: at most [`DER_BYTES_MAX`] bytes of DER. Nothing else is known about it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<u8>", into = "Vec<u8>")]
pub struct Der(Vec<u8>);

impl Der {
    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

/// More bytes than a [`Der`] may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a certificate, or a request for one, of more than {DER_BYTES_MAX} bytes")
    }
}

impl std::error::Error for TooLong {}

impl TryFrom<Vec<u8>> for Der {
    type Error = TooLong;

    fn try_from(bytes: Vec<u8>) -> Result<Der, TooLong> {
        if bytes.len() <= DER_BYTES_MAX { Ok(Der(bytes)) } else { Err(TooLong) }
    }
}

impl From<Der> for Vec<u8> {
    fn from(der: Der) -> Vec<u8> {
        der.0
    }
}

impl fmt::Debug for Der {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Der({} bytes)", self.0.len())
    }
}

/// The authority of a tracker's fleet. It is no secret: a machine that joins compares it with the pin in its token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorityReply {
    /// The certificates of the authority, the issuing one first: 1 to [`CERTIFICATES_MAX`].
    #[serde(deserialize_with = "certificates")]
    pub certificates: Vec<Der>,
    /// The tracker's time of day, in milliseconds since 1970: a machine whose clock is wrong learns it here, before a
    /// certificate seems to be expired.
    pub now_ms: u64,
}

/// A machine that wants to join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinAsk {
    /// Its token.
    pub token: TokenId,
    /// The token's secret. So this call is made over TLS only, to a tracker that has proven to be the fleet's.
    pub secret: Secret,
    /// The name that it wants.
    pub node: NodeName,
    /// Its PKCS#10 request. Only the key is taken from it; the key's signature proves that the machine has it.
    pub request: Der,
}

/// A machine that renews its certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenewAsk {
    /// The certificate that it has. It may have expired.
    pub certificate: Der,
    /// Its PKCS#10 request for the same key.
    pub request: Der,
}

/// A new certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolled {
    /// The certificate, and behind it those between it and the authority's: 1 to [`CERTIFICATES_MAX`].
    #[serde(deserialize_with = "certificates")]
    pub chain: Vec<Der>,
    /// The certificates of authorities that the machine trusts from now on, the issuing one first: 1 to
    /// [`CERTIFICATES_MAX`].
    #[serde(deserialize_with = "certificates")]
    pub authorities: Vec<Der>,
    /// What the machine does about TLS from now on. After a renewal it goes on as before.
    pub mode: Option<EnrolledMode>,
}

/// What a machine that has joined does about TLS, as its token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EnrolledMode {
    /// It speaks TLS where the other side does.
    Prefer,
    /// It speaks to nobody without TLS.
    Require,
}

impl From<EnrolledMode> for TlsMode {
    fn from(mode: EnrolledMode) -> TlsMode {
        match mode {
            EnrolledMode::Prefer => TlsMode::Prefer,
            EnrolledMode::Require => TlsMode::Require,
        }
    }
}

/// Asks for the list of revoked certificates, or for the next page of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevokedAsk {
    /// The number of the list that the caller has; 0 if it has none.
    pub seen: u64,
    /// How many bytes of the newer list it has already.
    pub offset: u32,
}

/// A page of the list of revoked certificates, which is a CRL that the authority signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevokedPage {
    /// The number of the tracker's list; 0 if it has none. If it is another one than on the page before, the list was
    /// replaced in between, and the caller begins anew.
    pub number: u64,
    /// The bytes of the whole list, at most [`REVOKED_BYTES_MAX`].
    #[serde(deserialize_with = "list_bytes")]
    pub bytes_total: u32,
    /// The bytes from the offset on, at most [`REVOKED_PAGE_BYTES`]; none if the tracker's list is not newer than the
    /// one that the caller has.
    pub part: Payload,
}

fn certificates<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Der>, D::Error> {
    let certificates = Vec::deserialize(from)?;
    match certificates.len() {
        1..=CERTIFICATES_MAX => Ok(certificates),
        count => Err(D::Error::custom(format!("{count} certificates, not 1 to {CERTIFICATES_MAX}"))),
    }
}

fn list_bytes<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    let bytes = u32::deserialize(from)?;
    if bytes as usize > REVOKED_BYTES_MAX {
        return Err(D::Error::custom(format!("a list of {bytes} bytes, more than {REVOKED_BYTES_MAX}")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: for<'de> Deserialize<'de>>(from: &impl Serialize) -> Result<T, postcard::Error> {
        postcard::from_bytes(&postcard::to_stdvec(from).unwrap())
    }

    #[test]
    fn what_is_too_long_is_not_decoded() {
        assert_eq!(read::<Der>(&vec![7_u8; DER_BYTES_MAX]).unwrap().as_slice(), [7; DER_BYTES_MAX]);
        assert!(read::<Der>(&vec![7_u8; DER_BYTES_MAX + 1]).is_err());
        let reply = |count: usize| (vec![vec![7_u8]; count], 9_u64);
        assert_eq!(read::<AuthorityReply>(&reply(1)).unwrap().now_ms, 9);
        assert!(read::<AuthorityReply>(&reply(CERTIFICATES_MAX)).is_ok());
        for count in [0, CERTIFICATES_MAX + 1] {
            assert!(read::<AuthorityReply>(&reply(count)).is_err(), "{count}");
        }
        assert!(read::<RevokedPage>(&(1_u64, REVOKED_BYTES_MAX as u32)).is_ok());
        assert!(read::<RevokedPage>(&(1_u64, REVOKED_BYTES_MAX as u32 + 1)).is_err());
    }

    #[test]
    fn a_secret_and_a_key_are_not_shown() {
        let request = Der(vec![0x5a; 300]);
        let ask = JoinAsk {
            token: TokenId([1; 5]),
            secret: Secret([0x5a; 16]),
            node: "a".parse().unwrap(),
            request,
        };
        let shown = format!("{ask:?}");
        assert!(!shown.contains("90") && shown.contains("Der(300 bytes)"), "{shown}");
    }
}
