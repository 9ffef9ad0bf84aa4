//! The incoming connections of a server: strangers, which have not said hello, and known ones. No number of strangers
//! keeps a known one out. This is a pure decision without sockets or a clock; the caller ends the connections that it
//! names.

use std::collections::BTreeMap;

/// The connections of a server, each with a number. `E` is the handle that ends a connection; `K` is what is known of a
/// connection that has said hello.
#[derive(Debug)]
pub struct Crowd<E, K = ()> {
    strangers_max: usize,
    all_max: usize,
    /// The number of the latest connection.
    last: u64,
    /// Strangers by number, so the oldest is first.
    strangers: BTreeMap<u64, E>,
    known: BTreeMap<u64, (K, E)>,
}

/// An admitted connection.
#[derive(Debug)]
pub struct Admitted<E> {
    /// Its number, which is never reused.
    pub number: u64,
    /// The handle that ends the stranger that makes room for it. That stranger no longer counts.
    pub gone: Option<E>,
}

impl<E, K> Crowd<E, K> {
    /// An empty crowd with room for `strangers_max` strangers and `all_max` connections of both kinds.
    pub fn new(strangers_max: usize, all_max: usize) -> Crowd<E, K> {
        let (strangers, known) = (BTreeMap::new(), BTreeMap::new());
        Crowd { strangers_max, all_max, last: 0, strangers, known }
    }

    /// Changes the limits. Existing connections stay.
    pub fn set(&mut self, strangers_max: usize, all_max: usize) {
        (self.strangers_max, self.all_max) = (strangers_max, all_max);
    }

    /// Admits a stranger. If there is no room, the oldest stranger makes room. `begin` gets the number and returns the
    /// handle that ends the connection. Returns `None` if known connections take all places.
    pub fn admit(&mut self, begin: impl FnOnce(u64) -> E) -> Option<Admitted<E>> {
        let is_full = self.len() >= self.all_max;
        if is_full && self.strangers.is_empty() {
            return None;
        }
        let is_crowded = is_full || self.strangers.len() >= self.strangers_max;
        let gone = if is_crowded { self.strangers.pop_first() } else { None };
        self.last += 1;
        self.strangers.insert(self.last, begin(self.last));
        Some(Admitted { number: self.last, gone: gone.map(|(_, end)| end) })
    }

    /// Whether this connection has not said hello and was not told to make room.
    pub fn is_stranger(&self, number: u64) -> bool {
        self.strangers.contains_key(&number)
    }

    /// Marks a stranger as known after its hello, so that it no longer makes room for strangers. Returns `false` if it
    /// was told to go already.
    pub fn know(&mut self, number: u64, known: K) -> bool {
        let Some(end) = self.strangers.remove(&number) else { return false };
        self.known.insert(number, (known, end));
        true
    }

    /// The known connections by number.
    pub fn known(&self) -> impl Iterator<Item = (u64, &K)> {
        self.known.iter().map(|(&number, (known, _))| (number, known))
    }

    /// What is known of this connection.
    pub fn known_mut(&mut self, number: u64) -> Option<&mut K> {
        self.known.get_mut(&number).map(|(known, _)| known)
    }

    /// The number of known connections.
    pub fn known_len(&self) -> usize {
        self.known.len()
    }

    /// Removes a connection that ended or must end. Returns the handle that ends it.
    pub fn remove(&mut self, number: u64) -> Option<E> {
        self.strangers.remove(&number).or_else(|| self.known.remove(&number).map(|(_, end)| end))
    }

    /// The number of connections, without those that were told to go.
    pub fn len(&self) -> usize {
        self.strangers.len() + self.known.len()
    }

    /// Whether nobody is connected.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Here the handle that ends a connection is its number.
    fn admit(crowd: &mut Crowd<u64>) -> Option<(u64, Option<u64>)> {
        crowd.admit(|number| number).map(|admitted| (admitted.number, admitted.gone))
    }

    #[test]
    fn the_oldest_stranger_makes_room_and_no_known_one_does() {
        let mut crowd = Crowd::new(2, 10);
        assert_eq!([(); 2].map(|()| admit(&mut crowd)), [Some((1, None)), Some((2, None))]);
        assert!(crowd.know(1, ()));
        assert_eq!(admit(&mut crowd), Some((3, None)), "a stranger became known: there is room");
        assert_eq!(admit(&mut crowd), Some((4, Some(2))));
        assert!(!crowd.know(2, ()) && !crowd.is_stranger(2), "it was told to go");
        assert_eq!((crowd.len(), crowd.known_len()), (3, 1));
        assert_eq!(crowd.remove(3), Some(3));
        assert_eq!(admit(&mut crowd), Some((5, None)));
        assert_eq!(crowd.remove(3), None, "it has left already");
    }

    #[test]
    fn where_all_places_are_taken_by_known_ones_nobody_is_let_in() {
        let mut crowd = Crowd::new(2, 3);
        for number in 1..=3 {
            assert_eq!(admit(&mut crowd), Some((number, None)));
            assert!(crowd.know(number, ()));
        }
        assert_eq!(admit(&mut crowd), None);
        crowd.set(2, 4);
        assert_eq!(admit(&mut crowd), Some((4, None)));
        assert_eq!(admit(&mut crowd), Some((5, Some(4))), "all places are taken, one of them by a stranger");
        assert_eq!(crowd.remove(1), Some(1));
        assert_eq!(admit(&mut crowd), Some((6, None)));
    }

    #[test]
    fn a_flood_of_strangers_leaves_those_who_are_known_alone() {
        let mut crowd = Crowd::new(4, 6);
        for number in 1..=2 {
            assert!(admit(&mut crowd).is_some() && crowd.know(number, ()));
        }
        for _ in 0..1000 {
            assert!(admit(&mut crowd).is_some());
            assert!(crowd.len() <= 6 && crowd.known_len() == 2);
        }
        assert!(crowd.known().map(|(number, ())| number).eq([1, 2]));
    }
}
