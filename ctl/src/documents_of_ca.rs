//! The documents of `ttctl ca --json`; what holds for all of them is in `documents`. Only that of `ca token` has a secret.

use crate::documents::FailureOf;
use ca::issued::Issued;
use ca::tokens::Admission;
use data_encoding::HEXLOWER;
use serde::Serialize;

/// `ca init`
#[derive(Debug, Serialize)]
pub(crate) struct Initialized {
    /// The directory.
    pub(crate) authority: String,
    pub(crate) valid_until_ms: u64,
    pub(crate) tracker: CertificateDocument,
    /// The file with the tracker's key and certificate.
    pub(crate) identity: String,
    /// The file with the authority's certificate.
    pub(crate) authority_certificate: String,
    /// The file with which the tracker uses the authority, if one was written.
    pub(crate) configuration: Option<String>,
    /// Whether the tracker of this machine has read that file.
    pub(crate) reloaded: bool,
}

/// `ca token`
#[derive(Debug, Serialize)]
pub(crate) struct NewToken {
    pub(crate) id: String,
    /// With its secret.
    pub(crate) token: String,
    pub(crate) tracker: String,
    /// What to run on the machine that joins.
    pub(crate) command: String,
    pub(crate) valid_until_ms: u64,
}

/// `ca issue`
#[derive(Debug, Serialize)]
pub(crate) struct IssuedFiles {
    pub(crate) certificate: CertificateDocument,
    pub(crate) identity: String,
    pub(crate) authority_certificate: String,
}

/// `ca list`
#[derive(Debug, Serialize)]
pub(crate) struct Certificates {
    pub(crate) certificates: Vec<CertificateDocument>,
}

/// A certificate.
#[derive(Debug, Serialize)]
pub(crate) struct CertificateDocument {
    node: String,
    roles: Vec<String>,
    groups: Vec<String>,
    /// "valid", "expired", "revoked" or "former": its authority was dropped.
    state: &'static str,
    /// The end of its life, in milliseconds since 1970.
    valid_until_ms: u64,
    /// "issued", "joined" or "renewed".
    how: &'static str,
    /// The serial number as hexadecimal digits.
    serial: String,
    /// The SHA-256 of the public key as hexadecimal digits.
    key: String,
}

impl CertificateDocument {
    pub(crate) fn new(issued: &Issued, state: &'static str) -> CertificateDocument {
        let node = &issued.node;
        CertificateDocument {
            node: node.name.to_string(),
            roles: node.roles.iter().map(ToString::to_string).collect(),
            groups: node.groups.iter().map(ToString::to_string).collect(),
            state,
            valid_until_ms: ms(issued.not_after),
            how: issued.how.as_str(),
            serial: HEXLOWER.encode(&issued.serial),
            key: HEXLOWER.encode(&issued.key),
        }
    }
}

/// `ca tokens`
#[derive(Debug, Serialize)]
pub(crate) struct Tokens {
    pub(crate) tokens: Vec<TokenDocument>,
}

/// A token without its secret.
#[derive(Debug, Serialize)]
pub(crate) struct TokenDocument {
    id: String,
    /// The pattern of names.
    nodes: String,
    groups: Vec<String>,
    /// "open", "used up", "expired" or "revoked".
    state: &'static str,
    uses_max: u32,
    /// The machines that joined with it.
    used_by: Vec<String>,
    valid_until_ms: u64,
    /// "require" or "prefer".
    tls: &'static str,
}

impl TokenDocument {
    pub(crate) fn new(token: &Admission, state: &'static str) -> TokenDocument {
        TokenDocument {
            id: token.id.to_string(),
            nodes: token.nodes.as_str().to_owned(),
            groups: token.groups.iter().map(ToString::to_string).collect(),
            state,
            uses_max: token.uses_max,
            used_by: token.uses.iter().map(|one| one.node.to_string()).collect(),
            valid_until_ms: ms(token.until),
            tls: token.mode.as_str(),
        }
    }
}

/// `ca revoke`
#[derive(Debug, Serialize)]
pub(crate) struct Revoked {
    pub(crate) revoked: Vec<RevokedDocument>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) errors: Vec<FailureOf>,
}

/// What was revoked; the numbers are 0 if it was revoked before.
#[derive(Debug, Serialize)]
pub(crate) struct RevokedDocument {
    pub(crate) what: String,
    /// "node" or "token".
    pub(crate) kind: &'static str,
    pub(crate) certificates: usize,
    pub(crate) tokens: usize,
}

/// `ca rotate`
#[derive(Debug, Serialize)]
pub(crate) struct RotationDocument {
    /// "announced": machines hear of the new authority; "issuing": they get certificates of it; "finished": the old one was
    /// dropped.
    pub(crate) step: &'static str,
    /// The fingerprint of the authority that is dropped at the end.
    pub(crate) leaving: Option<String>,
    /// The fingerprint of the new one.
    pub(crate) coming: Option<String>,
    /// The machines that the next step would cut off.
    pub(crate) behind: Vec<BehindDocument>,
    /// The tokens that ended with the old authority.
    pub(crate) tokens: Vec<String>,
}

/// A machine that has not followed.
#[derive(Debug, Serialize)]
pub(crate) struct BehindDocument {
    pub(crate) node: String,
    /// "issued", "joined" or "renewed": how it came to its certificate.
    pub(crate) how: &'static str,
    pub(crate) valid_until_ms: u64,
}

/// Seconds since 1970 in milliseconds.
pub(crate) fn ms(seconds: u64) -> u64 {
    seconds.saturating_mul(1000)
}
