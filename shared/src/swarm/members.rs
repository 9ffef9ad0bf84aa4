//! Which member has which chunk: the connected peers that told their news, and the availability of each chunk.

use super::chunks::words_within;
use super::event::PeerAddr;
use super::place::Place;
use super::time::Time;
use crate::chunk::{ChunkCount, ChunkIndex};
use crate::have::HaveMap;
use std::collections::BTreeMap;
use std::ops::Range;

/// Limits the unanswered picks at one seeder that grants at once. On a long link chunks must be chosen well before they
/// arrive; 8 picks cover the round trip.
const PICKS_MAX: u32 = 8;

/// This machine is behind when the other leechers, on average, have more chunks than it has by more than this
/// percentage and [`BEHIND_CHUNKS`]. The margins keep small differences from counting.
const BEHIND_PERCENT: u64 = 5;
/// The absolute part of the margin, in chunks.
const BEHIND_CHUNKS: u64 = 4;

/// The chunks that a member has. A seeder's map is not stored, since it would be full.
#[derive(Debug)]
pub(super) enum Holds {
    All,
    Some(HaveMap),
}

impl Holds {
    pub(super) fn contains(&self, index: ChunkIndex) -> bool {
        match self {
            Holds::All => true,
            Holds::Some(have) => have.contains(index),
        }
    }

    pub(super) fn len(&self, count: ChunkCount) -> u32 {
        match self {
            Holds::All => count.get(),
            Holds::Some(have) => have.len(),
        }
    }
}

/// What one swarm knows of a connected peer.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) holds: Holds,
    /// Its id and zone.
    pub(super) place: Place,
    /// Whether it is in our own zone.
    pub(super) near: bool,
    /// Whether it failed to bring chunks into our zone that were its task, so that we fetched them.
    pub(super) passed_over: bool,
    /// It rests: nothing is asked of it before this time.
    pub(super) rests_until: Time,
    /// How many times in a row it was busy.
    pub(super) busy: u32,
    /// Whether it left our last request unanswered, or did not send the chunk in time.
    pub(super) unanswered: bool,
    /// Picks that it has not answered.
    pub(super) picks: u32,
    /// Whether it grants picks at once. Then no queue is ahead of us, and several picks may be open.
    pub(super) grants_at_once: bool,
    /// Open requests for chunks.
    pub(super) gets: u32,
}

impl Member {
    fn new(holds: Holds) -> Member {
        Member {
            holds,
            place: Place::default(),
            near: false,
            passed_over: false,
            rests_until: Time(0),
            busy: 0,
            unanswered: false,
            picks: 0,
            grants_at_once: false,
            gets: 0,
        }
    }

    pub(super) fn is_seeder(&self) -> bool {
        matches!(self.holds, Holds::All)
    }

    /// The chunks that it has, of the 64 at word position `at`.
    pub(super) fn word(&self, at: usize) -> u64 {
        match &self.holds {
            Holds::All => u64::MAX,
            Holds::Some(have) => have.words().get(at).copied().unwrap_or(0),
        }
    }

    /// Limits the open picks at this member: one, unless it grants them at once.
    pub(super) fn picks_max(&self) -> u32 {
        if self.grants_at_once { PICKS_MAX } else { 1 }
    }

    pub(super) fn is_free(&self, now: Time) -> bool {
        self.rests_until <= now && self.gets == 0 && self.picks == 0
    }
}

/// The members of one swarm.
pub(super) struct Members {
    count: ChunkCount,
    by_peer: BTreeMap<PeerAddr, Member>,
    /// For each chunk, the number of members other than seeders that have it.
    availability: Vec<u16>,
    seeders: u32,
    /// The sum of the chunks that all members other than seeders have.
    held: u64,
}

impl Members {
    pub(super) fn new(count: ChunkCount) -> Members {
        Members { count, by_peer: BTreeMap::new(), availability: Vec::new(), seeders: 0, held: 0 }
    }

    pub(super) fn get(&self, peer: PeerAddr) -> Option<&Member> {
        self.by_peer.get(&peer)
    }

    pub(super) fn get_mut(&mut self, peer: PeerAddr) -> Option<&mut Member> {
        self.by_peer.get_mut(&peer)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (PeerAddr, &Member)> {
        self.by_peer.iter().map(|(&peer, member)| (peer, member))
    }

    pub(super) fn len(&self) -> usize {
        self.by_peer.len()
    }

    pub(super) fn seeders(&self) -> u32 {
        self.seeders
    }

    /// The number of members other than seeders.
    pub(super) fn leechers(&self) -> usize {
        self.by_peer.len() - self.seeders as usize
    }

    /// Whether a machine with `have` chunks is behind the others: most members are seeders already, or the leechers
    /// have clearly more chunks on average.
    pub(super) fn are_ahead_of(&self, have: u32) -> bool {
        let leechers = self.leechers() as u64;
        let margin = (u64::from(have) + BEHIND_CHUNKS) * leechers;
        u64::from(self.seeders) > leechers || self.held * (100 - BEHIND_PERCENT) / 100 > margin
    }

    /// The number of members other than seeders that have the chunk.
    pub(super) fn availability(&self, index: ChunkIndex) -> u16 {
        self.availability.get(index.slot()).copied().unwrap_or(0)
    }

    /// Adds a peer as a member that has no chunks yet.
    pub(super) fn introduce(&mut self, peer: PeerAddr, place: Place, near: bool) {
        self.replace(peer, HaveMap::empty(self.count));
        if let Some(member) = self.by_peer.get_mut(&peer) {
            (member.place, member.near) = (place, near);
        }
    }

    /// Marks the near members that match as passed over. Returns whether one of them was not marked before.
    pub(super) fn pass_over(&mut self, which: impl Fn(&Member) -> bool) -> bool {
        let near = self.by_peer.values_mut().filter(|member| member.near && !member.passed_over);
        near.filter_map(|member| which(member).then(|| member.passed_over = true)).count() > 0
    }

    /// Sets exactly these chunks as what a member has.
    pub(super) fn replace(&mut self, peer: PeerAddr, have: HaveMap) {
        if have.is_full() {
            return self.set_seeder(peer);
        }
        self.count_all(&have, 1);
        self.set(peer, Holds::Some(have));
    }

    /// Sets a member as a seeder, which has every chunk.
    pub(super) fn set_seeder(&mut self, peer: PeerAddr) {
        self.seeders += 1;
        self.set(peer, Holds::All);
    }

    /// Adds chunks to what a member has. All of them must exist. Returns whether one of them is new for the member and
    /// among `missing`.
    pub(super) fn add(&mut self, peer: PeerAddr, indices: &[ChunkIndex], missing: &HaveMap) -> bool {
        if !self.by_peer.contains_key(&peer) {
            self.replace(peer, HaveMap::empty(self.count));
        }
        let Some(Member { holds: Holds::Some(have), .. }) = self.by_peer.get_mut(&peer) else {
            return false;
        };
        self.availability.resize(self.count.get() as usize, 0);
        let mut of_use = false;
        for &index in indices {
            if have.insert(index) {
                self.held += 1;
                let availability = &mut self.availability[index.slot()];
                *availability = availability.saturating_add(1);
                of_use |= missing.contains(index);
            }
        }
        if have.is_full() {
            self.set_seeder(peer);
        }
        of_use
    }

    /// Removes a chunk that the member turned out not to have.
    pub(super) fn lacks(&mut self, peer: PeerAddr, index: ChunkIndex) {
        let Some(member) = self.by_peer.get_mut(&peer) else { return };
        match &mut member.holds {
            Holds::Some(have) => {
                if have.remove(index) {
                    self.held -= 1;
                    let availability = &mut self.availability[index.slot()];
                    *availability = availability.saturating_sub(1);
                }
            }
            Holds::All => {
                let mut have = HaveMap::full(self.count);
                have.remove(index);
                self.replace(peer, have);
            }
        }
    }

    /// Forgets a member.
    pub(super) fn remove(&mut self, peer: PeerAddr) -> Option<Member> {
        let member = self.by_peer.remove(&peer)?;
        self.uncount(&member.holds);
        Some(member)
    }

    /// The chunks of `among` that a member has within `range`, as words with their positions.
    pub(super) fn words_of<'a>(
        &'a self,
        member: &'a Member,
        among: &'a HaveMap,
        range: Range<u32>,
    ) -> impl Iterator<Item = (usize, u64)> + 'a {
        words_within(among.words(), range).map(move |(at, word)| match &member.holds {
            Holds::All => (at, word),
            Holds::Some(have) => (at, word & have.words()[at]),
        })
    }

    fn set(&mut self, peer: PeerAddr, holds: Holds) {
        let old = match self.by_peer.get_mut(&peer) {
            Some(member) => std::mem::replace(&mut member.holds, holds),
            None => {
                self.by_peer.insert(peer, Member::new(holds));
                return;
            }
        };
        self.uncount(&old);
    }

    fn uncount(&mut self, holds: &Holds) {
        match holds {
            Holds::All => self.seeders -= 1,
            Holds::Some(have) => self.count_all(have, -1),
        }
    }

    fn count_all(&mut self, have: &HaveMap, by: i16) {
        if have.is_empty() {
            return;
        }
        self.availability.resize(self.count.get() as usize, 0);
        self.held = self.held.saturating_add_signed(i64::from(have.len()) * i64::from(by));
        for index in have.iter() {
            let availability = &mut self.availability[index.slot()];
            *availability = availability.saturating_add_signed(by);
        }
    }

    /// Panics unless the counts agree with the members' maps. It reads all of them, so only tests call it.
    pub(super) fn check_invariants(&self) {
        let seeders = self.by_peer.values().filter(|member| member.is_seeder()).count();
        assert_eq!(self.seeders as usize, seeders, "seeders are counted");
        let leechers = self.by_peer.values().filter(|member| !member.is_seeder());
        assert_eq!(self.held, leechers.map(|member| u64::from(member.holds.len(self.count))).sum::<u64>());
        for index in self.count.indices() {
            let holders = self.by_peer.values().filter(|member| !member.is_seeder());
            let holders = holders.filter(|member| member.holds.contains(index)).count();
            assert_eq!(usize::from(self.availability(index)), holders, "availability of chunk {index}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_follow_the_news() {
        let count = ChunkCount::new(3).unwrap();
        let (mut members, missing) = (Members::new(count), HaveMap::full(count));
        let (one, two) = ("10.0.0.1:1".parse().unwrap(), "10.0.0.2:1".parse().unwrap());
        assert!(members.add(one, &[ChunkIndex(2)], &missing));
        assert!(!members.add(one, &[ChunkIndex(2)], &missing), "that is no news");
        members.set_seeder(two);
        assert_eq!((members.availability(ChunkIndex(2)), members.seeders()), (1, 1));
        assert!(!members.add(one, &[ChunkIndex(0)], &HaveMap::empty(count)), "it is of no use");
        members.add(one, &[ChunkIndex(1)], &missing);
        assert_eq!(
            (members.availability(ChunkIndex(2)), members.seeders()),
            (0, 2),
            "it has become a seeder"
        );
        members.lacks(one, ChunkIndex(1));
        members.lacks(one, ChunkIndex(1));
        members.check_invariants();
        assert_eq!(members.seeders(), 1);
        members.replace(one, HaveMap::empty(count));
        members.replace(two, HaveMap::full(count));
        members.check_invariants();
        assert!(members.remove(two).is_some() && members.remove(two).is_none());
        assert_eq!((members.availability(ChunkIndex(0)), members.seeders()), (0, 0));
        members.check_invariants();
    }

    #[test]
    fn who_is_behind_sees_it() {
        let count = ChunkCount::new(100).unwrap();
        let mut members = Members::new(count);
        let peer = |at: u16| PeerAddr::from(([10, 0, 0, 1], at));
        let first = |n: u32| (0..n).map(ChunkIndex).collect::<Vec<_>>();
        for at in 1..=4 {
            members.add(peer(at), &first(50), &HaveMap::empty(count));
        }
        assert!(!members.are_ahead_of(45) && members.are_ahead_of(40));
        members.set_seeder(peer(5));
        assert!(!members.are_ahead_of(45), "a single seeder says nothing");
        (6..=8).for_each(|at| members.set_seeder(peer(at)));
        assert!(!members.are_ahead_of(45), "half of the members are no majority");
        (1..=4).for_each(|at| members.set_seeder(peer(at)));
        assert!(members.are_ahead_of(99), "most have everything");
        let mut members = Members::new(count);
        members.add(peer(1), &first(80), &HaveMap::empty(count));
        assert!(
            !members.are_ahead_of(72) && members.are_ahead_of(71),
            "5 percent and 4 chunks are the margin"
        );
    }

    #[test]
    fn only_near_members_are_passed_over_and_each_once() {
        let count = ChunkCount::new(3).unwrap();
        let mut members = Members::new(count);
        let peer = |at: u16| PeerAddr::from(([10, 0, 0, 1], at));
        for (at, near) in [(1, true), (2, true), (3, false)] {
            members.introduce(peer(at), Place::default(), near);
        }
        let passed_over = |members: &Members| {
            let which = members.iter().filter(|(_, member)| member.passed_over);
            which.map(|(peer, _)| peer.port()).collect::<Vec<_>>()
        };
        assert!(!members.pass_over(|_| false));
        assert!(!members.pass_over(|member| !member.near), "the far one has no task in this zone");
        members.get_mut(peer(1)).unwrap().picks = 1;
        assert!(members.pass_over(|member| member.picks == 1));
        assert_eq!(passed_over(&members), [1]);
        assert!(!members.pass_over(|member| member.picks == 1), "it is marked already");
        assert!(members.pass_over(|_| true));
        assert_eq!(passed_over(&members), [1, 2]);
    }
}
