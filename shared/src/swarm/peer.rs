//! A peer that this machine knows: its link, what it was asked for, and how it behaved.

use super::drop_reason::DropReason;
use super::event::RequestId;
use super::place::Place;
use super::time::Time;
use crate::id::{PeerId, SwarmKey};
use std::collections::BTreeSet;
use std::time::Duration;

/// The most swarms whose news one peer is asked for.
pub const SUBSCRIPTIONS_MAX: usize = 4096;
/// A dial that takes longer than this keeps no other one waiting: whoever listens answers sooner.
const DIAL_SLOW: Duration = Duration::from_secs(1);
/// No gap between a peer's bytes is taken to be longer than this.
const GAP_MAX: Duration = Duration::from_secs(30);

/// A peer that is a candidate of at least one swarm that we leech.
pub(super) struct PeerState {
    pub(super) link: LinkState,
    /// When it was dialled last.
    pub(super) dialled_at: Time,
    /// How long it took to say hello.
    pub(super) round_trip: Duration,
    /// Who and where it said it is.
    pub(super) place: Place,
    /// The swarms that it is a candidate of.
    pub(super) swarms: BTreeSet<SwarmKey>,
    /// The swarms whose news it was asked for.
    pub(super) subscribed: BTreeSet<SwarmKey>,
    /// The swarms that it became a candidate of, or is one of no more, since it was last asked for news; and those
    /// that found no room then.
    pub(super) changed: BTreeSet<SwarmKey>,
    /// It said hello at least once.
    pub(super) answered: bool,
    /// How often in a row its link could not be made, or broke before a chunk came.
    pub(super) failures: u32,
    /// Open requests for chunks, of all swarms, in the order of asking.
    pub(super) gets: Vec<RequestId>,
    pub(super) asked_at: Time,
    pub(super) heard_at: Time,
    /// The longest gap between its bytes, slowly forgotten.
    pub(super) gap: Duration,
    /// How often in a row it sent nothing in time.
    pub(super) stalls: u32,
    /// Corrupt chunks that came from it.
    pub(super) corrupt: u32,
    /// Why it was last dropped; `None` once it is connected again.
    pub(super) dropped: Option<DropReason>,
    /// How often in a row it did not have what it claimed.
    pub(super) empty: u32,
    /// Chunks of it that came so slowly that they were given up.
    pub(super) crawls: u32,
    /// It is a machine of its own, whoever else bears its id.
    pub(super) stands_alone: bool,
}

/// The link that we dial to a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LinkState {
    /// None, and it may be dialled.
    Idle,
    Dialling,
    Up(PeerId),
    /// None, until the alarm rings.
    Resting,
    /// None, until the alarm rings or somebody else at its host answers: that host has not for too long.
    Held,
    /// None is needed: this peer is connected under another address.
    Twin(PeerId),
    /// It is not to be dialled again.
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

    /// The swarms whose news it is asked for from now on, and those of which it is not any more. One that was forgotten
    /// and found again in between is asked for anew. Those that find no room wait until others are done.
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

    /// Whether it has one of the places of its swarms' neighbours.
    pub(super) fn has_place(&self, now: Time) -> bool {
        self.is_up() || self.link == LinkState::Dialling && now.since(self.dialled_at) < DIAL_SLOW
    }

    /// It never answered, though it was dialled.
    pub(super) fn is_silent(&self) -> bool {
        self.failures > 0 && !self.answered
    }

    /// Bytes came from it.
    pub(super) fn heard(&mut self, now: Time) {
        let gap = now.since(self.heard_at.max(self.asked_at)).min(GAP_MAX);
        self.gap = gap.max(self.gap - self.gap / 64);
        self.heard_at = now;
        self.stalls = 0;
    }
}
