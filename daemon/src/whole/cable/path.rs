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
    pub(super) latency: Duration,
    /// The most that is added to the latency of a piece.
    pub(super) jitter: Duration,
    /// The bytes per second, if the path is narrower than the uplink.
    pub(super) rate: Option<u64>,
    /// When the bytes that were sent have left it.
    pub(super) free_at: Instant,
    /// Whatever would arrive from the first moment on arrives at the second.
    hold: Option<(Instant, Instant)>,
    pub(super) refusal: Option<Refusal>,
}

impl Path {
    pub(super) fn new(latency: Duration, jitter: Duration, now: Instant) -> Path {
        Path { latency, jitter, rate: None, free_at: now, hold: None, refusal: None }
    }

    /// Holds back what would arrive from now on. A hold that is in force becomes longer.
    pub(super) fn hold(&mut self, now: Instant, until: Instant) {
        self.hold = match self.hold {
            Some((from, former)) if former > now => Some((from, former.max(until))),
            _ => Some((now, until)),
        };
    }

    /// Ends a hold.
    pub(super) fn release(&mut self, now: Instant) {
        self.hold = self.hold.map(|(from, until)| (from, until.min(now)));
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
