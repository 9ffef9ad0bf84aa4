//! How much the other side of a connection may cost us.

use crate::credit::Credit;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// What the other side of a connection may spend: some at once, and then a number per second. Whoever asks or tells as
/// fast as it can has spent all of it soon; what was of use is given back, so that a fast link between honest sides does
/// not. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Budget {
    per_s: u32,
    start: Instant,
    credit: Arc<Mutex<Credit>>,
}

impl Budget {
    /// A full one: `most` at once, and `per_s`, which is not 0, per second.
    pub fn new(most: u32, per_s: u32) -> Budget {
        let credit = Credit::full(span_of(most, per_s));
        Budget { per_s, start: Instant::now(), credit: Arc::new(Mutex::new(credit)) }
    }

    /// Takes this away. `false` when less than that was left: the other side has spent too much.
    pub fn spend(&self, cost: u32) -> bool {
        let mut credit = self.credit.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.start.elapsed();
        credit.spend(now, span_of(cost, self.per_s));
        credit.ready_at(Duration::ZERO) <= now
    }

    /// Gives this back: it was of use.
    pub fn refund(&self, cost: u32) {
        let mut credit = self.credit.lock().unwrap_or_else(PoisonError::into_inner);
        credit.refund(span_of(cost, self.per_s));
    }
}

/// How long it takes until a cost has come back.
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
