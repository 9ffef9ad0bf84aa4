//! tt-tracker: knows which peers have some or all of a resource, and has the catalogue of published manifests. It
//! stores none of that on disk.
//!
//! Reading order: [`start`] (from the command line to the end) → [`server`] (connections) → `service` (calls) →
//! [`memory`] (the data). `door` lets callers in, knows who they are, and counts those that are not let in; `pool`
//! limits the connections, `call_rate` the rate of their calls, and `lines` what they cause in the log; `diary` says what
//! the log and callers are told of publications; `date` dates them; `state` is what all connections share. [`rights`]
//! says what a caller may do, and `allowed` applies that to the calls; `rules` has all that the configuration says of
//! callers. `caller` is who calls. [`follow`] decides what those are told who follow the catalogue. `enrol` issues and renews certificates, where there is an authority.

mod allowed;
mod call_rate;
mod caller;
pub mod cli;
mod date;
mod diary;
mod door;
mod enrol;
pub mod follow;
mod lines;
pub mod memory;
mod pool;
pub mod rights;
mod rules;
pub mod server;
mod service;
pub mod start;
mod state;
