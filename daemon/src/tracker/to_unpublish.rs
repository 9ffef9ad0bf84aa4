//! Names that one tracker is to take back, and who waits for the answer.

use super::entry::{TakingBack, Unpublished};
use shared::id::SwarmKey;
use shared::name::ResourceName;
use shared::rpc::tracker::{Unpublish, UnpublishReply};
use std::collections::BTreeMap;

/// How many names wait to be taken back at one tracker that cannot be reached. Beyond that the tracker is not told of a
/// name that was removed: it forgets the name by itself, an hour after the last machine has gone.
const UNPUBLISH_MAX: usize = 1024;

/// Names that are to be taken back, each once; [`UNPUBLISH_MAX`] at most.
#[derive(Debug, Default)]
pub(super) struct ToUnpublish(BTreeMap<(SwarmKey, ResourceName), (Unpublish, Option<TakingBack>)>);

impl ToUnpublish {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One more, instead of what was to become of the same name until now.
    pub(super) fn put(
        &mut self,
        key: SwarmKey,
        name: ResourceName,
        how: Unpublish,
        waiting: Option<TakingBack>,
    ) {
        if self.0.len() < UNPUBLISH_MAX {
            self.0.insert((key, name), (how, waiting));
        }
    }

    /// The tracker is told that this name was taken back, unless that waits to be told already.
    pub(super) fn tell_again(&mut self, key: SwarmKey, name: &ResourceName) {
        if self.0.len() < UNPUBLISH_MAX {
            self.0.entry((key, name.clone())).or_insert((Unpublish::TakeBack, None));
        }
    }

    /// Takes over what is newer. Whether somebody waits for an answer.
    pub(super) fn append(&mut self, newer: ToUnpublish) -> bool {
        let mut is_awaited = false;
        for ((key, name), (how, waiting)) in newer.0 {
            is_awaited |= waiting.is_some();
            self.put(key, name, how, waiting);
        }
        is_awaited
    }

    /// The first that may be told now.
    pub(super) fn next(
        &self,
        may: impl Fn(SwarmKey) -> bool,
    ) -> Option<(SwarmKey, &ResourceName, Unpublish)> {
        let ((key, name), (how, _)) = self.0.iter().find(|((key, _), _)| may(*key))?;
        Some((*key, name, *how))
    }

    /// The tracker has answered.
    pub(super) fn answered(
        &mut self,
        key: SwarmKey,
        name: ResourceName,
        answer: Result<UnpublishReply, Unpublished>,
    ) {
        if let Some((_, Some(waiting))) = self.0.remove(&(key, name)) {
            let _ = waiting.send(answer); // who does not wait any more need not hear of it
        }
    }

    /// The tracker cannot be told now: whoever waits hears why. It is told when it can be reached.
    pub(super) fn later(&mut self, why: &str) {
        let waiting = self.0.values_mut().filter_map(|(_, waiting)| waiting.take());
        waiting.for_each(|waiting| _ = waiting.send(Err(Unpublished::Later(why.to_owned()))));
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
        for number in 0..5_000 {
            let name: ResourceName = format!("file-{}", number % 2_500).parse().unwrap();
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
        assert_eq!(answer.try_recv(), Ok(Err(Unpublished::Later("it is away".to_owned()))));
        assert_eq!(waiting.next(|_| true), Some((KEY, &name, Unpublish::TakeBack)));
        assert_eq!(waiting.next(|_| false), None);
        waiting.answered(KEY, name, Ok(UnpublishReply::Unpublished));
        assert!(waiting.is_empty());
    }
}
