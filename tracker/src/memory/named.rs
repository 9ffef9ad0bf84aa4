//! The publications of one name: what the name means, which machine it belongs to, and which publication is evicted.

use super::eviction::{Occupant, makes_way};
use super::name_digest::NameDigest;
use super::network::network;
use super::swarms::Swarms;
use shared::id::{ResourceId, SwarmKey};
use shared::name::ResourceName;
use shared::rpc::tracker::{CANDIDATES_MAX, Namesake, Publication};
use shared::swarm::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

/// Limits the publications of a name, newest first, that are looked at to decide what it means and what is in the way.
/// It bounds the work for one call; older ones are ignored.
const LOOKS_MAX: usize = 64;

/// Limits the sharers that are remembered per publication. Beyond it one of a host or network with several makes way,
/// or the new one is not remembered.
const SHARERS_MAX: usize = 4;

/// When a publication was shared, and its serial number. The newest has the greatest value.
pub(super) type Newness = (u64, u64);

/// A manifest under a name.
#[derive(Debug, Clone)]
pub(super) struct NamedManifest {
    pub(super) publication: Publication,
    /// The order of publishing, which decides between two that were shared at the same time.
    pub(super) serial: u64,
    /// The machine that last published it.
    pub(super) by: SocketAddr,
    /// The machines that shared it, at most [`SHARERS_MAX`]. Machines that only fetched it are not among them.
    pub(super) sharers: Vec<SocketAddr>,
    /// Whether its sharer only claimed the name, so that it has the name only if nobody had it before.
    pub(super) claimed: bool,
    /// When it was first published under this name.
    pub(super) since: Time,
    /// When it was last published.
    pub(super) taken: Time,
    /// How long before `taken` it was shared, if known.
    pub(super) age_ms: Option<u64>,
}

/// All manifests under one name; at least one.
#[derive(Debug)]
pub(super) struct Named {
    digest: NameDigest,
    published: BTreeMap<SwarmKey, NamedManifest>,
    /// The keys of `published`, newest last.
    order: BTreeSet<(Newness, SwarmKey)>,
}

impl NamedManifest {
    pub(super) fn key(&self) -> SwarmKey {
        self.publication.key
    }

    pub(super) fn newness(&self) -> Newness {
        (self.publication.shared_at_ms, self.serial)
    }

    /// A sharer that takes part in the swarm now.
    fn living_sharer(&self, swarms: &Swarms) -> Option<SocketAddr> {
        self.sharers.iter().copied().find(|&sharer| swarms.takes_part(self.key(), sharer))
    }

    /// Adds a sharer. Sharers that no longer take part make way for it. If there are still too many, the last of
    /// several sharers of one host or one network makes way for one of another.
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

    /// The last sharer that is not the only one of its host, or else of its network, if the newcomer is of another.
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
        Namesake {
            name: self.publication.name.clone(),
            resource: self.key().resource,
            by: self.living_sharer(swarms).unwrap_or(self.by),
            shared_ago_ms: self.shared_ago_ms(now),
        }
    }

    /// How long ago it was shared, in milliseconds; `None` if unknown.
    pub(super) fn shared_ago_ms(&self, now: Time) -> Option<u64> {
        let since = u64::try_from(now.since(self.taken).as_millis()).unwrap_or(u64::MAX);
        self.age_ms.map(|age| age.saturating_add(since))
    }
}

impl Named {
    pub(super) fn new(name: &ResourceName) -> Named {
        Named { digest: NameDigest::of(name), published: BTreeMap::new(), order: BTreeSet::new() }
    }

    pub(super) fn digest(&self) -> NameDigest {
        self.digest
    }

    /// The swarms of other resources that are published under this name.
    pub(super) fn others(&self, resource: ResourceId) -> impl Iterator<Item = SwarmKey> {
        self.published.keys().copied().filter(move |key| key.resource != resource)
    }

    pub(super) fn len(&self) -> usize {
        self.published.len()
    }

    /// The number of publications that are looked at to decide what the name means.
    pub(super) fn breadth(&self) -> usize {
        self.len().min(LOOKS_MAX)
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

    /// The newest publication, whether or not a peer has it.
    pub(super) fn newest(&self) -> Option<SwarmKey> {
        self.order.last().map(|(_, key)| *key)
    }

    /// The publications, newest first.
    fn newest_first(&self) -> impl Iterator<Item = &NamedManifest> {
        self.order.iter().rev().filter_map(|(_, key)| self.published.get(key))
    }

    /// What the name means: the newest publication that a peer has or recently had, or else the newest.
    pub(super) fn meant(&self, is_gone: impl Fn(SwarmKey) -> bool) -> Option<&NamedManifest> {
        let here = self.newest_first().take(LOOKS_MAX).find(|published| !is_gone(published.key()));
        here.or_else(|| self.newest_first().next())
    }

    /// The publication that is in the way of a machine that claims this name for `key`: the newest with other content
    /// that another machine shares now. A machine's own publications are never in its way.
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

    /// Publications with other content that other machines claimed under this name after this one was shared.
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

    /// What the name may mean, best first: what it means, then other lists of chunks of the same resource, then other
    /// content. Machines that are not among the chosen ones go first, so that no machine takes all places. All
    /// publications of the name are looked at, once.
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

    /// The publication that is evicted for a newcomer.
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

/// At most [`CANDIDATES_MAX`] of these. The first stays first. The others are ordered by merit, lower being better, and
/// then so that hosts and machines that are not chosen yet go first.
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

#[cfg(test)]
mod tests {
    use super::*;
    use shared::chunk::ChunkCount;
    use shared::id::ListDigest;

    fn shared_by(sharers: &[&str]) -> NamedManifest {
        let sharers: Vec<SocketAddr> = sharers.iter().map(|addr| addr.parse().unwrap()).collect();
        let publication = Publication {
            name: "img".parse().unwrap(),
            key: SwarmKey { resource: ResourceId([1; 32]), digest: ListDigest([1; 32]) },
            count: ChunkCount::new(1).unwrap(),
            trackers: Vec::new(),
            shared_at_ms: 0,
            bytes: None,
            signature: None,
        };
        let (by, since) = (sharers[0], Time(0));
        NamedManifest {
            publication,
            serial: 0,
            by,
            sharers,
            claimed: false,
            since,
            taken: since,
            age_ms: None,
        }
    }

    #[test]
    fn one_of_several_sharers_of_a_host_or_network_makes_way_for_another_one() {
        let hosts = ["10.1.0.1:1", "10.2.0.1:1", "10.2.0.1:2", "10.3.0.1:1"];
        let networks = ["10.1.0.1:1", "10.1.0.2:1", "10.2.0.1:1", "10.3.0.1:1"];
        for (sharers, newcomer, makes_way) in [
            (hosts, "10.9.0.1:1", Some(2)),
            (hosts, "10.2.0.1:9", None), // it would be the third of its host
            (networks, "10.9.0.1:1", Some(1)),
            (networks, "10.1.0.9:1", None),
            (["10.1.0.1:1", "10.2.0.1:1", "10.3.0.1:1", "10.4.0.1:1"], "10.9.0.1:1", None),
        ] {
            let found = shared_by(&sharers).one_too_many(newcomer.parse().unwrap());
            assert_eq!(found, makes_way, "{newcomer} beside {sharers:?}");
        }
    }
}
