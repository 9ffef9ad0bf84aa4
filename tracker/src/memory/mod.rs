//! The tracker's memory: which peer takes part in which swarm, and the catalogue of published manifests. It is pure:
//! the time is handed in, random choices come from a seed, and nothing here waits. Clocks, locks and sockets belong to
//! `service` and `server`. The test `nothing_here_waits_or_has_a_clock` checks that.
//!
//! Everything here is soft state: it is lost when the process ends, and the daemons send it again within one interval.
//! All of it is bounded by [`RegistryLimits`]. When entries reach their limit, those of peers that have far more than the
//! newcomer make way, or the newcomer is refused. A publication makes way when no peer has it any more, or when its
//! name or resource is full and its network, host and machine have the most items there.
//!
//! Reading order: [`shared::rpc::tracker`] (the messages) → `registry` (the calls) → `swarms` (the entries) →
//! `announce` (how they come) → `swarm` (which peers are told of which) → `sweep` (how they expire) → `rollout`
//! (which machine has which version) → `catalogue` (manifests and names) → `publish` (how they come) → `unpublish` (how
//! they are taken back) → `named` (what a name means) → `changed` (which names changed since) → `eviction`, `catalogue_room`, `entries` and `lists` (what makes
//! way). `owners` knows which ids belong to nodes.

mod addresses;
mod announce;
mod catalogue;
mod catalogue_room;
mod changed;
mod changes;
mod draw;
mod entries;
mod eviction;
mod fleet;
mod labels;
mod limits;
mod lists;
mod lonely;
mod member;
mod name_digest;
mod named;
mod network;
mod owners;
mod publish;
mod refusal;
mod registry;
mod rollout;
mod shares;
mod swarm;
mod swarms;
mod sweep;
mod taken_back;
mod told;
mod unpublish;
mod upload;
mod who;

#[cfg(test)]
mod tests;

pub use addresses::{known_as, seen_from};
pub use limits::RegistryLimits;
pub use refusal::Refusal;
pub use registry::{Registry, Size};
pub use sweep::Sweep;
pub use who::Who;
