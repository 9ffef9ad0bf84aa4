//! The time of day. It may jump, so durations are measured with [`std::time::Instant`] instead.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The time since 1970 on this machine's clock.
#[expect(
    clippy::disallowed_methods,
    reason = "when something was shared is a time of day, for machines to compare"
)]
pub fn time_of_day() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The time since 1970 in milliseconds.
pub fn now_ms() -> u64 {
    millis(time_of_day())
}

/// A duration in milliseconds, limited to what a `u64` holds.
pub fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
