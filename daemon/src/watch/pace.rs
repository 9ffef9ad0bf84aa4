//! When the next snapshot is made. Each costs the driver time, and readers need at most ten per second.

use std::time::{Duration, Instant};

/// The shortest time between two snapshots: changes that follow faster are seen together.
const EVERY: Duration = Duration::from_millis(100);

/// After a snapshot the driver waits at least this many times as long as making it took, so snapshots take at most a
/// fifth of its time.
const SHARE: u32 = 4;

/// The shortest time between two snapshots that nobody reads: events are found by comparing snapshots.
const UNREAD_EVERY: Duration = Duration::from_secs(1);

/// The shortest time between two looks at all resources, including those at rest, while something changes.
const WHOLE_EVERY: Duration = Duration::from_secs(2);

/// After a look at all resources the next one waits at least this many times as long as it took, so such looks take at
/// most a twentieth of the driver's time.
const WHOLE_SHARE: u32 = 19;

/// When to make the next snapshot, and of which resources.
#[derive(Debug, Default)]
pub struct Pace {
    /// Whether something has changed since the last snapshot.
    has_news: bool,
    /// Whether a change concerns all resources.
    for_all: bool,
    /// No snapshot is made before this moment, except when somebody asks.
    next_at: Option<Instant>,
    /// When all resources were last looked at, and how long that took.
    whole_at: Option<(Instant, Duration)>,
}

impl Pace {
    /// Notes a change that a reader may want to see.
    pub fn note(&mut self) {
        self.has_news = true;
    }

    /// Notes a change that concerns all resources.
    pub fn note_all(&mut self) {
        (self.has_news, self.for_all) = (true, true);
    }

    /// Whether something has changed since the last snapshot.
    pub fn has_news(&self) -> bool {
        self.has_news
    }

    /// When the next snapshot is due; `None` while nothing has changed.
    pub fn due_at(&self, now: Instant) -> Option<Instant> {
        self.has_news.then(|| self.next_at.unwrap_or(now))
    }

    /// When the next snapshot is due if nobody reads; `None` while nothing has changed.
    pub fn due_unread_at(&self, now: Instant) -> Option<Instant> {
        let after = UNREAD_EVERY.saturating_sub(EVERY);
        self.has_news.then(|| self.next_at.map_or(now, |next_at| next_at + after))
    }

    /// Whether something has changed that concerns all resources.
    pub fn is_for_all(&self) -> bool {
        self.for_all
    }

    /// Whether the next snapshot looks at all resources, not only at active ones.
    pub fn is_whole(&self, now: Instant) -> bool {
        self.for_all || self.is_older(now, WHOLE_EVERY, WHOLE_SHARE)
    }

    /// Whether a reader who asks for all resources must wait for a new look at all of them.
    pub fn is_whole_for_asker(&self, now: Instant) -> bool {
        self.for_all || self.is_older(now, EVERY, SHARE)
    }

    fn is_older(&self, now: Instant, every: Duration, share: u32) -> bool {
        self.whole_at.is_none_or(|(at, took)| now.saturating_duration_since(at) >= every.max(took * share))
    }

    /// Notes that a snapshot was made between these moments.
    pub fn made(&mut self, begin: Instant, end: Instant, is_whole: bool) {
        let took = end.saturating_duration_since(begin);
        self.next_at = Some(end + EVERY.max(took * SHARE));
        self.has_news = false;
        if is_whole {
            (self.for_all, self.whole_at) = (false, Some((end, took)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    impl Pace {
        fn is_due(&self, now: Instant) -> bool {
            self.due_at(now).is_some_and(|at| at <= now)
        }
    }

    #[test]
    fn the_first_change_is_seen_at_once_and_many_changes_ten_times_per_second() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        assert!(!pace.is_due(start));
        pace.note();
        assert!(pace.is_due(start) && pace.is_whole(start));
        pace.made(start, start + MS, true);
        assert!(!pace.is_due(start + 500 * MS), "nothing has changed");
        pace.note();
        assert!(pace.is_due(start + 500 * MS));
        pace.made(start + 500 * MS, start + 501 * MS, false);
        pace.note();
        assert!(!pace.is_due(start + 600 * MS));
        assert_eq!(pace.due_at(start + 600 * MS), Some(start + 601 * MS));
    }

    #[test]
    fn what_nobody_reads_is_made_once_per_second() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        assert_eq!(pace.due_unread_at(start), None, "nothing has changed");
        pace.note();
        assert_eq!(pace.due_unread_at(start), Some(start));
        pace.made(start, start, false);
        pace.note();
        assert_eq!(pace.due_unread_at(start), Some(start + 1000 * MS));
        assert_eq!(pace.due_at(start), Some(start + 100 * MS));
    }

    #[test]
    fn what_takes_long_is_done_seldom() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        pace.note();
        let made = start + 1000 * MS;
        pace.made(start, made, true);
        pace.note();
        assert!(!pace.is_due(made + 3999 * MS) && pace.is_due(made + 4000 * MS));
        assert!(!pace.is_whole(made + 18_999 * MS) && pace.is_whole(made + 19_000 * MS));
        assert!(!pace.is_whole_for_asker(made + 3999 * MS) && pace.is_whole_for_asker(made + 4000 * MS));
        pace.note_all();
        assert!(pace.is_whole(made), "what concerns all is seen in the next one");
    }
}
