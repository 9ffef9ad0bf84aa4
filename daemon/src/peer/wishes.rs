//! The subscriptions that a link wants, and those that the peer was not asked for yet. Calls are never taken back:
//! changes during a call go with the next one.

use shared::chunk::ChunkCount;
use shared::id::SwarmKey;
use shared::rpc::peer::{SUBSCRIPTIONS_MAX, Subscriptions};
use std::collections::{BTreeMap, BTreeSet};

/// Limits the unsubscribed swarms whose news may still arrive, to as many as may be subscribed to. Beyond it any
/// unwanted news are tolerated.
const LEAVING_MAX: usize = SUBSCRIPTIONS_MAX;

/// The subscriptions that are wanted from one peer.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    wanted: BTreeMap<SwarmKey, ChunkCount>,
    /// Swarms to subscribe to, possibly again, that the peer was not asked for yet.
    added: BTreeSet<SwarmKey>,
    /// Swarms to unsubscribe from that the peer was not told of yet.
    removed: BTreeSet<SwarmKey>,
    /// Unsubscribed swarms whose last news may still come, and whether the peer knows that we unsubscribed.
    leaving: BTreeMap<SwarmKey, bool>,
}

impl Wishes {
    /// Changes the wanted subscriptions. An added swarm is subscribed to again even if it was before.
    pub(super) fn change(&mut self, added: Vec<(SwarmKey, ChunkCount)>, removed: Vec<SwarmKey>) {
        for key in removed {
            self.wanted.remove(&key);
            self.added.remove(&key);
            self.removed.insert(key);
            if self.leaving.len() < LEAVING_MAX {
                self.leaving.insert(key, false);
            }
        }
        for (key, count) in added {
            self.wanted.insert(key, count);
            self.removed.remove(&key);
            self.added.insert(key);
            self.leaving.remove(&key);
        }
    }

    /// The next changes to send, if there are any. All removals go before additions, since a peer accepts
    /// [`SUBSCRIPTIONS_MAX`] swarms at a time and ignores more.
    pub(super) fn take_changes(&mut self) -> Option<Subscriptions> {
        let removed = take_first(&mut self.removed, SUBSCRIPTIONS_MAX);
        let added = take_first(&mut self.added, SUBSCRIPTIONS_MAX - removed.len());
        let changes = Subscriptions { removed, added };
        (changes != Subscriptions::default()).then_some(changes)
    }

    /// Notes that the peer knows of these removals: their last news, if any, come with the answer to the open poll.
    pub(super) fn left(&mut self, removed: &[SwarmKey]) {
        for key in removed {
            self.leaving.entry(*key).and_modify(|is_known| *is_known = true);
        }
    }

    /// Notes that all news of a poll's answer were read, before the next poll begins.
    pub(super) fn end_poll(&mut self) {
        self.leaving.retain(|_, is_known| !*is_known);
    }

    /// The chunk count of a wanted swarm.
    pub(super) fn count_of(&self, key: SwarmKey) -> Option<ChunkCount> {
        self.wanted.get(&key).copied()
    }

    /// Whether news of a swarm may arrive although they are not wanted.
    pub(super) fn may_come(&self, key: SwarmKey) -> bool {
        self.leaving.contains_key(&key) || self.leaving.len() >= LEAVING_MAX
    }
}

fn take_first(keys: &mut BTreeSet<SwarmKey>, count: usize) -> Vec<SwarmKey> {
    std::iter::from_fn(|| keys.pop_first()).take(count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::id::{ListDigest, ResourceId};

    fn key(number: u16) -> SwarmKey {
        let mut id = [0; 32];
        id[..2].copy_from_slice(&number.to_be_bytes());
        SwarmKey { resource: ResourceId(id), digest: ListDigest([0; 32]) }
    }

    fn wish(number: u16) -> (SwarmKey, ChunkCount) {
        (key(number), ChunkCount::new(3).unwrap())
    }

    #[test]
    fn only_the_last_wish_is_told() {
        let mut wishes = Wishes::default();
        wishes.change(vec![wish(1), wish(2)], Vec::new());
        wishes.change(Vec::new(), vec![key(1)]);
        let changes = Subscriptions { removed: vec![key(1)], added: vec![key(2)] };
        assert_eq!(wishes.take_changes(), Some(changes));
        assert_eq!(wishes.take_changes(), None);
        wishes.change(Vec::new(), vec![key(2)]);
        wishes.change(vec![wish(2)], Vec::new());
        let anew = Subscriptions { removed: Vec::new(), added: vec![key(2)] };
        assert_eq!(wishes.take_changes(), Some(anew), "what was forgotten in between is told in full");
    }

    #[test]
    fn many_changes_take_several_calls() {
        let mut wishes = Wishes::default();
        let most = SUBSCRIPTIONS_MAX as u16;
        wishes.change((0..most + 5).map(wish).collect(), Vec::new());
        let sizes = [most as usize, 5].map(Some);
        assert_eq!([(); 2].map(|()| wishes.take_changes().map(|changes| changes.added.len())), sizes);
    }

    #[test]
    fn a_peer_is_never_asked_for_more_swarms_than_it_takes() {
        let (mut wishes, most) = (Wishes::default(), SUBSCRIPTIONS_MAX as u16);
        let mut subscribed = BTreeSet::new();
        let mut tell = |wishes: &mut Wishes| {
            while let Some(Subscriptions { removed, added }) = wishes.take_changes() {
                assert!(removed.len() + added.len() <= SUBSCRIPTIONS_MAX, "that many fit into a call");
                removed.iter().for_each(|key| _ = subscribed.remove(key));
                subscribed.extend(added);
                assert!(subscribed.len() <= SUBSCRIPTIONS_MAX, "{} swarms", subscribed.len());
            }
            subscribed.len()
        };
        wishes.change((most..2 * most).map(wish).collect(), Vec::new());
        assert_eq!(tell(&mut wishes), SUBSCRIPTIONS_MAX);
        // While a call is open, all of them end and as many others begin whose keys come first.
        wishes.change((0..most).map(wish).collect(), (most..2 * most).map(key).collect());
        assert_eq!(tell(&mut wishes), SUBSCRIPTIONS_MAX);
    }

    #[test]
    fn the_last_news_of_what_is_not_wanted_any_more_are_no_nonsense() {
        let mut wishes = Wishes::default();
        wishes.change(vec![wish(1)], Vec::new());
        wishes.change(Vec::new(), vec![key(1)]);
        assert!(wishes.count_of(key(1)).is_none() && wishes.may_come(key(1)) && !wishes.may_come(key(2)));
        wishes.end_poll();
        wishes.left(&[key(1)]);
        assert!(wishes.may_come(key(1)), "the peer may have answered the open poll before");
        wishes.end_poll();
        assert!(!wishes.may_come(key(1)));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut wishes = Wishes::default();
        wishes.change(Vec::new(), (0..2 * LEAVING_MAX as u16).map(key).collect());
        assert_eq!(wishes.leaving.len(), LEAVING_MAX);
        assert!(wishes.may_come(key(2 * LEAVING_MAX as u16 - 1)), "nobody is blamed for what was forgotten");
    }
}
