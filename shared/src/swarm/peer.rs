//! What this machine knows of one peer: its link, its open requests, and how it behaved.

use super::drop_reason::DropReason;
use super::event::RequestId;
use super::place::Place;
use super::time::Time;
use crate::id::{PeerId, SwarmKey};
use std::collections::BTreeSet;
use std::time::Duration;

/// Limits the swarms whose news one peer is asked for. Further swarms wait until others are unsubscribed. All of them
/// fit into one call: a key has 64 bytes.
pub const SUBSCRIPTIONS_MAX: usize = 4096;
/// A dial that takes longer than this no longer counts against `neighbours_max`. A daemon that listens answers sooner.
const DIAL_SLOW: Duration = Duration::from_secs(1);
/// The longest gap between a peer's bytes that is remembered, so that one long stall does not make the next ones pass
/// as usual gaps.
const GAP_MAX: Duration = Duration::from_secs(30);

/// A candidate of at least one swarm that we leech.
pub(super) struct PeerState {
    pub(super) link: LinkState,
    /// When it was last dialed.
    pub(super) dialled_at: Time,
    /// The time from sending hello to its answer.
    pub(super) round_trip: Duration,
    /// The id and zone that it gave.
    pub(super) place: Place,
    /// The swarms of which it is a candidate.
    pub(super) swarms: BTreeSet<SwarmKey>,
    /// The swarms whose news it was asked for.
    pub(super) subscribed: BTreeSet<SwarmKey>,
    /// Swarms whose subscription must change: those that it joined or left as a candidate since it was last asked for
    /// news, and those that were beyond the limit then.
    pub(super) changed: BTreeSet<SwarmKey>,
    /// Whether it said hello at least once.
    pub(super) answered: bool,
    /// How many times in a row its link could not be made, or broke before a chunk came.
    pub(super) failures: u32,
    /// Open requests for chunks in all swarms, oldest first.
    pub(super) gets: Vec<RequestId>,
    pub(super) asked_at: Time,
    pub(super) heard_at: Time,
    /// The longest gap between its bytes. It decays by 1/64 with each arrival.
    pub(super) gap: Duration,
    /// How many times in a row it stalled.
    pub(super) stalls: u32,
    /// Corrupt chunks that came from it.
    pub(super) corrupt: u32,
    /// Why it was last dropped; `None` once it is connected again.
    pub(super) dropped: Option<DropReason>,
    /// How many times in a row it did not have a chunk that it claimed.
    pub(super) empty: u32,
    /// Chunks that were given up because they came too slowly from it.
    pub(super) crawls: u32,
    /// Whether it counts as a machine of its own even if another address gave the same id.
    pub(super) stands_alone: bool,
}

/// The link that we dial to a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LinkState {
    /// No link; it may be dialed.
    Idle,
    /// A dial is in progress.
    Dialling,
    /// The link is up; the peer gave this id.
    Up(PeerId),
    /// No link until the alarm rings.
    Resting,
    /// No link until the alarm rings or another daemon at its host answers: its host has run out of dial credit.
    Held,
    /// No link is needed: this peer is connected under another address.
    Twin(PeerId),
    /// It is never dialed again.
    Never,
}

impl PeerState {
    pub(super) fn new() -> PeerState {
        PeerState {
            link: LinkState::Idle,
            dialled_at: Time(0),
            round_trip: Duration::ZERO,
            place: Place::default(),
            swarms: BTreeSet::new(),
            subscribed: BTreeSet::new(),
            changed: BTreeSet::new(),
            answered: false,
            failures: 0,
            gets: Vec::new(),
            asked_at: Time(0),
            heard_at: Time(0),
            gap: Duration::ZERO,
            stalls: 0,
            corrupt: 0,
            dropped: None,
            empty: 0,
            crawls: 0,
            stands_alone: false,
        }
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(self.link, LinkState::Up(_))
    }

    pub(super) fn is_linked(&self) -> bool {
        matches!(self.link, LinkState::Up(_) | LinkState::Dialling)
    }

    /// Applies `changed`. Returns the swarms to subscribe to and those to unsubscribe from. A swarm that was forgotten
    /// and found again in between is subscribed to again. Swarms beyond the limit stay in `changed`.
    pub(super) fn change_subscriptions(&mut self) -> (Vec<SwarmKey>, Vec<SwarmKey>) {
        let (left, wanted): (Vec<SwarmKey>, Vec<SwarmKey>) =
            std::mem::take(&mut self.changed).into_iter().partition(|key| !self.swarms.contains(key));
        let removed = left.into_iter().filter(|key| self.subscribed.remove(key)).collect();
        let mut added = Vec::new();
        for key in wanted {
            if self.subscribed.len() < SUBSCRIPTIONS_MAX || self.subscribed.contains(&key) {
                self.subscribed.insert(key);
                added.push(key);
            } else {
                self.changed.insert(key);
            }
        }
        (added, removed)
    }

    /// Whether it counts against `neighbours_max` of its swarms.
    pub(super) fn has_place(&self, now: Time) -> bool {
        self.is_up() || self.link == LinkState::Dialling && now.since(self.dialled_at) < DIAL_SLOW
    }

    /// Whether it was dialed and never answered.
    pub(super) fn is_silent(&self) -> bool {
        self.failures > 0 && !self.answered
    }

    /// Notes that bytes came from it.
    pub(super) fn heard(&mut self, now: Time) {
        let gap = now.since(self.heard_at.max(self.asked_at)).min(GAP_MAX);
        self.gap = gap.max(self.gap - self.gap / 64);
        self.heard_at = now;
        self.stalls = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_gap_between_bytes_is_forgotten_little_by_little() {
        let (mut peer, second) = (PeerState::new(), Duration::from_secs(1));
        let mut now = Time(0) + second * 64;
        peer.asked_at = now;
        now = now + second * 3;
        peer.heard(now);
        assert_eq!(peer.gap, second * 3, "nothing was expected before it was asked");
        now = now + second * 16;
        peer.heard(now);
        assert_eq!(peer.gap, second * 16);
        peer.heard(now + second);
        assert_eq!(peer.gap, second * 16 - second / 4, "by 1/64");
        peer.heard(now + second * 3600);
        assert_eq!(peer.gap, GAP_MAX);
    }
}
