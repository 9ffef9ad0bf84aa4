//! Evicts entries when the tracker has reached its limit.

use super::network::PeerKey;
use super::swarms::Swarms;
use shared::id::SwarmKey;
use shared::rpc::tracker::Presence;
use shared::swarm::Time;

impl Swarms {
    /// Makes room for `entries` entries by removing entries that have expired or whose connection is closed. There may
    /// not be enough of them.
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

    /// Makes room for a peer's new entries by removing entries of peers that have far more.
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
