//! The time of day. It may jump: what is waited for is measured by [`std::time::Instant`].

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long ago 1970 began by this machine's clock.
#[expect(
    clippy::disallowed_methods,
    reason = "when something was shared is a time of day, for machines to compare"
)]
pub fn time_of_day() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The same in milliseconds.
pub fn now_ms() -> u64 {
    millis(time_of_day())
}

/// A span in milliseconds, cut to what fits.
pub fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
