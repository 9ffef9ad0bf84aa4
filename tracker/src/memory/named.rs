//! The publications of one name: what the name means, whose it is, and which of them makes way for a newcomer.

use super::eviction::{Occupant, makes_way};
use super::network::network;
use super::swarms::Swarms;
use shared::id::SwarmKey;
use shared::rpc::tracker::{CANDIDATES_MAX, Namesake, Publication};
use shared::swarm::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

/// How many publications of a name are looked at for what it means, and for who is in the way: the newest.
const LOOKS_MAX: usize = 64;

/// How many machines that share one publication are remembered.
const SHARERS_MAX: usize = 4;

/// When a publication was shared, and the number under which it came: the newest has the greatest.
pub(super) type Newness = (u64, u64);

/// A manifest under a name.
#[derive(Debug, Clone)]
pub(super) struct NamedManifest {
    pub(super) publication: Publication,
    /// Of two that were shared at the same time, the one that was published later counts.
    pub(super) serial: u64,
    /// Who published it last.
    pub(super) by: SocketAddr,
    /// The machines that shared it, at most [`SHARERS_MAX`]; others only have it.
    pub(super) sharers: Vec<SocketAddr>,
    /// Its sharer did not ask for the name, and has it only if nobody else had it before.
    pub(super) claimed: bool,
    /// When it was first published under this name.
    pub(super) since: Time,
    /// When it was published last …
    pub(super) taken: Time,
    /// … and how long ago it was shared then, if that is known.
    pub(super) age_ms: Option<u64>,
}

/// All manifests under one name, of which there is at least one.
#[derive(Debug, Default)]
pub(super) struct Named {
    published: BTreeMap<SwarmKey, NamedManifest>,
    /// The same ones, the newest last.
    order: BTreeSet<(Newness, SwarmKey)>,
}

impl NamedManifest {
    pub(super) fn key(&self) -> SwarmKey {
        self.publication.key
    }

    pub(super) fn newness(&self) -> Newness {
        (self.publication.shared_at_ms, self.serial)
    }

    /// A machine that shares it now.
    fn living_sharer(&self, swarms: &Swarms) -> Option<SocketAddr> {
        self.sharers.iter().copied().find(|&sharer| swarms.takes_part(self.key(), sharer))
    }

    /// One more machine shares it. Those that do not take part any more make way for it, and so does the last of several
    /// of one host, or of one network, for one of another.
    pub(super) fn add_sharer(&mut self, by: SocketAddr, swarms: &Swarms) {
        let key = self.key();
        self.sharers.retain(|&sharer| sharer == by || swarms.takes_part(key, sharer));
        if self.sharers.contains(&by) {
            return;
        }
        if self.sharers.len() >= SHARERS_MAX {
            let Some(at) = self.one_too_many(by) else { return };
            self.sharers.remove(at);
        }
        self.sharers.push(by);
    }

    /// The last sharer that is not the only one of its host, or else of its network, where the newcomer is of another.
    fn one_too_many(&self, by: SocketAddr) -> Option<usize> {
        let network = |addr: &SocketAddr| network(addr.ip()).0;
        let last = |is_same: &dyn Fn(&SocketAddr, &SocketAddr) -> bool| {
            let count = |one: &SocketAddr| self.sharers.iter().filter(|other| is_same(one, other)).count();
            self.sharers.iter().rposition(|sharer| !is_same(sharer, &by) && count(sharer) > 1)
        };
        last(&|one, other| one.ip() == other.ip())
            .or_else(|| last(&|one, other| network(one) == network(other)))
    }

    pub(super) fn namesake(&self, now: Time, swarms: &Swarms) -> Namesake {
        let since = u64::try_from(now.since(self.taken).as_millis()).unwrap_or(u64::MAX);
        Namesake {
            name: self.publication.name.clone(),
            resource: self.key().resource,
            by: self.living_sharer(swarms).unwrap_or(self.by),
            shared_ago_ms: self.age_ms.map(|age| age.saturating_add(since)),
        }
    }
}

impl Named {
    pub(super) fn len(&self) -> usize {
        self.published.len()
    }

    pub(super) fn get(&self, key: SwarmKey) -> Option<&NamedManifest> {
        self.published.get(&key)
    }

    pub(super) fn insert(&mut self, published: NamedManifest) {
        self.remove(published.key());
        self.order.insert((published.newness(), published.key()));
        self.published.insert(published.key(), published);
    }

    pub(super) fn remove(&mut self, key: SwarmKey) -> Option<NamedManifest> {
        let gone = self.published.remove(&key)?;
        self.order.remove(&(gone.newness(), key));
        Some(gone)
    }

    /// The newest, whoever has it.
    pub(super) fn newest(&self) -> Option<SwarmKey> {
        self.order.last().map(|(_, key)| *key)
    }

    /// The publications, the newest first.
    fn newest_first(&self) -> impl Iterator<Item = &NamedManifest> {
        self.order.iter().rev().filter_map(|(_, key)| self.published.get(key))
    }

    /// What the name means: the newest, but for those that nobody has had for a while, where somebody has another one.
    pub(super) fn meant(&self, is_gone: impl Fn(SwarmKey) -> bool) -> Option<&NamedManifest> {
        let here = self.newest_first().take(LOOKS_MAX).find(|published| !is_gone(published.key()));
        here.or_else(|| self.newest_first().next())
    }

    /// The publication that stands in the way of a machine that shares `key` under this name and did not ask for the
    /// name: the newest with other content that another machine shares now. A machine is not in its own way.
    pub(super) fn in_the_way(
        &self,
        key: SwarmKey,
        by: SocketAddr,
        swarms: &Swarms,
    ) -> Option<&NamedManifest> {
        for published in self.newest_first().take(LOOKS_MAX) {
            let is_same = published.key().resource == key.resource;
            if published.sharers.contains(&by) || is_same && swarms.is_alive(published.key()) {
                return None;
            }
            if !is_same && published.living_sharer(swarms).is_some() {
                return Some(published);
            }
        }
        None
    }

    /// What other machines claimed under this name, with other content, after this was shared.
    pub(super) fn claims_after(&self, by: SocketAddr, shared: &NamedManifest) -> Vec<SwarmKey> {
        let shared_at_ms = shared.publication.shared_at_ms;
        let is_after = |claim: &&NamedManifest| {
            claim.claimed
                && claim.key().resource != shared.key().resource
                && !claim.sharers.contains(&by)
                && shared_at_ms > 0
                && claim.publication.shared_at_ms > shared_at_ms
        };
        let newest = self.newest_first().take(LOOKS_MAX);
        newest.filter(is_after).map(NamedManifest::key).collect()
    }

    /// What may be meant by the name, the best first: what it means, other lists of chunks of the same resource, then
    /// other content. Nobody takes all the places: machines that were not named yet go first. All publications of the
    /// name are looked at, once.
    pub(super) fn candidates(
        &self,
        is_gone: impl Fn(SwarmKey) -> bool,
        swarms: &Swarms,
    ) -> Vec<&NamedManifest> {
        let here = self.newest_first().find(|published| !is_gone(published.key()));
        let Some(meant) = here.or_else(|| self.newest_first().next()) else { return Vec::new() };
        let others = self.newest_first().filter(|other| other.key() != meant.key());
        let merit = |published: &NamedManifest| {
            let is_other = published.key().resource != meant.key().resource;
            (is_other, is_gone(published.key()))
        };
        chosen(std::iter::once(meant).chain(others), merit, swarms)
    }

    /// Which one makes way for a newcomer.
    pub(super) fn makes_way(&self, swarms: &Swarms, since: impl Fn(SwarmKey) -> Time) -> Option<SwarmKey> {
        let occupant = |published: &NamedManifest| Occupant {
            key: published.key(),
            by: published.by,
            is_alive: swarms.is_alive(published.key()),
            since: since(published.key()),
            newness: published.newness(),
        };
        let occupants: Vec<_> = self.published.values().map(occupant).collect();
        makes_way(&occupants).map(|occupant| occupant.key)
    }
}

/// At most [`CANDIDATES_MAX`] of these, the first one first; the others by merit, less being better, and so that
/// machines that are not among the chosen ones go before those that are.
pub(super) fn chosen<'a, M: Ord>(
    all: impl Iterator<Item = &'a NamedManifest>,
    merit: impl Fn(&NamedManifest) -> M,
    swarms: &Swarms,
) -> Vec<&'a NamedManifest> {
    let from = |published: &NamedManifest| published.living_sharer(swarms).unwrap_or(published.by);
    let mut rest: Vec<(&NamedManifest, M, SocketAddr)> =
        all.map(|published| (published, merit(published), from(published))).collect();
    let mut chosen: Vec<&NamedManifest> = Vec::new();
    let (mut hosts, mut machines): (BTreeSet<IpAddr>, BTreeSet<SocketAddr>) = Default::default();
    while !rest.is_empty() && chosen.len() < CANDIDATES_MAX {
        let order = |at: &usize| {
            let (_, merit, addr) = &rest[*at];
            (merit, hosts.contains(&addr.ip()), machines.contains(addr))
        };
        let best = match chosen.is_empty() {
            true => 0,
            false => (0..rest.len()).min_by_key(order).unwrap_or(0),
        };
        let (published, _, addr) = rest.remove(best);
        hosts.insert(addr.ip());
        machines.insert(addr);
        chosen.push(published);
    }
    chosen
}
