//! The connections, and their limits. There are few places for connections that have not said hello: for a new one the
//! oldest is closed.

use shared::rpc::wire::Crowd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// All connections.
#[derive(Debug)]
pub(crate) struct ConnectionPool {
    crowd: Mutex<Crowd<oneshot::Sender<()>>>,
}

/// The place of a connection. It is free when this is dropped.
#[derive(Debug)]
pub(crate) struct ConnectionPlace {
    pool: Arc<ConnectionPool>,
    id: u64,
}

impl ConnectionPool {
    pub(crate) fn new(connections_max: usize, unknown_max: usize) -> Arc<ConnectionPool> {
        Arc::new(ConnectionPool { crowd: Mutex::new(Crowd::new(unknown_max, connections_max)) })
    }

    /// Changes the limits. Existing connections stay.
    pub(crate) fn set(&self, connections_max: usize, unknown_max: usize) {
        self.crowd().set(unknown_max, connections_max);
    }

    /// A place for a new connection, and the signal that tells it to close for a newer one. `None` if connections that
    /// have said hello take all places.
    pub(crate) fn enter(self: &Arc<ConnectionPool>) -> Option<(ConnectionPlace, oneshot::Receiver<()>)> {
        let (make_room, told) = oneshot::channel();
        let admitted = self.crowd().admit(|_| make_room)?;
        if let Some(oldest) = admitted.gone {
            let _ = oldest.send(());
        }
        Some((ConnectionPlace { pool: self.clone(), id: admitted.number }, told))
    }

    /// The number of connections.
    pub(crate) fn taken(&self) -> usize {
        self.crowd().len()
    }

    fn crowd(&self) -> MutexGuard<'_, Crowd<oneshot::Sender<()>>> {
        self.crowd.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConnectionPlace {
    /// The connection's number, which is unique.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// The number of all connections.
    pub(crate) fn all(&self) -> usize {
        self.pool.taken()
    }

    /// Notes that the connection has said hello. It is no longer closed for a newer one.
    pub(crate) fn keep(&self) {
        self.pool.crowd().know(self.id, ());
    }
}

impl Drop for ConnectionPlace {
    fn drop(&mut self) {
        self.pool.crowd().remove(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_stranger_goes_first() {
        let pool = ConnectionPool::new(10, 2);
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
        let pool = ConnectionPool::new(2, 2);
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
