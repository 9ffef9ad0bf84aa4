//! How fast one connection may ask. Whoever asks faster waits: a flood costs its sender's time, and a daemon with very
//! many resources is only a little later. It is per connection, never per address: many may be behind one.

use shared::credit::Credit;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// What a second is worth: an entry of an announce costs one.
const PER_S: u32 = 20_000;
/// What may be spent at once, after a while of silence.
const BURST: Duration = Duration::from_secs(2);

/// What calls cost beside their entries.
pub(crate) const CALL: u32 = 16;
/// What a page of a manifest costs, to be hashed or sent, or of a listing.
pub(crate) const PAGE: u32 = 128;
/// What a publication costs whose hashes come along with others, beside them.
pub(crate) const OFFER: u32 = 4;
/// This many hashes that come along cost 1.
pub(crate) const HASHES: u32 = 64;
/// This many publications of a name that are looked at cost 1.
pub(crate) const WALKED: u32 = 4;

/// One connection's pace.
#[derive(Debug)]
pub(crate) struct Pace {
    start: Instant,
    credit: Mutex<Credit>,
}

impl Pace {
    pub(crate) fn new() -> Pace {
        Pace { start: Instant::now(), credit: Mutex::new(Credit::full(BURST)) }
    }

    /// Waits until a call of this cost, and all that were asked before it, are paid for.
    pub(crate) async fn turn(&self, cost: u32) {
        let now = self.start.elapsed();
        let paid_at = {
            let mut credit = self.credit.lock().unwrap_or_else(PoisonError::into_inner);
            credit.spend(now, Duration::from_secs(1) * cost / PER_S);
            credit.ready_at(Duration::ZERO)
        };
        if paid_at > now {
            tokio::time::sleep_until(self.start + paid_at).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_flood_waits_and_a_large_daemon_does_not() {
        tokio::time::advance(BURST).await;
        let (pace, start) = (Pace::new(), Instant::now());
        for _ in 0..16 {
            pace.turn(CALL + 1024).await;
        }
        assert!(start.elapsed() < Duration::from_millis(900), "{:?} for 16,384 resources", start.elapsed());
        for _ in 0..100_000 {
            pace.turn(CALL + 1).await;
        }
        let took = start.elapsed().as_secs();
        assert!((80..90).contains(&took), "100,000 announces took {took} s");
    }
}
