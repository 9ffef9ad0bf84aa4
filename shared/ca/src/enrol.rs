//! How machines come to certificates: they join with a token, and they renew what they have.

use crate::authority::{Authority, Certified, key_digest};
use crate::error::CaError;
use crate::issued::{How, KEPT_S};
use crate::plain_date::shown_s;
use crate::tokens::{Mode, NoGrant};
use rcgen::{CertificateSigningRequestParams, PublicKey, PublicKeyData};
use shared::identity::{Node, NodeName, Role};
use shared::token::{Secret, TokenId};
use std::collections::BTreeSet;
use std::fmt;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Limits a request and a certificate in bytes. Ours have 300 and 700; a longer one is refused before it is read.
pub const DER_BYTES_MAX: usize = 4096;

/// A machine that wants to join.
#[derive(Debug)]
pub struct JoinRequest<'a> {
    /// Its token.
    pub token: TokenId,
    /// The token's secret.
    pub secret: Secret,
    /// The name that it wants.
    pub node: NodeName,
    /// Its PKCS#10 request, as DER. Only the key is taken from it.
    pub request: &'a [u8],
}

/// A machine that got a certificate by a token.
#[derive(Debug)]
pub struct Joined {
    /// Its certificate.
    pub certified: Certified,
    /// What it does about TLS from now on.
    pub mode: Mode,
}

/// Why a machine gets no certificate.
#[derive(Debug)]
pub enum NotEnrolled {
    /// Its token does not admit it.
    Token(NoGrant),
    /// Another key has the name.
    NameTaken(NodeName),
    /// Its request makes no sense, or is not signed by its key.
    Request,
    /// Its certificate is not one of ours, or the list does not name it.
    Foreign,
    /// Its certificate was revoked.
    Revoked,
    /// Its certificate ended at this second since 1970, too long ago.
    TooLate {
        /// The end.
        not_after: u64,
    },
    /// The request is for another key than the certificate.
    OtherKey,
    /// The authority failed.
    Ca(CaError),
}

impl From<CaError> for NotEnrolled {
    fn from(error: CaError) -> NotEnrolled {
        NotEnrolled::Ca(error)
    }
}

impl fmt::Display for NotEnrolled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotEnrolled::Token(why) => why.fmt(f),
            NotEnrolled::NameTaken(name) => write!(f, "{name} belongs to another key"),
            NotEnrolled::Request => f.write_str("the request for a certificate is malformed"),
            NotEnrolled::Foreign => f.write_str("the certificate is not of this authority"),
            NotEnrolled::Revoked => f.write_str("the certificate was revoked"),
            NotEnrolled::TooLate { not_after } => {
                write!(f, "the certificate expired at {}, which is too long ago", shown_s(*not_after))
            }
            NotEnrolled::OtherKey => f.write_str("the request is for another key than the certificate"),
            NotEnrolled::Ca(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for NotEnrolled {}

impl Authority {
    /// Admits a machine. Its name comes from `wanted.node` and its groups from the token; the request's own names are not
    /// read. The same key may ask again, and that costs no second use of the token.
    ///
    /// # Errors
    /// The reason for which the machine is not admitted.
    pub fn join(&self, now: u64, wanted: &JoinRequest<'_>, life_s: u64) -> Result<Joined, NotEnrolled> {
        let public_key = public_key_of_request(wanted.request)?;
        let key = key_digest(&public_key.subject_public_key_info());
        let _lock = self.directory.lock()?;
        let mut tokens = self.directory.tokens()?;
        let token = tokens.find(wanted.token).ok_or(NotEnrolled::Token(NoGrant::Unknown))?;
        let grant = token.redeem(now, &wanted.secret, &wanted.node, &key).map_err(NotEnrolled::Token)?;
        let (list, revocations) = (self.directory.issued()?, self.directory.revocations()?);
        let roles = BTreeSet::from([Role::Peer]);
        let has_other_key = list
            .of_node(&wanted.node, &roles)
            .any(|entry| entry.key != key && entry.not_after >= now && !revocations.contains(&entry.serial));
        if has_other_key && !grant.may_replace {
            return Err(NotEnrolled::NameTaken(wanted.node.clone()));
        }
        self.issuer(now)?; // no use is counted where nothing can be issued
        // The use is counted first: a crash in between costs one use of this key, and never admits one machine too many.
        token.note(&wanted.node, &key);
        self.directory.set_tokens(&tokens)?;
        let node = Node { name: wanted.node.clone(), roles, groups: grant.groups };
        let certified = self.issue_locked(now, &list, &node, &public_key, life_s, How::Joined)?;
        Ok(Joined { certified, mode: grant.mode })
    }

    /// Renews a certificate, until `grace_s` seconds after its end (90 days at most). The new one has the names that the
    /// list has for the old one, and the same key, which signed the request.
    ///
    /// # Errors
    /// The reason for which the machine gets none.
    pub fn renew(
        &self,
        now: u64,
        certificate: &[u8],
        request: &[u8],
        life_s: u64,
        grace_s: u64,
    ) -> Result<Certified, NotEnrolled> {
        let public_key = public_key_of_request(request)?;
        let key = key_digest(&public_key.subject_public_key_info());
        let serial = self.serial_if_ours(certificate).ok_or(NotEnrolled::Foreign)?;
        let _lock = self.directory.lock()?;
        let (list, revocations) = (self.directory.issued()?, self.directory.revocations()?);
        let old = list.by_serial(&serial).ok_or(NotEnrolled::Foreign)?;
        if revocations.contains(&serial) {
            return Err(NotEnrolled::Revoked);
        }
        if old.key != key {
            return Err(NotEnrolled::OtherKey);
        }
        if now > old.not_after.saturating_add(grace_s.min(KEPT_S)) {
            return Err(NotEnrolled::TooLate { not_after: old.not_after });
        }
        // A machine that was installed anew took the name over: its former key stays behind.
        if list.of_node(&old.node.name, &old.node.roles).next_back().is_some_and(|newest| newest.key != key) {
            return Err(NotEnrolled::NameTaken(old.node.name.clone()));
        }
        Ok(self.issue_locked(now, &list, &old.node, &public_key, life_s, How::Renewed)?)
    }

    /// The serial number of a certificate that one of our authorities signed, however old it is.
    fn serial_if_ours(&self, certificate: &[u8]) -> Option<Vec<u8>> {
        if certificate.len() > DER_BYTES_MAX {
            return None;
        }
        let (rest, certificate) = X509Certificate::from_der(certificate).ok()?;
        let is_signed = self.certificates().iter().any(|authority| {
            X509Certificate::from_der(authority).is_ok_and(|(_, authority)| {
                certificate.verify_signature(Some(authority.public_key())).is_ok()
            })
        });
        (rest.is_empty() && is_signed).then(|| certificate.raw_serial().to_vec())
    }
}

/// The SHA-256 of a request's key, if the request is signed by it.
pub fn key_of_request(request: &[u8]) -> Option<[u8; 32]> {
    let public_key = public_key_of_request(request).ok()?;
    Some(key_digest(&public_key.subject_public_key_info()))
}

/// The key of a request, if the request is signed by it.
fn public_key_of_request(request: &[u8]) -> Result<PublicKey, NotEnrolled> {
    if request.len() > DER_BYTES_MAX {
        return Err(NotEnrolled::Request);
    }
    let request =
        CertificateSigningRequestParams::from_der(&request.into()).map_err(|_| NotEnrolled::Request)?;
    Ok(request.public_key)
}
