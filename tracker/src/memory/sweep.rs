//! Removes expired entries in small steps, so that calls never wait long for the registry. If nothing has expired,
//! nothing is looked at.

use super::network::PeerKey;
use super::swarms::Swarms;
use shared::id::SwarmKey;
use shared::rpc::tracker::Presence;
use shared::swarm::Time;
use std::ops::Bound;

/// Limits the work of one step, since no call is answered meanwhile; the rest is done in the next step. Removing an
/// entry costs 1, and so does looking at [`LOOKS`] entries.
pub(super) const WORK_MAX: usize = 1024;

/// The number of entries that are looked at for a cost of 1.
const LOOKS: usize = 64;

/// The result of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sweep {
    /// Whether there is more to do now.
    pub more: bool,
    /// The work done; at most about a thousand.
    pub work: usize,
}

impl Swarms {
    /// Removes some of the entries that were not renewed, and tells some swarms of peers whose connection was closed.
    pub(super) fn expire(&mut self, now: Time) -> Sweep {
        let mut work = self.tell_of_closed(now, WORK_MAX);
        while work < WORK_MAX
            && let Some(&(due, key)) = self.due.first()
            && due <= now
        {
            work += self.look_at(now, key, WORK_MAX - work);
        }
        work += self.gone.expire(now, WORK_MAX.saturating_sub(work));
        Sweep { more: work >= WORK_MAX, work }
    }

    /// Removes expired entries of a swarm, and sets when it is swept again. Returns the work done.
    fn look_at(&mut self, now: Time, key: SwarmKey, work_max: usize) -> usize {
        let Some(swarm) = self.swarms.get_mut(&key) else { return 1 };
        let looks = 1 + swarm.len() / LOOKS;
        let expired = swarm.members().iter().filter(|member| member.expires <= now);
        let expired: Vec<PeerKey> = expired.map(|member| member.peer).take(work_max).collect();
        // Expired entries that are left over are looked at again at once.
        let left = swarm.members().iter().filter(|member| expired.len() == work_max || member.expires > now);
        let next = left.map(|member| member.expires).min().unwrap_or(now);
        self.due.remove(&(swarm.due, key));
        swarm.due = next;
        self.due.insert((next, key));
        let work = looks + expired.len();
        expired.into_iter().for_each(|peer| self.remove(now, peer, key, Some(Presence::Lost)));
        work
    }

    /// Makes the swarms of peers whose connection is closed rank those last, and removes peers that were succeeded.
    fn tell_of_closed(&mut self, now: Time, work_max: usize) -> usize {
        let mut work = 0;
        while work < work_max
            && let Some(&key) = self.closing.front()
        {
            let Some(peer) = self.peers.get_mut(&key).filter(|peer| peer.closed.is_some()) else {
                self.closing.pop_front();
                if let Some(peer) = self.peers.get_mut(&key) {
                    peer.telling = None; // it is back
                }
                continue;
            };
            let told = peer.telling.flatten().map_or(Bound::Unbounded, Bound::Excluded);
            let next = peer.swarms.range((told, Bound::Unbounded)).take(work_max - work);
            let keys: Vec<SwarmKey> = next.copied().collect();
            let succeeded = peer.succeeded;
            match keys.last() {
                Some(last) => peer.telling = Some(Some(*last)),
                None => {
                    peer.telling = None;
                    self.closing.pop_front();
                }
            }
            work += 1 + keys.len();
            for swarm in keys {
                if succeeded {
                    self.remove(now, key, swarm, Some(Presence::Lost));
                } else if let Some(swarm) = self.swarms.get_mut(&swarm) {
                    swarm.close(key);
                }
            }
        }
        work
    }
}
