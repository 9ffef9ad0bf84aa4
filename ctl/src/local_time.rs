//! Formats times in the user's time zone: short on a terminal, with the offset from UTC for scripts.

use crate::output::Output;
use jiff::{Timestamp, tz::TimeZone};

/// A time to the minute: "2026-03-01 08:05" on a terminal, "2026-03-01T08:05:59+01:00" elsewhere.
pub(crate) fn minute(ms: u64, output: &Output) -> String {
    let form = if output.columns().is_some() { "%Y-%m-%d %H:%M" } else { FOR_SCRIPTS };
    shown(ms, form, TimeZone::system())
}

/// A time to the second: "2026-03-01 08:05:59" on a terminal, "2026-03-01T08:05:59+01:00" elsewhere.
pub(crate) fn second(ms: u64, output: &Output) -> String {
    let form = if output.columns().is_some() { "%Y-%m-%d %H:%M:%S" } else { FOR_SCRIPTS };
    shown(ms, form, TimeZone::system())
}

const FOR_SCRIPTS: &str = "%Y-%m-%dT%H:%M:%S%:z";

/// Formats milliseconds since 1970; empty for a time beyond the calendar.
fn shown(ms: u64, form: &str, zone: TimeZone) -> String {
    let moment = i64::try_from(ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    moment.map(|moment| moment.to_zoned(zone).strftime(form).to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_shown_by_the_users_clock() {
        let berlin = || TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let (winter, summer) = (1_772_348_759_123, 1_782_716_400_000);
        assert_eq!(shown(winter, "%Y-%m-%d %H:%M", berlin()), "2026-03-01 08:05");
        assert_eq!(shown(winter, FOR_SCRIPTS, berlin()), "2026-03-01T08:05:59+01:00");
        assert_eq!(shown(summer, FOR_SCRIPTS, berlin()), "2026-06-29T09:00:00+02:00");
        assert_eq!(shown(winter, FOR_SCRIPTS, TimeZone::UTC), "2026-03-01T07:05:59+00:00");
        assert_eq!(shown(u64::MAX, FOR_SCRIPTS, TimeZone::UTC), "");
    }
}
