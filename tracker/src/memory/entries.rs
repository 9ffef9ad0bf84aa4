//! Whose entries make way where the tracker has as many as it may have.

use super::network::PeerKey;
use super::swarms::Swarms;
use shared::id::SwarmKey;
use shared::rpc::tracker::Presence;
use shared::swarm::Time;

impl Swarms {
    /// Makes room for this many entries, as far as what has ended, or whose connection is closed, can make way.
    pub(super) fn make_room(&mut self, now: Time, entries: usize) {
        if self.entries() + entries <= self.limits.entries_max {
            return;
        }
        self.expire(now);
        while self.entries() + entries > self.limits.entries_max
            && let Some(&(_, peer)) = self.closed.first()
        {
            let wanted = self.entries() + entries - self.limits.entries_max;
            let keys = self.peers.get(&peer).map(|peer| peer.swarms.iter().take(wanted).copied().collect());
            let keys: Vec<SwarmKey> = keys.unwrap_or_default();
            if keys.is_empty() {
                return;
            }
            keys.into_iter().for_each(|key| self.remove(now, peer, key, Some(Presence::Lost)));
        }
    }

    /// Sees to it that a peer's new entries have room, as far as others have far more than it.
    pub(super) fn share_room(&mut self, now: Time, newcomer: PeerKey, new: usize) {
        let own = self.peers.get(&newcomer).map_or(0, |peer| peer.swarms.len());
        while self.entries() + new > self.limits.entries_max
            && let Some((peer, too_many)) = self.shares.makes_way(newcomer, own, new)
        {
            let wanted = (self.entries() + new - self.limits.entries_max).min(too_many);
            let keys = self.peers.get(&peer).map(|peer| peer.swarms.iter().take(wanted).copied().collect());
            let keys: Vec<SwarmKey> = keys.unwrap_or_default();
            if keys.is_empty() {
                return;
            }
            keys.into_iter().for_each(|key| self.remove(now, peer, key, None));
        }
    }
}
