//! Peers that are refused for a while, and counts of everyone who was turned away.
//!
//! Several peers may use the same address: a whole fleet may sit behind it, and a stranger may claim an honest peer's
//! port. So a peer that dialed us is banned by address, port and id together. Only the address of a peer that we dialed
//! is known to be its own; it is not dialed again either.

use shared::id::PeerId;
use shared::rpc::control::Rejection;
use shared::swarm::{DropReason, PeerAddr};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a peer that misbehaved is refused, like the time for which the core does not dial it.
const BAN: Duration = Duration::from_secs(600);
/// Limits the bans. Beyond it the oldest ban ends, and that peer may misbehave once more.
const BANS_MAX: usize = 1024;

/// The peers that are refused.
#[derive(Debug, Default)]
pub struct Bans(Mutex<BTreeMap<(PeerAddr, Option<PeerId>), Ban>>);

#[derive(Debug, Clone, Copy)]
struct Ban {
    until: Instant,
    /// Whether we dialed it, so that the address is its own.
    is_there: bool,
}

impl Bans {
    /// Bans a peer that we dialed, and forbids to dial it. `id` is the id that it gave, if any.
    pub fn dialled(&self, peer: PeerAddr, id: Option<PeerId>) {
        self.add((peer, id), true);
    }

    /// Bans a peer that dialed us.
    pub fn dialler(&self, peer: PeerAddr, id: PeerId) {
        self.add((peer, Some(id)), false);
    }

    /// Whether a peer's hello is refused.
    pub fn refuses(&self, peer: PeerAddr, id: PeerId) -> bool {
        self.lock().get(&(peer, Some(id))).is_some_and(|ban| ban.until > Instant::now())
    }

    /// Whether an address must not be dialed.
    pub fn forbids(&self, peer: PeerAddr) -> bool {
        let now = Instant::now();
        let bans = self.lock();
        let mut of_peer = bans.range((peer, None)..).take_while(|((addr, _), _)| *addr == peer);
        of_peer.any(|(_, ban)| ban.is_there && ban.until > now)
    }

    fn add(&self, who: (PeerAddr, Option<PeerId>), is_there: bool) {
        let now = Instant::now();
        let mut bans = self.lock();
        bans.retain(|_, ban| ban.until > now);
        if bans.len() >= BANS_MAX {
            let oldest = bans.iter().min_by_key(|(_, ban)| ban.until).map(|(who, _)| *who);
            oldest.map(|who| bans.remove(&who));
        }
        bans.insert(who, Ban { until: now + BAN, is_there });
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(PeerAddr, Option<PeerId>), Ban>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many peers and strangers were turned away, by reason.
#[derive(Debug, Default)]
pub struct Rejections([AtomicU64; Rejection::ALL.len()]);

impl Rejections {
    /// Counts one.
    pub fn count(&self, why: Rejection) {
        self.0[why as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Every reason, in order, with its count.
    pub fn all(&self) -> Vec<(Rejection, u64)> {
        Rejection::ALL.iter().map(|&why| (why, self.0[why as usize].load(Ordering::Relaxed))).collect()
    }
}

/// The reason under which a drop is counted.
pub fn rejection_of(reason: DropReason) -> Rejection {
    match reason {
        DropReason::Corrupt => Rejection::Corrupt,
        DropReason::Nonsense => Rejection::Nonsense,
        DropReason::Stalled => Rejection::Stalled,
        DropReason::Empty => Rejection::Empty,
        DropReason::Flood => Rejection::Flood,
        DropReason::Protocol => Rejection::Protocol,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(port: u16) -> PeerAddr {
        PeerAddr::from(([10, 0, 0, 1], port))
    }

    #[test]
    fn others_behind_the_same_address_do_not_suffer() {
        let (bans, bad, good) = (Bans::default(), PeerId([1; 16]), PeerId([2; 16]));
        bans.dialler(addr(7), bad);
        assert!(bans.refuses(addr(7), bad));
        assert!(!bans.refuses(addr(8), good), "another port");
        assert!(!bans.refuses(addr(7), good), "whose port was claimed by another");
        assert!(!bans.forbids(addr(7)), "and who listens there was never heard");
        bans.dialled(addr(9), None);
        assert!(bans.forbids(addr(9)) && !bans.forbids(addr(7)) && !bans.refuses(addr(9), good));
    }

    #[test]
    fn there_are_only_so_many() {
        let bans = Bans::default();
        for port in 1..=2 * BANS_MAX as u16 {
            bans.dialled(addr(port), None);
        }
        assert_eq!(bans.lock().len(), BANS_MAX);
        assert!(bans.forbids(addr(2 * BANS_MAX as u16)) && !bans.forbids(addr(1)));
    }

    #[test]
    fn every_reason_has_its_counter() {
        let rejections = Rejections::default();
        for (times, &why) in Rejection::ALL.iter().enumerate() {
            (0..times).for_each(|_| rejections.count(why));
        }
        assert!(rejections.all().iter().map(|&(_, times)| times).eq(0..Rejection::ALL.len() as u64));
    }
}
