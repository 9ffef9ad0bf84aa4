//! What all connections share: the registry, the rules, and the clocks.

use crate::date::Date;
use crate::enrol::Enrolment;
use crate::memory::{Registry, RegistryLimits, Size};
use crate::rules::Rules;
use shared::id::ResourceId;
use shared::rpc::tracker::PeerEntry;
use shared::swarm::Time;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::Instant;

/// The state that all connections share.
#[derive(Debug)]
pub(crate) struct TrackerState {
    registry: Mutex<Registry>,
    rules: RwLock<Rules>,
    start: Instant,
    date: Date,
    epoch: u64,
    enrolment: Arc<Enrolment>,
}

impl TrackerState {
    /// An empty memory. It draws its random numbers from `seed`; `epoch` tells the daemons this start from others.
    pub(crate) fn new(
        limits: RegistryLimits,
        seed: [u8; 32],
        epoch: u64,
        enrolment: Enrolment,
    ) -> TrackerState {
        let registry = Mutex::new(Registry::new(limits, seed));
        let rules = RwLock::default();
        let (start, date, enrolment) = (Instant::now(), Date::new(), Arc::new(enrolment));
        TrackerState { registry, rules, start, date, epoch, enrolment }
    }

    /// Forgets some of the entries that have expired. Returns whether there are more.
    pub(crate) fn expire(&self) -> bool {
        let now = self.now();
        self.registry().expire(now).more
    }

    pub(crate) fn set_limits(&self, limits: RegistryLimits) {
        self.registry().set_limits(limits);
    }

    /// From now on these rules count, also for the calls of open connections.
    pub(crate) fn set_rules(&self, rules: Rules) {
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = rules;
    }

    pub(crate) fn rules(&self) -> RwLockReadGuard<'_, Rules> {
        self.rules.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Peers of a resource, as [`Registry::peers_of`] draws them.
    pub(crate) fn peers_of(&self, resource: ResourceId) -> Vec<PeerEntry> {
        let now = self.now();
        self.registry().peers_of(now, resource)
    }

    pub(crate) fn size(&self) -> Size {
        self.registry().size()
    }

    /// The tracker's size in one line.
    pub(crate) fn status(&self, connections: usize) -> String {
        let size = self.size();
        let (swarms, entries, published) = (size.swarms, size.entries, size.publications);
        format!("connections {connections}, swarms {swarms}, entries {entries}, published {published}")
    }

    pub(crate) fn report(&self, connections: usize, refused: u64) {
        let size = self.size();
        tracing::info!(
            connections,
            refused,
            entries = size.entries,
            swarms = size.swarms,
            publications = size.publications,
            catalogue_bytes = size.catalogue_bytes,
            "the tracker holds"
        );
    }

    /// Locks the registry. The lock is never held across an await, since every call is answered at once.
    pub(crate) fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> Time {
        Time::default() + self.start.elapsed()
    }

    /// The time of day by which publications are dated, in milliseconds since 1970. It never goes back.
    pub(crate) fn date_ms(&self) -> u64 {
        self.date.now_ms()
    }

    /// The authority, if this tracker has one.
    pub(crate) fn enrolment(&self) -> &Arc<Enrolment> {
        &self.enrolment
    }

    /// What tells this start from others.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }
}
