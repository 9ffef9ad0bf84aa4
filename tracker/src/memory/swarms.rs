//! Who takes part in which swarm.

use super::draw::Draw;
use super::fleet::{Gone, GoneMachine};
use super::network::{PeerKey, peers_at};
use super::shares::Shares;
use super::swarm::{Member, Swarm};
use super::{Limits, Refusal, Who};
use shared::id::{ListDigest, ResourceId, SwarmKey};
use shared::rpc::tracker::{
    ANNOUNCE_MAX, Announce, AnnounceAnswer, Fleet, FleetMachine, FleetPlace, NEIGHBOURS, PEERS_MAX,
    PeerEntry, Presence, REPLY_PEERS_MAX, ResourceEntry, Stage,
};
use shared::swarm::Time;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::ops::Bound;
use std::time::Duration;

/// However young swarms are, all peers together are asked for no more renewals a second than this: the more there is,
/// the longer are the intervals.
const RENEWALS_PER_S: u32 = 20_000;

/// How many intervals without an announce end an entry.
const INTERVALS: u32 = 3;

#[derive(Debug)]
pub(super) struct Swarms {
    pub(super) limits: Limits,
    draw: Draw,
    pub(super) peers: BTreeMap<PeerKey, Peer>,
    pub(super) swarms: BTreeMap<SwarmKey, Swarm>,
    /// When each swarm is to be looked at: no entry of it ends before.
    pub(super) due: BTreeSet<(Time, SwarmKey)>,
    /// Peers whose connection is closed and whose swarms are still to be told, each once.
    pub(super) closing: VecDeque<PeerKey>,
    /// Peers whose connection is closed, those first that went first.
    pub(super) closed: BTreeSet<(Time, PeerKey)>,
    pub(super) gone: Gone,
    /// Swarms that have lost their last peer, until the catalogue has heard of it.
    pub(super) abandoned: Vec<SwarmKey>,
    /// How many entries who has.
    pub(super) shares: Shares,
    /// The sum of all swarms' members, which is also the sum of all peers' swarms.
    entries: usize,
}

#[derive(Debug, Default)]
pub(super) struct Peer {
    pub(super) swarms: BTreeSet<SwarmKey>,
    /// How many connections it has; one that was lost may still count while there is a new one.
    connections: u32,
    /// When the last one was closed.
    pub(super) closed: Option<Time>,
    /// It is in `closing`, and its swarms up to this one are told already.
    pub(super) telling: Option<Option<SwarmKey>>,
    /// Another process has its address: what it had ends.
    pub(super) succeeded: bool,
}

impl Swarms {
    pub(super) fn new(limits: Limits, seed: [u8; 32]) -> Swarms {
        Swarms {
            limits,
            draw: Draw::new(seed),
            peers: BTreeMap::new(),
            swarms: BTreeMap::new(),
            due: BTreeSet::new(),
            closing: VecDeque::new(),
            closed: BTreeSet::new(),
            gone: Gone::default(),
            abandoned: Vec::new(),
            shares: Shares::default(),
            entries: 0,
        }
    }

    // -- connections

    pub(super) fn arrive(&mut self, who: &Who) {
        let peer = self.peers.entry(who.key()).or_default();
        peer.connections += 1;
        self.is_open(who.key());
    }

    pub(super) fn depart(&mut self, now: Time, who: &Who) {
        let key = who.key();
        let Some(peer) = self.peers.get_mut(&key) else { return };
        peer.connections = peer.connections.saturating_sub(1);
        if peer.connections > 0 {
            return;
        }
        if peer.swarms.is_empty() {
            self.forget_peer(key);
        } else if peer.closed.is_none() {
            peer.closed = Some(now);
            self.closed.insert((now, key));
            self.tell_swarms(key);
        }
    }

    /// It speaks, so its connection is open.
    fn is_open(&mut self, key: PeerKey) {
        if let Some(peer) = self.peers.get_mut(&key)
            && let Some(closed) = peer.closed.take()
        {
            peer.succeeded = false;
            self.closed.remove(&(closed, key));
        }
    }

    /// Has all its swarms told that it is closed, or succeeded; a part at a time.
    fn tell_swarms(&mut self, key: PeerKey) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        if peer.telling.replace(None).is_none() {
            self.closing.push_back(key);
        }
    }

    pub(super) fn forget_peer(&mut self, key: PeerKey) {
        if let Some(closed) = self.peers.remove(&key).and_then(|peer| peer.closed) {
            self.closed.remove(&(closed, key));
        }
    }

    // -- calls

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
        self.is_open(who.key());
        self.check_room(now, who, entries, is_published)?;
        self.succeed(who);
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
        keys.iter().for_each(|key| self.remove(now, who.key(), *key, Some(Presence::Left)));
        Ok(())
    }

    pub(super) fn peers_of(&mut self, now: Time, resource: ResourceId) -> Vec<PeerEntry> {
        let (first, last) = keys_of(resource);
        let mut lists: Vec<(&SwarmKey, &Swarm)> = self.swarms.range(first..=last).collect();
        // The lists with few peers first: what they leave is for the others.
        lists.sort_by_key(|(_, swarm)| swarm.len());
        let (mut peers, mut left) = (Vec::new(), lists.len());
        for (key, swarm) in lists {
            let share = (PEERS_MAX - peers.len()).div_ceil(left);
            left -= 1;
            let mut drawn = Vec::new();
            swarm.draw_more(&mut self.draw, None, share, &mut drawn);
            let members = drawn.into_iter().map(|at| &swarm.members()[at]);
            peers.extend(members.filter(|member| member.expires > now).map(|member| member.entry(*key)));
        }
        peers
    }

    pub(super) fn resources_of(
        &self,
        now: Time,
        addr: SocketAddr,
        after: Option<SwarmKey>,
    ) -> Vec<ResourceEntry> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut entries = BTreeMap::new();
        for (peer, known) in self.peers.range(peers_at(addr)) {
            let entry = |key: &SwarmKey| {
                let member = self.swarms.get(key)?.member(*peer).filter(|member| member.expires > now)?;
                let (stage, have, count) = (member.stage(), member.have, member.count);
                Some((*key, ResourceEntry { key: *key, name: None, stage, have, count }))
            };
            let keys = known.swarms.range((from, Bound::Unbounded));
            entries.extend(keys.filter_map(entry).take(ANNOUNCE_MAX));
        }
        entries.into_values().take(ANNOUNCE_MAX).collect()
    }

    pub(super) fn ask_for_manifest(&mut self, now: Time, key: SwarmKey) -> bool {
        self.swarms.get_mut(&key).is_some_and(|swarm| swarm.ask_for_manifest(now))
    }

    /// A name under which a machine published a manifest has made way for another one.
    pub(super) fn lost_its_name(&mut self, key: SwarmKey, publisher: SocketAddr) {
        if let Some(swarm) = self.swarms.get_mut(&key) {
            swarm.set_publish_again(publisher, true);
        }
    }

    /// A machine publishes a manifest, and needs no asking.
    pub(super) fn publishes(&mut self, key: SwarmKey, publisher: SocketAddr) {
        if let Some(swarm) = self.swarms.get_mut(&key) {
            swarm.set_publish_again(publisher, false);
        }
    }

    /// Whether a member is to publish the manifest again.
    pub(super) fn is_to_publish_again(&self, key: SwarmKey, who: &Who) -> bool {
        let member = self.swarms.get(&key).and_then(|swarm| swarm.member(who.key()));
        member.is_some_and(|member| member.publish_again)
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
            fleet.seeders += seeders;
            fleet.leechers += leechers;
            fleet.gone_unfinished += self.gone.unfinished(key);
        }
        for key in keys.into_iter().filter(|key| after.is_none_or(|after| after.key <= *key)) {
            let after = after.filter(|after| after.key == key).map(|after| (after.addr, after.peer_id));
            let room = machines_max - fleet.machines.len();
            fleet.machines.extend(self.machines(now, key, after, room + 1)); // one more shows that there are more
            if fleet.machines.len() > machines_max {
                fleet.machines.truncate(machines_max);
                let place = |machine: &FleetMachine| {
                    let FleetMachine { key, addr, peer_id, .. } = *machine;
                    FleetPlace { key, addr, peer_id }
                };
                fleet.next = fleet.machines.last().map(place);
                break;
            }
        }
        fleet
    }

    /// The machines of one swarm, in order of addresses and ids.
    fn machines(
        &self,
        now: Time,
        key: SwarmKey,
        after: Option<PeerKey>,
        machines_max: usize,
    ) -> Vec<FleetMachine> {
        let range = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let here = self.swarms.get(&key).into_iter().flat_map(|swarm| {
            swarm.range(range).map(|member| {
                member.trend.machine(now, (member.peer, key), &member.zone, member.count, Presence::Here)
            })
        });
        let gone = self
            .gone
            .range(key, range)
            .map(|(&peer, gone)| gone.trend.machine(now, (peer, key), &gone.zone, gone.count, gone.presence));
        let mut machines: Vec<FleetMachine> = here.take(machines_max).collect();
        machines.extend(gone.take(machines_max));
        machines.sort_by_key(|machine| (machine.addr, machine.peer_id));
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
        self.swarms.get(&key).is_some_and(|swarm| swarm.range(peers_at(addr)).next().is_some())
    }

    pub(super) fn entries(&self) -> usize {
        self.entries
    }

    pub(super) fn len(&self) -> usize {
        self.swarms.len()
    }

    // -- entries

    /// A process that is new at an address where another one's connection is closed: it is that machine, started again,
    /// and what it does not announce again is no more. One whose connection is open is another machine behind the address.
    fn succeed(&mut self, who: &Who) {
        if self.peers.get(&who.key()).is_some_and(|peer| !peer.swarms.is_empty()) {
            return; // it is not new
        }
        let others = self.peers.range_mut(peers_at(who.addr));
        let former =
            others.filter(|(key, peer)| **key != who.key() && peer.closed.is_some() && !peer.succeeded);
        let former = former.max_by_key(|(_, peer)| peer.closed);
        let Some((&key, former)) = former else { return };
        former.succeeded = true;
        self.tell_swarms(key);
    }

    /// Refuses before any of these is written down, so that an announce is taken as a whole or not at all. Others may
    /// have made way by then.
    fn check_room(
        &mut self,
        now: Time,
        who: &Who,
        entries: &[Announce],
        is_published: impl Fn(SwarmKey) -> bool,
    ) -> Result<(), Refusal> {
        let known = self.peers.get(&who.key()).map(|peer| &peer.swarms);
        let new = entries.iter().filter(|entry| known.is_none_or(|known| !known.contains(&entry.key)));
        let new: Vec<Announce> = new.copied().collect();
        let known = known.map_or(0, BTreeSet::len);
        if known + new.len() > self.limits.entries_per_peer_max {
            let max = self.limits.entries_per_peer_max;
            return Err(Refusal::Full(format!("a peer may take part in {max} resources")));
        }
        let max = self.limits.peers_per_address_max;
        let is_open = |peer: &Peer| !peer.swarms.is_empty() && peer.closed.is_none();
        let others = self.peers.range(peers_at(who.addr)).filter(|(_, peer)| is_open(peer));
        if known == 0 && others.take(max).count() == max {
            return Err(Refusal::Full(format!("{max} peers may be behind one address and port")));
        }
        self.make_room(now, new.len());
        self.share_room(now, who.key(), new.len());
        if self.entries + new.len() > self.limits.entries_max {
            return Err(Refusal::Full(format!("it keeps {} entries", self.limits.entries_max)));
        }
        self.make_room_for_lists(now, who, &new, is_published)
    }

    /// Writes an entry down; says when it is to be renewed.
    fn renew(&mut self, now: Time, who: &Who, entry: &Announce) -> Duration {
        let (key, peer) = (entry.key, who.key());
        let is_new = self.swarms.get(&key).is_none_or(|swarm| swarm.member(peer).is_none());
        if is_new {
            self.take_place_of_former(now, key, peer);
            self.entries += 1;
            let known = self.peers.entry(peer).or_default();
            known.swarms.insert(key);
            self.shares.changed(peer, known.swarms.len() - 1, known.swarms.len());
        }
        let swarm = self.swarms.entry(key).or_insert_with(|| Swarm::new(now));
        if is_new {
            swarm.add(now, Member::new(now, who, entry));
        }
        swarm.renew(now, peer, entry);
        let least = Duration::from_secs(1) * self.entries as u32 / RENEWALS_PER_S;
        let interval =
            swarm.interval(now).max(least).mul_f64(0.8 + 0.4 * self.draw.below(1001) as f64 / 1000.0);
        let expires = now + interval * INTERVALS;
        swarm.keep_until(peer, expires);
        if expires < swarm.due {
            let former = std::mem::replace(&mut swarm.due, expires);
            self.due.remove(&(former, key));
            self.due.insert((expires, key));
        }
        interval
    }

    /// A peer joins a swarm. It may have been there before, as itself or as a process that is no more; then it is not
    /// shown as gone as well.
    fn take_place_of_former(&mut self, now: Time, key: SwarmKey, peer: PeerKey) {
        if self.gone.remove(key, peer) {
            return;
        }
        let former = self.swarms.get(&key).and_then(|swarm| {
            let others = swarm.range(peers_at(peer.0)).map(|member| member.peer);
            let closed = others.filter_map(|other| Some((self.peers.get(&other)?.closed?, other)));
            closed.max()
        });
        match former {
            Some((_, former)) => self.remove(now, former, key, None),
            None => self.gone.remove_last_at(key, peer.0),
        }
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
        let asked = usize::from(entry.peers_wanted);
        let wanted = asked.min(PEERS_MAX).min(peers_max);
        let drawn = match entry.stage {
            Stage::Seeding => swarm.draw_lonely(&mut self.draw, wanted),
            Stage::Leeching if asked > NEIGHBOURS => swarm.draw_widely(&mut self.draw, who.key(), wanted),
            Stage::Leeching => swarm.draw(&mut self.draw, who.key(), wanted),
        };
        let mut peers: Vec<PeerEntry> = Vec::with_capacity(drawn.len());
        for member in drawn.into_iter().map(|at| &swarm.members()[at]) {
            // Who is behind the asker's own address cannot be dialled by it, and each address is worth one dial.
            let addr = member.peer.0;
            let is_new = addr != who.addr && peers.iter().all(|peer| peer.addr != addr);
            if is_new && member.expires > now {
                peers.push(member.entry(entry.key));
            }
        }
        let (seeders, leechers) = swarm.counts();
        AnnounceAnswer {
            peers,
            interval_ms: interval.as_millis() as u32,
            want_manifest: false,
            conflict,
            shared_at_ms: None,
            seeders,
            leechers,
            overtaken: None,
        }
    }

    /// Takes an entry out, and says for the fleet how it went; with `None` it did not go.
    pub(super) fn remove(&mut self, now: Time, peer: PeerKey, key: SwarmKey, how: Option<Presence>) {
        let Some(swarm) = self.swarms.get_mut(&key) else { return };
        let Some(Member { trend, zone, count, .. }) = swarm.remove(peer) else { return };
        // A process that came to the same address since this one was heard of last is the same machine, started again.
        let is_back = swarm.range(peers_at(peer.0)).any(|other| trend.seen() <= other.joined);
        if let Some(how) = how.filter(|how| *how == Presence::Left || !is_back) {
            self.gone.add(key, peer, GoneMachine::new(now, trend, zone, count, how));
        }
        self.entries -= 1;
        if swarm.len() == 0 {
            self.due.remove(&(swarm.due, key));
            self.swarms.remove(&key);
            self.abandoned.push(key);
        }
        let Some(known) = self.peers.get_mut(&peer) else { return };
        known.swarms.remove(&key);
        self.shares.changed(peer, known.swarms.len() + 1, known.swarms.len());
        if known.swarms.is_empty() && known.connections == 0 {
            self.forget_peer(peer);
        }
    }
}

/// The swarms of one resource: one for each list of chunk hashes that is claimed to be its own.
pub(super) fn digests_of(
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
