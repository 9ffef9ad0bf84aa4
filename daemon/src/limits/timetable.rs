//! Which limits the configuration sets at which time of day. Pure: the moment and the time zone are handed in.
//!
//! A rule is about the time that clocks on the wall show. Where they are set forward, a time that is left out does not
//! happen; where they are set back, one happens twice.

use super::both::Both;
use jiff::civil::{DateTime, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Span, Timestamp};
use shared::host::config::{Day, LimitRule, RateLimit, TimeOfDay};
use std::collections::BTreeSet;

/// How many days ahead a change is looked for. Everything repeats weekly, and in one week a time may be left out.
const DAYS_AHEAD: i64 = 15;

/// The limits of the configuration, at every time.
#[derive(Debug, Clone, PartialEq)]
pub struct Timetable {
    rules: Vec<LimitRule>,
    otherwise: Both<RateLimit>,
}

impl From<Both<RateLimit>> for Timetable {
    /// The same limits at all times.
    fn from(limits: Both<RateLimit>) -> Timetable {
        Timetable { rules: Vec::new(), otherwise: limits }
    }
}

impl Timetable {
    /// The first rule counts whose time it is, and `otherwise` while there is none.
    pub fn new(rules: Vec<LimitRule>, otherwise: Both<RateLimit>) -> Timetable {
        Timetable { rules, otherwise }
    }

    /// Whether the limits depend on the time.
    pub fn has_rules(&self) -> bool {
        !self.rules.is_empty()
    }

    /// The limits while clocks on the wall show this time.
    pub fn at(&self, local: DateTime) -> Both<RateLimit> {
        let Both { download, upload } = self.otherwise;
        match self.rules.iter().find(|rule| is_time_of(rule, local)) {
            Some(rule) => {
                Both { download: rule.download.unwrap_or(download), upload: rule.upload.unwrap_or(upload) }
            }
            None => self.otherwise,
        }
    }

    /// When each limit changes the next time; `None` if that is not within [`DAYS_AHEAD`].
    pub fn changes_after(&self, now: Timestamp, zone: &TimeZone) -> Both<Option<Timestamp>> {
        let present = self.at(zone.to_datetime(now));
        let mut changes = Both { download: None, upload: None };
        for moment in self.moments_after(now, zone) {
            let then = self.at(zone.to_datetime(moment));
            if then.download != present.download {
                changes.download.get_or_insert(moment);
            }
            if then.upload != present.upload {
                changes.upload.get_or_insert(moment);
            }
            if changes.download.is_some() && changes.upload.is_some() {
                break;
            }
        }
        changes
    }

    /// All moments at which a rule may begin or end, in order: those at which clocks show such a time, and those at which they
    /// are set forward or back.
    fn moments_after(&self, now: Timestamp, zone: &TimeZone) -> BTreeSet<Timestamp> {
        let times: BTreeSet<u16> = self
            .rules
            .iter()
            .flat_map(|rule| [rule.from, rule.to])
            .map(|time| time.minutes() % TimeOfDay::DAY)
            .collect();
        let today = zone.to_datetime(now).date();
        let mut moments = BTreeSet::new();
        for day in 0..DAYS_AHEAD {
            let Ok(date) = today.checked_add(Span::new().days(day)) else { break };
            for minutes in &times {
                let local = date.at((minutes / 60) as i8, (minutes % 60) as i8, 0, 0);
                let offsets = match zone.to_ambiguous_timestamp(local).offset() {
                    AmbiguousOffset::Unambiguous { offset } => [Some(offset), None],
                    AmbiguousOffset::Fold { before, after } => [Some(before), Some(after)],
                    AmbiguousOffset::Gap { .. } => [None, None],
                };
                moments.extend(
                    offsets.into_iter().flatten().filter_map(|offset| offset.to_timestamp(local).ok()),
                );
            }
        }
        if let Some(last) = moments.last().copied() {
            let set = zone.following(now).map(|transition| transition.timestamp());
            moments.extend(set.take_while(|moment| *moment < last));
        }
        moments.split_off(&now).into_iter().filter(|moment| *moment > now).collect()
    }
}

/// Whether clocks show a time of this rule.
fn is_time_of(rule: &LimitRule, local: DateTime) -> bool {
    let begins = |weekday: Weekday| {
        let day = Day::ALL[usize::from(weekday.to_monday_zero_offset().unsigned_abs())];
        rule.days.is_empty() || rule.days.contains(&day)
    };
    let (today, now) = (local.weekday(), i32::from(local.hour()) * 60 + i32::from(local.minute()));
    let (from, to) = (i32::from(rule.from.minutes()), i32::from(rule.to.minutes()));
    if from < to {
        return begins(today) && from <= now && now < to;
    }
    (begins(today) && from <= now) || (begins(today.previous()) && now < to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn limit(text: &str) -> RateLimit {
        text.parse().unwrap()
    }

    fn rule(from: &str, to: &str, days: &str, limit: &str) -> LimitRule {
        LimitRule {
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
            days: days.split_whitespace().map(|day| day.parse().unwrap()).collect(),
            download: Some(limit.parse().unwrap()),
            upload: None,
        }
    }

    fn table(rules: Vec<LimitRule>) -> Timetable {
        Timetable::new(rules, Both { download: RateLimit::None, upload: limit("9 MB/s") })
    }

    fn berlin() -> TimeZone {
        TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
    }

    fn moment(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// The download limit at a time of the wall clock. 2026-11-27 is a Friday.
    fn at(table: &Timetable, local: &str) -> String {
        table.at(local.parse().unwrap()).download.to_string()
    }

    #[test]
    fn the_first_rule_whose_time_it_is_counts() {
        let table = table(vec![
            rule("12:00", "13:00", "fri", "0"),
            rule("08:00", "18:00", "mon tue wed thu fri", "5 MB/s"),
            rule("00:00", "24:00", "sun", "7 MB/s"),
        ]);
        for (local, limit) in [
            ("2026-11-27T07:59:59", "none"),
            ("2026-11-27T08:00:00", "5 MB/s"),
            ("2026-11-27T12:00:00", "0"),
            ("2026-11-27T13:00:00", "5 MB/s"),
            ("2026-11-27T17:59:59", "5 MB/s"),
            ("2026-11-27T18:00:00", "none"),
            ("2026-11-28T12:00:00", "none"),
            ("2026-11-29T00:00:00", "7 MB/s"),
            ("2026-11-29T23:59:59", "7 MB/s"),
            ("2026-11-30T00:00:00", "none"),
        ] {
            assert_eq!(at(&table, local), limit, "{local}");
        }
        assert_eq!(
            table.at("2026-11-27T12:00:00".parse().unwrap()).upload,
            limit("9 MB/s"),
            "not in the rule"
        );
    }

    #[test]
    fn a_night_belongs_to_the_day_on_which_it_begins() {
        let table = table(vec![rule("22:00", "06:00", "fri", "0"), rule("08:00", "08:00", "mon", "1 MB/s")]);
        for (local, limit) in [
            ("2026-11-27T05:00:00", "none"),
            ("2026-11-27T22:00:00", "0"),
            ("2026-11-28T05:59:59", "0"),
            ("2026-11-28T06:00:00", "none"),
            ("2026-11-28T23:00:00", "none"),
            ("2026-11-30T07:59:59", "none"),
            ("2026-11-30T08:00:00", "1 MB/s"),
            ("2026-12-01T07:59:59", "1 MB/s"),
            ("2026-12-01T08:00:00", "none"),
        ] {
            assert_eq!(at(&table, local), limit, "{local}");
        }
    }

    #[test]
    fn a_change_is_known_ahead_also_where_clocks_are_set() {
        let next = |rules: Vec<LimitRule>, now: &str| {
            table(rules).changes_after(moment(now), &berlin()).download.map(|moment| moment.to_string())
        };
        let day = || vec![rule("08:00", "18:00", "mon tue wed thu fri", "5 MB/s")];
        assert_eq!(next(day(), "2026-11-27T10:00:00Z").as_deref(), Some("2026-11-27T17:00:00Z"));
        assert_eq!(
            next(day(), "2026-11-27T17:00:00Z").as_deref(),
            Some("2026-11-30T07:00:00Z"),
            "after Sunday"
        );
        assert_eq!(table(day()).changes_after(moment("2026-11-27T10:00:00Z"), &berlin()).upload, None);
        // On 2026-03-29 clocks go from 02:00 to 03:00: 02:30 does not happen, and the rule begins half an hour late.
        let night = || vec![rule("02:30", "04:00", "", "0")];
        assert_eq!(next(night(), "2026-03-29T00:30:00Z").as_deref(), Some("2026-03-29T01:00:00Z"));
        // On 2026-10-25 clocks go from 03:00 back to 02:00: 02:30 happens twice.
        let half = || vec![rule("02:30", "02:45", "", "0")];
        assert_eq!(next(half(), "2026-10-25T00:35:00Z").as_deref(), Some("2026-10-25T00:45:00Z"));
        assert_eq!(next(half(), "2026-10-25T00:50:00Z").as_deref(), Some("2026-10-25T01:30:00Z"));
        // Only on Sundays, and this Sunday it does not happen.
        let left_out = || vec![rule("02:10", "02:50", "sun", "0")];
        assert_eq!(next(left_out(), "2026-03-28T12:00:00Z").as_deref(), Some("2026-04-05T00:10:00Z"));
        assert_eq!(
            next(vec![rule("00:00", "24:00", "", "0")], "2026-03-28T12:00:00Z"),
            None,
            "always the same"
        );
        assert_eq!(next(Vec::new(), "2026-03-28T12:00:00Z"), None);
    }

    fn any_rule() -> impl Strategy<Value = LimitRule> {
        let time = || (0..=TimeOfDay::DAY / 10).prop_map(|tens| TimeOfDay::from_minutes(tens * 10).unwrap());
        let days = proptest::sample::subsequence(Day::ALL.to_vec(), 0..=7);
        let limit = || proptest::sample::select(vec![None, Some(RateLimit::Pause), Some(limit("1 MB/s"))]);
        (time(), time(), days, limit(), limit()).prop_map(|(from, to, days, download, upload)| LimitRule {
            from,
            to,
            days,
            download,
            upload,
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Walked minute by minute, the limits change exactly when it was said before.
        #[test]
        fn no_change_is_missed_and_none_is_made_up(
            rules in proptest::collection::vec(any_rule(), 0..4),
            // the end of March and of October in 2026, in minutes: clocks are set within
            begin in prop_oneof![29_575_000i64..29_580_000, 29_880_000i64..29_890_000],
        ) {
            let (table, zone) = (table(rules), berlin());
            let at = |minute: i64| Timestamp::from_second(minute * 60).unwrap();
            let present = table.at(zone.to_datetime(at(begin)));
            let changes = table.changes_after(at(begin), &zone);
            let mut seen = Both { download: None, upload: None };
            for minute in begin + 1..begin + 8 * 1440 {
                let now = table.at(zone.to_datetime(at(minute)));
                if now.download != present.download { seen.download.get_or_insert(at(minute)); }
                if now.upload != present.upload { seen.upload.get_or_insert(at(minute)); }
            }
            let is_seen = |change: &Timestamp| *change < at(begin + 8 * 1440);
            prop_assert_eq!(changes.download.filter(is_seen), seen.download);
            prop_assert_eq!(changes.upload.filter(is_seen), seen.upload);
        }
    }
}
