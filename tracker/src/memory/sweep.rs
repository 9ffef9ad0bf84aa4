//! What has come to its end is taken out a part at a time, so that nobody waits long for the registry; and where nothing
//! ends, nothing is looked at.

use super::network::PeerKey;
use super::swarms::Swarms;
use shared::id::SwarmKey;
use shared::rpc::tracker::Presence;
use shared::swarm::Time;
use std::ops::Bound;

/// How much is done at once: an entry that is taken out costs one, and so do [`LOOKS`] that are looked at.
pub(super) const WORK_MAX: usize = 1024;

/// How many entries are looked at for the price of one that is taken out.
const LOOKS: usize = 64;

/// What one sweep did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sweep {
    /// Whether there is more to be done now.
    pub more: bool,
    /// How much was done, of at most about a thousand.
    pub work: usize,
}

impl Swarms {
    /// Takes out what was not renewed, and tells the swarms of those whose connection was closed: a part of it.
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

    /// Takes out entries of a swarm that have ended, and notes when it is to be looked at again. Returns the work.
    fn look_at(&mut self, now: Time, key: SwarmKey, work_max: usize) -> usize {
        let Some(swarm) = self.swarms.get_mut(&key) else { return 1 };
        let looks = 1 + swarm.len() / LOOKS;
        let expired = swarm.members().iter().filter(|member| member.expires <= now);
        let expired: Vec<PeerKey> = expired.map(|member| member.peer).take(work_max).collect();
        // Those that are left after this look are looked at again at once.
        let left = swarm.members().iter().filter(|member| expired.len() == work_max || member.expires > now);
        let next = left.map(|member| member.expires).min().unwrap_or(now);
        self.due.remove(&(swarm.due, key));
        swarm.due = next;
        self.due.insert((next, key));
        let work = looks + expired.len();
        expired.into_iter().for_each(|peer| self.remove(now, peer, key, Some(Presence::Lost)));
        work
    }

    /// Has the swarms of peers whose connection is closed tell others of them last; those that were succeeded are taken out.
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
