//! The time that clocks on the wall show where this machine is.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use shared::host::clock::now_ms;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the log says that the time zone is unknown.
static IS_TOLD: AtomicBool = AtomicBool::new(false);

/// The time zone of this machine, as `TZ` or `/etc/localtime` says; UTC if neither can be read. A change is noticed within
/// some minutes.
pub(super) fn zone() -> TimeZone {
    TimeZone::try_system().unwrap_or_else(|error| {
        if !IS_TOLD.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, "the time zone of this machine is unknown, and the hours of [[limit]] are taken as UTC; \
                `timedatectl set-timezone` sets it");
        }
        TimeZone::UTC
    })
}

/// The present moment.
pub(super) fn now() -> Timestamp {
    of_ms(now_ms())
}

/// A moment in milliseconds since 1970; the last one of the calendar if it is later.
pub(super) fn of_ms(ms: u64) -> Timestamp {
    i64::try_from(ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or(Timestamp::MAX)
}

/// A moment in milliseconds since 1970, as this machine's clocks show it: "2026-03-01 08:05".
pub fn shown(ms: u64) -> String {
    of_ms(ms).to_zoned(zone()).strftime("%Y-%m-%d %H:%M").to_string()
}
