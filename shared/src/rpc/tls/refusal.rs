//! Why a connection did not come about, in plain words.

use super::read::NoNode;
use crate::identity::{BadNames, Role};
use crate::utc::Utc;
use rustls::{AlertDescription, CertificateError, Error as TlsError};
use std::fmt;
use std::io;
use std::sync::Arc;

/// What helps a machine without a certificate.
pub const JOIN: &str =
    "join the fleet with a token (`ttctl join`; `ttctl ca token` on the tracker's machine makes one)";

/// Why a connection did not come about.
#[derive(Debug, Clone)]
pub enum Refusal {
    /// The caller speaks no TLS, and we require it.
    Plain,
    /// The side that we dialled speaks no TLS.
    NoTls,
    /// The caller speaks TLS, and we do not: it is off here, or we have no usable certificate.
    NotReady,
    /// We require TLS and have no usable certificate. The fault is ours.
    NoIdentity(Option<Arc<str>>),
    /// The caller shows no certificate, and it must.
    NoCertificate,
    /// The other side's certificate does not count.
    Certificate(CertificateFault),
    /// The other side refused our certificate, or could not go on; this is what it said.
    Refused(AlertDescription),
    /// The other side was too slow.
    TimedOut,
    /// The other side broke off.
    Closed,
    /// What it sent is not TLS 1.3 as we speak it.
    Malformed(String),
    /// The stream failed.
    Failed(Arc<io::Error>),
}

/// Why the other side's certificate does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateFault {
    /// It has expired.
    Expired {
        /// The end of its life, in seconds since 1970.
        not_after: u64,
        /// The time on our clock.
        now: u64,
    },
    /// It is not valid yet.
    NotYet {
        /// The begin of its life, in seconds since 1970.
        not_before: u64,
        /// The time on our clock.
        now: u64,
    },
    /// None of our authorities signed it.
    Foreign,
    /// It was revoked.
    Revoked,
    /// It does not have the role that is due.
    Role(Role),
    /// Its names do not make a node.
    Names(BadNames),
    /// It is faulty.
    Other(String),
}

impl From<NoNode> for CertificateFault {
    fn from(why: NoNode) -> CertificateFault {
        match why {
            NoNode::Names(why) => CertificateFault::Names(why),
            NoNode::Damaged(why) => CertificateFault::Other(why),
        }
    }
}

impl Refusal {
    /// What an error of a stream under TLS means.
    pub(super) fn of(error: io::Error, role: Role) -> Refusal {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>()) {
            Some(tls) => Refusal::of_tls(tls, role),
            None if is_broken_off(&error) => Refusal::Closed,
            None => Refusal::Failed(Arc::new(error)),
        }
    }

    fn of_tls(error: &TlsError, role: Role) -> Refusal {
        match error {
            TlsError::AlertReceived(AlertDescription::CloseNotify) => Refusal::Closed,
            TlsError::AlertReceived(alert) => Refusal::Refused(*alert),
            TlsError::NoCertificatesPresented => Refusal::NoCertificate,
            TlsError::InvalidCertificate(fault) => Refusal::Certificate(CertificateFault::of(fault, role)),
            error => Refusal::Malformed(error.to_string()),
        }
    }
}

impl Refusal {
    /// What helps whoever called in vain; `None` if it is not about certificates: the other side may be away.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Refusal::NoTls => Some(
                "set tls = \"prefer\" or \"require\" there; with tls = \"prefer\" here it is talked with unencrypted",
            ),
            Refusal::NoIdentity(None) => Some(JOIN),
            Refusal::NoIdentity(Some(_)) => {
                Some("`ttctl doctor` says what to do about the certificate of this machine")
            }
            Refusal::Certificate(fault) => Some(fault.hint()),
            Refusal::Refused(alert) => alert_hint(*alert),
            Refusal::Plain
            | Refusal::NotReady
            | Refusal::NoCertificate
            | Refusal::TimedOut
            | Refusal::Closed
            | Refusal::Malformed(_)
            | Refusal::Failed(_) => None,
        }
    }

    /// Whether the other side says that our certificate was revoked.
    pub fn is_of_revoked(&self) -> bool {
        matches!(self, Refusal::Refused(AlertDescription::CertificateRevoked))
    }
}

/// Whether the other side went away, which says nothing about what it wanted.
pub(super) fn is_broken_off(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}

impl CertificateFault {
    fn hint(&self) -> &'static str {
        match self {
            CertificateFault::Expired { .. } => {
                "its certificate has to be renewed there, unless the clock of this machine is wrong"
            }
            CertificateFault::NotYet { .. } => "compare the clocks of both machines",
            CertificateFault::Foreign => {
                "if it belongs to this fleet, add the certificate of its authority to tls_ca here"
            }
            CertificateFault::Revoked => {
                "it needs a new certificate (`ttctl ca issue`, or `ttctl join` there)"
            }
            CertificateFault::Role(_) => "look whether the address is that of another program",
            CertificateFault::Names(_) | CertificateFault::Other(_) => {
                "it needs another certificate (`ttctl ca issue`)"
            }
        }
    }

    fn of(error: &CertificateError, role: Role) -> CertificateFault {
        match error {
            CertificateError::ExpiredContext { time, not_after } => {
                CertificateFault::Expired { not_after: not_after.as_secs(), now: time.as_secs() }
            }
            CertificateError::NotValidYetContext { time, not_before } => {
                CertificateFault::NotYet { not_before: not_before.as_secs(), now: time.as_secs() }
            }
            // An authority of the same name and another key leads to a wrong signature.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => CertificateFault::Foreign,
            CertificateError::Revoked => CertificateFault::Revoked,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                CertificateFault::Role(role)
            }
            error => CertificateFault::Other(TlsError::InvalidCertificate(error.clone()).to_string()),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Plain => f.write_str("it speaks no TLS, and tls = \"require\" is set here"),
            Refusal::NoTls => f.write_str("it speaks no TLS, and tls = \"require\" is set here"),
            Refusal::NotReady => f.write_str("it speaks TLS, and this machine does not"),
            Refusal::NoIdentity(None) => {
                f.write_str("tls = \"require\" is set here, and this machine has no certificate")
            }
            Refusal::NoIdentity(Some(fault)) => write!(
                f,
                "tls = \"require\" is set here, and this machine's certificate cannot be used: {fault}"
            ),
            Refusal::NoCertificate => f.write_str("it shows no certificate"),
            Refusal::Certificate(fault) => write!(f, "its certificate {fault}"),
            Refusal::Refused(alert) => write_alert(f, *alert),
            Refusal::TimedOut => f.write_str("it did not finish the TLS handshake in time"),
            Refusal::Closed => f.write_str("it broke off during the TLS handshake"),
            Refusal::Malformed(what) => write!(f, "the TLS handshake failed: {what}"),
            Refusal::Failed(error) => crate::plain::io_error(error).fmt(f),
        }
    }
}

impl std::error::Error for Refusal {}

impl From<Refusal> for io::Error {
    fn from(refusal: Refusal) -> io::Error {
        let kind = match &refusal {
            Refusal::TimedOut => io::ErrorKind::TimedOut,
            Refusal::Failed(error) => error.kind(),
            _ => io::ErrorKind::ConnectionAborted,
        };
        io::Error::new(kind, refusal)
    }
}

impl fmt::Display for CertificateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CertificateFault::Expired { not_after, now } => {
                write!(f, "expired at {}; this machine's clock says {}", Utc(*not_after), Utc(*now))
            }
            CertificateFault::NotYet { not_before, now } => write!(
                f,
                "is valid from {} on, and this machine's clock says {}; one of the clocks may be wrong",
                Utc(*not_before),
                Utc(*now)
            ),
            CertificateFault::Foreign => f.write_str("is of an authority that is not in tls_ca here"),
            CertificateFault::Revoked => f.write_str("was revoked"),
            CertificateFault::Role(role) => {
                write!(f, "is not one of a {role} (it lacks {})", role.dns_name())
            }
            CertificateFault::Names(why) => write!(f, "cannot be used: {why}"),
            CertificateFault::Other(why) => write!(f, "cannot be used: {why}"),
        }
    }
}

/// What to do about an alert of the other side.
fn alert_hint(alert: AlertDescription) -> Option<&'static str> {
    Some(match alert {
        AlertDescription::CertificateExpired => {
            "`ttctl identity` shows this machine's certificate; if it has ended, join again with a new token \
             (`ttctl ca token` on the tracker's machine)"
        }
        AlertDescription::CertificateRevoked => {
            "join again with a new token (`ttctl ca token` on the tracker's machine)"
        }
        AlertDescription::UnknownCA | AlertDescription::DecryptError => {
            "join the fleet of that machine (`ttctl join`), or add the authority of this machine's certificate to \
             tls_ca there"
        }
        AlertDescription::CertificateRequired => JOIN,
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::AccessDenied => {
            "this machine needs a certificate with another role (`ttctl ca issue`)"
        }
        AlertDescription::InternalError => "the log of that machine says what is wrong with its certificate",
        _ => return None,
    })
}

/// What an alert of the other side means. It concerns our certificate, since ours is what it checks.
fn write_alert(f: &mut fmt::Formatter<'_>, alert: AlertDescription) -> fmt::Result {
    let why = match alert {
        AlertDescription::CertificateExpired => {
            "it says that our certificate is not valid at this time; one of the clocks may be wrong"
        }
        AlertDescription::CertificateRevoked => "it says that our certificate was revoked",
        AlertDescription::UnknownCA | AlertDescription::DecryptError => {
            "it does not have the authority of our certificate in its tls_ca"
        }
        AlertDescription::CertificateRequired => "it demands a certificate, and we showed none",
        AlertDescription::BadCertificate => "it says that our certificate does not have the role that is due",
        AlertDescription::UnsupportedCertificate => {
            "it says that our certificate is not for this side of a connection (extended key usage)"
        }
        AlertDescription::AccessDenied => {
            "it says that our certificate is not one of a machine that may call it"
        }
        AlertDescription::InternalError => "it has no usable certificate",
        AlertDescription::ProtocolVersion => "it does not speak TLS 1.3",
        other => return write!(f, "it broke off the TLS handshake: {other:?}"),
    };
    f.write_str(why)
}
