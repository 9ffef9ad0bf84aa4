//! A limit on what the other side of a connection may cost us.

use crate::credit::Credit;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// A budget of the other side of a connection: a burst, and a refill per second. A side that sends requests or news as
/// fast as it can soon has spent it. Useful requests are refunded, so that a fast link between honest sides never does.
/// Clones share one budget.
#[derive(Debug, Clone)]
pub struct Budget {
    per_s: u32,
    start: Instant,
    credit: Arc<Mutex<Credit>>,
}

impl Budget {
    /// A full budget: `most` at once, refilled by `per_s` (not 0) per second.
    pub fn new(most: u32, per_s: u32) -> Budget {
        let credit = Credit::full(span_of(most, per_s));
        Budget { per_s, start: Instant::now(), credit: Arc::new(Mutex::new(credit)) }
    }

    /// Spends `cost`. Returns `false` if less than that was left: the other side has spent too much.
    pub fn spend(&self, cost: u32) -> bool {
        let mut credit = self.credit.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.start.elapsed();
        credit.spend(now, span_of(cost, self.per_s));
        credit.ready_at(Duration::ZERO) <= now
    }

    /// Refunds `cost`, because the request was useful.
    pub fn refund(&self, cost: u32) {
        let mut credit = self.credit.lock().unwrap_or_else(PoisonError::into_inner);
        credit.refund(span_of(cost, self.per_s));
    }
}

/// The time in which `cost` is refilled.
fn span_of(cost: u32, per_s: u32) -> Duration {
    Duration::from_secs(cost.into()) / per_s
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_comes_to_its_end_and_fills_again() {
        let budget = Budget::new(10, 2);
        assert!(budget.spend(6) && budget.spend(4) && !budget.spend(1));
        tokio::time::advance(Duration::from_secs(3)).await;
        assert!(budget.spend(5) && !budget.spend(1));
        budget.refund(1);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(budget.spend(10) && !budget.spend(1), "it never has more than at first");
    }
}
