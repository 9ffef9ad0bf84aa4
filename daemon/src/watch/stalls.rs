//! How long downloads have made no progress, and what of that is logged.

use shared::id::SwarmKey;
use shared::swarm::Time;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// A value that changes with any progress: the number of chunks, and when a byte last came.
pub type Mark = (u32, Option<Time>);

/// How long downloads have made no progress.
#[derive(Debug, Default)]
pub struct Stalls {
    downloads: BTreeMap<SwarmKey, Still>,
}

#[derive(Debug)]
struct Still {
    mark: Mark,
    since: Instant,
    warned: bool,
}

/// An event to log.
#[derive(Debug, PartialEq, Eq)]
pub enum Word {
    /// The download makes no progress. The duration is the time since the last progress.
    Stalled(Duration),
    /// The download continues after a warning. The duration is how long it made no progress.
    GoesOn(Duration),
}

impl Stalls {
    /// Looks at a download that should make progress. Returns an event to log.
    pub fn look(&mut self, key: SwarmKey, mark: Mark, now: Instant, patience: Duration) -> Option<Word> {
        let new = Still { mark, since: now, warned: false };
        let still = self.downloads.entry(key).or_insert(new);
        let stood = now.saturating_duration_since(still.since);
        if still.mark != mark {
            let warned = still.warned;
            *still = Still { mark, since: now, warned: false };
            return warned.then_some(Word::GoesOn(stood));
        }
        if stood < patience || still.warned {
            return None;
        }
        still.warned = true;
        Some(Word::Stalled(stood))
    }

    /// The monitored downloads.
    pub fn watched(&self) -> Vec<SwarmKey> {
        self.downloads.keys().copied().collect()
    }

    /// How long a download has made no progress.
    pub fn stood(&self, key: SwarmKey, now: Instant) -> Duration {
        self.downloads.get(&key).map_or(Duration::ZERO, |still| now.saturating_duration_since(still.since))
    }

    /// Stops monitoring a download. If it was warned of, returns how long it had made no progress.
    pub fn forget(&mut self, key: SwarmKey, now: Instant) -> Option<Duration> {
        let still = self.downloads.remove(&key).filter(|still| still.warned)?;
        Some(now.saturating_duration_since(still.since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::id::{ListDigest, ResourceId};

    const KEY: SwarmKey = SwarmKey { resource: ResourceId([1; 32]), digest: ListDigest([1; 32]) };
    const PATIENCE: Duration = Duration::from_secs(300);

    #[test]
    fn a_standstill_is_told_once_and_its_end_once() {
        let (mut stalls, start) = (Stalls::default(), Instant::now());
        let mut look = |s: u64, mark| stalls.look(KEY, mark, start + Duration::from_secs(s), PATIENCE);
        assert_eq!(look(0, (3, Some(Time(1)))), None);
        assert_eq!(look(299, (3, Some(Time(2)))), None, "a byte came");
        assert_eq!(look(598, (3, Some(Time(2)))), None);
        assert_eq!(look(600, (3, Some(Time(2)))), Some(Word::Stalled(Duration::from_secs(301))));
        assert_eq!(look(9999, (3, Some(Time(2)))), None, "that was told");
        assert_eq!(look(10_299, (4, Some(Time(3)))), Some(Word::GoesOn(Duration::from_secs(10_000))));
        assert_eq!(look(10_300, (5, Some(Time(4)))), None);
        assert_eq!(look(10_600, (5, Some(Time(4)))), Some(Word::Stalled(PATIENCE)), "it may happen again");
    }

    #[test]
    fn what_was_not_told_ends_in_silence() {
        let (mut stalls, start) = (Stalls::default(), Instant::now());
        stalls.look(KEY, (0, None), start, PATIENCE);
        assert_eq!(stalls.forget(KEY, start + PATIENCE), None);
        stalls.look(KEY, (0, None), start, PATIENCE);
        stalls.look(KEY, (0, None), start + PATIENCE, PATIENCE);
        assert_eq!(stalls.forget(KEY, start + PATIENCE * 2), Some(PATIENCE * 2));
        assert_eq!(stalls.forget(KEY, start), None);
    }
}
