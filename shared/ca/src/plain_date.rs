//! Dates in messages.

use time::OffsetDateTime;

/// [`shown`] of a second that is not before 1970.
pub(crate) fn shown_s(seconds: u64) -> String {
    shown(i64::try_from(seconds).unwrap_or(i64::MAX))
}

/// A second since 1970 for people, as in `2027-01-15 08:00:00 UTC`; the number itself if no calendar has it.
pub(crate) fn shown(seconds: i64) -> String {
    let Ok(at) = OffsetDateTime::from_unix_timestamp(seconds) else {
        return format!("{seconds} s after 1970");
    };
    let (date, time) = (at.date(), at.time());
    format!(
        "{}-{:02}-{:02} {:02}:{:02}:{:02} UTC",
        date.year(),
        u8::from(date.month()),
        date.day(),
        time.hour(),
        time.minute(),
        time.second()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_read_dates_and_not_seconds() {
        assert_eq!(shown(1_800_000_000), "2027-01-15 08:00:00 UTC");
        assert_eq!(shown(i64::MAX), "9223372036854775807 s after 1970");
    }
}
