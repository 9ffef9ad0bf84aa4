//! The names to unpublish at one tracker, and who waits for the answers.

use super::entry::{TakingBack, Unpublished};
use shared::id::SwarmKey;
use shared::name::ResourceName;
use shared::rpc::tracker::{Unpublish, UnpublishReply};
use std::collections::BTreeMap;

/// Limits the names that wait while the tracker cannot be reached. Further ones are dropped. The tracker forgets a name
/// by itself an hour after the last machine has gone.
const UNPUBLISH_MAX: usize = 1024;

/// Names to unpublish, each once, at most [`UNPUBLISH_MAX`].
#[derive(Debug, Default)]
pub(super) struct ToUnpublish(BTreeMap<(SwarmKey, ResourceName), (Unpublish, Option<TakingBack>)>);

impl ToUnpublish {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a name; replaces what was waiting for the same name.
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

    /// Adds a name that was unpublished before, unless it is waiting already.
    pub(super) fn tell_again(&mut self, key: SwarmKey, name: &ResourceName) {
        if self.0.len() < UNPUBLISH_MAX {
            self.0.entry((key, name.clone())).or_insert((Unpublish::TakeBack, None));
        }
    }

    /// Adds newer names. Returns whether somebody waits for an answer.
    pub(super) fn append(&mut self, newer: ToUnpublish) -> bool {
        let mut is_awaited = false;
        for ((key, name), (how, waiting)) in newer.0 {
            is_awaited |= waiting.is_some();
            self.put(key, name, how, waiting);
        }
        is_awaited
    }

    /// The first name that may be told now.
    pub(super) fn next(
        &self,
        may: impl Fn(SwarmKey) -> bool,
    ) -> Option<(SwarmKey, &ResourceName, Unpublish)> {
        let ((key, name), (how, _)) = self.0.iter().find(|((key, _), _)| may(*key))?;
        Some((*key, name, *how))
    }

    /// Passes the tracker's answer on.
    pub(super) fn answered(
        &mut self,
        key: SwarmKey,
        name: ResourceName,
        answer: Result<UnpublishReply, Unpublished>,
    ) {
        if let Some((_, Some(waiting))) = self.0.remove(&(key, name)) {
            let _ = waiting.send(answer); // nobody may be waiting any more
        }
    }

    /// Tells those who wait why the tracker cannot be told now. The names stay, for the next connection.
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
