//! Names that their sharers took back. Peers that only fetched the resource must not publish it under such a name
//! again, however often they are asked for its manifest. Who still has the resource under the name has a former
//! version of it.

use super::name_digest::NameDigest;
use super::network::PeerKey;
use super::shares::EntryShares;
use shared::id::SwarmKey;
use shared::name::ResourceName;
use shared::swarm::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// Limits the names that are remembered, each with its resource. Beyond it the oldest of the peer that took most of them
/// back is forgotten. A name has at most 243 bytes and is stored four times, so all of them take less than 6 MB.
const TAKEN_BACK_MAX: usize = 4096;

/// When a name was taken back, or when a peer was last found to have the resource; the resource, and the name.
type Place = (Time, SwarmKey, ResourceName);

/// The names that were taken back.
#[derive(Debug, Default)]
pub(super) struct TakenBack {
    names: BTreeMap<SwarmKey, BTreeMap<ResourceName, Note>>,
    /// The resources of each name.
    keys: BTreeMap<ResourceName, BTreeSet<SwarmKey>>,
    /// The same names, oldest first.
    order: BTreeSet<Place>,
    /// Those of each peer, oldest first.
    of_peers: BTreeMap<PeerKey, BTreeSet<Place>>,
    /// How many each peer, host and network took back.
    shares: EntryShares,
}

#[derive(Debug, Clone, Copy)]
struct Note {
    digest: NameDigest,
    time: Time,
    /// The first peer that took it back. It does not become another's by taking it back again.
    by: PeerKey,
}

impl TakenBack {
    /// Notes that a peer took a name back from a resource.
    pub(super) fn add(&mut self, now: Time, key: SwarmKey, name: &ResourceName, by: PeerKey) {
        let by = self.remove(key, name).map_or(by, |former| former.by);
        let place = (now, key, name.clone());
        self.order.insert(place.clone());
        self.keys.entry(name.clone()).or_default().insert(key);
        let note = Note { digest: NameDigest::of(name), time: now, by };
        self.names.entry(key).or_default().insert(name.clone(), note);
        let of_peer = self.of_peers.entry(by).or_default();
        of_peer.insert(place);
        self.shares.set(by, of_peer.len() - 1, of_peer.len());
        if self.order.len() > TAKEN_BACK_MAX {
            self.make_room(by);
        }
    }

    /// Forgets the oldest name of the peer that took most of them back.
    fn make_room(&mut self, newcomer: PeerKey) {
        let peer = self.shares.largest(newcomer);
        let oldest = peer.and_then(|peer| self.of_peers.get(&peer)?.first().cloned());
        if let Some((_, key, name)) = oldest {
            self.remove(key, &name);
        }
    }

    /// Forgets a name, since the resource is shared under it again.
    pub(super) fn forget(&mut self, key: SwarmKey, name: &ResourceName) {
        self.remove(key, name);
    }

    fn remove(&mut self, key: SwarmKey, name: &ResourceName) -> Option<Note> {
        let of_key = self.names.get_mut(&key)?;
        let note = of_key.remove(name)?;
        if of_key.is_empty() {
            self.names.remove(&key);
        }
        if let Some(keys) = self.keys.get_mut(name) {
            keys.remove(&key);
            if keys.is_empty() {
                self.keys.remove(name);
            }
        }
        let place = (note.time, key, name.clone());
        self.order.remove(&place);
        if let Some(of_peer) = self.of_peers.get_mut(&note.by) {
            let before = of_peer.len();
            of_peer.remove(&place);
            let after = of_peer.len();
            self.shares.set(note.by, before, after);
            if after == 0 {
                self.of_peers.remove(&note.by);
            }
        }
        Some(note)
    }

    /// Whether this name was taken back.
    pub(super) fn has(&self, key: SwarmKey, name: &ResourceName) -> bool {
        self.digest(key, name).is_some()
    }

    /// The digest of this name, if it was taken back.
    pub(super) fn digest(&self, key: SwarmKey, name: &ResourceName) -> Option<NameDigest> {
        self.names.get(&key)?.get(name).map(|note| note.digest)
    }

    /// Whether this name was taken back by another machine than this one.
    pub(super) fn has_of_others(&self, key: SwarmKey, name: &ResourceName, addr: SocketAddr) -> bool {
        let note = self.names.get(&key).and_then(|names| names.get(name));
        note.is_some_and(|note| note.by.0 != addr)
    }

    /// Whether any name of a resource was taken back.
    pub(super) fn has_any(&self, key: SwarmKey) -> bool {
        self.names.contains_key(&key)
    }

    /// The number of resources from which a name was taken back.
    pub(super) fn breadth(&self, name: &ResourceName) -> usize {
        self.keys.get(name).map_or(0, BTreeSet::len)
    }

    /// The resources from which a name was taken back.
    pub(super) fn keys_of(&self, name: &ResourceName) -> impl Iterator<Item = SwarmKey> {
        self.keys.get(name).into_iter().flatten().copied()
    }

    /// Forgets names that were taken back before `before`, unless a peer still has the resource. Looks at `max` names
    /// at most. Returns how many.
    pub(super) fn expire(
        &mut self,
        now: Time,
        before: Time,
        max: usize,
        is_alive: impl Fn(SwarmKey) -> bool,
    ) -> usize {
        let mut looks = 0;
        while looks < max
            && let Some((time, key, name)) = self.order.first().cloned()
            && time < before
        {
            looks += 1;
            if let Some(note) = self.remove(key, &name)
                && is_alive(key)
            {
                self.add(now, key, &name, note.by);
            }
        }
        looks
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::id::{ListDigest, PeerId, ResourceId};

    fn key(number: u8) -> SwarmKey {
        SwarmKey { resource: ResourceId([number; 32]), digest: ListDigest([number; 32]) }
    }

    #[test]
    fn old_names_are_forgotten_unless_somebody_still_has_the_resource() {
        let mut taken_back = TakenBack::default();
        let (name, by) = ("img".parse().unwrap(), ("10.0.0.1:7987".parse().unwrap(), PeerId([1; 16])));
        (1..=4).for_each(|at| taken_back.add(Time(at), key(at as u8), &name, by));
        let left =
            |taken_back: &TakenBack| taken_back.keys_of(&name).map(|key| key.digest.0[0]).collect::<Vec<_>>();
        assert_eq!(taken_back.expire(Time(10), Time(3), 9, |of| of == key(2)), 2);
        assert_eq!(left(&taken_back), [2, 3, 4]);
        assert_eq!(taken_back.expire(Time(10), Time(10), 1, |_| false), 1);
        assert_eq!(left(&taken_back), [2, 4], "2 was alive a moment ago, so 3 is the oldest");
        assert_eq!(taken_back.expire(Time(20), Time(20), 9, |_| false), 2);
        assert!(taken_back.keys.is_empty() && taken_back.names.is_empty() && taken_back.of_peers.is_empty());
    }
}
