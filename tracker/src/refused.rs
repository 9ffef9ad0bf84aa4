//! Callers that were not let in: how many, and why. The log names each cause once a day, however many callers there are.

use shared::host::certificates::DailyReports;
use shared::rpc::tls::{CertificateFault, Refusal};
use std::fmt;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Why a caller was not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// It is in none of the networks of `allow_networks`.
    Network,
    /// It speaks no TLS, and `tls = "require"` is set.
    Plain,
    /// It shows no certificate.
    NoCertificate,
    /// Its certificate has expired, or is not valid yet.
    Expired,
    /// Its certificate is from an authority that is not in `tls_ca`.
    Foreign,
    /// Its certificate has none of the roles that may call a tracker.
    Role,
    /// Its certificate was revoked.
    Revoked,
    /// Its certificate cannot be used for another reason.
    Faulty,
    /// It refused the tracker's certificate.
    RefusedUs,
    /// The tracker requires TLS and has no usable certificate.
    NoIdentity,
    /// It did not finish the handshake in time.
    TimedOut,
    /// It broke off, or sent something that is not TLS 1.3.
    BrokenOff,
}

impl Cause {
    /// All causes.
    pub const ALL: [Cause; 12] = [
        Cause::Network,
        Cause::Plain,
        Cause::NoCertificate,
        Cause::Expired,
        Cause::Foreign,
        Cause::Role,
        Cause::Revoked,
        Cause::Faulty,
        Cause::RefusedUs,
        Cause::NoIdentity,
        Cause::TimedOut,
        Cause::BrokenOff,
    ];

    fn of(refusal: &Refusal) -> Cause {
        match refusal {
            Refusal::Plain | Refusal::NoTls => Cause::Plain,
            Refusal::NotReady | Refusal::NoIdentity(_) => Cause::NoIdentity,
            Refusal::NoCertificate => Cause::NoCertificate,
            Refusal::Certificate(fault) => match fault {
                CertificateFault::Expired { .. } | CertificateFault::NotYet { .. } => Cause::Expired,
                CertificateFault::Foreign => Cause::Foreign,
                CertificateFault::Revoked => Cause::Revoked,
                CertificateFault::Role(_) => Cause::Role,
                CertificateFault::Names(_) | CertificateFault::Other(_) => Cause::Faulty,
            },
            Refusal::Refused(_) => Cause::RefusedUs,
            Refusal::TimedOut => Cause::TimedOut,
            Refusal::Closed | Refusal::Malformed(_) | Refusal::Failed(_) => Cause::BrokenOff,
        }
    }

    /// Whether an administrator should know of it. Whatever looks whether the port is open breaks off as well.
    fn is_worth_a_line(self) -> bool {
        self != Cause::BrokenOff
    }
}

/// In a few words, for a list of counts.
impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Cause::Network => "from another network",
            Cause::Plain => "without TLS",
            Cause::NoCertificate => "without a certificate",
            Cause::Expired => "with an expired certificate",
            Cause::Foreign => "of another authority",
            Cause::Role => "in another role",
            Cause::Revoked => "revoked",
            Cause::Faulty => "with a faulty certificate",
            Cause::RefusedUs => "that refused the tracker's certificate",
            Cause::NoIdentity => "while the tracker has no certificate",
            Cause::TimedOut => "too slow",
            Cause::BrokenOff => "that broke off",
        })
    }
}

/// How many callers were refused since the start, for each cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts([u64; Cause::ALL.len()]);

impl Counts {
    /// How many were refused for a cause.
    pub fn of(&self, cause: Cause) -> u64 {
        self.0[cause as usize]
    }

    /// How many were refused in all.
    pub fn all(&self) -> u64 {
        self.0.iter().sum()
    }
}

/// "3 (2 without TLS, 1 revoked)".
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.all())?;
        let named: Vec<String> = Cause::ALL
            .into_iter()
            .filter(|cause| self.of(*cause) > 0)
            .map(|cause| format!("{} {cause}", self.of(cause)))
            .collect();
        if named.is_empty() { Ok(()) } else { write!(f, " ({})", named.join(", ")) }
    }
}

/// The callers that were refused since the start.
#[derive(Debug)]
pub(crate) struct Refused {
    start: Instant,
    noted: Mutex<(Counts, DailyReports)>,
}

impl Refused {
    pub(crate) fn new() -> Refused {
        Refused { start: Instant::now(), noted: Mutex::default() }
    }

    pub(crate) fn counts(&self) -> Counts {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    /// Notes a caller from outside of `allow_networks`.
    pub(crate) fn network(&self, caller: IpAddr) {
        self.note(caller, Cause::Network, &"it is in none of the networks of allow_networks");
    }

    /// Notes a caller that did not get through the handshake.
    pub(crate) fn handshake(&self, caller: IpAddr, refusal: &Refusal) {
        self.note(caller, Cause::of(refusal), refusal);
    }

    fn note(&self, caller: IpAddr, cause: Cause, why: &dyn fmt::Display) {
        let is_news = {
            let (counts, reports) = &mut *self.noted.lock().unwrap_or_else(PoisonError::into_inner);
            counts.0[cause as usize] += 1;
            cause.is_worth_a_line() && reports.note(&cause.to_string(), self.start.elapsed().as_secs())
        };
        if is_news {
            tracing::warn!(
                %caller,
                "a caller is refused: {why}; further callers {cause} are counted, and one is named each day"
            );
        } else {
            tracing::debug!(%caller, "a caller is refused: {why}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_has_a_place_of_its_own_and_is_named_with_its_count() {
        for (place, cause) in Cause::ALL.into_iter().enumerate() {
            assert_eq!(cause as usize, place);
        }
        let refused = Refused::new();
        assert_eq!(refused.counts().to_string(), "0");
        let caller = IpAddr::from([10, 0, 0, 1]);
        refused.network(caller);
        for _ in 0..2 {
            refused.handshake(caller, &Refusal::Plain);
            refused.handshake(caller, &Refusal::Certificate(CertificateFault::Revoked));
        }
        let counts = refused.counts();
        assert_eq!((counts.all(), counts.of(Cause::Plain), counts.of(Cause::Foreign)), (5, 2, 0));
        assert_eq!(counts.to_string(), "5 (1 from another network, 2 without TLS, 2 revoked)");
    }
}
