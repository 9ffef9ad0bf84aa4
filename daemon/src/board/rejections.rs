//! How many peers and strangers were turned away, by reason.

use shared::host::refused::{Cause, Refused};
use shared::rpc::control::Rejection;
use shared::swarm::DropReason;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many peers and strangers were turned away since the start.
#[derive(Debug)]
pub struct Rejections {
    counts: [AtomicU64; Rejection::ALL.len()],
    /// Those with whom there is no connection, because one side does not show the other what it must.
    pub refused: Refused,
}

impl Default for Rejections {
    fn default() -> Rejections {
        let counts = [const { AtomicU64::new(0) }; Rejection::ALL.len()];
        Rejections { counts, refused: Refused::new("`ttctl peers`") }
    }
}

impl Rejections {
    /// Counts one.
    pub fn count(&self, why: Rejection) {
        self.counts[why as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Every reason, in order, with its count.
    pub fn all(&self) -> Vec<(Rejection, u64)> {
        let count = |why: Rejection| self.counts[why as usize].load(Ordering::Relaxed);
        let mut all = Rejection::ALL.map(|why| (why, count(why)));
        let refused = self.refused.counts();
        for cause in Cause::ALL {
            all[rejection_of_cause(cause) as usize].1 += refused.of(cause);
        }
        all.into()
    }
}

/// The reason under which a drop is counted.
pub fn rejection_of(reason: DropReason) -> Rejection {
    match reason {
        DropReason::Corrupt => Rejection::Corrupt,
        DropReason::Nonsense => Rejection::Nonsense,
        DropReason::Stalled => Rejection::Stalled,
        DropReason::Empty => Rejection::Empty,
        DropReason::Flood => Rejection::Flood,
        DropReason::Protocol => Rejection::Protocol,
    }
}

/// The reason under which a missing connection is shown.
fn rejection_of_cause(cause: Cause) -> Rejection {
    match cause {
        Cause::Network => Rejection::Network,
        Cause::Plain => Rejection::Plain,
        Cause::NoCertificate => Rejection::NoCertificate,
        Cause::Expired => Rejection::Expired,
        Cause::Foreign => Rejection::Foreign,
        Cause::Role => Rejection::Role,
        Cause::Revoked => Rejection::Revoked,
        Cause::Faulty => Rejection::Certificate,
        Cause::OtherNode => Rejection::OtherNode,
        Cause::RefusedUs => Rejection::RefusedUs,
        Cause::NoIdentity => Rejection::NotReady,
        Cause::TimedOut => Rejection::SlowHandshake,
        Cause::BrokenOff => Rejection::BrokenHandshake,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::rpc::tls::Refusal;

    #[test]
    fn every_reason_has_its_counter() {
        let rejections = Rejections::default();
        for (times, &why) in Rejection::ALL.iter().enumerate() {
            assert_eq!(why as usize, times);
            (0..times).for_each(|_| rejections.count(why));
        }
        assert!(rejections.all().iter().map(|&(_, times)| times).eq(0..Rejection::ALL.len() as u64));
    }

    #[test]
    fn each_cause_of_a_missing_connection_is_shown_as_a_reason_of_its_own() {
        let shown: std::collections::BTreeSet<usize> =
            Cause::ALL.into_iter().map(|cause| rejection_of_cause(cause) as usize).collect();
        assert_eq!(shown.len(), Cause::ALL.len());
        let rejections = Rejections::default();
        rejections.refused.caller("10.0.0.1:7", &Refusal::TimedOut);
        let slow = |(why, times): &(Rejection, u64)| *why == Rejection::SlowHandshake && *times == 1;
        assert!(rejections.all().iter().any(slow));
    }
}
