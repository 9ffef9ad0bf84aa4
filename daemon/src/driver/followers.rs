//! The places for followers. A follower that has nothing to do for long, as one whose download finds no peer, makes way
//! when another download waits for a place.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Limits the followers that search at once; further downloads are fetched as usual until it is their turn. Each takes a
/// thread and a few MiB of memory, and reads the disk.
pub(super) const FOLLOWERS_MAX: usize = 4;

/// How long a follower may have nothing to do before it makes way. It is longer than a chunk takes over a slow link,
/// because the follower has to look for its place in the older version again afterwards.
const REST_AFTER: Duration = Duration::from_secs(10);

/// The places, and how many downloads wait for one. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Followers {
    places: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    /// [`REST_AFTER`]; tests set it.
    pub(super) rest_after: Duration,
}

impl Default for Followers {
    fn default() -> Followers {
        let places = Arc::new(Semaphore::new(FOLLOWERS_MAX));
        Followers { places, waiting: Arc::default(), rest_after: REST_AFTER }
    }
}

impl Followers {
    /// A place, if one is free.
    pub(super) fn free_place(&self) -> Option<OwnedSemaphorePermit> {
        self.places.clone().try_acquire_owned().ok()
    }

    /// Waits for a place. Places are given in the order of requests.
    pub(super) async fn place(&self) -> Option<OwnedSemaphorePermit> {
        let _waiting = Waiting::new(&self.waiting);
        self.places.clone().acquire_owned().await.ok()
    }

    /// Whether a download waits for a place.
    pub(super) fn are_awaited(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }
}

/// Counts as waiting until it is dropped, also when the wait is given up.
struct Waiting<'a>(&'a AtomicUsize);

impl Waiting<'_> {
    fn new(count: &AtomicUsize) -> Waiting<'_> {
        count.fetch_add(1, Ordering::Relaxed);
        Waiting(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_known_whether_somebody_waits() {
        let followers = Followers::default();
        let places: Vec<_> = (0..FOLLOWERS_MAX).map(|_| followers.free_place().unwrap()).collect();
        assert!(followers.free_place().is_none() && !followers.are_awaited());
        let given_up = tokio::time::timeout(Duration::from_millis(1), followers.place());
        assert!(given_up.await.is_err() && !followers.are_awaited());
        let waiting = tokio::spawn({
            let followers = followers.clone();
            async move { followers.place().await }
        });
        while !followers.are_awaited() {
            tokio::task::yield_now().await;
        }
        drop(places);
        assert!(waiting.await.unwrap().is_some() && !followers.are_awaited());
    }
}
