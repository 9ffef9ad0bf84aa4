//! When a certificate is renewed, how often that is tried, and when somebody has to look. It is pure: the time is given.
//!
//! Two clocks are used. A certificate's life is counted in seconds since 1970, as its authority wrote it. Pauses between
//! two attempts are counted on a clock that never jumps.

use shared::identity::BACKDATED_S;
use std::time::{Duration, Instant};

/// The longest pause between two attempts.
const PAUSE_MAX: Duration = Duration::from_secs(3600);

/// The longest time until somebody looks at the clock again: it may have been set, or the machine may have slept.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// How long renewals fail before that is a warning, unless a tenth of the certificate's life is less.
const WORRY_AFTER: Duration = Duration::from_secs(3 * 24 * 3600);

/// How long until the same warning is given again.
const WARN_AGAIN: Duration = Duration::from_secs(24 * 3600);

/// A certificate's life, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// The moment at which it was issued.
    pub from: u64,
    /// The last second.
    pub until: u64,
}

impl Life {
    /// That of a certificate of our authority.
    pub fn of(not_before: u64, not_after: u64) -> Life {
        Life { from: not_before.saturating_add(BACKDATED_S).min(not_after), until: not_after }
    }

    fn length(&self) -> Duration {
        Duration::from_secs(self.until - self.from)
    }
}

/// When the certificate of this machine is renewed.
#[derive(Debug)]
pub struct Schedule {
    /// Decides by how much this certificate is renewed earlier or later than others.
    draw: u32,
    failures: u32,
    /// When the attempts began to fail.
    failing_since: Option<Instant>,
    /// No attempt before this.
    pause_until: Option<Instant>,
    warned: Option<Instant>,
}

impl Schedule {
    /// That of a new certificate. `draw` is a random number.
    pub fn new(draw: u32) -> Schedule {
        Schedule { draw, failures: 0, failing_since: None, pause_until: None, warned: None }
    }

    /// When it is due, in seconds since 1970: at two thirds of its life, a tenth of them earlier or later, so that a fleet
    /// that was set up in one minute does not renew in one minute.
    pub fn due(&self, life: Life) -> u64 {
        let third = (life.until - life.from) as f64 * 2.0 / 3.0;
        life.from + (third * (0.9 + 0.2 * f64::from(self.draw) / f64::from(u32::MAX))) as u64
    }

    /// How long to wait before the next look; nothing if it is to be renewed now. `is_news` has it renewed before it is due,
    /// which does not shorten the pause after a failure. `wall` is the time on this machine's
    /// clock, in seconds since 1970.
    pub fn wait(&self, life: Life, is_news: bool, wall: u64, now: Instant) -> Duration {
        let due = if is_news { wall } else { self.due(life) };
        let due = Duration::from_secs(due.saturating_sub(wall));
        let pause = self.pause_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        due.max(pause).min(LOOK_EVERY)
    }

    /// An attempt has failed. The next one comes after a pause that doubles, from a 60th of what is between renewal and
    /// end, and is drawn at random within a half. It is never longer than an hour, and attempts never end.
    pub fn failed(&mut self, life: Life, now: Instant, draw: u32) {
        let rest = life.length() / 3;
        let first = (rest / 60).clamp(Duration::from_secs(1), Duration::from_secs(60));
        let most = (rest / 4).clamp(Duration::from_secs(2), PAUSE_MAX);
        let pause = first.saturating_mul(1 << self.failures.min(20)).min(most);
        self.pause_until = Some(now + pause.mul_f64(0.75 + 0.5 * f64::from(draw) / f64::from(u32::MAX)));
        self.failures = self.failures.saturating_add(1);
        self.failing_since.get_or_insert(now);
    }

    /// Returns whether somebody should be told now that renewals have failed for long, and notes that they are told.
    pub fn worries(&mut self, life: Life, now: Instant) -> bool {
        let Some(since) = self.failing_since else { return false };
        let patience = WORRY_AFTER.min(life.length() / 10);
        let was_told = self.warned.is_some_and(|at| now.saturating_duration_since(at) < WARN_AGAIN);
        if was_told || now.saturating_duration_since(since) < patience {
            return false;
        }
        self.warned = Some(now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 24 * 3600;

    fn ninety_days() -> Life {
        Life::of(1_000_000_000, 1_000_000_000 + BACKDATED_S + 90 * DAY)
    }

    #[test]
    fn a_life_begins_when_the_certificate_was_issued() {
        assert_eq!(ninety_days().length(), Duration::from_secs(90 * DAY));
        // One that ends before its begin would have another authority.
        assert_eq!(Life::of(5, 10), Life { from: 10, until: 10 });
        assert_eq!(Schedule::new(7).due(Life::of(5, 10)), 10);
    }

    #[test]
    fn it_is_due_at_two_thirds_a_tenth_earlier_or_later() {
        let life = ninety_days();
        let day = |draw| (Schedule::new(draw).due(life) - life.from) / DAY;
        assert_eq!((day(0), day(u32::MAX / 2), day(u32::MAX)), (54, 59, 66));
        let short = Life::of(0, BACKDATED_S + 30);
        let at = |draw| Schedule::new(draw).due(short) - short.from;
        assert_eq!((at(0), at(u32::MAX)), (18, 22));
    }

    #[test]
    fn the_clock_is_looked_at_every_minute_until_it_is_due() {
        let (life, now) = (ninety_days(), Instant::now());
        let schedule = Schedule::new(0);
        assert_eq!(schedule.wait(life, false, life.from, now), LOOK_EVERY);
        let due = schedule.due(life);
        assert_eq!(schedule.wait(life, false, due - 10, now), Duration::from_secs(10));
        assert_eq!(schedule.wait(life, false, due, now), Duration::ZERO);
        assert_eq!(schedule.wait(life, false, life.until + DAY, now), Duration::ZERO, "also after its end");
        assert_eq!(schedule.wait(life, false, 0, now), LOOK_EVERY, "the clock is far behind");
    }

    #[test]
    fn news_do_not_wait_for_the_day_but_for_the_pause_after_a_failure() {
        let (life, now) = (ninety_days(), Instant::now());
        let mut schedule = Schedule::new(0);
        assert_eq!(schedule.wait(life, true, life.from, now), Duration::ZERO);
        schedule.failed(life, now, 0);
        assert_eq!(schedule.wait(life, true, life.from, now), Duration::from_secs(45));
    }

    /// Runs on virtual time: returns the moments of all attempts within some days, which all fail.
    fn attempts(life: Life, days: u64, draws: impl Fn(u32) -> u32) -> Vec<u64> {
        let (mut schedule, begin, mut passed) = (Schedule::new(0), Instant::now(), Duration::ZERO);
        let mut attempts = Vec::new();
        while passed < Duration::from_secs(days * DAY) {
            let (wall, now) = (life.from + passed.as_secs(), begin + passed);
            match schedule.wait(life, false, wall, now) {
                Duration::ZERO => {
                    schedule.failed(life, now, draws(attempts.len() as u32));
                    attempts.push(passed.as_secs());
                }
                wait => passed += wait,
            }
        }
        attempts
    }

    #[test]
    fn attempts_slow_down_and_never_end() {
        let life = ninety_days();
        let all = attempts(life, 130, |at| at.wrapping_mul(2_654_435_761));
        assert_eq!(all[0] / DAY, 54);
        assert!((45..=75).contains(&(all[1] - all[0])), "{:?}", &all[..3]);
        let pauses: Vec<u64> = all.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(pauses.iter().all(|pause| (45..=4500).contains(pause)), "{pauses:?}");
        assert!(pauses[10..].iter().all(|pause| *pause >= 2700));
        assert!(pauses.iter().any(|pause| *pause != pauses[20]), "they are drawn");
        assert!(all.last().unwrap() / DAY == 129, "also after the end of the certificate");
        assert!(all.len() < 76 * 24 * 2, "{} attempts in 76 days", all.len());
    }

    #[test]
    fn a_life_of_seconds_has_pauses_of_seconds() {
        let life = Life::of(0, BACKDATED_S + 30);
        let (mut schedule, now) = (Schedule::new(0), Instant::now());
        for _ in 0..20 {
            schedule.failed(life, now, u32::MAX);
            assert!(schedule.wait(life, false, life.until, now) <= Duration::from_secs(4));
        }
    }

    #[test]
    fn three_days_of_failures_are_worrying_once_a_day() {
        let (life, begin) = (ninety_days(), Instant::now());
        let after = |hours: u64| begin + Duration::from_secs(hours * 3600);
        let mut schedule = Schedule::new(0);
        assert!(!schedule.worries(life, after(100)));
        schedule.failed(life, begin, 0);
        assert!(!schedule.worries(life, after(71)));
        assert!(schedule.worries(life, after(72)));
        assert!(!schedule.worries(life, after(95)));
        assert!(schedule.worries(life, after(96)));
    }
}
