//! One swarm: its members, in the order in which callers are told of them.
//!
//! An attacker who invents peers has more of them than there are honest ones, but few addresses or few networks, or
//! comes late. So the first rank has one member of each address, the second rank the others, and the third those whose
//! connection to the tracker is closed. Nobody is left out: when the first rank is too small, the next one follows.

use super::draw::Draw;
use super::lonely::Lonely;
use super::member::Member;
use super::name_digest::NameDigest;
use super::network::{PeerKey, after, at_host, between, from, network, peers_at, to};
use shared::rpc::tracker::{Announce, NEIGHBOURS, Stage};
use shared::swarm::Time;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// The announce interval of a settled swarm, which has only seeders and no new members: they need nothing from the
/// tracker.
const SETTLED: Duration = Duration::from_secs(60);

/// The announce interval of a young swarm with few peers. With `YOUNG_LARGE` and jitter the interval is between 2 and 5
/// s.
const YOUNG: Duration = Duration::from_millis(2_500);
/// Added to [`YOUNG`] in a swarm of a thousand peers or more, and proportionally in a smaller one, so that large swarms
/// do not overload the tracker.
const YOUNG_LARGE: Duration = Duration::from_millis(1_600);

/// How long a swarm counts as young after a member joined. In this time new members find one another by frequent
/// announces.
const GROWN: Duration = Duration::from_secs(60);

/// How long the tracker waits for a peer to publish a manifest before it asks the next one. A large manifest takes some
/// seconds to upload.
const MANIFEST_WAIT: Duration = Duration::from_secs(10);

/// The percentage of peers of its own zone among those that a machine with a zone is told of, as far as there are any.
/// The others keep the zones connected.
const NEAR_PERCENT: usize = 75;

/// Limits the elders of a swarm: long-standing members that have chunks, which lonely leechers are told of. Later
/// members do not become elders.
const ELDERS_MAX: usize = 8;
/// Limits the elders of one network, so that an attacker in one network cannot take all places.
const ELDERS_PER_NETWORK_MAX: usize = 3;

/// Limits the networks among which one answer is spread; others are not looked at. It bounds the work for one answer.
const NETWORKS_MAX: usize = 64;

/// Limits the other members of a host that are looked at to find one for the first rank. It bounds the work when a
/// connection closes; beyond it the host has nobody there until one of its members renews.
const SUCCESSORS_MAX: usize = 16;

/// The rank of a member in the order in which callers are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// It is connected, and it represents its host.
    First,
    /// It is connected, and another member represents its host.
    Further,
    /// Its connection is closed. It may come back.
    Closed,
}

/// How much of a resource a peer claims to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Claim {
    Nothing,
    Part,
    All,
}

#[derive(Debug)]
pub(super) struct Swarm {
    /// In order of rank.
    members: Vec<Member>,
    /// The number of members of the first rank, and of the first two ranks.
    ends: [usize; 2],
    /// The index of a peer in `members`.
    places: BTreeMap<PeerKey, u32>,
    /// The representative of each host that has several members.
    speakers: BTreeMap<IpAddr, PeerKey>,
    /// The members of each zone, without those that have none.
    zones: BTreeMap<Arc<str>, Vec<PeerKey>>,
    /// Some of the longest-standing members that have chunks.
    elders: Vec<PeerKey>,
    /// Lonely leechers of this swarm.
    lonely: Lonely,
    /// How many members have the resource under each name that is published.
    holders: BTreeMap<NameDigest, u32>,
    /// The names that the last member reported. Most members of a swarm have the same names, and share this copy in
    /// memory.
    usual_names: Arc<[NameDigest]>,
    seeders: u32,
    /// When its first member joined.
    pub(super) since: Time,
    grown: Time,
    manifest_asked: Option<Time>,
    /// No entry expires before this time.
    pub(super) due: Time,
}

impl Swarm {
    pub(super) fn new(now: Time) -> Swarm {
        Swarm {
            members: Vec::new(),
            ends: [0; 2],
            places: BTreeMap::new(),
            speakers: BTreeMap::new(),
            zones: BTreeMap::new(),
            elders: Vec::new(),
            lonely: Lonely::default(),
            holders: BTreeMap::new(),
            usual_names: Arc::default(),
            seeders: 0,
            since: now,
            grown: now,
            manifest_asked: None,
            due: Time(u64::MAX),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    pub(super) fn members(&self) -> &[Member] {
        &self.members
    }

    pub(super) fn member(&self, peer: PeerKey) -> Option<&Member> {
        self.place(peer).map(|at| &self.members[at])
    }

    /// Members in order of addresses and ids.
    pub(super) fn range(&self, range: impl std::ops::RangeBounds<PeerKey>) -> impl Iterator<Item = &Member> {
        self.places.range(range).map(|(_, &at)| &self.members[at as usize])
    }

    /// The numbers of seeders and leechers.
    pub(super) fn counts(&self) -> (u32, u32) {
        (self.seeders, self.members.len() as u32 - self.seeders)
    }

    /// The number of members that have the resource, or a part of it, under a name.
    pub(super) fn holders(&self, name: NameDigest) -> u32 {
        self.holders.get(&name).copied().unwrap_or(0)
    }

    /// The most that any of its members claims to have.
    pub(super) fn claim(&self) -> Claim {
        match (self.seeders, self.elders.is_empty()) {
            (1.., _) => Claim::All,
            (0, false) => Claim::Part,
            (0, true) => Claim::Nothing,
        }
    }

    /// The addresses of some members, elders first.
    pub(super) fn some_addresses(&self, max: usize) -> Vec<SocketAddr> {
        let elders = self.elders.iter().map(|elder| elder.0);
        elders.chain(self.members.iter().map(|member| member.peer.0)).take(max).collect()
    }

    /// The announce interval: short while peers fetch or join, since they need each other.
    pub(super) fn interval(&self, now: Time) -> Duration {
        let (_, leechers) = self.counts();
        if leechers == 0 && now.since(self.grown) >= GROWN {
            return SETTLED;
        }
        YOUNG + YOUNG_LARGE * (self.members.len() as u32).min(1000) / 1000
    }

    /// Whether to ask the announcing peer for the manifest. One peer is asked at a time, not the whole swarm.
    pub(super) fn ask_for_manifest(&mut self, now: Time) -> bool {
        let ask = self.manifest_asked.is_none_or(|asked| now.since(asked) >= MANIFEST_WAIT);
        if ask {
            self.manifest_asked = Some(now);
        }
        ask
    }

    /// Sets whether the members at an address are asked to publish the manifest again.
    pub(super) fn set_publish_again(&mut self, addr: SocketAddr, publish_again: bool) {
        for &at in self.places.range(peers_at(addr)).map(|(_, at)| at) {
            self.members[at as usize].publish_again = publish_again;
        }
    }

    // -- who comes and goes

    pub(super) fn add(&mut self, now: Time, mut member: Member) {
        self.grown = now;
        let peer = member.peer;
        if !member.labels.zone.is_empty() {
            let zone = self.zones.entry(member.labels.zone.clone()).or_default();
            member.zone_place = zone.len() as u32;
            zone.push(peer);
        }
        self.seeders += u32::from(member.stage == Stage::Seeding);
        let others = self.range(at_host(peer.0.ip())).next().map(|other| other.peer);
        if let Some(other) = others {
            self.speakers.entry(peer.0.ip()).or_insert(other);
        }
        self.places.insert(peer, self.members.len() as u32);
        self.members.push(member);
    }

    /// Renews a member's entry. Its connection is open.
    pub(super) fn renew(&mut self, now: Time, peer: PeerKey, entry: &Announce) {
        let Some(at) = self.place(peer) else { return };
        let member = &mut self.members[at];
        self.seeders -= u32::from(member.stage == Stage::Seeding);
        self.seeders += u32::from(entry.stage == Stage::Seeding);
        (member.stage, member.have, member.count) = (entry.stage, entry.have, entry.count);
        member.trend.note(now, entry.have);
        self.speak(peer);
        if entry.have > 0 {
            self.make_elder(peer);
        }
        self.lonely.remove(peer);
        if entry.stage == Stage::Leeching && usize::from(entry.peers_wanted) > NEIGHBOURS {
            self.lonely.add(peer);
        }
    }

    /// Sets the names under which a member has the resource.
    pub(super) fn set_names(&mut self, peer: PeerKey, names: &[NameDigest]) {
        let Some(at) = self.place(peer) else { return };
        if *self.members[at].names == *names {
            return;
        }
        if *self.usual_names != *names {
            self.usual_names = names.into();
        }
        let former = std::mem::replace(&mut self.members[at].names, self.usual_names.clone());
        names.iter().for_each(|name| *self.holders.entry(*name).or_default() += 1);
        self.take_holder(&former);
    }

    /// Removes a member's names from the counts.
    fn take_holder(&mut self, names: &[NameDigest]) {
        for name in names {
            let Some(holders) = self.holders.get_mut(name) else { continue };
            *holders -= 1;
            if *holders == 0 {
                self.holders.remove(name);
            }
        }
    }

    /// Sets when a member's entry expires.
    pub(super) fn keep_until(&mut self, peer: PeerKey, expires: Time) {
        if let Some(at) = self.place(peer) {
            self.members[at].expires = expires;
        }
    }

    pub(super) fn remove(&mut self, peer: PeerKey) -> Option<Member> {
        self.close(peer);
        let at = self.places.remove(&peer)? as usize;
        let gone = self.members.swap_remove(at);
        if let Some(moved) = self.members.get(at) {
            self.places.insert(moved.peer, at as u32);
        }
        self.seeders -= u32::from(gone.stage == Stage::Seeding);
        self.leave_zone(&gone);
        self.take_holder(&gone.names);
        let host = peer.0.ip();
        if self.speakers.contains_key(&host) && self.range(at_host(host)).nth(1).is_none() {
            self.speakers.remove(&host);
        }
        Some(gone)
    }

    /// Notes that a member's connection is closed: it ranks last.
    pub(super) fn close(&mut self, peer: PeerKey) {
        let Some(at) = self.place(peer) else { return };
        let spoke = self.rank(at) == Rank::First;
        self.set_rank(at, Rank::Closed);
        self.elders.retain(|elder| *elder != peer);
        self.lonely.remove(peer);
        let host = peer.0.ip();
        if spoke && self.speakers.contains_key(&host) {
            let others = self.places.range(at_host(host)).take(SUCCESSORS_MAX);
            let next = others.map(|(&other, &at)| (other, at as usize));
            let next = next.filter(|&(_, at)| self.rank(at) == Rank::Further).map(|(other, _)| other).next();
            if let Some(next) = next {
                self.speak(next);
            }
        }
    }

    /// Makes a member the representative of its host. Every member that renews becomes it, so all members of a host
    /// take turns.
    fn speak(&mut self, peer: PeerKey) {
        if let Some(speaker) = self.speakers.get_mut(&peer.0.ip()) {
            let former = std::mem::replace(speaker, peer);
            if let Some(at) = self.place(former).filter(|&at| self.rank(at) == Rank::First) {
                self.set_rank(at, Rank::Further);
            }
        }
        if let Some(at) = self.place(peer) {
            self.set_rank(at, Rank::First);
        }
    }

    fn make_elder(&mut self, peer: PeerKey) {
        let (host, network) = (peer.0.ip(), network(peer.0.ip()).0);
        let same = self.elders.iter().filter(|(addr, _)| self::network(addr.ip()).0 == network).count();
        let is_known = self.elders.iter().any(|(addr, _)| addr.ip() == host);
        if self.elders.len() < ELDERS_MAX && same < ELDERS_PER_NETWORK_MAX && !is_known {
            self.elders.push(peer);
        }
    }

    fn leave_zone(&mut self, gone: &Member) {
        let Some(zone) = self.zones.get_mut(&gone.labels.zone) else { return };
        zone.swap_remove(gone.zone_place as usize);
        if zone.is_empty() {
            self.zones.remove(&gone.labels.zone);
        } else if let Some(moved) = zone.get(gone.zone_place as usize)
            && let Some(&at) = self.places.get(moved)
        {
            self.members[at as usize].zone_place = gone.zone_place;
        }
    }

    // -- ranks

    fn place(&self, peer: PeerKey) -> Option<usize> {
        self.places.get(&peer).map(|at| *at as usize)
    }

    fn rank(&self, at: usize) -> Rank {
        match self.ends {
            [first, _] if at < first => Rank::First,
            [_, open] if at < open => Rank::Further,
            _ => Rank::Closed,
        }
    }

    /// Moves a member to another rank by swapping it across each boundary in between.
    fn set_rank(&mut self, mut at: usize, rank: Rank) {
        while self.rank(at) < rank {
            let end = &mut self.ends[self.rank(at) as usize];
            *end -= 1;
            let last = *end;
            self.swap(at, last);
            at = last;
        }
        while self.rank(at) > rank {
            let end = self.rank(at) as usize - 1;
            let first = self.ends[end];
            self.swap(at, first);
            self.ends[end] += 1;
            at = first;
        }
    }

    fn swap(&mut self, one: usize, other: usize) {
        self.members.swap(one, other);
        for at in [one, other] {
            self.places.insert(self.members[at].peer, at as u32);
        }
    }

    // -- who is told of whom

    /// Draws members for another member. A machine in a zone is told mostly of members of its zone, since it fetches
    /// most from them, and always of some that may be anywhere.
    pub(super) fn draw(&self, draw: &mut Draw, peer: PeerKey, wanted: usize) -> Vec<usize> {
        let Some(own) = self.place(peer) else { return Vec::new() };
        let Member { labels, zone_place, .. } = &self.members[own];
        let near = self.zones.get(&labels.zone).map_or(&[][..], Vec::as_slice);
        let skip = (!near.is_empty()).then_some(*zone_place as usize);
        let near_drawn = draw.some_of(near.len(), wanted * NEAR_PERCENT / 100, skip);
        let near = near_drawn.into_iter().filter_map(|at| self.place(near[at]));
        let mut drawn: Vec<usize> = near.filter(|&at| self.rank(at) != Rank::Closed).collect();
        self.draw_more(draw, Some(own), wanted, &mut drawn);
        drawn
    }

    /// Draws members for a lonely leecher: some elders, some of each network, then others.
    pub(super) fn draw_widely(&self, draw: &mut Draw, peer: PeerKey, wanted: usize) -> Vec<usize> {
        let own = self.place(peer);
        let elders = self.elders.iter().filter_map(|&elder| self.place(elder)).filter(|at| Some(*at) != own);
        let mut drawn: Vec<usize> = elders.take(wanted).collect();
        let spread = drawn.len() + (wanted - drawn.len()) / 2;
        self.draw_spread(draw, own, spread, &mut drawn);
        self.draw_more(draw, own, wanted, &mut drawn);
        drawn
    }

    /// Draws lonely leechers for a seeder.
    pub(super) fn draw_lonely(&self, draw: &mut Draw, wanted: usize) -> Vec<usize> {
        self.lonely.draw(draw, wanted).into_iter().filter_map(|peer| self.place(peer)).collect()
    }

    /// Draws until there are `wanted` members: from the first rank, and from each next one as needed.
    pub(super) fn draw_more(
        &self,
        draw: &mut Draw,
        own: Option<usize>,
        wanted: usize,
        drawn: &mut Vec<usize>,
    ) {
        for ranks in [0..self.ends[0], self.ends[0]..self.ends[1], self.ends[1]..self.members.len()] {
            if drawn.len() >= wanted {
                return;
            }
            let skip = own.filter(|own| ranks.contains(own)).map(|own| own - ranks.start);
            for at in draw.some_of(ranks.len(), wanted, skip) {
                let at = ranks.start + at;
                if drawn.len() < wanted && !drawn.contains(&at) {
                    drawn.push(at);
                }
            }
        }
    }

    /// Draws one member of each network in turn until there are `wanted`, or no more are found.
    fn draw_spread(&self, draw: &mut Draw, own: Option<usize>, wanted: usize, drawn: &mut Vec<usize>) {
        let networks = self.networks(draw);
        let rounds = if networks.is_empty() { 0 } else { 2 * wanted.div_ceil(networks.len()) };
        for _ in 0..rounds {
            for &(first, last) in &networks {
                if drawn.len() >= wanted {
                    return;
                }
                // Take the member after a random point in the network. Members with few neighbors are found most often.
                let point = between(draw, first, last);
                let next = self.places.range(from(point)..=to(last)).next();
                let next = next.or_else(|| self.places.range(from(first)..=to(last)).next());
                let Some(at) = next.map(|(_, &at)| at as usize) else { continue };
                if Some(at) != own && self.rank(at) != Rank::Closed && !drawn.contains(&at) {
                    drawn.push(at);
                }
            }
        }
    }

    /// The networks of the members, at most [`NETWORKS_MAX`], starting at a random one.
    fn networks(&self, draw: &mut Draw) -> Vec<(IpAddr, IpAddr)> {
        let mut networks = Vec::new();
        if self.places.is_empty() {
            return networks;
        }
        let begin = self.members[draw.below(self.members.len())].peer;
        for range in
            [begin..=to(IpAddr::V6(Ipv6Addr::from(u128::MAX))), from(Ipv4Addr::UNSPECIFIED.into())..=begin]
        {
            let (mut next, end) = (*range.start(), *range.end());
            while networks.len() < NETWORKS_MAX
                && next <= end
                && let Some((&(addr, _), _)) = self.places.range(next..=end).next()
            {
                let (first, last) = network(addr.ip());
                if !networks.contains(&(first, last)) {
                    networks.push((first, last));
                }
                let Some(after) = after(last) else { break };
                next = from(after);
            }
        }
        networks
    }
}
