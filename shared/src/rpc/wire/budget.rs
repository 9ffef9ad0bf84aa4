//! How much the other side of a connection may cost us.

use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::Instant;

/// What the other side of a connection may spend: some at once, and so much per second. Whoever asks or tells as fast
/// as it can comes to its end; what was of use is given back, so that a fast link between honest sides does not. Clones
/// are the same one.
#[derive(Debug, Clone)]
pub struct Budget {
    per_s: u32,
    most: u32,
    left: Arc<Mutex<Left>>,
}

#[derive(Debug)]
struct Left {
    amount: f64,
    at: Instant,
}

impl Budget {
    /// A full one: `most` at once, and `per_s` per second.
    pub fn new(most: u32, per_s: u32) -> Budget {
        let left = Left { amount: most.into(), at: Instant::now() };
        Budget { per_s, most, left: Arc::new(Mutex::new(left)) }
    }

    /// Takes this away. `false` when there is not so much left: the other side has spent too much.
    pub fn spend(&self, cost: u32) -> bool {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let more = now.duration_since(left.at).as_secs_f64() * f64::from(self.per_s);
        left.amount = (left.amount + more).min(self.most.into()) - f64::from(cost);
        left.at = now;
        left.amount >= 0.0
    }

    /// Gives this back: it was of use.
    pub fn refund(&self, cost: u32) {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.amount = (left.amount + f64::from(cost)).min(self.most.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

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
