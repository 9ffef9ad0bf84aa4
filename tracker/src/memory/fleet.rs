//! Data for users who watch a rollout: the progress of each peer, and the machines that are gone.

use super::labels::Labels;
use super::network::{PeerKey, peers_at};
use shared::chunk::{CHUNK_BYTES, ChunkCount};
use shared::id::SwarmKey;
use shared::rpc::tracker::{FleetMachine, Presence};
use shared::swarm::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::ops::RangeBounds;
use std::time::Duration;

/// The span over which rates are measured: at least this, and at most about twice as long. A shorter one would jump
/// with each announce.
const RATE_SPAN: Duration = Duration::from_secs(5);

/// How long a machine that is gone is remembered. It is the time for which a rollout is usually watched.
pub(super) const GONE_FOR: Duration = Duration::from_secs(3600);

/// Limits the machines that are gone and remembered, of all swarms together; beyond it the one that left first is
/// forgotten. It is more than one fleet has.
const GONE_MAX: usize = 65_536;

/// The progress of a peer from announce to announce.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trend {
    seen: Time,
    have: u32,
    /// When it was first seen with `have` chunks.
    grew: Time,
    /// The start of the measured rate, as (time, chunks). It is replaced by `next` when that is old enough.
    from: (Time, u32),
    next: (Time, u32),
}

impl Trend {
    pub(super) fn new(now: Time, have: u32) -> Trend {
        Trend { seen: now, have, grew: now, from: (now, have), next: (now, have) }
    }

    pub(super) fn note(&mut self, now: Time, have: u32) {
        if have < self.have {
            *self = Trend::new(now, have); // some chunks were found to be bad
        }
        if have > self.have {
            self.grew = now;
        }
        (self.seen, self.have) = (now, have);
        if now.since(self.next.0) >= RATE_SPAN {
            self.from = std::mem::replace(&mut self.next, (now, have));
        }
    }

    /// When it last announced.
    pub(super) fn seen(&self) -> Time {
        self.seen
    }

    fn bytes_per_s(&self) -> Option<u64> {
        let micros = self.seen.since(self.from.0).as_micros();
        let bytes = u128::from(self.have - self.from.1) * u128::from(CHUNK_BYTES);
        (bytes * 1_000_000).checked_div(micros).and_then(|rate| u64::try_from(rate).ok())
    }

    /// The machine's state for a watcher.
    pub(super) fn machine(
        &self,
        now: Time,
        ((addr, peer_id), key): (PeerKey, SwarmKey),
        labels: &Labels,
        count: ChunkCount,
        presence: Presence,
    ) -> FleetMachine {
        let is_moving = presence == Presence::Here && self.have < count.get();
        let millis = |since: Time| u64::try_from(now.since(since).as_millis()).unwrap_or(u64::MAX);
        FleetMachine {
            addr,
            peer_id,
            key,
            zone: labels.zone.to_string(),
            presence,
            have: self.have,
            count,
            bytes_per_s: self.bytes_per_s().filter(|_| is_moving),
            seen_ms: millis(self.seen),
            still_ms: millis(self.grew),
            host: labels.host.to_string(),
            node: labels.node.clone(),
        }
    }
}

/// Machines that no longer take part.
#[derive(Debug, Default)]
pub(super) struct Gone {
    swarms: BTreeMap<SwarmKey, GoneSwarm>,
    /// All machines of `swarms`, in the order in which they left.
    order: BTreeSet<(Time, SwarmKey, PeerKey)>,
}

#[derive(Debug, Default)]
struct GoneSwarm {
    machines: BTreeMap<PeerKey, GoneMachine>,
    /// The number of machines that left before they had everything.
    unfinished: u32,
}

#[derive(Debug)]
pub(super) struct GoneMachine {
    pub(super) trend: Trend,
    pub(super) labels: Labels,
    pub(super) count: ChunkCount,
    pub(super) presence: Presence,
    went: Time,
}

impl GoneMachine {
    /// What is remembered of a member that goes.
    pub(super) fn new(now: Time, trend: Trend, labels: Labels, count: ChunkCount, how: Presence) -> Self {
        GoneMachine { trend, labels, count, presence: how, went: now }
    }

    fn is_unfinished(&self) -> bool {
        self.trend.have < self.count.get()
    }
}

impl Gone {
    pub(super) fn add(&mut self, key: SwarmKey, peer: PeerKey, machine: GoneMachine) {
        self.remove(key, peer);
        self.order.insert((machine.went, key, peer));
        let swarm = self.swarms.entry(key).or_default();
        swarm.unfinished += u32::from(machine.is_unfinished());
        swarm.machines.insert(peer, machine);
        while self.order.len() > GONE_MAX {
            self.forget_first();
        }
    }

    /// Removes a machine that came back. Returns whether it was here.
    pub(super) fn remove(&mut self, key: SwarmKey, peer: PeerKey) -> bool {
        let Some(swarm) = self.swarms.get_mut(&key) else { return false };
        let Some(machine) = swarm.machines.remove(&peer) else { return false };
        swarm.unfinished -= u32::from(machine.is_unfinished());
        if swarm.machines.is_empty() {
            self.swarms.remove(&key);
        }
        self.order.remove(&(machine.went, key, peer))
    }

    /// Removes the machine that last left from this address: a new process at the address is the same machine with
    /// another id.
    pub(super) fn remove_last_at(&mut self, key: SwarmKey, addr: SocketAddr) {
        let here = self.range(key, peers_at(addr));
        if let Some((&peer, _)) = here.max_by_key(|(_, machine)| machine.went) {
            self.remove(key, peer);
        }
    }

    /// Forgets machines that left more than [`GONE_FOR`] ago, at most `max`. Returns how many.
    pub(super) fn expire(&mut self, now: Time, max: usize) -> usize {
        let is_old = |gone: &Gone| gone.order.first().is_some_and(|(went, ..)| now.since(*went) >= GONE_FOR);
        let mut forgotten = 0;
        while forgotten < max && is_old(self) {
            self.forget_first();
            forgotten += 1;
        }
        forgotten
    }

    /// The machines of a swarm, in order of addresses and ids.
    pub(super) fn range(
        &self,
        key: SwarmKey,
        range: impl RangeBounds<PeerKey>,
    ) -> impl Iterator<Item = (&PeerKey, &GoneMachine)> {
        self.swarms.get(&key).into_iter().flat_map(move |swarm| {
            swarm.machines.range((range.start_bound().cloned(), range.end_bound().cloned()))
        })
    }

    /// The number of machines that left a swarm before they had everything.
    pub(super) fn unfinished(&self, key: SwarmKey) -> u32 {
        self.swarms.get(&key).map_or(0, |swarm| swarm.unfinished)
    }

    /// The swarms from `first` to `last` that a machine has left.
    pub(super) fn keys(&self, first: SwarmKey, last: SwarmKey) -> impl Iterator<Item = SwarmKey> {
        self.swarms.range(first..=last).map(|(key, _)| *key)
    }

    fn forget_first(&mut self) {
        if let Some(&(_, key, peer)) = self.order.first() {
            self.remove(key, peer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::id::{ListDigest, PeerId, ResourceId};

    const KEY: SwarmKey = SwarmKey { resource: ResourceId([1; 32]), digest: ListDigest([1; 32]) };

    fn gone(machines: usize) -> Gone {
        let mut gone = Gone::default();
        for number in 0..machines {
            let (now, host) = (Time(number as u64), u32::try_from(number).unwrap());
            let peer = (SocketAddr::new(std::net::Ipv4Addr::from(host).into(), 7987), PeerId([1; 16]));
            let trend = Trend::new(now, 0);
            let labels = Labels { zone: "".into(), host: "".into(), node: None };
            let count = ChunkCount::new(1).unwrap();
            gone.add(KEY, peer, GoneMachine::new(now, trend, labels, count, Presence::Left));
        }
        gone
    }

    #[test]
    fn as_many_machines_as_there_may_be_are_remembered() {
        let gone = gone(GONE_MAX + 2);
        assert_eq!((gone.order.len(), gone.unfinished(KEY)), (GONE_MAX, GONE_MAX as u32));
        assert_eq!(gone.order.first().unwrap().0, Time(2), "the first ones are forgotten");
    }

    #[test]
    fn a_step_forgets_no_more_than_it_may() {
        let (mut gone, now) = (gone(5), Time(0) + GONE_FOR + Duration::from_micros(3));
        let forgotten: Vec<usize> = [0, 3, 3].map(|max| gone.expire(now, max)).into();
        assert_eq!((forgotten, gone.unfinished(KEY)), (vec![0, 3, 1], 1), "the last one left a moment later");
    }
}
