//! How everything on this machine was doing at one moment, in plain values. The driver publishes a snapshot whenever
//! something has changed that a reader may want to see; whoever passes that on reads only this: `status`, `watch` and
//! the line that systemd shows.

use shared::id::ResourceId;
use shared::name::ResourceName;
use shared::rpc::control::{ResourceStatus, State};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The resources of this machine. A copy costs two counters per name: names and values are shared.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Grows with each snapshot that is published; 0 before the first one.
    number: u64,
    /// By their names.
    resources: BTreeMap<Arc<ResourceName>, SnapshotEntry>,
    /// The number of the first snapshot without the name, or without the resource under a name, that went last.
    removed_since: u64,
    /// Resources of a former run of which only the id is known yet. Nobody finds them by a name.
    to_look_at: Vec<Arc<ResourceStatus>>,
    /// What was put and removed since differs from what was published.
    is_changed: bool,
}

/// How one name is doing.
#[derive(Debug, Clone)]
struct SnapshotEntry {
    status: Arc<ResourceStatus>,
    /// The number of the first snapshot that says so.
    since: u64,
}

impl Snapshot {
    /// Its number.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// All that there is, in order of the names.
    pub fn resources(&self) -> impl Iterator<Item = &ResourceStatus> {
        let known = self.resources.values().map(|entry| &*entry.status);
        known.chain(self.to_look_at.iter().map(|status| &**status))
    }

    /// What a person means by a name or a resource id; without one, all that there is.
    pub fn of(&self, what: Option<&str>) -> Vec<ResourceStatus> {
        match what {
            Some(what) => self.find(what).map(|entry| (*entry.status).clone()).collect(),
            None => self.resources().cloned().collect(),
        }
    }

    /// Whether a reader who has seen the snapshot of this number sees anything new in what they mean. Another run of the
    /// daemon counted anew.
    pub fn is_news(&self, what: Option<&str>, seen: u64) -> bool {
        if seen == 0 || self.number < seen {
            return true;
        }
        let Some(what) = what else { return self.number > seen };
        let since = self.find(what).map(|entry| entry.since).max();
        // What is not in here may have gone, as one of the names of an id may, or may be in the next one only.
        let may_have_lost = since.is_none() || what.parse::<ResourceId>().is_ok();
        let removed_since = if may_have_lost { self.removed_since } else { 0 };
        since.unwrap_or(0).max(removed_since) > seen
    }

    fn find(&self, what: &str) -> impl Iterator<Item = &SnapshotEntry> {
        let named = what.parse().ok().and_then(|name: ResourceName| self.resources.get(&name));
        let id = what.parse::<ResourceId>().ok().filter(|_| named.is_none());
        let with_id = id
            .into_iter()
            .flat_map(|id| self.resources.values().filter(move |entry| entry.status.resource == id));
        named.into_iter().chain(with_id)
    }

    // -- for the one who makes it

    /// A name is doing so in the next snapshot.
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

    /// A name is not in the next snapshot.
    pub fn remove(&mut self, name: &ResourceName) {
        if self.resources.remove(name).is_some() {
            (self.is_changed, self.removed_since) = (true, self.number + 1);
        }
    }

    /// These are the resources in the next snapshot of which only the id is known.
    pub fn put_to_look_at(&mut self, statuses: impl Iterator<Item = ResourceStatus>) {
        let statuses: Vec<Arc<ResourceStatus>> = statuses.map(Arc::new).collect();
        self.is_changed |= self.to_look_at != statuses;
        self.to_look_at = statuses;
    }

    /// Whether what was put and removed differs from what was published.
    pub fn has_changed(&self) -> bool {
        self.is_changed || self.number == 0
    }

    /// The next snapshot, unless it says nothing new. The first one always does.
    pub fn next(&mut self) -> Option<Arc<Snapshot>> {
        if !self.has_changed() {
            return None;
        }
        (self.is_changed, self.number) = (false, self.number + 1);
        Some(Arc::new(self.clone()))
    }

    /// Only these names, as they are in the next snapshot. It has the number of the one that is published: whoever has
    /// seen it hears once more of what has changed since that one.
    pub fn only(&self, names: &[ResourceName]) -> Snapshot {
        let found = names.iter().filter_map(|name| self.resources.get_key_value(name));
        let resources = found.map(|(name, entry)| (name.clone(), entry.clone())).collect();
        Snapshot { number: self.number, resources, ..Snapshot::default() }
    }

    /// One line for people: how many resources are in which state, and how far those are that are being fetched.
    pub fn line(&self) -> String {
        let mut parts = Vec::new();
        for (state, word) in [
            (State::Seeding, "seeding"),
            (State::Downloading, "downloading"),
            (State::Waiting, "waiting"),
            (State::Checking, "checking"),
            (State::Paused, "paused"),
            (State::Error, "in error"),
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
        if parts.is_empty() { "nothing shared yet".to_owned() } else { parts.join(", ") }
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
        assert_eq!(snapshot.line(), "nothing shared yet");
        for (name, state, chunks_have) in [
            ("a", State::Downloading, 20),
            ("b", State::Seeding, 100),
            ("c", State::Downloading, 66),
            ("d", State::Error, 5),
            ("e", State::Seeding, 100),
        ] {
            snapshot.put(resource(name, state, chunks_have));
        }
        assert_eq!(snapshot.line(), "seeding 2, downloading 2 (43 %), in error 1");
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
