//! A rate limit: credit that is spent and comes back with time.
//!
//! Credit is measured as a time (the algorithm is known as GCRA): a cost is the time that it takes to earn it back. A
//! single moment, when the credit is full again, says how much is left. The current time is handed in, as the time
//! since a moment that the caller chose.

use std::time::Duration;

/// A credit account. Nothing here refuses a cost: the caller asks when it can be afforded, and decides. Spending more
/// than the credit makes a debt, which is paid off first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credit {
    /// The most credit that accumulates, and so the largest cost that can be afforded at once.
    burst: Duration,
    /// When the credit is full again if nothing more is spent.
    full_at: Duration,
}

impl Credit {
    /// A full account: `burst` may be spent at once.
    pub const fn full(burst: Duration) -> Credit {
        Credit { burst, full_at: Duration::ZERO }
    }

    /// An empty account.
    pub fn empty(now: Duration, burst: Duration) -> Credit {
        Credit { burst, full_at: now.saturating_add(burst) }
    }

    /// The time from which on this cost can be afforded without a debt. A cost above the burst can never be afforded at
    /// once; it counts as the burst plus the time to earn the rest.
    pub fn ready_at(&self, cost: Duration) -> Duration {
        self.full_at.saturating_add(cost).saturating_sub(self.burst)
    }

    /// When the credit is full again if nothing more is spent.
    pub fn full_at(&self) -> Duration {
        self.full_at
    }

    /// Spends a cost, even if it cannot be afforded.
    pub fn spend(&mut self, now: Duration, cost: Duration) {
        self.full_at = self.full_at.max(now).saturating_add(cost);
    }

    /// Gives a cost back. The credit never exceeds the burst.
    pub fn refund(&mut self, cost: Duration) {
        self.full_at = self.full_at.saturating_sub(cost);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BURST: Duration = Duration::from_secs(5);
    const ONE: Duration = Duration::from_secs(1);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Spends one unit as often as it can be afforded at this moment. Returns how often.
    fn spent(credit: &mut Credit, now: Duration) -> u32 {
        let mut spent = 0;
        while credit.ready_at(ONE) <= now {
            credit.spend(now, ONE);
            spent += 1;
        }
        spent
    }

    #[test]
    fn the_burst_is_there_at_once_and_then_what_comes_back() {
        let mut credit = Credit::full(BURST);
        assert_eq!(spent(&mut credit, Duration::ZERO), 5, "the time may begin at zero");
        assert_eq!(credit.ready_at(ONE), ONE);
        assert_eq!(spent(&mut credit, seconds(3)), 3);
        assert_eq!(spent(&mut credit, seconds(3) + ONE / 2), 0);
        assert_eq!(spent(&mut credit, seconds(4)), 1, "half a unit was not lost");
        assert_eq!(spent(&mut credit, seconds(1000)), 5, "no more is saved up");
        let mut credit = Credit::empty(seconds(7), BURST);
        assert_eq!((spent(&mut credit, seconds(7)), spent(&mut credit, seconds(9))), (0, 2));
    }

    #[test]
    fn a_debt_is_paid_off_first() {
        let mut credit = Credit::full(BURST);
        credit.spend(seconds(100), seconds(8));
        assert_eq!(credit.ready_at(Duration::ZERO), seconds(103));
        assert_eq!((spent(&mut credit, seconds(103)), spent(&mut credit, seconds(104))), (0, 1));
    }

    #[test]
    fn what_is_given_back_can_be_spent_again_and_no_more() {
        let mut credit = Credit::full(BURST);
        assert_eq!(spent(&mut credit, seconds(100)), 5);
        credit.refund(ONE * 2);
        assert_eq!(spent(&mut credit, seconds(100)), 2);
        credit.refund(seconds(1000));
        assert_eq!(spent(&mut credit, seconds(100)), 5);
    }

    #[test]
    fn however_it_is_asked_no_more_than_the_burst_and_the_rate_is_spent() {
        for step_ms in [1, 7, 333, 1000, 2500] {
            let (mut credit, mut all) = (Credit::full(BURST), 0);
            let moments = || (0..60_000).step_by(step_ms).map(Duration::from_millis);
            moments().for_each(|now| all += spent(&mut credit, now));
            let last = moments().last().unwrap().as_secs() as u32;
            assert_eq!(all, 5 + last, "asked every {step_ms} ms");
        }
    }
}
