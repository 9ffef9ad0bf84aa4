//! What a swarm knows of its zone. The rules that go by it are in [`zones`](super::zones).

use super::members::Member;
use super::place::Place;
use super::rate::Mean;
use super::time::Time;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long this machine waits for a chunk's home, as a multiple of the time that a chunk usually takes from another
/// zone. After it, with nothing new in the zone, twice as many machines may fetch the chunk …
pub(super) const PATIENCE: u32 = 3;
/// … and this is the longest that it waits.
pub(super) const PATIENCE_MAX: Duration = Duration::from_secs(60);

/// What a swarm knows of its zone.
#[derive(Default)]
pub(super) struct Zone {
    /// Ourselves; `None` without a zone: then there is no rule.
    pub(super) own: Option<Place>,
    pub(super) joined_at: Time,
    /// Of which chunks we are a home, as words by their places: found when it is needed.
    pub(super) homes: BTreeMap<usize, u64>,
    /// What we may fetch from other zones now, as words from the first place on.
    pub(super) allowed: (usize, Vec<u64>),
    /// Open requests to other zones.
    pub(super) across: u32,
    /// How long chunks take that come from other zones.
    pub(super) time: Mean,
    pub(super) wait: Option<Wait>,
}

/// Something that is missing lies in other zones, and we do not fetch it.
pub(super) struct Wait {
    /// Since when nothing came to the zone.
    pub(super) since: Time,
    pub(super) patience: Duration,
    /// How often it was too long: the first 2^level of the zone are homes.
    pub(super) level: u32,
}

impl Zone {
    pub(super) fn new(own: Option<Place>, now: Time) -> Zone {
        Zone { own, joined_at: now, ..Zone::default() }
    }

    /// Whether a member is asked by the zone's rules.
    pub(super) fn is_across(&self, member: &Member) -> bool {
        self.own.is_some() && !member.near
    }

    /// What may be fetched from another zone now, of the chunks at this place.
    pub(super) fn allowed(&self, at: usize) -> u64 {
        let (first, words) = &self.allowed;
        at.checked_sub(*first).and_then(|at| words.get(at)).copied().unwrap_or(0)
    }

    /// A request to another zone is open.
    pub(super) fn opened(&mut self, max: u32) {
        self.across += 1;
        if self.across >= max {
            self.allowed.1.clear();
        }
        self.wait = None;
    }

    /// A request to another zone ended.
    pub(super) fn closed(&mut self) {
        self.across = self.across.saturating_sub(1);
    }

    pub(super) fn across(&self) -> u32 {
        self.across
    }

    /// A chunk came from another zone within this time. One that took very long counts as no more than what is waited
    /// for at most: many would have to come before it is forgotten.
    pub(super) fn came(&mut self, took: Duration) {
        self.time.add(took.min(PATIENCE_MAX / PATIENCE));
    }

    /// Whether what is missing lies in other zones, and nothing of it is fetched here.
    pub(super) fn waits(&self) -> bool {
        self.wait.is_some()
    }

    pub(super) fn level(&self) -> u32 {
        self.wait.as_ref().map_or(0, |wait| wait.level)
    }
}
