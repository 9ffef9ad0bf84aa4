//! The rules about zones: which chunks this machine fetches over the thin links between zones, so that about one copy
//! of each crosses.
//!
//! A chunk that no machine of the zone has is fetched by one machine of the zone, its home; the others wait until the
//! home has it. Homes are found without a message: each machine ranks the machines of its zone by a hash of their ids
//! and the chunk, and the first is the home. When a machine has waited too long, the first two in the ranking may fetch
//! the chunk, then the first four, and so on.

use super::alarms::Alarm;
use super::event::{News, PeerAddr};
use super::machine::Machine;
use super::members::{Member, Members};
use super::place::Place;
use super::state::Swarm;
use super::time::Time;
use super::zone::{PATIENCE, PATIENCE_MAX, Wait};
use crate::chunk::ChunkIndex;
use crate::id::SwarmKey;
use std::ops::Range;
use std::time::Duration;

/// The number of requests that a zone keeps open to other zones, all its machines together: enough to fill the link
/// between zones. In a larger zone each machine keeps one.
const ACROSS_MIN: u32 = 4;
/// During this time after joining a swarm, a machine that knows nobody of its zone may not have met them yet. It opens
/// only one request to other zones, like a machine of a large zone.
const STRANGER_FOR: Duration = Duration::from_millis(500);
/// The shortest wait for a chunk's home.
const PATIENCE_MIN: Duration = Duration::from_millis(300);
/// The wait for a chunk's home before any chunk came from another zone.
const PATIENCE_UNMEASURED: Duration = Duration::from_secs(5);
/// At this level 2^16 machines are homes, so every machine may fetch every chunk, and the level no longer rises.
const LEVEL_MAX: u32 = 16;

impl Swarm {
    /// Computes which chunks of the window may be fetched from other zones.
    fn look_across(&mut self, window: &Range<u32>, max: u32) {
        let Swarm { zone, members, .. } = self;
        let Some(own) = &zone.own else { return };
        let (first, end) = ((window.start / 64) as usize, window.end.div_ceil(64) as usize);
        zone.allowed = (first, Vec::new());
        if zone.across >= max || !members.iter().any(|(_, member)| !member.near) {
            return;
        }
        let homes_max = 1 << zone.level();
        zone.homes = zone.homes.split_off(&first);
        let words = (first..end).map(|at| {
            let unheld = !near_word(members, at);
            let home = || home_word(own, members, at, homes_max);
            if unheld == 0 { 0 } else { *zone.homes.entry(at).or_insert_with(home) & unheld }
        });
        zone.allowed.1 = words.collect();
    }

    /// The limit of open requests to other zones: one, so that the homes share the thin link, or more in a small zone.
    fn across_max(&self, now: Time) -> u32 {
        let near = self.members.iter().filter(|(_, member)| member.near).count() as u32;
        match near {
            0 if now.since(self.zone.joined_at) < STRANGER_FOR => 1,
            0 => u32::MAX,
            near => (ACROSS_MIN / (near + 1)).max(1),
        }
    }

    /// The limit of open requests to other zones, for a request to this peer; `None` if no rule about zones applies to
    /// it.
    pub(super) fn across_max_for(&self, peer: PeerAddr, now: Time) -> Option<u32> {
        let across = self.members.get(peer).is_some_and(|member| self.zone.is_across(member));
        across.then(|| self.across_max(now))
    }

    /// Whether a request to this peer overtakes the homes of its chunks, since the zone has waited too long for them.
    pub(super) fn overtakes_at(&self, peer: PeerAddr) -> bool {
        self.zone.level() > 0 && self.members.get(peer).is_some_and(|member| self.zone.is_across(member))
    }

    /// Called when we request a chunk whose home should have fetched it. That home is not waited for again until it
    /// brings something.
    pub(super) fn pass_over_homes(&mut self, index: ChunkIndex) {
        let Some(own) = &self.zone.own else { return };
        let rank = own.rank(index);
        if self.members.pass_over(|member| member.place.rank(index) > rank) {
            self.zone.homes.clear();
        }
    }

    /// Whether a seeder is left to its own zone. The leechers there wait for its uplink, and they will soon have
    /// everything that it has.
    pub(super) fn is_left_alone(&self, seeder: &Member) -> bool {
        if !self.zone.is_across(seeder) || self.zone.level() > 0 {
            return false;
        }
        let there = self.members.iter().filter(|(_, member)| member.place.shares_zone(&seeder.place));
        let (seeders, leechers): (Vec<_>, Vec<_>) = there.partition(|(_, member)| member.is_seeder());
        leechers.iter().filter(|(_, leecher)| !leecher.unanswered).count() >= seeders.len()
    }

    /// Whether another zone has a missing chunk of this window that no near member has.
    fn lies_across(&self, window: &Range<u32>) -> bool {
        let far = self.members.iter().filter(|(_, member)| !member.near);
        far.into_iter().any(|(_, member)| {
            let mut words = self.members.words_of(member, self.chunks.missing(), window.clone());
            words.any(|(at, word)| word & !near_word(&self.members, at) != 0)
        })
    }

    /// Adds a connected peer to the members.
    pub(super) fn introduce(&mut self, peer: PeerAddr, place: Place) {
        let near = self.zone.own.as_ref().is_some_and(|own| own.shares_zone(&place));
        self.members.introduce(peer, place, near);
        if near {
            self.zone.homes.clear();
        }
    }

    /// Removes a member.
    pub(super) fn remove_member(&mut self, peer: PeerAddr) {
        if self.members.remove(peer).is_some_and(|member| member.near) {
            self.zone.homes.clear();
        }
    }

    /// Notes whether a member answered: it sent what was requested or said that it is busy. A member that left a
    /// request unanswered is no home, and the chunks that it claims do not count as near.
    pub(super) fn note_answer(&mut self, by: PeerAddr, answered: bool) {
        let Some(member) = self.members.get_mut(by) else { return };
        if std::mem::replace(&mut member.unanswered, !answered) == answered && member.near {
            self.zone.homes.clear();
        }
    }

    /// Whether these news contain a missing chunk that no near member had.
    pub(super) fn brings_something(&self, peer: PeerAddr, news: &News) -> bool {
        if !self.members.get(peer).is_some_and(|member| member.near) {
            return false;
        }
        let is_new = |index: ChunkIndex| {
            let near = near_word(&self.members, index.slot() / 64);
            self.chunks.missing().contains(index) && near >> (index.0 % 64) & 1 == 0
        };
        match news {
            News::All | News::Replace(_) => true,
            News::Add(indices) => indices.iter().any(|&index| is_new(index)),
            News::Gone => false,
        }
    }

    /// Notes that a near member brought something new to the zone: the wait begins again.
    pub(super) fn zone_moved_on(&mut self, by: PeerAddr, now: Time) {
        if let Some(wait) = &mut self.zone.wait {
            wait.since = now;
            if std::mem::take(&mut wait.level) > 0 {
                self.zone.homes.clear();
            }
        }
        if let Some(member) = self.members.get_mut(by)
            && std::mem::take(&mut member.passed_over)
        {
            self.zone.homes.clear();
        }
    }
}

impl Machine {
    /// Computes what this machine may fetch from other zones, before it opens requests.
    pub(super) fn prepare_across(&mut self, key: SwarmKey, window: &Range<u32>) {
        if let Some(swarm) = self.swarms.get_mut(&key) {
            let max = swarm.across_max(self.now);
            swarm.look_across(window, max);
        }
    }

    /// Called after all permitted requests were opened. While chunks in other zones are left to others, the wait for
    /// them is limited: each time that it passes, the level rises.
    pub(super) fn wait_for_zone(&mut self, key: SwarmKey, window: &Range<u32>) {
        let Some(swarm) = self.swarms.get_mut(&key).filter(|swarm| swarm.zone.own.is_some()) else { return };
        if swarm.zone.across > 0 || !swarm.lies_across(window) {
            if swarm.zone.level() > 0 {
                swarm.zone.homes.clear();
            }
            swarm.zone.wait = None;
            return;
        }
        let usual = swarm.zone.time.get().map_or(PATIENCE_UNMEASURED, |time| time * PATIENCE);
        let patience = usual.clamp(PATIENCE_MIN, PATIENCE_MAX);
        if swarm.zone.wait.is_none() {
            let patience = self.chance.jitter(patience);
            swarm.zone.wait = Some(Wait { since: self.now, patience, level: 0 });
        }
        let Some(wait) = &mut swarm.zone.wait else { return };
        if wait.since + wait.patience <= self.now && wait.level < LEVEL_MAX {
            (wait.since, wait.level) = (self.now, wait.level + 1);
            swarm.zone.homes.clear();
            self.enqueue(key);
        } else if wait.level < LEVEL_MAX {
            let next = wait.since + wait.patience;
            self.alarms.set(Alarm::Swarm(key), next);
        }
    }
}

/// The chunks at word position `at` that near members have. A member that left our last request unanswered does not
/// count: it may only claim to have them.
fn near_word(members: &Members, at: usize) -> u64 {
    let near = members.iter().filter(|(_, member)| member.near && !member.unanswered);
    near.fold(0, |word, (_, member)| word | member.word(at))
}

/// The chunks at word position `at` for which fewer than `homes_max` near members rank before us.
fn home_word(own: &Place, members: &Members, at: usize, homes_max: u64) -> u64 {
    let others: Vec<&Place> = members
        .iter()
        .filter(|(_, member)| member.near && !member.passed_over && !member.unanswered)
        .map(|(_, m)| &m.place)
        .collect();
    let is_home = |bit: &u32| {
        let index = ChunkIndex(at as u32 * 64 + bit);
        let rank = own.rank(index);
        (others.iter().filter(|other| other.rank(index) > rank).count() as u64) < homes_max
    };
    (0..64).filter(is_home).fold(0, |word, bit| word | 1 << bit)
}

#[cfg(test)]
mod tests {
    use super::super::zone::ZoneState;
    use super::*;
    use crate::chunk::ChunkCount;
    use crate::have::HaveMap;
    use crate::id::PeerId;

    fn peer(at: u8) -> PeerAddr {
        PeerAddr::from(([10, 0, 0, at], 7987))
    }

    fn place(at: u8, zone: &str) -> Place {
        Place::new(PeerId([at; 16]), zone)
    }

    /// The swarm of machine `own` in zone a, which knows these other machines and their zones. Machines of other zones
    /// have everything.
    fn swarm(own: u8, others: &[(u8, &str)], now: Time) -> Swarm {
        let count = ChunkCount::new(256).unwrap();
        let mut swarm = Swarm::new(HaveMap::empty(count), Some(place(own, "a")), now);
        for &(at, zone) in others.iter().filter(|&&(at, _)| at != own) {
            swarm.introduce(peer(at), place(at, zone));
            if zone != "a" {
                swarm.members.set_seeder(peer(at));
            }
        }
        swarm
    }

    fn homes(swarm: &mut Swarm) -> Vec<u32> {
        let max = swarm.across_max(Time(0));
        swarm.look_across(&(0..256), max);
        (0..256).filter(|&index| swarm.zone.allowed(index as usize / 64) >> (index % 64) & 1 == 1).collect()
    }

    #[test]
    fn every_chunk_has_one_home_in_each_zone() {
        let others = [(1, "a"), (2, "a"), (3, "a"), (4, "a"), (5, "b"), (6, "")];
        let mut shares: Vec<Vec<u32>> = (1..=4).map(|own| homes(&mut swarm(own, &others, Time(0)))).collect();
        assert!(shares.iter().all(|share| (40..90).contains(&share.len())), "the load is shared");
        let dead = shares[0].clone();
        let mut all = shares.concat();
        all.sort();
        assert_eq!(all, (0..256).collect::<Vec<_>>());
        // One machine dies: its chunks, and no others, get another home.
        shares = (2..=4)
            .map(|own| {
                let mut swarm = swarm(own, &others, Time(0));
                homes(&mut swarm);
                swarm.remove_member(peer(1));
                homes(&mut swarm)
            })
            .collect();
        let mut all = shares.concat();
        all.sort();
        assert_eq!(all, (0..256).collect::<Vec<_>>());
        let moved: usize =
            shares.iter().map(|share| share.iter().filter(|at| dead.contains(at)).count()).sum();
        assert_eq!(moved, dead.len());
    }

    #[test]
    fn a_small_zone_keeps_several_requests_to_other_zones_open() {
        let ms = Duration::from_millis;
        for (near, joined, expected) in [
            (0, ms(499), 1),
            (0, ms(500), u32::MAX),
            (1, ms(0), 2),
            (2, ms(0), 1),
            (3, ms(900), 1),
            (9, ms(900), 1),
        ] {
            let others: Vec<(u8, &str)> = (2..2 + near).map(|at| (at, "a")).chain([(99, "b")]).collect();
            let mut swarm = swarm(1, &others, Time(7));
            let max = swarm.across_max(Time(7) + joined);
            assert_eq!(max, expected, "{near} others in the zone, {joined:?} after joining");
            let is_allowed = |swarm: &mut Swarm, across| {
                swarm.zone.across = across;
                swarm.look_across(&(0..256), max);
                (0..4).any(|at| swarm.zone.allowed(at) != 0)
            };
            assert!(is_allowed(&mut swarm, max - 1) && !is_allowed(&mut swarm, max), "at most {max}");
        }
    }

    #[test]
    fn a_far_machine_may_be_asked_for_what_we_are_a_home_of_and_a_near_one_for_anything() {
        let mut swarm = swarm(1, &[(2, "a"), (5, "b")], Time(0));
        let homes = homes(&mut swarm);
        let may_ask = |at: u8| {
            let member = swarm.members.get(peer(at)).unwrap();
            (0..256).filter(|&index| swarm.may_ask(member, ChunkIndex(index))).collect::<Vec<u32>>()
        };
        assert_eq!((may_ask(5), may_ask(2).len()), (homes, 256));
    }

    #[test]
    fn a_window_in_the_middle_has_the_same_homes() {
        let mut swarm = swarm(1, &[(2, "a"), (5, "b")], Time(0));
        let whole = homes(&mut swarm);
        swarm.look_across(&(130..200), 1);
        let part: Vec<u32> = (0..256)
            .filter(|&index| swarm.zone.allowed(index as usize / 64) >> (index % 64) & 1 == 1)
            .collect();
        assert_eq!(part, whole.into_iter().filter(|index| (128..256).contains(index)).collect::<Vec<_>>());
    }

    #[test]
    fn news_bring_something_if_no_near_machine_had_it() {
        let mut swarm = swarm(1, &[(2, "a"), (3, "a"), (5, "b")], Time(0));
        let missing = swarm.chunks.missing().clone();
        swarm.members.add(peer(2), &[ChunkIndex(70)], &missing);
        swarm.chunks.store(ChunkIndex(72));
        for (from, chunk, brings) in [
            (3, 70, false),
            (3, 6, true),
            (3, 71, true),
            (3, 134, true),
            (3, 72, false), // we have it
            (5, 71, false), // it is in another zone
        ] {
            let news = News::Add(vec![ChunkIndex(chunk)]);
            assert_eq!(swarm.brings_something(peer(from), &news), brings, "chunk {chunk} of {from}");
        }
        assert!(swarm.brings_something(peer(3), &News::All) && !swarm.brings_something(peer(3), &News::Gone));
    }

    #[test]
    fn what_is_near_is_not_fetched_from_afar() {
        let mut swarm = swarm(1, &[(2, "a"), (5, "b")], Time(0));
        let before = homes(&mut swarm);
        let missing = swarm.chunks.missing().clone();
        swarm.members.add(peer(2), &[ChunkIndex(before[0])], &missing);
        assert_eq!(homes(&mut swarm), before[1..]);
        swarm.members.set_seeder(peer(2));
        assert!(homes(&mut swarm).is_empty());
        swarm.note_answer(peer(2), false);
        assert_eq!(
            homes(&mut swarm),
            (0..256).collect::<Vec<_>>(),
            "it sends nothing of what it claims, nor as a home"
        );
        swarm.note_answer(peer(2), true);
        assert!(homes(&mut swarm).is_empty());
    }

    /// Regression: one chunk that took ten minutes made every later wait one minute long.
    #[test]
    fn a_chunk_that_took_long_is_soon_forgotten() {
        let mut zone = ZoneState::default();
        zone.came(Duration::from_secs(600));
        let waits = (0..100).map(|_| {
            zone.came(Duration::from_millis(100));
            zone.time.get().unwrap() * PATIENCE
        });
        assert!(waits.sum::<Duration>() < Duration::from_secs(600));
    }

    #[test]
    fn without_a_zone_there_is_no_rule() {
        let count = ChunkCount::new(256).unwrap();
        let mut swarm = Swarm::new(HaveMap::empty(count), None, Time(0));
        swarm.introduce(peer(5), place(5, "b"));
        swarm.members.set_seeder(peer(5));
        let member = swarm.members.get(peer(5)).unwrap();
        assert!(swarm.may_ask(member, ChunkIndex(0)) && !swarm.is_left_alone(member));
    }

    #[test]
    fn a_seeder_is_left_to_the_leechers_near_it() {
        let mut swarm = swarm(1, &[(2, "a"), (5, "b")], Time(0));
        let is_left = |swarm: &Swarm| swarm.is_left_alone(swarm.members.get(peer(5)).unwrap());
        assert!(!is_left(&swarm), "it is alone");
        swarm.introduce(peer(6), place(6, "b"));
        assert!(is_left(&swarm));
        swarm.note_answer(peer(6), false);
        assert!(!is_left(&swarm), "who is there passes nothing on");
        swarm.note_answer(peer(6), true);
        assert!(is_left(&swarm));
        swarm.members.set_seeder(peer(6));
        assert!(!is_left(&swarm), "nobody there is left to pass things on");
        swarm.introduce(peer(7), place(7, "b"));
        swarm.introduce(peer(8), place(8, "b"));
        assert!(is_left(&swarm), "as many leechers as seeders");
        let (since, patience) = (Time(0), PATIENCE_MIN);
        swarm.zone.wait = Some(Wait { since, patience, level: 0 });
        assert!(is_left(&swarm));
        swarm.zone.wait = Some(Wait { since, patience, level: 1 });
        assert!(!is_left(&swarm), "our zone has waited long enough");
    }
}
