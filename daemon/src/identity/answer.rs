//! What a tracker answers to a machine that joins or renews, checked before anything of it is kept. It is pure.

use super::key::Key;
use rustls_pki_types::CertificateDer;
use shared::identity::{BACKDATED_S, Node, NodeName};
use shared::rpc::tls::{Authorities, FileFault, Identity, Revoked, Setup};
use shared::token::Pin;
use std::fmt;
use webpki::EndEntityCert;

/// By how many seconds this machine's clock may differ from a tracker's. A certificate begins that much earlier than it was
/// issued, so a machine whose clock is further behind would find its new certificate not yet valid.
pub const CLOCKS_DIFFER_S_MAX: u64 = BACKDATED_S;

/// What is kept of an answer.
#[derive(Clone)]
pub struct Kept {
    /// The key and the certificate. It is a secret.
    pub identity: String,
    /// The certificates of the authorities.
    pub authorities: String,
    /// Whose the certificate is.
    pub node: Node,
    /// Its last second, since 1970.
    pub not_after: u64,
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kept({}, until {})", self.node, self.not_after)
    }
}

/// Why an answer is not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadAnswer {
    /// This machine's clock and the certificate do not fit together.
    Clock(FileFault),
    /// It is not what was asked for.
    Other(String),
}

impl fmt::Display for BadAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadAnswer::Clock(fault) => write!(f, "the clock: {fault}"),
            BadAnswer::Other(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for BadAnswer {}

/// Checks a chain that was issued for this key and this name, and the authorities that came with it. `pin` names the one
/// that must be among them. `now` is the time on this machine's clock, in seconds since 1970.
///
/// # Errors
/// What is wrong with it.
pub fn check(
    key: &Key,
    node: &NodeName,
    (chain, authorities): (&[Vec<u8>], &[Vec<u8>]),
    pin: Option<Pin>,
    now: u64,
) -> Result<Kept, BadAnswer> {
    let other = |why: &dyn fmt::Display| BadAnswer::Other(why.to_string());
    let (identity, authorities) = (format!("{}{}", key.text(), pem(chain)), pem(authorities));
    let read = Identity::read(identity.as_bytes()).map_err(|why| other(&why))?;
    if read.node.name != *node {
        return Err(other(&format!("the certificate is for {}, and not for {node}", read.node.name)));
    }
    let believed = Authorities::read(authorities.as_bytes()).map_err(|why| other(&why))?;
    if pin.is_some_and(|pin| !pins(believed.certificates()).contains(&pin)) {
        return Err(other(&"the authority of the token is not among those of the answer"));
    }
    match Setup::new(Some(&read), &believed, &Revoked::default(), now) {
        Ok(_) => Ok(Kept { identity, authorities, node: read.node, not_after: read.not_after }),
        Err(fault @ (FileFault::Expired { .. } | FileFault::NotYet { .. })) => Err(BadAnswer::Clock(fault)),
        Err(fault) => Err(other(&fault)),
    }
}

/// Certificates as PEM.
pub fn pem(certificates: &[Vec<u8>]) -> String {
    certificates.iter().map(|der| pem::encode(&pem::Pem::new("CERTIFICATE", der.clone()))).collect()
}

/// The pin of each authority.
pub fn pins(authorities: &[CertificateDer<'_>]) -> Vec<Pin> {
    authorities.iter().filter_map(pin).collect()
}

/// The pin of an authority; `None` if its certificate is damaged.
pub fn pin(authority: &CertificateDer<'_>) -> Option<Pin> {
    let certificate = EndEntityCert::try_from(authority).ok()?;
    Some(Pin::of_public_key(&certificate.subject_public_key_info()))
}

/// The name of this machine as its host name makes it: what no name may have becomes a hyphen. `None` if nothing is left.
pub fn node_of_host(host: &str) -> Option<NodeName> {
    let label = |label: &str| {
        let fit = |char: char| if char.is_ascii_alphanumeric() || char == '_' { char } else { '-' };
        label.chars().map(fit).take(63).collect::<String>().trim_matches('-').to_owned()
    };
    let labels: Vec<String> = host.split('.').map(label).filter(|label| !label.is_empty()).collect();
    labels.join(".").parse().ok()
}
