//! What is kept for those who watch a rollout: how fast each peer gets on, and who is gone.

use super::{FleetMachine, Presence};
use crate::chunk::{CHUNK_BYTES, ChunkCount};
use crate::id::SwarmKey;
use crate::swarm::Time;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Rates are taken over at least this time, and at most about twice as long.
const RATE_SPAN: Duration = Duration::from_secs(5);

/// How long a machine that is gone is remembered.
pub(super) const GONE_FOR: Duration = Duration::from_secs(3600);

/// How many machines that are gone are remembered; beyond it those that went first are forgotten.
const GONE_MAX: usize = 65_536;

/// How a peer gets on, from one announce to the next.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trend {
    seen: Time,
    have: u32,
    /// When it was first seen to have so many.
    grew: Time,
    /// What the rate counts from, and what takes its place when it is old enough.
    from: (Time, u32),
    next: (Time, u32),
}

impl Trend {
    pub(super) fn new(now: Time, have: u32) -> Trend {
        Trend { seen: now, have, grew: now, from: (now, have), next: (now, have) }
    }

    pub(super) fn note(&mut self, now: Time, have: u32) {
        if have < self.have {
            *self = Trend::new(now, have); // some chunks were found to be bad: it begins anew
        }
        if have > self.have {
            self.grew = now;
        }
        (self.seen, self.have) = (now, have);
        if now.since(self.next.0) >= RATE_SPAN {
            self.from = std::mem::replace(&mut self.next, (now, have));
        }
    }

    fn bytes_per_s(&self) -> Option<u64> {
        let micros = self.seen.since(self.from.0).as_micros();
        let bytes = u128::from(self.have - self.from.1) * u128::from(CHUNK_BYTES);
        (bytes * 1_000_000).checked_div(micros).and_then(|rate| u64::try_from(rate).ok())
    }

    /// What a watcher is told.
    pub(super) fn machine(
        &self,
        now: Time,
        (addr, key): (SocketAddr, SwarmKey),
        zone: &str,
        count: ChunkCount,
        presence: Presence,
    ) -> FleetMachine {
        let is_moving = presence == Presence::Here && self.have < count.get();
        let millis = |since: Time| u64::try_from(now.since(since).as_millis()).unwrap_or(u64::MAX);
        FleetMachine {
            addr,
            key,
            zone: zone.to_owned(),
            presence,
            have: self.have,
            count,
            bytes_per_s: self.bytes_per_s().filter(|_| is_moving),
            seen_ms: millis(self.seen),
            still_ms: millis(self.grew),
        }
    }
}

/// Machines that took part and do no more.
#[derive(Debug, Default)]
pub(super) struct Gone {
    swarms: BTreeMap<SwarmKey, BTreeMap<SocketAddr, GoneMachine>>,
    /// In the order in which they went; some came back since.
    order: VecDeque<(Time, SwarmKey, SocketAddr)>,
}

#[derive(Debug)]
pub(super) struct GoneMachine {
    pub(super) trend: Trend,
    pub(super) zone: Arc<str>,
    pub(super) count: ChunkCount,
    pub(super) presence: Presence,
    went: Time,
}

impl GoneMachine {
    pub(super) fn new(now: Time, trend: Trend, zone: Arc<str>, count: ChunkCount, how: Presence) -> Self {
        GoneMachine { trend, zone, count, presence: how, went: now }
    }

    pub(super) fn is_unfinished(&self) -> bool {
        self.trend.have < self.count.get()
    }
}

impl Gone {
    pub(super) fn add(&mut self, key: SwarmKey, addr: SocketAddr, machine: GoneMachine) {
        self.order.push_back((machine.went, key, addr));
        self.swarms.entry(key).or_default().insert(addr, machine);
        while self.order.len() > GONE_MAX {
            self.forget_first();
        }
    }

    /// It came back.
    pub(super) fn remove(&mut self, key: SwarmKey, addr: SocketAddr) {
        let Some(machines) = self.swarms.get_mut(&key) else { return };
        machines.remove(&addr);
        if machines.is_empty() {
            self.swarms.remove(&key);
        }
    }

    pub(super) fn expire(&mut self, now: Time) {
        while self.order.front().is_some_and(|(went, ..)| now.since(*went) >= GONE_FOR) {
            self.forget_first();
        }
    }

    /// Those of a swarm, in order of addresses.
    pub(super) fn of(&self, key: SwarmKey) -> Option<&BTreeMap<SocketAddr, GoneMachine>> {
        self.swarms.get(&key)
    }

    /// The swarms from `first` to `last` that somebody has left.
    pub(super) fn keys(&self, first: SwarmKey, last: SwarmKey) -> impl Iterator<Item = SwarmKey> {
        self.swarms.range(first..=last).map(|(key, _)| *key)
    }

    fn forget_first(&mut self) {
        let Some((went, key, addr)) = self.order.pop_front() else { return };
        let is_it = |machine: &GoneMachine| machine.went == went;
        if self.swarms.get(&key).and_then(|machines| machines.get(&addr)).is_some_and(is_it) {
            self.remove(key, addr);
        }
    }
}
