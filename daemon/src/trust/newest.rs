//! The times of the newest signatures that were accepted, by name. Pure.

use shared::name::ResourceName;
use std::collections::BTreeMap;

/// Limits the names. Beyond it the one that was accepted longest ago is forgotten; only names with a signature of a
/// trusted key are remembered, so that no stranger can have one forgotten.
const NAMES_MAX: usize = 16_384;

/// The newest accepted signature of each name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Newest {
    names: BTreeMap<ResourceName, Entry>,
    /// The number of the next entry.
    next: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    /// When it was signed, in seconds since 1970.
    timestamp: u64,
    /// Which was accepted before which.
    number: u64,
}

impl Newest {
    /// When the newest accepted signature of a name was made, in seconds since 1970.
    pub fn of(&self, name: &ResourceName) -> Option<u64> {
        self.names.get(name).map(|entry| entry.timestamp)
    }

    /// Notes an accepted signature. Returns whether it is news: the time of an older one is not kept.
    pub fn note(&mut self, name: &ResourceName, timestamp: u64) -> bool {
        if self.of(name).is_some_and(|newest| newest >= timestamp) {
            return false;
        }
        if self.names.len() >= NAMES_MAX && !self.names.contains_key(name) {
            let oldest = self.names.iter().min_by_key(|(_, entry)| entry.number);
            if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                self.names.remove(&oldest);
            }
        }
        self.names.insert(name.clone(), Entry { timestamp, number: self.next });
        self.next += 1;
        true
    }

    /// The names with their times, in the order in which they were accepted.
    pub fn in_order(&self) -> Vec<(ResourceName, u64)> {
        let mut all: Vec<_> = self.names.iter().collect();
        all.sort_by_key(|(_, entry)| entry.number);
        all.into_iter().map(|(name, entry)| (name.clone(), entry.timestamp)).collect()
    }
}

impl FromIterator<(ResourceName, u64)> for Newest {
    fn from_iter<T: IntoIterator<Item = (ResourceName, u64)>>(all: T) -> Newest {
        let mut newest = Newest::default();
        for (name, timestamp) in all {
            newest.note(&name, timestamp);
        }
        newest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: usize) -> ResourceName {
        format!("n{number}").parse().unwrap()
    }

    #[test]
    fn a_time_only_grows() {
        let mut newest = Newest::default();
        for (timestamp, is_news, expected) in [(5, true, 5), (4, false, 5), (5, false, 5), (7, true, 7)] {
            assert_eq!(newest.note(&name(1), timestamp), is_news);
            assert_eq!(newest.of(&name(1)), Some(expected));
        }
        assert_eq!(newest.of(&name(2)), None);
    }

    #[test]
    fn names_beyond_the_limit_take_the_place_of_the_oldest() {
        let mut newest: Newest = (0..NAMES_MAX).map(|number| (name(number), 1)).collect();
        newest.note(&name(0), 2); // accepted again, so it is not the oldest
        newest.note(&name(NAMES_MAX), 1);
        assert_eq!(newest.names.len(), NAMES_MAX);
        assert_eq!((newest.of(&name(0)), newest.of(&name(1))), (Some(2), None));
        let again: Newest = newest.in_order().into_iter().collect();
        assert_eq!(again.in_order(), newest.in_order(), "also after a restart");
    }
}
