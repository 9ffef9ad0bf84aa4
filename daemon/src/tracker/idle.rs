//! Keeps unused connections to trackers for a moment, for the next question to the same tracker: commands that watch
//! ask every second or two. The decision is pure: its caller hands the time in.

use shared::url::TrackerUrl;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long a connection is kept after its last question; then it is closed. Watches ask every second or two.
pub(super) const KEPT_FOR: Duration = Duration::from_secs(10);

/// How many connections are kept, one for each tracker; beyond this the one that was unused longest is closed. Daemons
/// have one or two trackers.
pub(super) const KEPT_MAX: usize = 8;

/// The kept connections. Dropping an `S` closes it.
#[derive(Debug)]
pub(super) struct Idle<S> {
    kept: BTreeMap<TrackerUrl, (Instant, S)>,
    /// Whether a task calls `expire` until nothing is left.
    watched: bool,
}

impl<S> Idle<S> {
    pub(super) fn new() -> Idle<S> {
        Idle { kept: BTreeMap::new(), watched: false }
    }

    /// Takes the connection to a tracker out, for one question.
    pub(super) fn take(&mut self, now: Instant, url: &TrackerUrl) -> Option<S> {
        let (since, session) = self.kept.remove(url)?;
        (now.saturating_duration_since(since) < KEPT_FOR).then_some(session)
    }

    /// Keeps a connection after its question. Returns whether a task must be started that calls `expire`.
    pub(super) fn keep(&mut self, now: Instant, url: &TrackerUrl, session: S) -> bool {
        self.kept.insert(url.clone(), (now, session));
        if self.kept.len() > KEPT_MAX {
            let oldest = self.kept.iter().min_by_key(|(_, (since, _))| *since);
            if let Some(url) = oldest.map(|(url, _)| url.clone()) {
                self.kept.remove(&url);
            }
        }
        !std::mem::replace(&mut self.watched, true)
    }

    /// Closes the connections whose time is over. Returns when to call this again, if any are left.
    pub(super) fn expire(&mut self, now: Instant) -> Option<Instant> {
        self.kept.retain(|_, (since, _)| now.saturating_duration_since(*since) < KEPT_FOR);
        let next = self.kept.values().map(|(since, _)| *since + KEPT_FOR).min();
        self.watched = next.is_some();
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(number: usize) -> TrackerUrl {
        format!("tt://tracker-{number}").parse().unwrap()
    }

    #[test]
    fn a_connection_is_used_again_for_a_while_and_by_one_at_a_time() {
        let (now, mut idle) = (Instant::now(), Idle::new());
        idle.keep(now, &url(1), "one");
        assert_eq!(idle.take(now, &url(2)), None);
        assert_eq!(idle.take(now + KEPT_FOR / 2, &url(1)), Some("one"));
        assert_eq!(idle.take(now + KEPT_FOR / 2, &url(1)), None);
        idle.keep(now, &url(1), "one");
        assert_eq!(idle.take(now + KEPT_FOR, &url(1)), None, "it was kept for too long");
    }

    #[test]
    fn no_more_are_kept_than_there_is_room_for() {
        let (now, mut idle) = (Instant::now(), Idle::new());
        for number in 0..3 * KEPT_MAX {
            idle.keep(now + Duration::from_millis(number as u64), &url(number), number);
        }
        assert_eq!(idle.kept.len(), KEPT_MAX);
        assert_eq!(idle.take(now, &url(3 * KEPT_MAX - 1)), Some(3 * KEPT_MAX - 1));
        assert_eq!(idle.take(now, &url(0)), None);
    }

    #[test]
    fn whoever_closes_them_is_told_when_to_look_and_when_to_end() {
        let (now, mut idle) = (Instant::now(), Idle::new());
        assert!(idle.keep(now, &url(1), 1), "somebody must see to it");
        assert_eq!(idle.take(now, &url(1)), Some(1));
        assert!(!idle.keep(now, &url(1), 1), "somebody does already");
        assert!(!idle.keep(now + KEPT_FOR / 2, &url(2), 2));
        assert_eq!(idle.expire(now + KEPT_FOR / 2), Some(now + KEPT_FOR));
        assert_eq!(idle.expire(now + KEPT_FOR), Some(now + KEPT_FOR / 2 + KEPT_FOR));
        assert_eq!(idle.expire(now + 2 * KEPT_FOR), None);
        assert!(idle.kept.is_empty());
        assert!(idle.keep(now + 2 * KEPT_FOR, &url(1), 1), "nobody does any more");
    }
}
