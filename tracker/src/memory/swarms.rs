//! Which peer takes part in which swarm.

use super::draw::Draw;
use super::fleet::{Gone, GoneMachine};
use super::limits::RegistryLimits;
use super::member::Member;
use super::name_digest::NameDigest;
use super::network::{PeerKey, peers_at};
use super::owners::Owners;
use super::shares::EntryShares;
use super::swarm::Swarm;
use super::who::Who;
use shared::id::{ListDigest, ResourceId, SwarmKey};
use shared::identity::NodeName;
use shared::rpc::tracker::{ANNOUNCE_MAX, PEERS_MAX, PeerEntry, Presence, ResourceEntry};
use shared::swarm::Time;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::ops::Bound;

#[derive(Debug)]
pub(super) struct Swarms {
    pub(super) limits: RegistryLimits,
    pub(super) draw: Draw,
    pub(super) peers: BTreeMap<PeerKey, KnownPeer>,
    pub(super) swarms: BTreeMap<SwarmKey, Swarm>,
    /// When each swarm must be swept: no entry of it expires before.
    pub(super) due: BTreeSet<(Time, SwarmKey)>,
    /// Peers whose connection was closed and whose swarms have not been told yet; each once.
    pub(super) closing: VecDeque<PeerKey>,
    /// Peers whose connection is closed, in the order in which it was closed.
    pub(super) closed: BTreeSet<(Time, PeerKey)>,
    pub(super) gone: Gone,
    /// The ids that belong to nodes.
    pub(super) owners: Owners,
    /// Swarms that have lost their last peer and that the catalogue does not know of yet.
    pub(super) abandoned: Vec<SwarmKey>,
    /// The number of entries of each peer, host and network.
    pub(super) shares: EntryShares,
    /// The number of all entries.
    pub(super) entries: usize,
}

#[derive(Debug, Default)]
pub(super) struct KnownPeer {
    pub(super) swarms: BTreeSet<SwarmKey>,
    /// The number of its connections. A lost one may still count while there is a new one.
    connections: u32,
    /// When its last connection was closed.
    pub(super) closed: Option<Time>,
    /// The node that its certificate names, if it has one.
    node: Option<NodeName>,
    /// Set while it is in `closing`: the last of its swarms that was told, if any.
    pub(super) telling: Option<Option<SwarmKey>>,
    /// Whether a new process has its address, so that its entries end.
    pub(super) succeeded: bool,
}

impl KnownPeer {
    /// Whether another process at its address may be the same machine, started again. Two nodes are two machines.
    pub(super) fn may_be(&self, node: Option<&NodeName>) -> bool {
        self.node.is_none() || node.is_none() || self.node.as_ref() == node
    }
}

impl Swarms {
    pub(super) fn new(limits: RegistryLimits, seed: [u8; 32]) -> Swarms {
        Swarms {
            limits,
            draw: Draw::new(seed),
            peers: BTreeMap::new(),
            swarms: BTreeMap::new(),
            due: BTreeSet::new(),
            closing: VecDeque::new(),
            closed: BTreeSet::new(),
            gone: Gone::default(),
            owners: Owners::default(),
            abandoned: Vec::new(),
            shares: EntryShares::default(),
            entries: 0,
        }
    }

    // -- connections

    pub(super) fn arrive(&mut self, who: &Who) {
        let peer = self.peers.entry(who.key()).or_default();
        peer.connections += 1;
        if peer.node != who.node {
            let former = std::mem::replace(&mut peer.node, who.node.clone());
            former.iter().for_each(|node| self.owners.remove(who.peer_id, node));
            who.node.iter().for_each(|node| self.owners.add(who.peer_id, node));
        }
        who.node.iter().for_each(|node| self.owners.connect(who.peer_id, node));
        self.reopen(who.key());
    }

    pub(super) fn depart(&mut self, now: Time, who: &Who) {
        let key = who.key();
        who.node.iter().for_each(|node| self.owners.disconnect(who.peer_id, node));
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

    /// Notes that its connection is open, since it made a call.
    pub(super) fn reopen(&mut self, key: PeerKey) {
        if let Some(peer) = self.peers.get_mut(&key)
            && let Some(closed) = peer.closed.take()
        {
            peer.succeeded = false;
            self.closed.remove(&(closed, key));
        }
    }

    /// Queues the peer so that its swarms are told, step by step, that it is closed or succeeded.
    pub(super) fn tell_swarms(&mut self, key: PeerKey) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        if peer.telling.replace(None).is_none() {
            self.closing.push_back(key);
        }
    }

    pub(super) fn forget_peer(&mut self, key: PeerKey) {
        let Some(peer) = self.peers.remove(&key) else { return };
        peer.node.iter().for_each(|node| self.owners.remove(key.1, node));
        if let Some(closed) = peer.closed {
            self.closed.remove(&(closed, key));
        }
    }

    // -- calls

    pub(super) fn peers_of(&mut self, now: Time, resource: ResourceId) -> Vec<PeerEntry> {
        let (first, last) = keys_of(resource);
        let mut lists: Vec<(&SwarmKey, &Swarm)> = self.swarms.range(first..=last).collect();
        // Lists with few peers come first, so that the unused places go to the others.
        lists.sort_by_key(|(_, swarm)| swarm.len());
        let (mut peers, mut left) = (Vec::new(), lists.len());
        for (key, swarm) in lists {
            let share = (PEERS_MAX - peers.len()).div_ceil(left);
            left -= 1;
            let mut drawn = Vec::new();
            swarm.draw_more(&mut self.draw, None, share, &mut drawn);
            let members = drawn.into_iter().map(|at| &swarm.members()[at]);
            peers.extend(
                members.filter(|member| member.expires > now).map(|member| member.entry_with_host(*key)),
            );
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

    /// A name under which a machine published a manifest was evicted: asks it to publish again.
    pub(super) fn ask_to_publish_again(&mut self, key: SwarmKey, publisher: SocketAddr) {
        if let Some(swarm) = self.swarms.get_mut(&key) {
            swarm.set_publish_again(publisher, true);
        }
    }

    /// A machine publishes a manifest, so it need not be asked.
    pub(super) fn stop_asking_to_publish(&mut self, key: SwarmKey, publisher: SocketAddr) {
        if let Some(swarm) = self.swarms.get_mut(&key) {
            swarm.set_publish_again(publisher, false);
        }
    }

    /// Sets the names under which a peer has a resource.
    pub(super) fn set_names(&mut self, key: SwarmKey, who: &Who, names: &[NameDigest]) {
        if let Some(swarm) = self.swarms.get_mut(&key) {
            swarm.set_names(who.key(), names);
        }
    }

    /// Whether a member is asked to publish the manifest again.
    pub(super) fn is_to_publish_again(&self, key: SwarmKey, who: &Who) -> bool {
        let member = self.swarms.get(&key).and_then(|swarm| swarm.member(who.key()));
        member.is_some_and(|member| member.publish_again)
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

    /// Whether a swarm has a member other than this one.
    pub(super) fn has_others(&self, key: SwarmKey, who: &Who) -> bool {
        self.swarms
            .get(&key)
            .is_some_and(|swarm| swarm.len() > usize::from(swarm.member(who.key()).is_some()))
    }

    pub(super) fn entries(&self) -> usize {
        self.entries
    }

    pub(super) fn len(&self) -> usize {
        self.swarms.len()
    }

    // -- entries

    /// Removes an entry, and notes for the fleet how the peer left; `None` means that it did not leave.
    pub(super) fn remove(&mut self, now: Time, peer: PeerKey, key: SwarmKey, how: Option<Presence>) {
        let Some(swarm) = self.swarms.get_mut(&key) else { return };
        let Some(Member { trend, labels, count, .. }) = swarm.remove(peer) else { return };
        // A process that joined at the same address after this one last announced is the same machine after a restart.
        let is_back = swarm.range(peers_at(peer.0)).any(|other| trend.seen() <= other.joined);
        if let Some(how) = how.filter(|how| *how == Presence::Left || !is_back) {
            self.gone.add(key, peer, GoneMachine::new(now, trend, labels, count, how));
        }
        self.entries -= 1;
        if swarm.len() == 0 {
            self.due.remove(&(swarm.due, key));
            self.swarms.remove(&key);
            self.abandoned.push(key);
        }
        let Some(known) = self.peers.get_mut(&peer) else { return };
        known.swarms.remove(&key);
        self.shares.set(peer, known.swarms.len() + 1, known.swarms.len());
        if known.swarms.is_empty() && known.connections == 0 {
            self.forget_peer(peer);
        }
    }
}

/// The swarms of one resource: one for each list of chunk hashes that is claimed for it.
pub(super) fn digests_of(
    swarms: &BTreeMap<SwarmKey, Swarm>,
    resource: ResourceId,
) -> impl Iterator<Item = (&SwarmKey, &Swarm)> {
    let (first, last) = keys_of(resource);
    swarms.range(first..=last)
}

/// The first and the last possible key of a resource's swarms.
pub(super) fn keys_of(resource: ResourceId) -> (SwarmKey, SwarmKey) {
    let with = |byte| SwarmKey { resource, digest: ListDigest([byte; 32]) };
    (with(0), with(255))
}
