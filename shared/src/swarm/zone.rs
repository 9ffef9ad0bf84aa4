//! What a swarm knows about its zone. The rules that use it are in [`zones`](super::zones).

use super::members::Member;
use super::place::Place;
use super::rate::Mean;
use super::time::Time;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long this machine waits for a chunk's home, as a multiple of the time that a chunk usually takes from another
/// zone. If nothing new came to the zone by then, twice as many machines may fetch the chunk.
pub(super) const PATIENCE: u32 = 3;
/// The longest such wait: after it the zone fetches the chunk, however slow the link between zones.
pub(super) const PATIENCE_MAX: Duration = Duration::from_secs(60);

/// What a swarm knows about its zone.
#[derive(Default)]
pub(super) struct ZoneState {
    /// Our own id and zone; `None` without a zone, and then no rule applies.
    pub(super) own: Option<Place>,
    pub(super) joined_at: Time,
    /// The chunks of which we are a home, as words by position. Computed on demand, since ranking is costly.
    pub(super) homes: BTreeMap<usize, u64>,
    /// The chunks that we may fetch from other zones now: the position of the first word, and the words.
    pub(super) allowed: (usize, Vec<u64>),
    /// Open requests to other zones.
    pub(super) across: u32,
    /// How long chunks from other zones take.
    pub(super) time: Mean,
    pub(super) wait: Option<Wait>,
}

/// The state while other zones have missing chunks that we leave to other machines of our zone.
pub(super) struct Wait {
    /// When something new last came to the zone.
    pub(super) since: Time,
    /// How long to wait until the next level.
    pub(super) patience: Duration,
    /// How many times the wait was too long: the 2^level machines of the zone with the highest ranks are homes.
    pub(super) level: u32,
}

impl ZoneState {
    pub(super) fn new(own: Option<Place>, now: Time) -> ZoneState {
        ZoneState { own, joined_at: now, ..ZoneState::default() }
    }

    /// Whether the rules about zones apply to requests to this member.
    pub(super) fn is_across(&self, member: &Member) -> bool {
        self.own.is_some() && !member.near
    }

    /// The chunks at word position `at` that may be fetched from another zone now.
    pub(super) fn allowed(&self, at: usize) -> u64 {
        let (first, words) = &self.allowed;
        at.checked_sub(*first).and_then(|at| words.get(at)).copied().unwrap_or(0)
    }

    /// Counts a request to another zone that was opened. At the limit `max` nothing more may be fetched.
    pub(super) fn opened(&mut self, max: u32) {
        self.across += 1;
        if self.across >= max {
            self.allowed.1.clear();
        }
        self.wait = None;
    }

    /// Counts a request to another zone that ended.
    pub(super) fn closed(&mut self) {
        self.across = self.across.saturating_sub(1);
    }

    pub(super) fn across(&self) -> u32 {
        self.across
    }

    /// Notes how long a chunk from another zone took. The time is capped by the longest wait; otherwise a single very
    /// slow chunk would raise the mean until many others had come.
    pub(super) fn came(&mut self, took: Duration) {
        self.time.add(took.min(PATIENCE_MAX / PATIENCE));
    }

    /// Whether we leave missing chunks in other zones to other machines of our zone.
    pub(super) fn waits(&self) -> bool {
        self.wait.is_some()
    }

    pub(super) fn level(&self) -> u32 {
        self.wait.as_ref().map_or(0, |wait| wait.level)
    }
}
