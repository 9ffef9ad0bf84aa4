//! Notices downloads that make no progress for long: a line in the log when it is noticed, one when it goes on.

use super::Driver;
use crate::library::Phase;
use crate::tracker::seconds;
use shared::id::SwarmKey;
use shared::rpc::control::State;
use shared::swarm::Time;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What changes with any progress: how many chunks are there, and when a byte last came.
type Mark = (u32, Option<Time>);

/// How long downloads have stood still.
#[derive(Debug, Default)]
pub(super) struct Stalls {
    downloads: BTreeMap<SwarmKey, Still>,
}

#[derive(Debug)]
struct Still {
    mark: Mark,
    since: Instant,
    warned: bool,
}

/// What is worth a line in the log.
#[derive(Debug, PartialEq, Eq)]
enum Word {
    /// It has stood still for so long.
    Stalled(Duration),
    /// It goes on, after so long.
    GoesOn(Duration),
}

impl Stalls {
    /// Looks at a download that should make progress.
    fn look(&mut self, key: SwarmKey, mark: Mark, now: Instant, patience: Duration) -> Option<Word> {
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

    /// How long a download has stood still.
    pub(super) fn stood(&self, key: SwarmKey, now: Instant) -> Duration {
        self.downloads.get(&key).map_or(Duration::ZERO, |still| now.saturating_duration_since(still.since))
    }

    /// A download needs no looking after any more; if that was warned of, how long it had stood still.
    fn forget(&mut self, key: SwarmKey, now: Instant) -> Option<Duration> {
        let still = self.downloads.remove(&key).filter(|still| still.warned)?;
        Some(now.saturating_duration_since(still.since))
    }
}

impl Driver {
    /// Looks at every download. One that an operator paused, or that is being checked, need not progress.
    pub(super) fn look_for_stalls(&mut self, now: Instant) {
        let known: Vec<SwarmKey> = self.stalls.downloads.keys().copied().collect();
        let is_download = |key: &SwarmKey| {
            self.library.get(*key).is_some_and(|resource| {
                matches!(resource.phase, Phase::Fetching(_)) && !resource.record.paused
            })
        };
        let ended: Vec<SwarmKey> = known.into_iter().filter(|key| !is_download(key)).collect();
        for key in ended {
            let stood = self.stalls.forget(key, now);
            let is_whole = |key| {
                self.library.get(key).is_some_and(|resource| matches!(resource.phase, Phase::Seeding(_)))
            };
            if let Some(stood) = stood.filter(|_| is_whole(key)) {
                tracing::info!(resource = %key, after = %seconds(stood), "a download has made progress again: it is complete");
            }
        }
        let downloads = self.library.stirring().filter_map(|(key, resource)| match &resource.phase {
            Phase::Fetching(fetching) if !resource.record.paused => Some((key, fetching.have.len())),
            _ => None,
        });
        let downloads: Vec<(SwarmKey, u32)> = downloads.collect();
        for (key, have) in downloads {
            let mark = (have, self.machine.status(key).map(|swarm| swarm.moved_at));
            match self.stalls.look(key, mark, now, self.settings.stall_warning) {
                Some(Word::Stalled(stood)) => self.warn_of(key, stood),
                Some(Word::GoesOn(stood)) => {
                    tracing::info!(resource = %key, after = %seconds(stood), "a download makes progress again");
                }
                None => {}
            }
        }
    }

    fn warn_of(&self, key: SwarmKey, stood: Duration) {
        let what = key.resource.to_string();
        let Some(status) = self.status(Some(&what)).ok().and_then(|all| all.into_iter().next()) else {
            return;
        };
        let reason = match status.state {
            State::Downloading => "nothing arrives".to_owned(),
            _ => status.reason.unwrap_or_default(),
        };
        tracing::warn!(resource = %key, name = %status.name, still = %seconds(stood), error = %reason,
            "a download makes no progress");
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
