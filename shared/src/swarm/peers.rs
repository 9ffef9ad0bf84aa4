//! Which peers this machine dials, when it dials them again, and which news it subscribes to.

use super::action::Action;
use super::alarms::Alarm;
use super::dials::Silence;
use super::drop_reason::DropReason;
use super::event::{News, PeerAddr, RequestId};
use super::machine::Machine;
use super::members::Member;
use super::peer::{LinkState, PeerState};
use super::place::Place;
use super::state::Candidate;
use super::time::Time;
use crate::id::{PeerId, SwarmKey};
use std::collections::BTreeSet;
use std::time::Duration;

/// How long a dropped peer is not dialed: long enough that a peer that misbehaves again and again costs little, and
/// short enough that a machine that was mended comes back by itself.
const DROPPED_FOR: Duration = Duration::from_secs(600);
/// The mean jitter before redialing a peer whose host had run out of dial credit. Without it, all peers of a host would
/// be dialed at the moment when it has credit again.
const HELD_FOR: Duration = Duration::from_secs(1);
/// For a peer that has never answered, the longest pause between dials is `redial_max` times this: 2 minutes. Its
/// address is probably wrong.
const NEVER_ANSWERED: u32 = 8;
/// An address that gave the id of another, connected peer is dialed again after this time if no byte came from that
/// other peer meanwhile. It may only have claimed to be the same peer.
const TWIN_TRUSTED_FOR: Duration = Duration::from_secs(10);
/// Limits the lonely leechers at which a seeder knocks per answer of a tracker; a tracker tells of no more. Further
/// ones are ignored.
const KNOCKS_MAX: usize = 4;

/// Whether a daemon can listen at this address.
fn is_dialable(peer: &PeerAddr) -> bool {
    peer.port() != 0 && !peer.ip().is_unspecified() && !peer.ip().is_multicast()
}

impl Machine {
    /// Adds addresses to the candidates of a swarm that we leech, and dials them if there is room.
    pub(super) fn peers_found(&mut self, key: SwarmKey, found: Vec<PeerAddr>) {
        for peer in found.into_iter().take(self.config.candidates_max as usize) {
            self.add_candidate(key, peer);
        }
        self.dial_more(key);
    }

    /// Knocks at leechers that found no peer with a chunk they need, so that they hear of us. Only a complete seeder
    /// does so.
    pub(super) fn knock(&mut self, key: SwarmKey, lonely: Vec<PeerAddr>) {
        let seeds =
            self.swarms.get(&key).is_some_and(|swarm| !swarm.leeching && swarm.chunks.have().is_full());
        for peer in lonely.into_iter().filter(is_dialable).take(if seeds { KNOCKS_MAX } else { 0 }) {
            if self.knocks.pay(peer, self.now).is_ok() {
                self.actions.push_back(Action::Knock { peer, key });
            }
        }
    }

    fn add_candidate(&mut self, key: SwarmKey, peer: PeerAddr) {
        let Some(swarm) = self.swarms.get(&key).filter(|swarm| swarm.leeching && is_dialable(&peer)) else {
            return;
        };
        if !swarm.candidates.contains_key(&peer) {
            if swarm.candidates.len() >= self.config.candidates_max as usize && !self.forget_worst(key) {
                return;
            }
            let Some(swarm) = self.swarms.get_mut(&key) else { return };
            swarm.candidates.insert(peer, Candidate::default());
        }
        let known = self.peers.entry(peer).or_insert_with(PeerState::new);
        if known.swarms.insert(key) && known.is_up() {
            known.changed.insert(key);
            self.to_subscribe.insert(peer);
        }
    }

    /// Makes room for a new address by forgetting one that is never dialed again, or the one that failed most often.
    /// Returns `false` if there is none.
    fn forget_worst(&mut self, key: SwarmKey) -> bool {
        let Some(swarm) = self.swarms.get(&key) else { return false };
        let failed = swarm.candidates.keys().filter_map(|&peer| {
            let known = self.peers.get(&peer)?;
            // A peer held back for lack of credit was never tried, but there is no reason to keep it either.
            match known.link {
                LinkState::Never => Some((u32::MAX, peer)),
                LinkState::Held | LinkState::Resting => Some((known.failures, peer)),
                _ => None,
            }
        });
        let Some((_, worst)) = failed.max() else { return false };
        self.forget_candidate(key, worst);
        true
    }

    /// Cancels all requests of a swarm and forgets its candidates, which are no longer needed.
    pub(super) fn stop_leeching(&mut self, key: SwarmKey) {
        let Some(swarm) = self.swarms.get_mut(&key) else { return };
        let requests: Vec<RequestId> = swarm.requests.keys().copied().collect();
        let candidates: Vec<PeerAddr> = swarm.candidates.keys().copied().collect();
        self.cancel(requests);
        candidates.into_iter().for_each(|peer| self.forget_candidate(key, peer));
        self.alarms.clear(Alarm::Swarm(key));
        self.to_schedule.retain(|&other| other != key);
        if let Some(swarm) = self.swarms.get_mut(&key) {
            (swarm.leeching, swarm.queued) = (false, false);
        }
    }

    /// Removes a peer from the candidates of a swarm.
    pub(super) fn forget_candidate(&mut self, key: SwarmKey, peer: PeerAddr) {
        if let Some(swarm) = self.swarms.get_mut(&key) {
            swarm.candidates.remove(&peer);
            swarm.remove_member(peer);
        }
        if let Some(known) = self.peers.get_mut(&peer) {
            known.swarms.remove(&key);
            known.changed.insert(key);
            self.to_subscribe.insert(peer);
        }
    }

    /// Dials candidates of a swarm until it has enough links. The order is random, except that candidates come last if
    /// many others in their network never answered.
    pub(super) fn dial_more(&mut self, key: SwarmKey) {
        let Some(swarm) = self.swarms.get(&key) else { return };
        let (mut linked, mut idle, mut silence) = (0, Vec::new(), Silence::default());
        for (&peer, candidate) in &swarm.candidates {
            let Some(known) = self.peers.get(&peer) else { continue };
            linked += u32::from(known.has_place(self.now) && !candidate.gone);
            if known.link == LinkState::Idle {
                idle.push(peer);
            }
            if known.is_silent() {
                silence.note(peer.ip());
            }
        }
        let mut idle = silence.in_order(idle);
        while linked < self.config.neighbours_max
            && let Some(least) = idle.first_mut()
        {
            let Some(peer) = self.chance.take_one(least) else {
                idle.remove(0);
                continue;
            };
            let Some(known) = self.peers.get_mut(&peer) else { continue };
            if let Err(again) = self.dials.pay(peer, self.now) {
                known.link = LinkState::Held;
                self.alarms.set(Alarm::Redial(peer), again + self.chance.jitter(HELD_FOR));
                continue;
            }
            (known.link, known.dialled_at) = (LinkState::Dialling, self.now);
            linked += 1;
            self.actions.push_back(Action::Dial { peer });
        }
    }

    pub(super) fn connected(&mut self, peer: PeerAddr, id: PeerId, zone: &str, round_trip: Duration) {
        self.host_answered(peer);
        let stands_alone = self.peers.get(&peer).is_some_and(|known| known.stands_alone);
        let other = self.peers.iter().find(|&(&addr, known)| addr != peer && known.link == LinkState::Up(id));
        let other = other.map(|(&addr, _)| addr).filter(|_| !stands_alone);
        let known = match self.peers.get_mut(&peer) {
            Some(known) if known.link == LinkState::Dialling => known,
            Some(known) if known.is_up() => return,
            _ => return self.actions.push_back(Action::Hangup { peer, is_twin: false }),
        };
        let Some(other) = other else {
            (known.link, known.round_trip, known.dropped) = (LinkState::Up(id), round_trip, None);
            known.answered = true;
            known.changed.clone_from(&known.swarms);
            known.place = Place::new(id, zone);
            self.to_subscribe.insert(peer);
            return;
        };
        known.link = LinkState::Twin(id);
        self.alarms.set(Alarm::Redial(peer), self.now + TWIN_TRUSTED_FOR);
        let swarms: Vec<SwarmKey> = known.swarms.iter().copied().collect();
        self.actions.push_back(Action::Hangup { peer, is_twin: true });
        swarms.into_iter().for_each(|key| self.add_candidate(key, other));
    }

    pub(super) fn disconnected(&mut self, peer: PeerAddr, for_good: bool) {
        let Some(known) = self.peers.get(&peer).filter(|known| known.is_linked() || for_good) else { return };
        let id = known.link;
        let span = self.config.redial_min * (1u32 << known.failures.min(16));
        let most = self.config.redial_max * if known.answered { 1 } else { NEVER_ANSWERED };
        let span = self.chance.jitter(span.min(most));
        if let Some(known) = self.peers.get_mut(&peer) {
            known.failures = known.failures.saturating_add(1);
        }
        self.unlink(peer, if for_good { LinkState::Never } else { LinkState::Resting });
        if !for_good {
            self.alarms.set(Alarm::Redial(peer), self.now + span);
        }
        self.wake_twins(id);
    }

    /// Closes the link to a peer that misbehaved, and does not dial it for [`DROPPED_FOR`].
    pub(super) fn drop_peer(&mut self, peer: PeerAddr, reason: DropReason) {
        let id = match self.peers.get(&peer).map(|known| known.link) {
            Some(LinkState::Up(id)) => Some(id),
            _ => None,
        };
        self.actions.push_back(Action::Drop { peer, id, reason });
        let Some(known) = self.peers.get_mut(&peer) else { return };
        let id = known.link;
        (known.corrupt, known.stalls, known.empty, known.crawls) = (0, 0, 0, 0);
        known.dropped = Some(reason);
        known.failures = known.failures.saturating_add(1); // so that forget_worst may replace it

        self.unlink(peer, LinkState::Resting);
        self.alarms.clear(Alarm::Redial(peer));
        self.alarms.set(Alarm::Redial(peer), self.now + DROPPED_FOR);
        self.wake_twins(id);
    }

    /// A daemon at this host said hello: other peers of the host that were held back may be dialed.
    fn host_answered(&mut self, peer: PeerAddr) {
        self.dials.answered(peer);
        let held = self
            .peers
            .iter()
            .filter(|(other, known)| other.ip() == peer.ip() && known.link == LinkState::Held);
        let held: Vec<PeerAddr> = held.map(|(&other, _)| other).collect();
        held.into_iter().for_each(|other| self.redial(other));
    }

    /// Drops a peer that we dialed and that the driver saw misbehave.
    pub(super) fn misbehaved(&mut self, peer: PeerAddr, reason: DropReason) {
        if self.peers.get(&peer).is_some_and(|known| known.is_linked()) {
            self.drop_peer(peer, reason);
        }
    }

    /// The redial alarm of a peer rang: it may be dialed again.
    pub(super) fn redial(&mut self, peer: PeerAddr) {
        let Some(link) = self.peers.get(&peer).map(|known| known.link) else { return };
        match link {
            LinkState::Resting | LinkState::Held => {}
            LinkState::Twin(id) if self.is_heard_of(id) => {
                return self.alarms.set(Alarm::Redial(peer), self.now + TWIN_TRUSTED_FOR);
            }
            LinkState::Twin(_) => {}
            _ => return,
        }
        let Some(known) = self.peers.get_mut(&peer) else { return };
        known.stands_alone = matches!(link, LinkState::Twin(_));
        known.link = LinkState::Idle;
        let swarms: Vec<SwarmKey> = known.swarms.iter().copied().collect();
        swarms.into_iter().for_each(|key| self.dial_more(key));
    }

    /// Whether bytes came recently from the connected peer with this id.
    fn is_heard_of(&self, id: PeerId) -> bool {
        let mut peers = self.peers.values().filter(|known| known.link == LinkState::Up(id));
        peers.any(|known| known.heard_at != Time(0) && self.now.since(known.heard_at) < TWIN_TRUSTED_FOR)
    }

    /// Ends a link: its requests are closed, and what the peer told is forgotten.
    fn unlink(&mut self, peer: PeerAddr, link: LinkState) {
        let Some(known) = self.peers.get_mut(&peer) else { return };
        known.link = link;
        known.subscribed.clear();
        known.changed.clear();
        let swarms: Vec<SwarmKey> = known.swarms.iter().copied().collect();
        for key in swarms {
            self.close_all(key, peer, false);
            if let Some(swarm) = self.swarms.get_mut(&key) {
                swarm.remove_member(peer);
            }
            self.enqueue(key);
            self.dial_more(key);
        }
    }

    /// A link is gone: the peer's other addresses may be dialed again.
    fn wake_twins(&mut self, link: LinkState) {
        let LinkState::Up(id) = link else { return };
        let twins = self.peers.iter_mut().filter(|(_, known)| known.link == LinkState::Twin(id));
        let swarms: BTreeSet<SwarmKey> = twins
            .flat_map(|(_, known)| {
                known.link = LinkState::Idle;
                known.swarms.iter().copied()
            })
            .collect();
        swarms.into_iter().for_each(|key| self.dial_more(key));
    }

    /// Subscribes a connected peer to the swarms for which we need it. If there is none, hangs up.
    pub(super) fn subscribe(&mut self, peer: PeerAddr) {
        let Some(known) = self.peers.get_mut(&peer) else { return };
        if known.swarms.is_empty() {
            let linked = known.is_linked();
            self.peers.remove(&peer);
            self.alarms.clear(Alarm::Redial(peer));
            if linked {
                self.actions.push_back(Action::Hangup { peer, is_twin: false });
            }
            return;
        }
        if !known.is_up() {
            return known.changed.clear();
        }
        let (added, removed) = known.change_subscriptions();
        if !added.is_empty() || !removed.is_empty() {
            self.actions.push_back(Action::Subscribe { peer, added, removed });
        }
    }

    pub(super) fn news(&mut self, peer: PeerAddr, key: SwarmKey, news: News) {
        // News that arrive after we left the swarm or hung up are no offense.
        let up = self.peers.get(&peer).is_some_and(|known| known.is_up() && known.swarms.contains(&key));
        let Some(swarm) = self.swarms.get_mut(&key).filter(|swarm| swarm.leeching && up) else { return };
        let count = swarm.chunks.count();
        if swarm.members.get(peer).is_none() && news != News::Gone {
            if let Some(candidate) = swarm.candidates.get_mut(&peer) {
                candidate.gone = false;
            }
            let place = self.peers.get(&peer).map(|known| known.place.clone()).unwrap_or_default();
            swarm.introduce(peer, place);
        }
        if swarm.brings_something(peer, &news) {
            swarm.zone_moved_on(peer, self.now);
        }
        match news {
            News::All => swarm.members.set_seeder(peer),
            News::Replace(have) if have.count() == count => swarm.members.replace(peer, have),
            News::Add(indices) if indices.iter().all(|&index| count.contains(index)) => {
                // Most news change nothing: we have the new chunks already, or the peer is in use.
                let of_use = swarm.members.add(peer, &indices, swarm.chunks.missing());
                let free = |member: &Member| member.is_seeder() || member.is_free(self.now);
                if !(of_use && swarm.members.get(peer).is_some_and(free)) {
                    return;
                }
            }
            News::Gone => return self.gone(peer, key),
            News::Replace(_) | News::Add(_) => return self.drop_peer(peer, DropReason::Nonsense),
        }
        self.enqueue(key);
    }

    /// A peer is not, or no longer, in a swarm. Its link stays up, so that it can tell when it is back, but another
    /// peer may be linked in its place.
    fn gone(&mut self, peer: PeerAddr, key: SwarmKey) {
        self.close_all(key, peer, true);
        if let Some(swarm) = self.swarms.get_mut(&key) {
            swarm.remove_member(peer);
            if let Some(candidate) = swarm.candidates.get_mut(&peer) {
                candidate.gone = true;
            }
        }
        self.dial_more(key);
        self.enqueue(key);
    }
}
