//! The driver's orders to an announcer, until the announcer takes them. Only the latest order about each resource is
//! kept, so that no queue grows while the tracker is slow.

use super::entry::{AnnouncedEntry, Announcing, Asking, TrackerCommand};
use super::to_unpublish::ToUnpublish;
use shared::id::SwarmKey;
use shared::name::ResourceName;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use tokio::sync::Notify;

/// The orders that wait.
#[derive(Debug, Default)]
pub(super) struct Orders {
    /// The entries to announce from now on; `None` for a resource to withdraw.
    pub(super) changes: BTreeMap<SwarmKey, Option<AnnouncedEntry>>,
    /// The latest number of our chunks.
    pub(super) have: BTreeMap<SwarmKey, u32>,
    /// The resources for which more peers are wanted.
    pub(super) urgent: BTreeSet<SwarmKey>,
    /// Those who wait for a publication, at most as many as there are tasks.
    pub(super) waiting: Vec<(SwarmKey, Announcing)>,
    /// Questions about who has a name, at most as many as there are tasks.
    pub(super) asked: Vec<(ResourceName, Asking)>,
    /// Names to take back.
    pub(super) unpublish: ToUnpublish,
    /// Whether to withdraw everything and end.
    pub(super) end: bool,
}

impl Orders {
    fn add(&mut self, command: TrackerCommand) {
        match command {
            TrackerCommand::Put(key, entry) => {
                for manifest in entry.to_publish() {
                    self.unpublish.shared_again(key, manifest.name());
                }
                self.have.remove(&key);
                self.changes.insert(key, Some(entry));
            }
            TrackerCommand::Have(key, have) => _ = self.have.insert(key, have),
            TrackerCommand::Urgent(key) => _ = self.urgent.insert(key),
            TrackerCommand::Await(key, waiting) => self.waiting.push((key, waiting)),
            TrackerCommand::Ask(name, asking) => self.asked.push((name, asking)),
            TrackerCommand::Unpublish(key, name, how, waiting) => {
                self.unpublish.put(key, name, how, waiting);
            }
            TrackerCommand::Remove(key) => {
                self.have.remove(&key);
                self.urgent.remove(&key);
                self.changes.insert(key, None);
            }
            TrackerCommand::End => self.end = true,
        }
    }

    fn is_empty(&self) -> bool {
        self.changes.is_empty()
            && self.have.is_empty()
            && self.urgent.is_empty()
            && self.waiting.is_empty()
            && self.asked.is_empty()
            && self.unpublish.is_empty()
            && !self.end
    }
}

/// Where the driver leaves its orders.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    orders: Mutex<Orders>,
    news: Notify,
}

impl Inbox {
    pub(super) fn add(&self, command: TrackerCommand) {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).add(command);
        self.news.notify_one();
    }

    /// Takes all orders out.
    pub(super) fn take(&self) -> Orders {
        std::mem::take(&mut *self.orders.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until there is an order.
    pub(super) async fn wait(&self) {
        loop {
            let news = self.news.notified();
            if !self.orders.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
                return;
            }
            news.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::id::{ListDigest, ResourceId};
    use shared::rpc::tracker::Stage;

    fn key(number: u8) -> SwarmKey {
        SwarmKey { resource: ResourceId([number; 32]), digest: ListDigest([number; 32]) }
    }

    fn entry(have: u32) -> AnnouncedEntry {
        let (manifests, stage) = (Vec::new(), Stage::Leeching);
        AnnouncedEntry {
            stage,
            have,
            wants_peers: true,
            manifests,
            bytes: None,
            shared_at_ms: 0,
            origin: false,
            claims: false,
            may_publish: true,
            taken_back: Vec::new(),
            to_be_signed: Vec::new(),
        }
    }

    /// A daemon that reports its progress every two seconds while the tracker takes nothing.
    #[test]
    fn what_waits_does_not_grow_with_time() {
        let inbox = Inbox::default();
        for have in 0..10_000 {
            for number in 0..3 {
                inbox.add(TrackerCommand::Have(key(number), have));
                inbox.add(TrackerCommand::Urgent(key(number)));
            }
            inbox.add(TrackerCommand::Put(key(7), entry(have)));
            inbox.add(TrackerCommand::Remove(key(8)));
        }
        let orders = inbox.take();
        assert_eq!((orders.changes.len(), orders.have.len(), orders.urgent.len()), (2, 3, 3));
        assert_eq!(orders.have[&key(2)], 9_999);
        assert!(inbox.take().is_empty());
    }

    #[test]
    fn the_latest_word_counts() {
        let inbox = Inbox::default();
        let have = |orders: &Orders| orders.changes[&key(1)].as_ref().map(|entry| entry.have);
        inbox.add(TrackerCommand::Remove(key(1)));
        inbox.add(TrackerCommand::Have(key(1), 3));
        inbox.add(TrackerCommand::Put(key(1), entry(5)));
        let orders = inbox.take();
        assert_eq!((have(&orders), orders.have.len()), (Some(5), 0));
        inbox.add(TrackerCommand::Put(key(1), entry(5)));
        inbox.add(TrackerCommand::Urgent(key(1)));
        inbox.add(TrackerCommand::Remove(key(1)));
        let orders = inbox.take();
        assert_eq!((have(&orders), orders.urgent.len()), (None, 0));
    }
}
