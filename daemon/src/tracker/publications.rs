//! Decides what is published at a tracker and when: small manifests go together in one call, those that somebody waits
//! for go first, and refused ones are tried again later. Pure: its caller hands the time in.

use shared::id::SwarmKey;
use shared::rpc::tracker::{OFFERS_MAX, PAGE_HASHES};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// Manifests with more chunks than this are published in pages, each in a call of its own; smaller ones go together.
const SMALL_CHUNKS_MAX: u32 = 1024;
/// The most bytes of offers in one call, without their hashes. Further offers go in the next call, because a request's
/// head may not be much larger.
const OFFERS_BYTES_MAX: usize = 200 << 10;

/// The size of a resource's publication.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cost {
    /// The number of its names; each is an offer.
    pub(super) names: usize,
    /// The number of its chunks.
    pub(super) chunks: u32,
    /// The bytes of its names and trackers, over all its offers.
    pub(super) bytes: usize,
}

impl Cost {
    /// Whether it can go together with others.
    pub(super) fn is_small(&self) -> bool {
        self.chunks <= SMALL_CHUNKS_MAX
            && self.names <= OFFERS_MAX
            && self.names as u64 * u64::from(self.chunks) <= u64::from(PAGE_HASHES)
            && self.bytes <= OFFERS_BYTES_MAX
    }
}

/// The resources that wait to be published.
#[derive(Debug, Default)]
pub(super) struct Publications {
    /// Those that somebody waits for.
    urgent: BTreeSet<SwarmKey>,
    due: BTreeSet<SwarmKey>,
    /// Those that were refused, and when each is tried again.
    refused: BTreeMap<SwarmKey, Instant>,
    /// Those in calls that wait for an answer.
    under_way: BTreeSet<SwarmKey>,
}

impl Publications {
    /// Adds a resource, even if it is in a call already: its content has changed since.
    pub(super) fn want(&mut self, key: SwarmKey, urgent: bool) {
        self.refused.remove(&key);
        match urgent {
            true => _ = self.urgent.insert(key),
            false => _ = self.due.insert(key),
        }
    }

    /// Puts a resource that waits in front, because somebody waits for it.
    pub(super) fn hurry(&mut self, key: SwarmKey) {
        if self.is_wanted(key) {
            self.want(key, true);
        }
    }

    /// Whether a resource waits to be published or for the answer.
    pub(super) fn is_wanted(&self, key: SwarmKey) -> bool {
        let waits = self.urgent.contains(&key) || self.due.contains(&key);
        waits || self.under_way.contains(&key) || self.refused.contains_key(&key)
    }

    /// Whether the tracker is just being told of it.
    pub(super) fn is_under_way(&self, key: SwarmKey) -> bool {
        self.under_way.contains(&key)
    }

    pub(super) fn remove(&mut self, key: SwarmKey) {
        self.urgent.remove(&key);
        self.due.remove(&key);
        self.refused.remove(&key);
    }

    /// The connection has ended: unanswered calls count as not made.
    pub(super) fn interrupted(&mut self) {
        self.due.append(&mut self.under_way);
    }

    /// The tracker has answered for this resource.
    pub(super) fn answered(&mut self, key: SwarmKey) {
        self.under_way.remove(&key);
    }

    /// The tracker refused it; it is tried again at `again`.
    pub(super) fn refused(&mut self, key: SwarmKey, again: Instant) {
        self.under_way.remove(&key);
        if !self.urgent.contains(&key) && !self.due.contains(&key) {
            self.refused.insert(key, again);
        }
    }

    /// When the next refused resource is tried again.
    pub(super) fn next(&self) -> Option<Instant> {
        self.refused.values().min().copied()
    }

    /// The resources of the next call; none if nothing can go now. `cost` returns `None` for resources that the tracker
    /// does not know us to have, so that nothing is published without its seeder.
    pub(super) fn take(&mut self, now: Instant, cost: impl Fn(SwarmKey) -> Option<Cost>) -> Vec<SwarmKey> {
        let again = self.refused.extract_if(.., |_, at| *at <= now).map(|(key, _)| key);
        self.due.extend(again);
        let (mut taken, mut offers, mut hashes, mut bytes) = (Vec::new(), 0, 0_u64, 0);
        for &key in self.urgent.iter().chain(&self.due) {
            let Some(cost) = cost(key).filter(|_| !self.under_way.contains(&key)) else { continue };
            if taken.contains(&key) {
                continue;
            }
            if !cost.is_small() {
                if taken.is_empty() {
                    taken.push(key);
                    break;
                }
                continue; // it goes into a call in which it is the first
            }
            offers += cost.names;
            hashes += cost.names as u64 * u64::from(cost.chunks);
            bytes += cost.bytes;
            if offers > OFFERS_MAX || hashes > u64::from(PAGE_HASHES) || bytes > OFFERS_BYTES_MAX {
                break;
            }
            taken.push(key);
        }
        for key in &taken {
            self.urgent.remove(key);
            self.due.remove(key);
            self.under_way.insert(*key);
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::id::{ListDigest, ResourceId};
    use std::time::Duration;

    fn key(number: u16) -> SwarmKey {
        let mut resource = ResourceId([0; 32]);
        resource.0[..2].copy_from_slice(&number.to_be_bytes());
        SwarmKey { resource, digest: ListDigest([0; 32]) }
    }

    fn small(_: SwarmKey) -> Option<Cost> {
        Some(Cost { names: 1, chunks: 1, bytes: 100 })
    }

    #[test]
    fn small_ones_go_together_and_none_is_left_out() {
        let (mut publications, now) = (Publications::default(), Instant::now());
        (0..1000).for_each(|number| publications.want(key(number), false));
        let (mut calls, mut taken) = (0, BTreeSet::new());
        loop {
            let batch = publications.take(now, small);
            if batch.is_empty() {
                break;
            }
            assert!(batch.len() <= OFFERS_MAX);
            calls += 1;
            for key in batch {
                assert!(taken.insert(key), "twice");
                publications.answered(key);
            }
        }
        assert_eq!((calls, taken.len()), (8, 1000));
    }

    #[test]
    fn what_somebody_waits_for_goes_first_and_what_is_large_alone() {
        let (mut publications, now) = (Publications::default(), Instant::now());
        let cost = |of: SwarmKey| {
            let chunks = if of == key(1) { 4_000_000 } else { 1 };
            Some(Cost { names: 1, chunks, bytes: 100 })
        };
        (0..300).for_each(|number| publications.want(key(number), false));
        publications.hurry(key(299));
        assert_eq!(publications.take(now, cost)[0], key(299));
        let others: Vec<Vec<SwarmKey>> = (0..3).map(|_| publications.take(now, cost)).collect();
        assert!(others.iter().any(|batch| batch == &[key(1)]), "it went with others, or not at all");
        publications.hurry(key(7777));
        assert!(publications.take(now, cost).is_empty());
        let long = |_: SwarmKey| Some(Cost { names: 16, chunks: 600, bytes: 100_000 });
        assert!(!long(key(0)).unwrap().is_small());
    }

    #[test]
    fn what_is_not_known_to_be_here_waits() {
        let (mut publications, now) = (Publications::default(), Instant::now());
        publications.want(key(1), true);
        assert!(publications.take(now, |_| None).is_empty());
        assert_eq!(publications.take(now, small), [key(1)]);
    }

    #[test]
    fn what_was_refused_or_not_answered_is_tried_again() {
        let (mut publications, now) = (Publications::default(), Instant::now());
        let later = now + Duration::from_secs(60);
        publications.want(key(1), false);
        assert_eq!(publications.take(now, small), [key(1)]);
        assert!(publications.take(now, small).is_empty(), "it is under way");
        publications.interrupted();
        assert_eq!(publications.take(now, small), [key(1)]);
        publications.refused(key(1), later);
        assert!(publications.take(now, small).is_empty() && publications.is_wanted(key(1)));
        assert_eq!(publications.next(), Some(later));
        assert_eq!(publications.take(later, small), [key(1)]);
        // it has changed while it was under way
        publications.want(key(1), false);
        publications.answered(key(1));
        assert_eq!(publications.take(later, small), [key(1)]);
        publications.answered(key(1));
        assert!(!publications.is_wanted(key(1)));
    }
}
