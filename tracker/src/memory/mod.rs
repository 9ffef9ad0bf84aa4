//! The tracker's memory: who takes part in which swarm, and the catalogue of published manifests. Pure: the
//! time is handed in, chance comes from a seed, and nothing in here waits. Clocks, locks and sockets are the business of
//! `service` and `server`. The test `nothing_here_waits_or_has_a_clock` sees to it.
//!
//! Everything in here is soft: it is lost with the process, and the daemons tell it again within one interval.
//! All of it is bounded by [`Limits`]. Entries beyond are refused, but for those of somebody that has far more than the
//! newcomer, which make way; a publication makes way when nobody has it any more, or when its name or resource is full and
//! its network, host and machine have taken the most places there.
//!
//! Reading order: [`shared::rpc::tracker`] (what is told) → `registry` (the calls) → `swarms` (who is where) → `announce`
//! (who says so) → `swarm` (who is told of whom) → `sweep` (what ends) → `catalogue` (what is published) → `publish` (by
//! whom) → `unpublish` (who takes a name back) → `named` (what a name means) → `eviction`, `catalogue_room`, `entries` and
//! `lists` (who makes way).

mod addresses;
mod announce;
mod catalogue;
mod catalogue_room;
mod draw;
mod entries;
mod eviction;
mod fleet;
mod limits;
mod lists;
mod lonely;
mod named;
mod network;
mod publish;
mod refusal;
mod registry;
mod shares;
mod swarm;
mod swarms;
mod sweep;
mod taken_back;
mod unpublish;
mod upload;
mod who;

#[cfg(test)]
mod tests;

pub use addresses::{known_as, seen_from};
pub use limits::Limits;
pub use refusal::Refusal;
pub use registry::{Registry, Size};
pub use sweep::Sweep;
pub use who::Who;
