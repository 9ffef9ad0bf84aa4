//! The time of day for dating what is published: it runs forwards only.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A calendar that follows the machine's clock, but for when that is put back: then it goes on as if that had not
/// happened. Otherwise what is published next would be older than what it replaces, for as many hours.
#[derive(Debug)]
pub(crate) struct Date {
    latest: Mutex<(Duration, Instant)>,
}

impl Date {
    /// One that begins now.
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

/// The date, after it was `date` at `at`.
fn next((date, at): (Duration, Instant), clock: Duration, now: Instant) -> (Duration, Instant) {
    (clock.max(date + now.saturating_duration_since(at)), now)
}

#[expect(
    clippy::disallowed_methods,
    reason = "publications are dated by the time of day, and none ahead of ours"
)]
fn time_of_day() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn millis(date: Duration) -> u64 {
    u64::try_from(date.as_millis()).unwrap_or(u64::MAX)
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
