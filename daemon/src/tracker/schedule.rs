//! Decides when each resource is announced next, and when a lost tracker is dialed again. Pure: the caller hands time
//! and chance in, so that a fleet can be simulated on virtual time.

use shared::id::SwarmKey;
use shared::rpc::tracker::ANNOUNCE_MAX;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// The shortest interval between announces that is accepted from a tracker; shorter ones are raised to it, so that no
/// tracker makes its daemons busy.
const INTERVAL_MIN: Duration = Duration::from_secs(1);
/// The longest interval between announces that is accepted from a tracker; longer ones are lowered to it, so that a
/// tracker that was misled or restarted hears of us.
const INTERVAL_MAX: Duration = Duration::from_secs(600);
/// The shortest interval between two announces of a resource for which peers are wanted at once, so that a download
/// without peers does not flood the tracker.
const URGENT_AFTER: Duration = Duration::from_secs(1);
/// A resource with at most 1/`ALONG` of its interval left is announced together with those that are due, so that many
/// resources need few calls.
const ALONG: u32 = 4;
/// A lost tracker is dialed again within this time at first, and within twice the time after each failure.
const REDIAL_FIRST: Duration = Duration::from_secs(3);
/// The longest such time. A fleet of thousands then dials a restarted tracker over a quarter of a minute.
const REDIAL_MAX: Duration = Duration::from_secs(15);
/// The longest wait of a daemon after its start before it announces the resources of its last run. The wait is random,
/// because after a power cut a whole fleet starts together.
const RETURN_MAX: Duration = Duration::from_secs(2);

/// The next announce of each resource.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    resources: BTreeMap<SwarmKey, NextAnnounce>,
    /// The same resources in the order in which they are due.
    order: BTreeSet<(Instant, SwarmKey)>,
}

#[derive(Debug)]
struct NextAnnounce {
    due: Instant,
    last: Option<Instant>,
    interval: Duration,
    /// Whether there is something to tell that the last batch with it did not contain.
    has_news: bool,
}

impl Schedule {
    /// Makes a resource due now, also if an announce of it waits for its answer: that one told what was so before.
    pub(super) fn now(&mut self, key: SwarmKey, now: Instant) {
        let turn = NextAnnounce { due: now, last: None, interval: INTERVAL_MIN, has_news: true };
        self.resources.entry(key).or_insert(turn).has_news = true;
        self.set_due(key, now);
    }

    fn set_due(&mut self, key: SwarmKey, due: Instant) {
        let Some(turn) = self.resources.get_mut(&key) else { return };
        let former = std::mem::replace(&mut turn.due, due);
        self.order.remove(&(former, key));
        self.order.insert((due, key));
    }

    /// Makes a resource due soon, because more peers are wanted.
    pub(super) fn urgent(&mut self, key: SwarmKey, now: Instant) {
        if let Some(turn) = self.resources.get(&key) {
            let earliest = turn.last.map_or(now, |last| last + URGENT_AFTER);
            self.set_due(key, turn.due.min(earliest.max(now)));
        }
    }

    /// Makes all resources due now, because the tracker may have forgotten everything.
    pub(super) fn all(&mut self, now: Instant) {
        self.resources.values_mut().for_each(|turn| turn.due = now);
        self.order = self.resources.keys().map(|key| (now, *key)).collect();
    }

    /// Removes a resource.
    pub(super) fn remove(&mut self, key: SwarmKey) {
        if let Some(turn) = self.resources.remove(&key) {
            self.order.remove(&(turn.due, key));
        }
    }

    /// The tracker has answered an announce of a resource, and wants the next one after `interval`. A resource that
    /// [`now`](Self::now) made due since its last batch stays due.
    pub(super) fn told(&mut self, key: SwarmKey, now: Instant, interval: Duration) {
        if let Some(turn) = self.resources.get_mut(&key) {
            turn.interval = interval.clamp(INTERVAL_MIN, INTERVAL_MAX);
            turn.last = Some(now);
            let due = now + turn.interval;
            if !turn.has_news {
                self.set_due(key, due);
            }
        }
    }

    /// When the next resource is due; `None` if there is none.
    pub(super) fn next(&self) -> Option<Instant> {
        self.order.first().map(|(due, _)| *due)
    }

    /// The resources of one announce: those that are due, and those that are due soonest. None if nothing is due.
    pub(super) fn batch(&mut self, now: Instant) -> Vec<SwarmKey> {
        if self.next().is_none_or(|due| due > now) {
            return Vec::new();
        }
        let within = |due: Instant, key: &SwarmKey| {
            let interval = self.resources.get(key).map_or(Duration::ZERO, |turn| turn.interval);
            due <= now + interval / ALONG
        };
        let order = self.order.iter().take_while(|(due, _)| *due <= now + INTERVAL_MAX / ALONG);
        let order = order.filter(|(due, key)| within(*due, key)).map(|(_, key)| *key);
        let batch: Vec<SwarmKey> = order.take(ANNOUNCE_MAX).collect();
        for key in &batch {
            if let Some(turn) = self.resources.get_mut(key) {
                turn.has_news = false;
            }
        }
        batch
    }
}

/// The pauses before a lost tracker is dialed again.
#[derive(Debug)]
pub(super) struct Backoff {
    within: Duration,
}

impl Backoff {
    pub(super) fn new() -> Backoff {
        Backoff { within: REDIAL_FIRST }
    }

    /// The next pause. `chance` is from 0 to 1, and spreads the daemons of a fleet over most of the time, so that they
    /// do not all return at once.
    pub(super) fn pause(&mut self, chance: f64) -> Duration {
        let pause = self.within.mul_f64((1.0 + 5.0 * chance) / 6.0);
        self.within = (self.within * 2).min(REDIAL_MAX);
        pause
    }

    /// A session has ended after `span`. After a long one the pause is short again.
    pub(super) fn lasted(&mut self, span: Duration) {
        if span > REDIAL_MAX {
            *self = Backoff::new();
        }
    }
}

/// How long a daemon waits after its start before it talks to its trackers, because after a power cut a whole fleet
/// starts together.
pub(super) fn return_pause(chance: f64) -> Duration {
    RETURN_MAX.mul_f64(chance)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::id::{ListDigest, ResourceId};

    const SECOND: Duration = Duration::from_secs(1);

    fn key(at: u16) -> SwarmKey {
        let mut resource = ResourceId([0; 32]);
        resource.0[..2].copy_from_slice(&at.to_be_bytes());
        SwarmKey { resource, digest: ListDigest([0; 32]) }
    }

    #[test]
    fn a_trackers_word_is_taken_within_bounds() {
        let (mut schedule, start) = (Schedule::default(), Instant::now());
        let ten_years = Duration::from_secs(10 * 365 * 24 * 3600);
        for (told, taken) in [(Duration::ZERO, SECOND), (SECOND * 5, SECOND * 5), (ten_years, SECOND * 600)] {
            schedule.now(key(1), start);
            assert_eq!(schedule.batch(start), [key(1)]);
            schedule.told(key(1), start, told);
            assert_eq!(schedule.next(), Some(start + taken), "{told:?}");
        }
        schedule.urgent(key(1), start + SECOND / 2);
        assert_eq!(schedule.next(), Some(start + SECOND), "more peers are wanted");
    }

    /// A download that becomes complete, or a complete file that is removed and fetched again, while the tracker's answer
    /// to the announce before is on its way.
    #[test]
    fn what_changes_before_the_answer_is_told_right_after_it() {
        let (mut schedule, start) = (Schedule::default(), Instant::now());
        schedule.now(key(1), start);
        schedule.now(key(2), start);
        assert_eq!(schedule.batch(start), [key(1), key(2)]);
        schedule.now(key(1), start + SECOND);
        let answered = start + SECOND * 2;
        schedule.told(key(1), answered, SECOND * 60);
        schedule.told(key(2), answered, SECOND * 60);
        assert_eq!(schedule.batch(answered), [key(1)], "the change waits for the next announce, in a minute");
        schedule.told(key(1), answered, SECOND * 60);
        assert_eq!(schedule.next(), Some(answered + SECOND * 60), "it is told again and again");
        // one that was removed and is put again meanwhile
        schedule.now(key(3), answered);
        assert_eq!(schedule.batch(answered), [key(3)]);
        schedule.remove(key(3));
        schedule.now(key(3), answered);
        schedule.told(key(3), answered, SECOND * 60);
        assert_eq!(schedule.batch(answered), [key(3)]);
    }

    #[test]
    fn many_resources_take_few_calls() {
        let (mut schedule, start) = (Schedule::default(), Instant::now());
        (0..1000).for_each(|at| schedule.now(key(at), start));
        let (mut now, mut calls, mut announced) = (start, 0, 0);
        while now < start + SECOND * 600 {
            let batch = schedule.batch(now);
            assert!(!batch.is_empty());
            calls += 1;
            announced += batch.len();
            for key in batch {
                let spread = u64::from(key.resource.0[1]) * 24_000 / 255;
                schedule.told(key, now, Duration::from_millis(48_000 + spread));
            }
            now = schedule.next().unwrap();
        }
        assert!(calls <= 25, "{calls} calls in ten minutes");
        assert!(announced <= 1000 * 14, "{announced} announces in ten minutes");
    }

    /// There are more resources than fit in one announce. If those that go along were not the ones that are due
    /// soonest, each announce would renew the same ones.
    #[test]
    fn very_many_resources_take_few_calls_too() {
        let (mut schedule, start) = (Schedule::default(), Instant::now());
        (0..10_000).for_each(|at| schedule.now(key(at), start));
        let (mut now, mut calls, mut announced, mut number) = (start, 0, 0, 1_u64);
        while now < start + SECOND * 600 {
            let batch = schedule.batch(now);
            calls += usize::from(now > start + SECOND * 120);
            announced += batch.len();
            for key in batch {
                number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                schedule.told(key, now, Duration::from_millis(48_000 + (number >> 33) % 24_000));
            }
            now = schedule.next().unwrap();
        }
        assert!(calls <= 120, "{calls} calls in eight minutes");
        assert!(announced <= 10_000 * 14, "{announced} announces in ten minutes");
    }

    #[test]
    fn a_batch_is_bounded_and_nothing_is_left_out() {
        let (mut schedule, start) = (Schedule::default(), Instant::now());
        (0..3000).for_each(|at| schedule.now(key(at), start));
        let mut sizes = Vec::new();
        loop {
            let batch = schedule.batch(start);
            if batch.is_empty() {
                break;
            }
            sizes.push(batch.len());
            batch.into_iter().for_each(|key| schedule.told(key, start, SECOND * 60));
        }
        assert_eq!(sizes, [1024, 1024, 952]);
    }

    #[test]
    fn a_dead_tracker_is_dialled_again_within_bounds_for_ever() {
        let mut backoff = Backoff::new();
        let pauses: Vec<(f64, f64)> = (0..6)
            .map(|_| {
                let within = backoff.within;
                let least = Backoff { within }.pause(0.0).as_secs_f64();
                (least, backoff.pause(1.0).as_secs_f64())
            })
            .collect();
        assert_eq!(pauses, [(0.5, 3.0), (1.0, 6.0), (2.0, 12.0), (2.5, 15.0), (2.5, 15.0), (2.5, 15.0)]);
        backoff.lasted(SECOND);
        assert_eq!(backoff.pause(1.0), SECOND * 15, "it was no good session");
        backoff.lasted(SECOND * 60);
        assert_eq!(backoff.pause(1.0), SECOND * 3);
    }
}
