//! Limits the rate of calls per connection. A connection that calls faster waits, so a flood costs its sender's time,
//! and a daemon with very many resources is only a little later. The limit is per connection, not per address: many
//! machines may share an address.

use shared::credit::Credit;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// The cost that one connection may spend per second; beyond it, its calls wait. An entry of an announce costs 1, so a
/// machine with 100,000 resources announces all of them in 5 s.
const PER_S: u32 = 20_000;
/// The idle time whose cost a connection may save up and spend at once.
const BURST: Duration = Duration::from_secs(2);

/// The cost of any call, in addition to its entries.
pub(crate) const CALL: u32 = 16;
/// The cost of a page of a manifest, which is hashed or sent, or of a page of a listing.
pub(crate) const PAGE: u32 = 128;
/// The cost of a publication whose hashes are in the same call, in addition to the hashes.
pub(crate) const OFFER: u32 = 4;
/// The number of such hashes that cost 1.
pub(crate) const HASHES: u32 = 64;
/// The number of publications of a name that `find`, `fleet` and `announce` look at for a cost of 1.
pub(crate) const WALKED: u32 = 4;
/// The number of members of former versions' swarms that `fleet` passes for a cost of 1.
pub(crate) const PASSED: u32 = 64;

/// The rate limit of one connection.
#[derive(Debug)]
pub(crate) struct CallRate {
    start: Instant,
    credit: Mutex<Credit>,
}

impl CallRate {
    pub(crate) fn new() -> CallRate {
        CallRate { start: Instant::now(), credit: Mutex::new(Credit::full(BURST)) }
    }

    /// Waits until this call's cost, and that of all earlier calls, is paid.
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
        let (call_rate, start) = (CallRate::new(), Instant::now());
        for _ in 0..16 {
            call_rate.turn(CALL + 1024).await;
        }
        assert!(start.elapsed() < Duration::from_millis(900), "{:?} for 16,384 resources", start.elapsed());
        for _ in 0..100_000 {
            call_rate.turn(CALL + 1).await;
        }
        let took = start.elapsed().as_secs();
        assert!((80..90).contains(&took), "100,000 announces took {took} s");
    }
}
