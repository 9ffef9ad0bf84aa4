//! Connections to trackers that nobody uses just now, kept for a moment for whoever asks the same tracker again: those who
//! watch ask every second or two. A pure decision; the time is handed in.

use shared::url::TrackerUrl;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long a connection is kept without a question.
pub(super) const KEPT_FOR: Duration = Duration::from_secs(10);

/// How many connections are kept, one for each tracker. Beyond it the one that was used longest ago is closed.
pub(super) const KEPT_MAX: usize = 8;

/// The connections that are kept. Dropping an `S` closes it.
#[derive(Debug)]
pub(super) struct Idle<S> {
    kept: BTreeMap<TrackerUrl, (Instant, S)>,
    /// Somebody calls `expire` until there is nothing more to close.
    watched: bool,
}

impl<S> Idle<S> {
    pub(super) fn new() -> Idle<S> {
        Idle { kept: BTreeMap::new(), watched: false }
    }

    /// The connection to a tracker, for one question.
    pub(super) fn take(&mut self, now: Instant, url: &TrackerUrl) -> Option<S> {
        let (since, session) = self.kept.remove(url)?;
        (now.saturating_duration_since(since) < KEPT_FOR).then_some(session)
    }

    /// Keeps a connection whose question was answered. Whether somebody has to be told to call `expire`.
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

    /// Closes those that were kept for long enough; when to look again, if there are others.
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
