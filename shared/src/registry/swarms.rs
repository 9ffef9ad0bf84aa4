//! Who takes part in which swarm.

use super::draw::Draw;
use super::fleet::{Gone, GoneMachine, Trend};
use super::{
    ANNOUNCE_MAX, Announce, AnnounceAnswer, Fleet, FleetMachine, FleetPlace, Limits, PEERS_MAX, PeerEntry,
    Presence, REPLY_PEERS_MAX, Refusal, ResourceEntry, Stage, Who,
};
use crate::chunk::ChunkCount;
use crate::id::{ListDigest, PeerId, ResourceId, SwarmKey};
use crate::swarm::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

/// When a peer of a settled swarm is to announce again: one where all are seeders and nobody is new.
const SETTLED: Duration = Duration::from_secs(60);

/// The same for a young swarm: from the first, with few peers, to the sum of both, with a thousand. With the jitter
/// it is between 2 and 5 s.
const YOUNG: Duration = Duration::from_millis(2_500);
const YOUNG_LARGE: Duration = Duration::from_millis(1_600);

/// How long a swarm counts as young after it grew.
const GROWN: Duration = Duration::from_secs(60);

/// How long one peer has to answer a wish for the manifest before the next one is asked.
const MANIFEST_WAIT: Duration = Duration::from_secs(10);

/// Of the peers that a machine with a zone is told of, so many in a hundred are of its own zone, if there are.
const NEAR_PERCENT: usize = 75;

/// However young swarms are, all peers together are asked for no more renewals a second than this: the more there is,
/// the longer are the intervals.
const RENEWALS_PER_S: u32 = 20_000;

/// How many intervals without an announce end an entry.
const INTERVALS: u32 = 3;

#[derive(Debug)]
pub(super) struct Swarms {
    pub(super) limits: Limits,
    draw: Draw,
    peers: BTreeMap<SocketAddr, Peer>,
    swarms: BTreeMap<SwarmKey, Swarm>,
    gone: Gone,
    /// The sum of all swarms' members, which is also the sum of all peers' swarms.
    entries: usize,
}

#[derive(Debug)]
struct Peer {
    peer_id: PeerId,
    swarms: BTreeSet<SwarmKey>,
}

#[derive(Debug)]
struct Swarm {
    members: Vec<Member>,
    /// Where in `members` an address is.
    places: BTreeMap<SocketAddr, u32>,
    /// Who is in which zone; without those that named none.
    zones: BTreeMap<Arc<str>, Vec<SocketAddr>>,
    seeders: u32,
    grown: Time,
    manifest_asked: Option<Time>,
}

#[derive(Debug, Clone)]
struct Member {
    addr: SocketAddr,
    peer_id: PeerId,
    zone: Arc<str>,
    /// Where in its zone's list it is.
    zone_place: u32,
    stage: Stage,
    have: u32,
    count: ChunkCount,
    trend: Trend,
    expires: Time,
}

impl Swarms {
    pub(super) fn new(limits: Limits, seed: [u8; 32]) -> Swarms {
        let (peers, swarms) = (BTreeMap::new(), BTreeMap::new());
        Swarms { limits, draw: Draw::new(seed), peers, swarms, gone: Gone::default(), entries: 0 }
    }

    pub(super) fn announce(
        &mut self,
        now: Time,
        who: &Who,
        entries: &[Announce],
        is_published: impl Fn(SwarmKey) -> bool,
    ) -> Result<Vec<AnnounceAnswer>, Refusal> {
        if entries.len() > ANNOUNCE_MAX {
            return Err(Refusal::Malformed(format!("more than {ANNOUNCE_MAX} resources in one announce")));
        }
        if entries.iter().any(|entry| !is_plausible(entry)) {
            return Err(Refusal::Malformed("a peer that has more or less chunks than its stage says".into()));
        }
        self.replace_former(now, who);
        self.check_room(now, who, entries, is_published)?;
        // Everybody gets a share, or the last of many resources would never hear of a peer.
        let share = (REPLY_PEERS_MAX / entries.len().max(1)).max(1);
        let answers = entries.iter().map(|entry| {
            let interval = self.renew(now, who, entry);
            self.answer(now, who, entry, interval, share)
        });
        Ok(answers.collect())
    }

    pub(super) fn withdraw(&mut self, now: Time, who: &Who, keys: &[SwarmKey]) -> Result<(), Refusal> {
        if keys.len() > ANNOUNCE_MAX {
            return Err(Refusal::Malformed(format!("more than {ANNOUNCE_MAX} resources in one withdraw")));
        }
        // the entries of a successor at the same address are not this peer's
        if self.peers.get(&who.addr).is_some_and(|peer| peer.peer_id == who.peer_id) {
            keys.iter().for_each(|key| self.remove(now, who.addr, *key, Presence::Left));
        }
        Ok(())
    }

    pub(super) fn peers_of(&mut self, now: Time, resource: ResourceId) -> Vec<PeerEntry> {
        let lists: Vec<(SwarmKey, usize)> =
            digests_of(&self.swarms, resource).map(|(key, swarm)| (*key, swarm.members.len())).collect();
        let total = lists.iter().map(|(_, len)| len).sum();
        let drawn = self.draw.some_of(total, PEERS_MAX, None).into_iter();
        let members = drawn.filter_map(|mut number| {
            let (key, _) = lists.iter().find(|(_, len)| {
                let here = number < *len;
                number -= if here { 0 } else { *len };
                here
            })?;
            Some((*key, &self.swarms.get(key)?.members[number]))
        });
        members.filter(|(_, member)| member.expires > now).map(|(key, member)| member.entry(key)).collect()
    }

    pub(super) fn resources_of(
        &self,
        now: Time,
        addr: SocketAddr,
        after: Option<SwarmKey>,
    ) -> Vec<ResourceEntry> {
        let Some(peer) = self.peers.get(&addr) else { return Vec::new() };
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let entry = |key: &SwarmKey| {
            let member = self.swarms.get(key)?.member(addr).filter(|member| member.expires > now)?;
            let Member { stage, have, count, .. } = *member;
            Some(ResourceEntry { key: *key, name: None, stage, have, count })
        };
        peer.swarms.range((from, Bound::Unbounded)).filter_map(entry).take(ANNOUNCE_MAX).collect()
    }

    /// Whether the peer that announces is to publish the manifest: one is asked at a time, not the whole swarm.
    pub(super) fn ask_for_manifest(&mut self, now: Time, key: SwarmKey) -> bool {
        let Some(swarm) = self.swarms.get_mut(&key) else { return false };
        let ask = swarm.manifest_asked.is_none_or(|asked| now.since(asked) >= MANIFEST_WAIT);
        if ask {
            swarm.manifest_asked = Some(now);
        }
        ask
    }

    pub(super) fn expire(&mut self, now: Time) {
        let mut gone = Vec::new();
        for (key, swarm) in &self.swarms {
            let expired = swarm.members.iter().filter(|member| member.expires <= now);
            gone.extend(expired.map(|member| (member.addr, *key)));
        }
        gone.into_iter().for_each(|(addr, key)| self.remove(now, addr, key, Presence::Lost));
        self.gone.expire(now);
    }

    pub(super) fn fleet(
        &self,
        now: Time,
        resource: ResourceId,
        after: Option<FleetPlace>,
        machines_max: usize,
    ) -> Fleet {
        let (first, last) = keys_of(resource);
        let alive = self.swarms.range(first..=last).map(|(key, _)| *key);
        let keys: BTreeSet<SwarmKey> = alive.chain(self.gone.keys(first, last)).collect();
        let mut fleet =
            Fleet { seeders: 0, leechers: 0, gone_unfinished: 0, machines: Vec::new(), next: None };
        for &key in &keys {
            let (seeders, leechers) = self.counts(key);
            let unfinished = self.gone.of(key).into_iter().flatten().filter(|(_, gone)| gone.is_unfinished());
            fleet.seeders += seeders;
            fleet.leechers += leechers;
            fleet.gone_unfinished += unfinished.count() as u32;
        }
        for key in keys.into_iter().filter(|key| after.is_none_or(|after| after.key <= *key)) {
            let after = after.filter(|after| after.key == key).map(|after| after.addr);
            let room = machines_max - fleet.machines.len();
            fleet.machines.extend(self.machines(now, key, after, room + 1)); // one more shows that there are more
            if fleet.machines.len() > machines_max {
                fleet.machines.truncate(machines_max);
                let place = |machine: &FleetMachine| FleetPlace { key: machine.key, addr: machine.addr };
                fleet.next = fleet.machines.last().map(place);
                break;
            }
        }
        fleet
    }

    /// The machines of one swarm, in order of addresses.
    fn machines(
        &self,
        now: Time,
        key: SwarmKey,
        after: Option<SocketAddr>,
        machines_max: usize,
    ) -> Vec<FleetMachine> {
        let range = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let here = self.swarms.get(&key).into_iter().flat_map(|swarm| {
            let members = swarm.places.range(range).map(|(_, &at)| &swarm.members[at as usize]);
            members.map(|member| {
                member.trend.machine(now, (member.addr, key), &member.zone, member.count, Presence::Here)
            })
        });
        let gone =
            self.gone.of(key).into_iter().flat_map(|gone| gone.range(range)).map(|(&addr, gone)| {
                gone.trend.machine(now, (addr, key), &gone.zone, gone.count, gone.presence)
            });
        let mut machines: Vec<FleetMachine> = here.take(machines_max).collect();
        machines.extend(gone.take(machines_max));
        machines.sort_by_key(|machine| machine.addr);
        machines.truncate(machines_max);
        machines
    }

    /// How many seeders and leechers a swarm has.
    pub(super) fn counts(&self, key: SwarmKey) -> (u32, u32) {
        self.swarms.get(&key).map_or((0, 0), Swarm::counts)
    }

    /// Whether a swarm has a peer.
    pub(super) fn is_alive(&self, key: SwarmKey) -> bool {
        self.swarms.contains_key(&key)
    }

    /// Whether a machine takes part in a swarm.
    pub(super) fn takes_part(&self, key: SwarmKey, addr: SocketAddr) -> bool {
        self.swarms.get(&key).is_some_and(|swarm| swarm.place(addr).is_some())
    }

    pub(super) fn entries(&self) -> usize {
        self.entries
    }

    pub(super) fn len(&self) -> usize {
        self.swarms.len()
    }

    /// Another id at the same address is another process: what the former one had is no more.
    fn replace_former(&mut self, now: Time, who: &Who) {
        let former = self.peers.get(&who.addr).filter(|peer| peer.peer_id != who.peer_id);
        if let Some(former) = former {
            let keys: Vec<SwarmKey> = former.swarms.iter().copied().collect();
            keys.into_iter().for_each(|key| self.remove(now, who.addr, key, Presence::Lost));
        }
    }

    /// Refuses before anything is changed, so that an announce is taken as a whole or not at all.
    fn check_room(
        &mut self,
        now: Time,
        who: &Who,
        entries: &[Announce],
        is_published: impl Fn(SwarmKey) -> bool,
    ) -> Result<(), Refusal> {
        let known = self.peers.get(&who.addr).map(|peer| &peer.swarms);
        let new = entries.iter().filter(|entry| known.is_none_or(|known| !known.contains(&entry.key)));
        let new: Vec<SwarmKey> = new.map(|entry| entry.key).collect();
        if known.map_or(0, BTreeSet::len) + new.len() > self.limits.entries_per_peer_max {
            let max = self.limits.entries_per_peer_max;
            return Err(Refusal::Full(format!("a peer may take part in {max} resources")));
        }
        if self.entries + new.len() > self.limits.entries_max {
            self.expire(now);
        }
        if self.entries + new.len() > self.limits.entries_max {
            return Err(Refusal::Full(format!("it keeps {} entries", self.limits.entries_max)));
        }
        let digests_max = self.limits.digests_max;
        // Those who invent lists cannot keep out the one that is published.
        let crowded = |key: &SwarmKey| {
            !self.swarms.contains_key(key)
                && !is_published(*key)
                && digests_of(&self.swarms, key.resource).count() >= digests_max
        };
        if new.iter().any(crowded) {
            return Err(Refusal::Full(format!("a resource may have {digests_max} lists of chunk hashes")));
        }
        Ok(())
    }

    /// Writes an entry down; says when it is to be renewed.
    fn renew(&mut self, now: Time, who: &Who, entry: &Announce) -> Duration {
        let swarm = self.swarms.entry(entry.key).or_insert_with(|| Swarm::new(now));
        let at = swarm.place(who.addr).unwrap_or_else(|| {
            swarm.grown = now;
            swarm.add(Member::new(now, who, entry));
            self.entries += 1;
            self.gone.remove(entry.key, who.addr);
            let new = || Peer { peer_id: who.peer_id, swarms: BTreeSet::new() };
            self.peers.entry(who.addr).or_insert_with(new).swarms.insert(entry.key);
            swarm.members.len() - 1
        });
        swarm.set_stage(at, entry.stage);
        let least = Duration::from_secs(1) * self.entries as u32 / RENEWALS_PER_S;
        let interval =
            swarm.interval(now).max(least).mul_f64(0.8 + 0.4 * self.draw.below(1001) as f64 / 1000.0);
        let member = &mut swarm.members[at];
        (member.have, member.count) = (entry.have, entry.count);
        member.trend.note(now, entry.have);
        member.expires = now + interval * INTERVALS;
        interval
    }

    fn answer(
        &mut self,
        now: Time,
        who: &Who,
        entry: &Announce,
        interval: Duration,
        peers_max: usize,
    ) -> AnnounceAnswer {
        let conflict = digests_of(&self.swarms, entry.key.resource).nth(1).is_some();
        let swarm = &self.swarms[&entry.key];
        let wanted = usize::from(entry.peers_wanted).min(PEERS_MAX).min(peers_max);
        let drawn = swarm.draw(&mut self.draw, who.addr, wanted);
        let members = drawn.into_iter().map(|number| &swarm.members[number]);
        let peers = members.filter(|member| member.expires > now).map(|member| member.entry(entry.key));
        let (seeders, leechers) = swarm.counts();
        AnnounceAnswer {
            peers: peers.collect(),
            interval_ms: interval.as_millis() as u32,
            want_manifest: false,
            conflict,
            shared_at_ms: None,
            seeders,
            leechers,
            overtaken: None,
        }
    }

    fn remove(&mut self, now: Time, addr: SocketAddr, key: SwarmKey, how: Presence) {
        let Some(swarm) = self.swarms.get_mut(&key) else { return };
        let Some(Member { trend, zone, count, .. }) = swarm.remove(addr) else { return };
        self.gone.add(key, addr, GoneMachine::new(now, trend, zone, count, how));
        self.entries -= 1;
        if swarm.members.is_empty() {
            self.swarms.remove(&key);
        }
        let Some(peer) = self.peers.get_mut(&addr) else { return };
        peer.swarms.remove(&key);
        if peer.swarms.is_empty() {
            self.peers.remove(&addr);
        }
    }
}

impl Swarm {
    fn new(now: Time) -> Swarm {
        let (members, places, zones) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        Swarm { members, places, zones, seeders: 0, grown: now, manifest_asked: None }
    }

    fn place(&self, addr: SocketAddr) -> Option<usize> {
        self.places.get(&addr).map(|at| *at as usize)
    }

    fn member(&self, addr: SocketAddr) -> Option<&Member> {
        self.place(addr).map(|at| &self.members[at])
    }

    /// Draws peers for one that asks. A machine in a zone hears mostly of those near it, since it fetches most from
    /// them, and always of some that may be anywhere.
    fn draw(&self, draw: &mut Draw, addr: SocketAddr, wanted: usize) -> Vec<usize> {
        let Some(own) = self.place(addr) else { return Vec::new() };
        let Member { zone, zone_place, .. } = &self.members[own];
        let near = self.zones.get(zone).map_or(&[][..], Vec::as_slice);
        let skip = (!near.is_empty()).then_some(*zone_place as usize);
        let near_drawn = draw.some_of(near.len(), wanted * NEAR_PERCENT / 100, skip);
        let mut drawn: Vec<usize> = near_drawn.into_iter().filter_map(|at| self.place(near[at])).collect();
        for at in draw.some_of(self.members.len(), wanted, Some(own)) {
            if drawn.len() < wanted && !drawn.contains(&at) {
                drawn.push(at);
            }
        }
        drawn
    }

    fn counts(&self) -> (u32, u32) {
        (self.seeders, self.members.len() as u32 - self.seeders)
    }

    fn add(&mut self, mut member: Member) {
        if !member.zone.is_empty() {
            let zone = self.zones.entry(member.zone.clone()).or_default();
            member.zone_place = zone.len() as u32;
            zone.push(member.addr);
        }
        self.seeders += u32::from(member.stage == Stage::Seeding);
        self.places.insert(member.addr, self.members.len() as u32);
        self.members.push(member);
    }

    fn set_stage(&mut self, at: usize, stage: Stage) {
        let member = &mut self.members[at];
        self.seeders -= u32::from(member.stage == Stage::Seeding);
        self.seeders += u32::from(stage == Stage::Seeding);
        member.stage = stage;
    }

    /// The last member takes the place of the one that is removed.
    fn remove(&mut self, addr: SocketAddr) -> Option<Member> {
        let at = self.places.remove(&addr)?;
        let gone = self.members.swap_remove(at as usize);
        self.seeders -= u32::from(gone.stage == Stage::Seeding);
        if let Some(moved) = self.members.get(at as usize) {
            self.places.insert(moved.addr, at);
        }
        self.leave_zone(&gone);
        Some(gone)
    }

    fn leave_zone(&mut self, gone: &Member) {
        let Some(zone) = self.zones.get_mut(&gone.zone) else { return };
        zone.swap_remove(gone.zone_place as usize);
        if zone.is_empty() {
            self.zones.remove(&gone.zone);
        } else if let Some(moved) = zone.get(gone.zone_place as usize)
            && let Some(&at) = self.places.get(moved)
        {
            self.members[at as usize].zone_place = gone.zone_place;
        }
    }

    /// When to announce again: often while somebody fetches or newcomers arrive, for they need each other.
    fn interval(&self, now: Time) -> Duration {
        let (_, leechers) = self.counts();
        if leechers == 0 && now.since(self.grown) >= GROWN {
            return SETTLED;
        }
        YOUNG + YOUNG_LARGE * (self.members.len() as u32).min(1000) / 1000
    }
}

impl Member {
    fn new(now: Time, who: &Who, entry: &Announce) -> Member {
        let Announce { stage, have, count, .. } = *entry;
        let expires = Time::default(); // set with the interval
        let (addr, peer_id, zone) = (who.addr, who.peer_id, who.zone.clone());
        let trend = Trend::new(now, have);
        Member { addr, peer_id, zone, zone_place: 0, stage, have, count, trend, expires }
    }

    fn entry(&self, key: SwarmKey) -> PeerEntry {
        let Member { addr, peer_id, stage, have, count, .. } = *self;
        PeerEntry { addr, peer_id, key, stage, have, count, zone: self.zone.to_string() }
    }
}

/// The swarms of one resource: one for each list of chunk hashes that is claimed to be its own.
fn digests_of(
    swarms: &BTreeMap<SwarmKey, Swarm>,
    resource: ResourceId,
) -> impl Iterator<Item = (&SwarmKey, &Swarm)> {
    let (first, last) = keys_of(resource);
    swarms.range(first..=last)
}

/// The first and the last that there may be.
fn keys_of(resource: ResourceId) -> (SwarmKey, SwarmKey) {
    let with = |byte| SwarmKey { resource, digest: ListDigest([byte; 32]) };
    (with(0), with(255))
}

fn is_plausible(entry: &Announce) -> bool {
    match entry.stage {
        Stage::Leeching => entry.have <= entry.count.get(),
        Stage::Seeding => entry.have == entry.count.get(),
    }
}
