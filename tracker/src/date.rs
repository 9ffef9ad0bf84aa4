//! The time of day that dates publications. It never goes back.

use shared::host::clock::{millis, time_of_day};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A clock that follows the machine's clock, except when that is set back: then it continues from its latest time.
/// Otherwise new publications would count as older than the ones that they replace, until the machine's clock catches
/// up.
#[derive(Debug)]
pub(crate) struct Date {
    latest: Mutex<(Duration, Instant)>,
}

impl Date {
    /// A clock that starts at the machine's current time.
    pub(crate) fn new() -> Date {
        Date { latest: Mutex::new((time_of_day(), Instant::now())) }
    }

    /// Milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> u64 {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        *latest = next(*latest, time_of_day(), Instant::now());
        millis(latest.0)
    }
}

/// The time at `now`, given that it was `date` at `at` and that the machine's clock now shows `clock`.
fn next((date, at): (Duration, Instant), clock: Duration, now: Instant) -> (Duration, Instant) {
    (clock.max(date + now.saturating_duration_since(at)), now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_runs_forwards_only() {
        let (begin, hour) = (Instant::now(), Duration::from_secs(3600));
        let noon = 12 * hour;
        let mut date = (noon, begin);
        let mut hours = |clock: Duration, after: Duration| {
            date = next(date, clock, begin + after);
            date.0.as_secs_f64() / 3600.0
        };
        assert_eq!(hours(13 * hour, hour), 13.0);
        assert_eq!(hours(9 * hour, 2 * hour), 14.0, "the clock was put back");
        assert_eq!(hours(20 * hour, 2 * hour), 20.0, "it was put forwards");
        assert_eq!(hours(15 * hour, 3 * hour), 21.0);
    }
}
