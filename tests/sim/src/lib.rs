//! The swarm core on virtual time, with an in-memory network.
//!
//! A [`World`] holds machines, each with the real [`Machine`](shared::swarm::Machine) inside and a minimal
//! driver around it, and moves them from one happening to the next: there is no clock, no thread and no
//! socket, so a run of minutes takes moments, and the same seed is the same run.
//!
//! What is modeled: uplinks and downlinks that are shared among the chunks on them ([`Sharing`]), zones with
//! thin links between them, latency, messages that wait behind chunks, the time that hashing and telling news
//! takes, a tracker, joins and leaves, and [`Fault`]s. What is not: loss, slow start, the shape of TCP's
//! fairness, and what disks and processors cost.
//!
//! Where the setup asks for it, the invariants of a machine are checked after each of its steps; and always, that
//! nothing is served before it is verified, and that everybody ends or says what it lacks. The seed is part of
//! every panic.
//!
//! [`scenario`] has the fleets that the binary `sim` runs: `sim list` names them, `sim run NAME` runs one, `sim
//! check` is what CI runs, `sim table` and `sim rules` print the tables of docs/strategy.md.

mod bound;
mod heap;
mod network;
mod node;
pub mod scenario;
mod world;

pub use bound::{bound, bound_between, bound_late};
pub use network::{Link, Sharing};
pub use node::NodeId;
pub use world::{Fault, Log, Setup, World};
