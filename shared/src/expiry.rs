//! How near the end of an authority is, and what people are told of it. Pure.
//!
//! Machines renew their certificates by themselves, so nobody needs to hear of their ends. No machine makes another
//! authority by itself.

use crate::utc::Utc;

const DAY_S: u64 = 24 * 3600;

/// How near an end is. Each is told once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Nearness {
    /// At most 30 days are left.
    Month,
    /// At most 7 days are left.
    Week,
    /// At most one day is left.
    Day,
    /// It has ended.
    Over,
}

/// How near the end of a life is; `None` if it is far. All times are seconds since 1970.
pub fn nearness(end: u64, now: u64) -> Option<Nearness> {
    match end.checked_sub(now) {
        None | Some(0) => Some(Nearness::Over),
        Some(left) if left <= DAY_S => Some(Nearness::Day),
        Some(left) if left <= 7 * DAY_S => Some(Nearness::Week),
        Some(left) if left <= 30 * DAY_S => Some(Nearness::Month),
        Some(_) => None,
    }
}

/// What is said of an authority whose end is near or over, and what to do about it.
pub fn authority_ends(end: u64, now: u64) -> (String, &'static str) {
    let at = Utc(end);
    let left = end.saturating_sub(now);
    let said = match (left, left / DAY_S) {
        (0, _) => format!("the fleet's authority ended at {at}: no certificate of it counts any more"),
        (_, 0) => format!("the fleet's authority ends at {at}, within a day"),
        (_, 1) => format!("the fleet's authority ends at {at}, in 1 day"),
        (_, days) => format!("the fleet's authority ends at {at}, in {days} days"),
    };
    let hint = "before that, run `ttctl ca rotate` on the tracker's machine; with an authority of your own, add the next one \
                to tls_ca everywhere";
    (said, hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_at_30_and_7_days_at_1_and_when_it_is_over() {
        let end = 1_800_000_000;
        let at = |days: u64, seconds: u64| nearness(end, end - days * DAY_S - seconds);
        assert_eq!(at(30, 1), None);
        assert_eq!(at(30, 0), Some(Nearness::Month));
        assert_eq!(at(7, 1), Some(Nearness::Month));
        assert_eq!(at(7, 0), Some(Nearness::Week));
        assert_eq!(at(1, 1), Some(Nearness::Week));
        assert_eq!(at(1, 0), Some(Nearness::Day));
        assert_eq!(at(0, 1), Some(Nearness::Day));
        assert_eq!(at(0, 0), Some(Nearness::Over));
        assert_eq!(nearness(end, end + 9), Some(Nearness::Over));
    }

    #[test]
    fn what_is_said_has_the_date_and_what_is_left() {
        let said = |left: u64| authority_ends(1_800_000_000, 1_800_000_000 - left).0;
        assert!(said(29 * DAY_S).ends_with("ends at 2027-01-15 08:00:00 UTC, in 29 days"), "{}", said(29));
        assert!(said(DAY_S).ends_with("in 1 day") && said(5).ends_with("within a day"));
        assert!(said(0).contains("ended at"));
    }
}
