//! Connections in memory, with the faults of a network: they are slow, hold back, break and are refused. Everything
//! happens on tokio's clock, and all random numbers come from one seed.
//!
//! `pipe` is one direction of a connection, `path` is the way from one machine to another, `fabric` sends the bytes of
//! all connections over the uplinks; none of them reads a clock. `stream` makes a byte stream of a connection, and
//! `cables` dials, listens and breaks.

mod cables;
mod fabric;
mod path;
mod pipe;
mod stream;
#[cfg(test)]
mod tests;

pub(crate) use cables::{CableListener, Cables};
pub(crate) use fabric::{Cut, Settings};
pub(crate) use path::Refusal;
pub(crate) use stream::Cable;
