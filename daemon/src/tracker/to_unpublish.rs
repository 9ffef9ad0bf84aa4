//! The names to unpublish at one tracker, and who waits for the answers.

use super::entry::{NotPublished, TakingBack};
use shared::id::SwarmKey;
use shared::name::ResourceName;
use shared::rpc::tracker::{Unpublish, UnpublishReply};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Limits the names that wait while the tracker cannot be reached. Further ones are refused, and whoever asked for them is
/// told. It is the number of resources that a tracker lets one daemon announce, so that all of them can be unpublished.
const UNPUBLISH_MAX: usize = 100_000;

/// Names to unpublish, each once, at most [`UNPUBLISH_MAX`].
#[derive(Debug, Default)]
pub(super) struct ToUnpublish(BTreeMap<(SwarmKey, ResourceName), Order>);

/// How to unpublish a name, and who waits for the answer.
#[derive(Debug)]
struct Order {
    how: Unpublish,
    waiting: Vec<TakingBack>,
}

impl ToUnpublish {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a name. If the name waits already, everyone who waits gets the same answer, and a name that its user takes back
    /// is not kept only because another machine uses it.
    pub(super) fn put(
        &mut self,
        key: SwarmKey,
        name: ResourceName,
        how: Unpublish,
        waiting: impl IntoIterator<Item = TakingBack>,
    ) {
        let is_full = self.0.len() >= UNPUBLISH_MAX;
        match self.0.entry((key, name)) {
            Entry::Occupied(order) => {
                let order = order.into_mut();
                if how == Unpublish::TakeBack {
                    order.how = how;
                }
                order.waiting.extend(waiting);
            }
            Entry::Vacant(_) if is_full => {
                let full = || NotPublished::Refused("too many names wait to be unpublished there".to_owned());
                waiting.into_iter().for_each(|waiting| _ = waiting.send(Err(full())));
            }
            Entry::Vacant(place) => {
                place.insert(Order { how, waiting: waiting.into_iter().collect() });
            }
        }
    }

    /// Adds a name that was unpublished before, unless it is waiting already.
    pub(super) fn tell_again(&mut self, key: SwarmKey, name: &ResourceName) {
        self.put(key, name.clone(), Unpublish::TakeBack, None);
    }

    /// Drops a name that is shared again, and tells everyone who waits.
    pub(super) fn shared_again(&mut self, key: SwarmKey, name: &ResourceName) {
        let order = self.0.remove(&(key, name.clone()));
        for waiting in order.into_iter().flat_map(|order| order.waiting) {
            let _ = waiting.send(Err(NotPublished::Refused("it was shared again meanwhile".to_owned())));
        }
    }

    /// Adds newer names. Returns whether somebody waits for an answer.
    pub(super) fn append(&mut self, newer: ToUnpublish) -> bool {
        let mut is_awaited = false;
        for ((key, name), Order { how, waiting }) in newer.0 {
            is_awaited |= !waiting.is_empty();
            self.put(key, name, how, waiting);
        }
        is_awaited
    }

    /// The first name that may be told now.
    pub(super) fn next(
        &self,
        may: impl Fn(SwarmKey) -> bool,
    ) -> Option<(SwarmKey, &ResourceName, Unpublish)> {
        let ((key, name), order) = self.0.iter().find(|((key, _), _)| may(*key))?;
        Some((*key, name, order.how))
    }

    /// Passes the tracker's answer on.
    pub(super) fn answered(
        &mut self,
        key: SwarmKey,
        name: ResourceName,
        answer: Result<UnpublishReply, NotPublished>,
    ) {
        let order = self.0.remove(&(key, name));
        for waiting in order.into_iter().flat_map(|order| order.waiting) {
            let _ = waiting.send(answer.clone()); // whoever waited may have gone
        }
    }

    /// Tells those who wait why the tracker cannot be told now. The names stay, for the next connection.
    pub(super) fn later(&mut self, why: &str) {
        let waiting = self.0.values_mut().flat_map(|order| order.waiting.drain(..));
        waiting.for_each(|waiting| _ = waiting.send(Err(NotPublished::Later(why.to_owned()))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::id::{ListDigest, ResourceId};

    const KEY: SwarmKey = SwarmKey { resource: ResourceId([1; 32]), digest: ListDigest([1; 32]) };

    #[test]
    fn what_waits_does_not_grow_with_time() {
        let mut waiting = ToUnpublish::default();
        for number in 0..3 * UNPUBLISH_MAX {
            let name: ResourceName = format!("file-{}", number % (UNPUBLISH_MAX + 7)).parse().unwrap();
            waiting.put(KEY, name.clone(), Unpublish::IfUnused, None);
            waiting.tell_again(KEY, &name);
        }
        assert_eq!(waiting.0.len(), UNPUBLISH_MAX);
    }

    #[test]
    fn who_waits_hears_that_it_will_be_told_later() {
        let (mut waiting, name) = (ToUnpublish::default(), "img".parse::<ResourceName>().unwrap());
        let (send, mut answer) = tokio::sync::oneshot::channel();
        waiting.put(KEY, name.clone(), Unpublish::TakeBack, Some(send));
        waiting.later("it is away");
        assert_eq!(answer.try_recv(), Ok(Err(NotPublished::Later("it is away".to_owned()))));
        assert_eq!(waiting.next(|_| true), Some((KEY, &name, Unpublish::TakeBack)));
        assert_eq!(waiting.next(|_| false), None);
        waiting.answered(KEY, name, Ok(UnpublishReply::Unpublished));
        assert!(waiting.is_empty());
    }

    #[test]
    fn a_name_that_is_taken_back_stays_so_when_its_file_is_removed() {
        let (mut waiting, name) = (ToUnpublish::default(), "img".parse::<ResourceName>().unwrap());
        let (first, mut first_answer) = tokio::sync::oneshot::channel();
        let (second, mut second_answer) = tokio::sync::oneshot::channel();
        waiting.put(KEY, name.clone(), Unpublish::TakeBack, Some(first));
        waiting.put(KEY, name.clone(), Unpublish::IfUnused, Some(second));
        assert_eq!(waiting.next(|_| true), Some((KEY, &name, Unpublish::TakeBack)));
        waiting.answered(KEY, name, Ok(UnpublishReply::Unpublished));
        for answer in [&mut first_answer, &mut second_answer] {
            assert_eq!(answer.try_recv(), Ok(Ok(UnpublishReply::Unpublished)));
        }
    }

    #[test]
    fn a_name_that_is_shared_again_is_not_unpublished() {
        let (mut waiting, name) = (ToUnpublish::default(), "img".parse::<ResourceName>().unwrap());
        let (send, mut answer) = tokio::sync::oneshot::channel();
        waiting.put(KEY, name.clone(), Unpublish::TakeBack, Some(send));
        waiting.shared_again(KEY, &name);
        assert!(waiting.is_empty());
        assert!(matches!(answer.try_recv(), Ok(Err(NotPublished::Refused(_)))));
    }
}
