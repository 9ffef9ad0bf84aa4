//! Limits how many of something each user may have at once, so that no user takes all.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Counts how many each user has.
#[derive(Debug)]
pub struct Quota {
    each_max: usize,
    taken: Mutex<BTreeMap<u32, usize>>,
    /// Wakes those who wait when a permit is dropped.
    given_back: Notify,
}

/// One of the things that a user may have, until this is dropped.
#[derive(Debug)]
pub struct Permit {
    quota: Arc<Quota>,
    uid: u32,
}

impl Quota {
    /// A quota of `each_max` for each user.
    pub fn new(each_max: usize) -> Arc<Quota> {
        Arc::new(Quota { each_max, taken: Mutex::default(), given_back: Notify::new() })
    }

    /// The most that a user may have.
    pub fn each_max(&self) -> usize {
        self.each_max
    }

    /// A permit for this user; `None` when the user has the most already.
    pub fn take(self: &Arc<Quota>, uid: u32) -> Option<Permit> {
        let mut taken = self.taken();
        let held = taken.entry(uid).or_default();
        if *held >= self.each_max {
            return None;
        }
        *held += 1;
        Some(Permit { quota: self.clone(), uid })
    }

    /// A permit for this user; waits while the user has the most. Waiting callers of one user get theirs in no
    /// particular order; users do not wait for one another.
    pub async fn turn(self: &Arc<Quota>, uid: u32) -> Permit {
        loop {
            let mut given_back = pin!(self.given_back.notified());
            given_back.as_mut().enable(); // a permit that is dropped from now on is not missed
            if let Some(permit) = self.take(uid) {
                return permit;
            }
            given_back.await;
        }
    }

    fn taken(&self) -> MutexGuard<'_, BTreeMap<u32, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut taken = self.quota.taken();
        if let Some(held) = taken.get_mut(&self.uid) {
            *held -= 1;
            if *held == 0 {
                taken.remove(&self.uid);
            }
        }
        drop(taken);
        self.quota.given_back.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_who_has_all_that_it_may_keeps_nobody_else_from_any() {
        let quota = Quota::new(2);
        let (one, _two) = (quota.take(7).unwrap(), quota.take(7).unwrap());
        assert!(quota.take(7).is_none());
        assert!(quota.take(8).is_some());
        drop(one);
        assert!(quota.take(7).is_some());
        assert_eq!(quota.taken().len(), 1, "who has none is not remembered");
    }

    #[tokio::test]
    async fn a_user_waits_for_its_own_turn_and_for_nobody_elses() {
        let quota = Quota::new(1);
        let one = quota.turn(7).await;
        let mut next = pin!(quota.turn(7));
        assert!(futures::poll!(next.as_mut()).is_pending());
        drop(quota.turn(8).await);
        assert!(futures::poll!(next.as_mut()).is_pending());
        drop(one);
        drop(next.await);
        assert!(quota.taken().is_empty());
    }
}
