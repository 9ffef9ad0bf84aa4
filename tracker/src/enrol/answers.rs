//! The authority's answers in the words of the protocol. Pure.

use ca::enrol::NotEnrolled as Refused;
use ca::tokens::{Mode, NoGrant};
use ca::{Authority, CaError};
use shared::rpc::tracker::{Der, EnrolledMode, NotEnrolled, Pattern};

/// Certificates as they are sent.
pub(super) fn ders(certificates: &[impl AsRef<[u8]>]) -> Result<Vec<Der>, CaError> {
    let der = |certificate: &dyn AsRef<[u8]>| Der::try_from(certificate.as_ref().to_vec());
    let ders: Result<Vec<Der>, _> = certificates.iter().map(|certificate| der(certificate)).collect();
    ders.map_err(|error| CaError::Invalid(error.to_string()))
}

/// The certificates of an authority as they are sent.
pub(super) fn authorities(authority: &Authority) -> Result<Vec<Der>, CaError> {
    ders(authority.certificates())
}

/// What a token says about TLS.
pub(super) fn mode(mode: Mode) -> EnrolledMode {
    match mode {
        Mode::Prefer => EnrolledMode::Prefer,
        Mode::Require => EnrolledMode::Require,
    }
}

/// A refusal for the machine. What is wrong with the authority itself is not told: the log has it.
pub(super) fn refusal(why: Refused, grace_s: u64) -> NotEnrolled {
    match why {
        Refused::Token(NoGrant::Unknown) => NotEnrolled::UnknownToken,
        Refused::Token(NoGrant::Expired { until }) => NotEnrolled::Expired { until },
        Refused::Token(NoGrant::UsedUp { uses }) => NotEnrolled::UsedUp { uses },
        Refused::Token(NoGrant::Revoked) => NotEnrolled::TokenRevoked,
        Refused::Token(NoGrant::Name { pattern }) => {
            NotEnrolled::OtherName { pattern: Pattern::cut(&pattern) }
        }
        Refused::NameTaken(name) => NotEnrolled::NameTaken(name),
        Refused::Request => NotEnrolled::Malformed,
        Refused::Foreign => NotEnrolled::Foreign,
        Refused::Revoked => NotEnrolled::Revoked,
        Refused::TooLate { not_after } => NotEnrolled::TooLate { until: not_after, grace_s },
        Refused::OtherKey => NotEnrolled::OtherKey,
        Refused::Ca(CaError::OutOfTime { from, until, now }) => NotEnrolled::Clock {
            from: u64::try_from(from).unwrap_or_default(),
            until: u64::try_from(until).unwrap_or_default(),
            now,
        },
        Refused::Ca(_) => NotEnrolled::Unable,
    }
}
