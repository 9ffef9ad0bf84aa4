//! The swarm core on virtual time, with an in-memory network.
//!
//! A [`World`] holds machines, each with the real [`Machine`](shared::swarm::Machine) inside and a minimal
//! driver around it, and moves them from one happening to the next: there is no clock, no thread and no
//! socket, so a run of minutes takes moments, and the same seed is the same run.
//!
//! What is modelled: uplinks and downlinks that are shared among the chunks on them ([`Sharing`]), zones with
//! thin links between them, latency, the time that hashing and telling news takes, a tracker, and [`Fault`]s. What is not: loss, slow start, the
//! shape of TCP's fairness, and control messages that wait behind bulk bytes.
//!
//! After every step the invariants of the machine that moved are checked; the seed is part of every panic.

mod bound;
mod heap;
mod network;
mod node;
mod world;

pub use bound::{bound, bound_between};
pub use network::{Link, Sharing};
pub use node::NodeId;
pub use world::{Fault, Log, Setup, World};
