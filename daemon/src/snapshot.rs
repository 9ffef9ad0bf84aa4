//! The state of all resources of this machine at one moment, as plain values. The driver publishes a new snapshot
//! whenever something changed that a reader may want to see. `status`, `watch` and the line that systemd shows read
//! nothing else.

use shared::id::ResourceId;
use shared::name::ResourceName;
use shared::rpc::control::{ResourceStatus, State};
use shared::tree::TreeName;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The resources of this machine. A copy costs two reference counts per name, because names and values are shared.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Grows with each snapshot that is published; 0 before the first one.
    number: u64,
    /// By their names.
    resources: BTreeMap<Arc<ResourceName>, SnapshotEntry>,
    /// The number of the snapshot in which a name was missing for the first time, or meant another resource; of the
    /// latest such change.
    removed_since: u64,
    /// Resources of a former run of which only the id is known yet. They cannot be found by name.
    to_look_at: Vec<Arc<ResourceStatus>>,
    /// Whether `put` and `remove` have changed anything since the last published snapshot.
    is_changed: bool,
}

/// The state of one name.
#[derive(Debug, Clone)]
struct SnapshotEntry {
    status: Arc<ResourceStatus>,
    /// The number of the first snapshot with this state.
    since: u64,
}

impl Snapshot {
    /// Its number.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// All resources, in order of their names.
    pub fn resources(&self) -> impl Iterator<Item = &ResourceStatus> {
        let known = self.resources.values().map(|entry| &*entry.status);
        known.chain(self.to_look_at.iter().map(|status| &**status))
    }

    /// The resources that a name or a resource id means; all resources without one.
    pub fn of(&self, what: Option<&str>) -> Vec<ResourceStatus> {
        match what {
            Some(what) => self.find(what).map(|entry| (*entry.status).clone()).collect(),
            None => self.resources().cloned().collect(),
        }
    }

    /// Whether this snapshot says anything new about `what` to a reader who has seen the snapshot with the number
    /// `seen`. A number above our own comes from an earlier run of the daemon, which counted by itself.
    pub fn is_news(&self, what: Option<&str>, seen: u64) -> bool {
        if seen == 0 || self.number < seen {
            return true;
        }
        let Some(what) = what else { return self.number > seen };
        let since = self.find(what).map(|entry| entry.since).max();
        // A name that is not found may have been removed, or may appear in the next snapshot. An id may have lost one
        // of its names. So removals count as news in these two cases.
        let may_have_lost = since.is_none() || what.parse::<ResourceId>().is_ok();
        let removed_since = if may_have_lost { self.removed_since } else { 0 };
        since.unwrap_or(0).max(removed_since) > seen
    }

    fn find(&self, what: &str) -> impl Iterator<Item = &SnapshotEntry> {
        let exact = what.parse().ok().and_then(|name: ResourceName| self.resources.get(&name));
        let named = exact.or_else(|| self.find_tree(what));
        let id = what.parse::<ResourceId>().ok().filter(|_| named.is_none());
        let with_id = id
            .into_iter()
            .flat_map(|id| self.resources.values().filter(move |entry| entry.status.resource == id));
        named.into_iter().chain(with_id)
    }

    /// The directory of this name: it may be called without `.tar`.
    fn find_tree(&self, what: &str) -> Option<&SnapshotEntry> {
        let name = what.parse::<TreeName>().ok()?.resource_name();
        self.resources.get(&name).filter(|entry| entry.status.is_tree)
    }

    // -- for the one who makes it

    /// The last state of a name that was put.
    pub fn get(&self, name: &ResourceName) -> Option<&ResourceStatus> {
        self.resources.get(name).map(|entry| &*entry.status)
    }

    /// Sets the state of a name for the next snapshot.
    pub fn put(&mut self, status: ResourceStatus) {
        if self.resources.get(&status.name).is_none_or(|entry| *entry.status != status) {
            let entry = SnapshotEntry { status: Arc::new(status), since: self.number + 1 };
            match self.resources.get_mut(&entry.status.name) {
                Some(known) => {
                    if known.status.resource != entry.status.resource {
                        self.removed_since = entry.since; // what had the name has lost it
                    }
                    *known = entry;
                }
                None => _ = self.resources.insert(Arc::new(entry.status.name.clone()), entry),
            }
            self.is_changed = true;
        }
    }

    /// Leaves a name out of the next snapshot.
    pub fn remove(&mut self, name: &ResourceName) {
        if self.resources.remove(name).is_some() {
            (self.is_changed, self.removed_since) = (true, self.number + 1);
        }
    }

    /// Sets the resources of which only the id is known for the next snapshot.
    pub fn put_to_look_at(&mut self, statuses: impl Iterator<Item = ResourceStatus>) {
        let statuses: Vec<Arc<ResourceStatus>> = statuses.map(Arc::new).collect();
        self.is_changed |= self.to_look_at != statuses;
        self.to_look_at = statuses;
    }

    /// Whether the next snapshot would differ from the published one.
    pub fn has_changed(&self) -> bool {
        self.is_changed || self.number == 0
    }

    /// Makes the next snapshot; `None` if nothing has changed since the last one. The first call always makes one.
    pub fn next(&mut self) -> Option<Arc<Snapshot>> {
        if !self.has_changed() {
            return None;
        }
        (self.is_changed, self.number) = (false, self.number + 1);
        Some(Arc::new(self.clone()))
    }

    /// Only these names, with the state that the next snapshot will have. It carries the number of the published
    /// snapshot, so that its reader hears again of what has changed since that one.
    pub fn only(&self, names: &[ResourceName]) -> Snapshot {
        let found = names.iter().filter_map(|name| self.resources.get_key_value(name));
        let resources = found.map(|(name, entry)| (name.clone(), entry.clone())).collect();
        Snapshot { number: self.number, resources, ..Snapshot::default() }
    }

    /// One line for people: how many resources are in which state, and the percentage of those that are being fetched.
    pub fn line(&self) -> String {
        let mut parts = Vec::new();
        for (state, word) in [
            (State::Seeding, "seeding"),
            (State::Outdated, "outdated"),
            (State::Downloading, "downloading"),
            (State::Waiting, "waiting"),
            (State::Checking, "checking"),
            (State::Paused, "paused"),
            (State::Error, "error"),
        ] {
            let in_state = || self.resources().filter(move |resource| resource.state == state);
            let count = in_state().count();
            if count == 0 {
                continue;
            }
            let sum = |number: fn(&ResourceStatus) -> u32| in_state().map(number).map(u64::from).sum::<u64>();
            let (have, total) = (sum(|resource| resource.chunks_have), sum(|resource| resource.chunks_total));
            parts.push(match (state, (have * 100).checked_div(total)) {
                (State::Downloading | State::Waiting, Some(percent)) => {
                    format!("{word} {count} ({percent} %)")
                }
                _ => format!("{word} {count}"),
            });
        }
        if parts.is_empty() { "no files yet".to_owned() } else { parts.join(", ") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(name: &str, state: State, chunks_have: u32) -> ResourceStatus {
        let id = ResourceId::of(name.as_bytes());
        let status = ResourceStatus::new(name.parse().unwrap(), id, state);
        ResourceStatus { chunks_have, chunks_total: 100, ..status }
    }

    #[test]
    fn the_line_counts_what_there_is() {
        let mut snapshot = Snapshot::default();
        assert_eq!(snapshot.line(), "no files yet");
        for (name, state, chunks_have) in [
            ("a", State::Downloading, 20),
            ("b", State::Seeding, 100),
            ("c", State::Downloading, 66),
            ("d", State::Error, 5),
            ("e", State::Seeding, 100),
        ] {
            snapshot.put(resource(name, state, chunks_have));
        }
        assert_eq!(snapshot.line(), "seeding 2, downloading 2 (43 %), error 1");
    }

    #[test]
    fn a_reader_of_one_name_hears_of_that_name_alone() {
        let mut snapshot = Snapshot::default();
        snapshot.put(resource("a", State::Downloading, 1));
        snapshot.put(resource("b", State::Downloading, 1));
        let first = snapshot.next().unwrap();
        assert!(first.is_news(Some("a"), 0));
        assert!(!first.is_news(Some("c"), first.number()), "it may be in the next one");
        let seen = first.number();
        assert!(!first.is_news(Some("a"), seen));
        snapshot.put(resource("a", State::Downloading, 1));
        assert!(snapshot.next().is_none(), "it is what it was");
        snapshot.put(resource("b", State::Downloading, 2));
        let second = snapshot.next().unwrap();
        assert!(!second.is_news(Some("a"), seen));
        assert!(second.is_news(Some("b"), seen) && second.is_news(None, seen));
        assert!(second.is_news(Some(&ResourceId::of(b"b").to_string()), seen), "also by its id");
        assert!(second.is_news(Some("a"), second.number() + 1), "another run counted anew");
        assert!(!first.is_news(Some("b"), seen), "a snapshot does not change");
    }

    #[test]
    fn what_is_gone_is_news_and_an_error() {
        let mut snapshot = Snapshot::default();
        snapshot.put(resource("a", State::Seeding, 100));
        let seen = snapshot.next().unwrap().number();
        snapshot.remove(&"a".parse().unwrap());
        let second = snapshot.next().unwrap();
        snapshot.remove(&"a".parse().unwrap());
        assert!(snapshot.next().is_none());
        assert!(second.is_news(Some("a"), seen));
        assert!(second.is_news(Some(&ResourceId::of(b"a").to_string()), seen));
        assert!(second.of(Some("a")).is_empty());
        assert_eq!(second.of(None), []);
    }

    #[test]
    fn one_of_two_names_of_an_id_that_goes_is_news_to_whoever_means_the_id() {
        let (mut snapshot, id) = (Snapshot::default(), ResourceId::of(b"content"));
        for name in ["a", "b"] {
            snapshot.put(ResourceStatus { resource: id, ..resource(name, State::Seeding, 100) });
        }
        let seen = snapshot.next().unwrap().number();
        snapshot.remove(&"a".parse().unwrap());
        let second = snapshot.next().unwrap();
        assert!(second.is_news(Some(&id.to_string()), seen));
        assert!(!second.is_news(Some("b"), seen), "nothing has changed for the other name");
        snapshot.put(resource("b", State::Seeding, 100));
        let third = snapshot.next().unwrap();
        assert!(third.is_news(Some(&id.to_string()), second.number()), "other content has its last name");
    }

    #[test]
    fn the_first_one_is_published_also_when_nothing_is_here() {
        let mut snapshot = Snapshot::default();
        let first = snapshot.next().unwrap();
        assert_eq!(first.number(), 1);
        assert!(!first.is_news(None, 1), "whoever has seen it waits");
        assert!(snapshot.next().is_none());
    }

    #[test]
    fn a_part_says_what_is_known_and_hides_nothing_that_comes() {
        let mut snapshot = Snapshot::default();
        snapshot.put(resource("a", State::Downloading, 1));
        snapshot.put(resource("b", State::Downloading, 1));
        snapshot.next().unwrap();
        snapshot.put(resource("a", State::Downloading, 2));
        let part = snapshot.only(&["a".parse().unwrap(), "gone".parse().unwrap()]);
        assert_eq!(part.of(None).len(), 1);
        assert_eq!(part.of(Some("a"))[0].chunks_have, 2);
        assert!(snapshot.next().unwrap().is_news(Some("a"), part.number()));
    }
}
