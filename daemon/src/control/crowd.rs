//! Decides who stays connected to the control socket when there are more callers than places. The decision is pure: it
//! knows no sockets and no clock.
//!
//! No user can keep the others out, not even root or ttd's own user. When all places are taken, the user who holds most
//! places loses one to the newcomer, preferably that of a caller without an open call. If the newcomer's own user holds
//! most places, it gets only the place of one of its own callers that has no open call.

use std::collections::BTreeMap;

/// The number of a caller who has a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallerId(u64);

/// The callers who have a place. `T` is the signal that ends a caller's connection.
#[derive(Debug)]
pub struct CallerCrowd<T> {
    places_max: usize,
    callers: BTreeMap<CallerId, CrowdCaller<T>>,
    /// Counts arrivals and the begins and ends of calls, as a clock.
    now: u64,
}

#[derive(Debug)]
struct CrowdCaller<T> {
    uid: u32,
    /// Calls that are not answered yet.
    calls: u32,
    /// The count when its last call began or ended.
    since: u64,
    end: T,
}

impl<T> CallerCrowd<T> {
    /// Nobody is connected.
    pub fn new(places_max: usize) -> CallerCrowd<T> {
        CallerCrowd { places_max, callers: BTreeMap::new(), now: 0 }
    }

    /// Gives a caller of this user a place. Also returns the signal of the caller who loses a place for it, if one
    /// does.
    ///
    /// # Errors
    /// Gives `end` back when there is no place.
    pub fn admit(&mut self, uid: u32, end: T) -> Result<(CallerId, Option<T>), T> {
        let mut gone = None;
        if self.callers.len() >= self.places_max {
            let Some(id) = self.who_makes_room(uid) else { return Err(end) };
            gone = self.callers.remove(&id).map(|caller| caller.end);
        }
        self.now += 1;
        let id = CallerId(self.now);
        self.callers.insert(id, CrowdCaller { uid, calls: 0, since: self.now, end });
        Ok((id, gone))
    }

    /// Counts a call of this caller as open.
    pub fn call_begins(&mut self, id: CallerId) {
        self.change(id, |calls| calls + 1);
    }

    /// Counts a call of this caller as answered.
    pub fn call_ends(&mut self, id: CallerId) {
        self.change(id, |calls| calls.saturating_sub(1));
    }

    /// Frees this caller's place.
    pub fn leave(&mut self, id: CallerId) {
        self.callers.remove(&id);
    }

    fn change(&mut self, id: CallerId, change: impl FnOnce(u32) -> u32) {
        self.now += 1;
        if let Some(caller) = self.callers.get_mut(&id) {
            (caller.calls, caller.since) = (change(caller.calls), self.now);
        }
    }

    fn who_makes_room(&self, newcomer: u32) -> Option<CallerId> {
        let mut places: BTreeMap<u32, usize> = BTreeMap::new();
        for caller in self.callers.values() {
            *places.entry(caller.uid).or_default() += 1;
        }
        let own = places.get(&newcomer).copied().unwrap_or(0);
        let most = places.into_iter().filter(|&(_, held)| held > own).max_by_key(|&(_, held)| held);
        let of = |uid: u32| self.callers.iter().filter(move |(_, caller)| caller.uid == uid);
        let longest = |(id, caller): (&CallerId, &CrowdCaller<T>)| (caller.calls > 0, caller.since, *id);
        match most {
            Some((uid, _)) => of(uid).map(longest).min(),
            None => of(newcomer).map(longest).min().filter(|(asks, ..)| !asks),
        }
        .map(|(.., id)| id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A crowd of these users, one caller each; each is ended by its number.
    fn crowd(places_max: usize, users: &[u32]) -> (CallerCrowd<usize>, Vec<CallerId>) {
        let mut crowd = CallerCrowd::new(places_max);
        let admit = |(number, &uid): (usize, &u32)| crowd.admit(uid, number).unwrap().0;
        let ids = users.iter().enumerate().map(admit).collect();
        (crowd, ids)
    }

    #[test]
    fn while_there_are_places_nobody_makes_room() {
        let (mut crowd, ids) = crowd(3, &[1, 1]);
        assert_eq!(crowd.admit(1, 9).unwrap().1, None);
        assert_eq!(crowd.admit(2, 10).unwrap().1, Some(0));
        crowd.leave(ids[1]);
        assert_eq!(crowd.admit(1, 11).unwrap().1, None);
    }

    #[test]
    fn who_holds_most_places_makes_room_for_others_and_first_who_asks_nothing() {
        let (mut crowd, ids) = crowd(4, &[1, 1, 1, 2]);
        crowd.call_begins(ids[0]);
        crowd.call_begins(ids[1]);
        assert_eq!(crowd.admit(3, 9).unwrap().1, Some(2));
        assert_eq!(
            crowd.admit(4, 10).unwrap().1,
            Some(0),
            "it waits longer for its answer than the other one"
        );
        assert!(
            crowd.admit(2, 11).unwrap().1 == Some(3),
            "all have one place each: it makes room for itself"
        );
    }

    #[test]
    fn a_user_makes_room_for_itself_where_nobody_waits_for_an_answer() {
        let (mut crowd, ids) = crowd(3, &[1, 1, 1]);
        ids.iter().for_each(|&id| crowd.call_begins(id));
        assert_eq!(crowd.admit(1, 9), Err(9));
        crowd.call_ends(ids[1]);
        crowd.call_ends(ids[0]);
        assert_eq!(crowd.admit(1, 10).unwrap().1, Some(1), "it has asked nothing for longest");
    }

    #[test]
    fn whatever_one_user_does_each_other_one_gets_a_place() {
        let (mut crowd, ids) = crowd(256, &[7; 256]);
        ids.iter().for_each(|&id| crowd.call_begins(id));
        for uid in 1000..1100 {
            assert!(crowd.admit(uid, 0).is_ok_and(|(_, gone)| gone.is_some()));
            let _ = crowd.admit(7, 0);
        }
        let held = |uid| crowd.callers.values().filter(|caller| caller.uid == uid).count();
        assert_eq!((held(7), held(1000), held(1099), crowd.callers.len()), (156, 1, 1, 256));
    }
}
