//! Connections between machines that did not come about, because one side did not show the other what it must: how many,
//! and why. The log names each cause once a day: whoever knocks can do so a thousand times per second.

use super::certificates::DailyReports;
use crate::rpc::tls::{CertificateFault, Refusal};
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Why there is no connection.
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
    /// Its certificate does not have the role that is due.
    Role,
    /// Its certificate was revoked.
    Revoked,
    /// Its certificate cannot be used for another reason.
    Faulty,
    /// It is another node than the one that was to be at its address.
    OtherNode,
    /// It refused our certificate.
    RefusedUs,
    /// It speaks TLS, and we have no usable certificate.
    NoIdentity,
    /// It did not finish the handshake in time.
    TimedOut,
    /// It broke off, or sent something that is not TLS 1.3.
    BrokenOff,
}

impl Cause {
    /// All causes.
    pub const ALL: [Cause; 13] = [
        Cause::Network,
        Cause::Plain,
        Cause::NoCertificate,
        Cause::Expired,
        Cause::Foreign,
        Cause::Role,
        Cause::Revoked,
        Cause::Faulty,
        Cause::OtherNode,
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
            Cause::OtherNode => "at the address of another node",
            Cause::RefusedUs => "that refused our certificate",
            Cause::NoIdentity => "while we have no certificate",
            Cause::TimedOut => "too slow",
            Cause::BrokenOff => "that broke off",
        })
    }
}

/// How many connections did not come about, for each cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts([u64; Cause::ALL.len()]);

impl Counts {
    /// How many for a cause.
    pub fn of(&self, cause: Cause) -> u64 {
        self.0[cause as usize]
    }

    /// How many in all.
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

/// The connections that did not come about since the start.
#[derive(Debug)]
pub struct Refused {
    start: Instant,
    shown_in: &'static str,
    noted: Mutex<(Counts, DailyReports)>,
}

impl Refused {
    /// None yet. The log says that their number is shown in `shown_in`.
    pub fn new(shown_in: &'static str) -> Refused {
        Refused { start: Instant::now(), shown_in, noted: Mutex::default() }
    }

    /// How many there are.
    pub fn counts(&self) -> Counts {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    /// Notes a caller from outside of `allow_networks`.
    pub fn network(&self, caller: impl fmt::Display) {
        const WHY: &str = "it is in none of the networks of allow_networks";
        self.note("a caller is refused", &caller, Cause::Network, &WHY);
    }

    /// Notes a caller that was not let in, or would not be let in any more.
    pub fn caller(&self, caller: impl fmt::Display, refusal: &Refusal) {
        self.note("a caller is refused", &caller, Cause::of(refusal), refusal);
    }

    /// Notes a machine that we called in vain. One that is away was not refused.
    pub fn callee(&self, callee: impl fmt::Display, refusal: &Refusal) {
        match refusal {
            Refusal::Closed | Refusal::Failed(_) => {
                tracing::debug!(peer = %callee, error = %refusal, "no connection");
            }
            refusal => self.note("a machine is not asked", &callee, Cause::of(refusal), refusal),
        }
    }

    /// Notes a machine that we called, and that is not the node which was to be there.
    pub fn other_node(&self, callee: impl fmt::Display, why: &dyn fmt::Display) {
        self.note("a machine is not asked", &callee, Cause::OtherNode, why);
    }

    fn note(&self, what: &str, peer: &dyn fmt::Display, cause: Cause, why: &dyn fmt::Display) {
        let is_news = {
            let (counts, reports) = &mut *self.noted.lock().unwrap_or_else(PoisonError::into_inner);
            counts.0[cause as usize] += 1;
            cause.is_worth_a_line() && reports.note(&cause.to_string(), self.start.elapsed().as_secs())
        };
        if is_news {
            let shown_in = self.shown_in;
            tracing::warn!(
                %peer,
                "{what}: {why}; further ones {cause} are counted in {shown_in}, and one is named each day"
            );
        } else {
            tracing::debug!(%peer, "{what}: {why}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::AlertDescription;

    #[test]
    fn each_cause_has_a_place_of_its_own_and_is_named_with_its_count() {
        for (place, cause) in Cause::ALL.into_iter().enumerate() {
            assert_eq!(cause as usize, place);
        }
        let refused = Refused::new("the status");
        assert_eq!(refused.counts().to_string(), "0");
        refused.network("10.0.0.1");
        for _ in 0..2 {
            refused.caller("10.0.0.1", &Refusal::Plain);
            refused.caller("10.0.0.1", &Refusal::Certificate(CertificateFault::Revoked));
        }
        let counts = refused.counts();
        assert_eq!((counts.all(), counts.of(Cause::Plain), counts.of(Cause::Foreign)), (5, 2, 0));
        assert_eq!(counts.to_string(), "5 (1 from another network, 2 without TLS, 2 revoked)");
    }

    #[test]
    fn a_machine_that_is_away_is_not_refused() {
        let refused = Refused::new("the status");
        refused.callee("10.0.0.1", &Refusal::Closed);
        assert_eq!(refused.counts().all(), 0);
        refused.callee("10.0.0.1", &Refusal::Refused(AlertDescription::CertificateRevoked));
        refused.other_node("10.0.0.1", &"it is another one");
        refused.caller("10.0.0.1", &Refusal::Closed);
        assert_eq!(
            refused.counts().to_string(),
            "3 (1 at the address of another node, 1 that refused our certificate, 1 that broke off)"
        );
    }
}
