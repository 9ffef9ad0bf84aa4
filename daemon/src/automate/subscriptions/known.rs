//! Which versions of which names were fetched before. Pure; `store/subscriptions_file` keeps it.
//!
//! A version that was fetched once is not fetched again, also after somebody removed it: only a version that was published
//! after it is. Publishing an old version anew, after the newest one, counts as publishing.

pub use crate::store::{Taken, Version};
use shared::name::ResourceName;
use std::collections::BTreeMap;

/// Limits the names. Beyond it the one whose last version was fetched longest ago is forgotten: it counts as never fetched.
pub const NAMES_MAX: usize = 16_384;

/// Limits the former versions of a name that are remembered; the oldest is forgotten. They matter where trackers disagree, or
/// where no date tells which version is newer.
pub const FORMER_MAX: usize = 4;

/// How far a date may lie in the future, in milliseconds: the clocks of trackers differ a little.
const AHEAD_MS_MAX: u64 = 5_000;

/// The versions that were fetched.
#[derive(Debug, Clone, Default)]
pub struct Known {
    names: BTreeMap<ResourceName, (u64, Taken)>,
    /// The names, in the order in which their last versions were fetched.
    order: BTreeMap<u64, ResourceName>,
    /// The number of the next fetch.
    next: u64,
}

impl Known {
    /// What is known of a name.
    pub fn of(&self, name: &ResourceName) -> Option<&Taken> {
        self.names.get(name).map(|(_, taken)| taken)
    }

    /// Whether a version is to be fetched: nobody fetched it before, and it was published after the last one. `latest_ms` is
    /// the latest time that any clock shows: a date after it is wrong, and counts as unknown.
    pub fn is_news(&self, name: &ResourceName, version: Version, latest_ms: u64) -> bool {
        let Some(taken) = self.of(name) else { return true };
        let date = |version: Version| dated(version.shared_at_ms, latest_ms);
        if taken.newest.key == version.key {
            return false;
        }
        let before = taken.former.iter().find(|former| former.key == version.key);
        match date(version).cmp(&date(taken.newest)) {
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => before.is_none(),
            std::cmp::Ordering::Greater => before.is_none_or(|before| date(*before) < date(version)),
        }
    }

    /// Notes that a tracker said again when a version was published. Returns whether that was not known.
    pub fn told_again(&mut self, name: &ResourceName, version: Version, latest_ms: u64) -> bool {
        let Some((_, taken)) = self.names.get_mut(name) else { return false };
        let known = std::iter::once(&mut taken.newest).chain(&mut taken.former);
        let Some(known) = known.into_iter().find(|known| known.key == version.key) else { return false };
        let is_later = dated(version.shared_at_ms, latest_ms) > dated(known.shared_at_ms, latest_ms);
        if is_later {
            known.shared_at_ms = version.shared_at_ms;
        }
        is_later
    }

    /// Notes that a version was fetched.
    pub fn take(&mut self, name: &ResourceName, version: Version) {
        let mut former = Vec::new();
        if let Some((number, taken)) = self.names.remove(name) {
            self.order.remove(&number);
            let all = std::iter::once(taken.newest).chain(taken.former);
            former.extend(all.filter(|former| former.key != version.key).take(FORMER_MAX));
        }
        self.insert(Taken { name: name.clone(), newest: version, former });
        if self.names.len() > NAMES_MAX
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.names.remove(&oldest);
        }
    }

    fn insert(&mut self, taken: Taken) {
        self.order.insert(self.next, taken.name.clone());
        self.names.insert(taken.name.clone(), (self.next, taken));
        self.next += 1;
    }

    /// All of it, in the order in which it was fetched.
    pub fn in_order(&self) -> Vec<Taken> {
        self.order.values().filter_map(|name| self.of(name)).cloned().collect()
    }

    /// All names with what is known of them.
    pub fn iter(&self) -> impl Iterator<Item = &Taken> {
        self.names.values().map(|(_, taken)| taken)
    }
}

impl FromIterator<Taken> for Known {
    fn from_iter<T: IntoIterator<Item = Taken>>(all: T) -> Known {
        let mut known = Known::default();
        for mut taken in all {
            taken.former.truncate(FORMER_MAX);
            if known.names.len() < NAMES_MAX && !known.names.contains_key(&taken.name) {
                known.insert(taken);
            }
        }
        known
    }
}

/// A date that lies in the future counts as unknown: the clock that made it was wrong.
fn dated(shared_at_ms: u64, latest_ms: u64) -> u64 {
    if shared_at_ms > latest_ms.saturating_add(AHEAD_MS_MAX) { 0 } else { shared_at_ms }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::id::{ListDigest, ResourceId, SwarmKey};

    fn version(number: u8, shared_at_ms: u64) -> Version {
        let key = SwarmKey { resource: ResourceId([number; 32]), digest: ListDigest([number; 32]) };
        Version { key, shared_at_ms }
    }

    fn name(number: usize) -> ResourceName {
        format!("n{number}").parse().unwrap()
    }

    const NOW: u64 = 1_000_000;

    #[test]
    fn only_a_version_that_was_published_later_is_news() {
        let (mut known, name) = (Known::default(), name(1));
        assert!(known.is_news(&name, version(1, 0), NOW), "nothing is known");
        known.take(&name, version(1, 10));
        known.take(&name, version(2, 20));
        for (told, expected) in [
            (version(2, 20), false),
            (version(2, 99), false), // the same, published again
            (version(3, 19), false),
            (version(3, 20), true), // of two at the same time the one that the tracker says
            (version(3, 21), true),
            (version(3, 0), false),
            (version(1, 10), false),
            (version(1, 20), false),
            (version(1, 30), true), // back to the old one
        ] {
            assert_eq!(known.is_news(&name, told, NOW), expected, "{told:?}");
        }
    }

    #[test]
    fn a_date_that_a_wrong_clock_made_keeps_no_version_away() {
        let (mut known, name) = (Known::default(), name(1));
        known.take(&name, version(1, 10));
        known.take(&name, version(2, NOW * 100)); // the tracker's clock was wrong
        assert!(known.is_news(&name, version(3, 30), NOW));
        assert!(!known.is_news(&name, version(1, 10), NOW), "but a former one does not come back");
        assert!(known.told_again(&name, version(2, 20), NOW), "the right date is noted");
        assert!(!known.is_news(&name, version(3, 19), NOW));
    }

    #[test]
    fn versions_without_a_date_do_not_take_turns() {
        let (mut known, name) = (Known::default(), name(1));
        for number in 1..4 {
            assert!(known.is_news(&name, version(number, 0), NOW));
            known.take(&name, version(number, 0));
        }
        assert!((1..4).all(|number| !known.is_news(&name, version(number, 0), NOW)));
    }

    #[test]
    fn all_of_it_is_bounded_and_the_name_that_was_fetched_longest_ago_is_forgotten() {
        let mut known = Known::default();
        for number in 0..=FORMER_MAX as u8 + 3 {
            known.take(&name(0), version(number, number.into()));
        }
        assert_eq!(known.of(&name(0)).unwrap().former.len(), FORMER_MAX);
        (1..NAMES_MAX).for_each(|number| known.take(&name(number), version(1, 1)));
        known.take(&name(0), version(200, 200));
        known.take(&name(NAMES_MAX), version(1, 1));
        assert_eq!((known.names.len(), known.order.len()), (NAMES_MAX, NAMES_MAX));
        assert!(known.of(&name(0)).is_some() && known.of(&name(1)).is_none());
        let again: Known = known.in_order().into_iter().collect();
        assert_eq!(again.in_order(), known.in_order());
    }
}
