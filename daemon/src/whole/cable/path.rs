//! The way from one machine to another, and what is wrong with it.

use std::time::Duration;
use tokio::time::Instant;

/// What happens to whoever dials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The other machine refuses after a round trip.
    AtOnce,
    /// Nobody answers.
    Silent,
}

/// One direction between two machines. Its connections share its rate.
#[derive(Debug)]
pub(super) struct Path {
    latency: Duration,
    /// The most that is added to the latency of a piece.
    pub(super) jitter: Duration,
    /// The bytes per second, if the path is narrower than the uplink.
    rate: Option<u64>,
    /// When the bytes that were sent have left it.
    pub(super) free_at: Instant,
    /// Whatever would arrive from the first moment on arrives at the second.
    hold: Option<(Instant, Instant)>,
    refusal: Option<Refusal>,
    /// When something was set or ended last.
    changed: Instant,
}

impl Path {
    pub(super) fn new(latency: Duration, jitter: Duration, now: Instant) -> Path {
        Path { latency, jitter, rate: None, free_at: now, hold: None, refusal: None, changed: now }
    }

    /// Holds back what would arrive from now on. A hold that is in force becomes longer.
    pub(super) fn hold(&mut self, now: Instant, until: Instant) {
        self.hold = match self.hold {
            Some((from, former)) if former > now => Some((from, former.max(until))),
            _ => Some((now, until)),
        };
    }

    pub(super) fn latency(&self) -> Duration {
        self.latency
    }

    pub(super) fn set_latency(&mut self, now: Instant, latency: Duration) {
        (self.latency, self.changed) = (latency, now);
    }

    pub(super) fn rate(&self) -> Option<u64> {
        self.rate
    }

    pub(super) fn slow(&mut self, now: Instant, rate: Option<u64>) {
        (self.rate, self.changed) = (rate, now);
    }

    pub(super) fn refusal(&self) -> Option<Refusal> {
        self.refusal
    }

    pub(super) fn refuse(&mut self, now: Instant, refusal: Option<Refusal>) {
        (self.refusal, self.changed) = (refusal, now);
    }

    /// Ends the faults.
    pub(super) fn calm(&mut self, now: Instant) {
        if self.quiet_since(now).is_none() {
            self.hold = self.hold.map(|(from, until)| (from, until.min(now)));
            (self.rate, self.refusal, self.changed) = (None, None, now);
        }
    }

    /// Since when it works as always; `None` while it is held, slow or refused.
    pub(super) fn quiet_since(&self, now: Instant) -> Option<Instant> {
        let is_quiet = !self.is_held(now) && self.rate.is_none() && self.refusal.is_none();
        is_quiet.then(|| self.hold.map_or(self.changed, |(_, until)| until.max(self.changed)))
    }

    pub(super) fn is_held(&self, now: Instant) -> bool {
        self.hold.is_some_and(|(_, until)| until > now)
    }

    /// When something arrives that would arrive at `at` on a path that is not held.
    pub(super) fn arrival(&self, at: Instant) -> Instant {
        match self.hold {
            Some((from, until)) if at >= from => at.max(until),
            _ => at,
        }
    }
}
