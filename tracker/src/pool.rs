//! How many connections there are. Those that have not said hello are few: for a newcomer the oldest goes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;

/// All connections.
#[derive(Debug)]
pub(crate) struct Pool {
    places: Mutex<Places>,
}

#[derive(Debug)]
struct Places {
    connections_max: usize,
    unknown_max: usize,
    taken: usize,
    next: u64,
    /// Connections that have not said hello, the oldest first.
    unknown: BTreeMap<u64, oneshot::Sender<()>>,
}

/// A connection's place, free when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    pool: Arc<Pool>,
    id: u64,
}

impl Pool {
    pub(crate) fn new(connections_max: usize, unknown_max: usize) -> Arc<Pool> {
        let places = Places { connections_max, unknown_max, taken: 0, next: 0, unknown: BTreeMap::new() };
        Arc::new(Pool { places: Mutex::new(places) })
    }

    /// Changes how many there may be. Those that are there stay.
    pub(crate) fn set(&self, connections_max: usize, unknown_max: usize) {
        let mut places = self.places();
        (places.connections_max, places.unknown_max) = (connections_max, unknown_max);
    }

    /// A place for a new connection, and what tells it to make room; `None` when all places are taken by those
    /// who have said hello.
    pub(crate) fn enter(self: &Arc<Pool>) -> Option<(Place, oneshot::Receiver<()>)> {
        let mut places = self.places();
        let full = places.taken >= places.connections_max;
        if full && places.unknown.is_empty() {
            return None;
        }
        if full || places.unknown.len() >= places.unknown_max {
            // its place is free in a moment, when its task has seen it
            if let Some((_, oldest)) = places.unknown.pop_first() {
                let _ = oldest.send(());
            }
        }
        let (make_room, told) = oneshot::channel();
        let id = places.next;
        places.next += 1;
        places.taken += 1;
        places.unknown.insert(id, make_room);
        Some((Place { pool: self.clone(), id }, told))
    }

    /// How many connections there are.
    pub(crate) fn taken(&self) -> usize {
        self.places().taken
    }

    fn places(&self) -> std::sync::MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// The connection's number: no other has it.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// The connection has said hello: it is not closed for a newcomer any more.
    pub(crate) fn keep(&self) {
        self.pool.places().unknown.remove(&self.id);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.pool.places();
        places.taken -= 1;
        places.unknown.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_stranger_goes_first() {
        let pool = Pool::new(10, 2);
        let (_first, mut first_told) = pool.enter().unwrap();
        let (second, mut second_told) = pool.enter().unwrap();
        second.keep();
        let (_third, mut third_told) = pool.enter().unwrap();
        assert!(first_told.try_recv().is_err(), "there was room");
        let (_fourth, _) = pool.enter().unwrap();
        assert_eq!(first_told.try_recv(), Ok(()));
        assert!(second_told.try_recv().is_err(), "it had said hello");
        assert!(third_told.try_recv().is_err());
    }

    #[test]
    fn who_has_said_hello_keeps_its_place() {
        let pool = Pool::new(2, 2);
        let (first, _) = pool.enter().unwrap();
        let (second, mut second_told) = pool.enter().unwrap();
        first.keep();
        let (third, _) = pool.enter().unwrap();
        assert_eq!(second_told.try_recv(), Ok(()));
        drop(second);
        third.keep();
        assert!(pool.enter().is_none());
        pool.set(3, 2);
        let third = pool.enter();
        assert!(third.is_some(), "there is more room now");
        drop((first, third));
        assert!(pool.enter().is_some());
    }
}
