//! tt-tracker: knows which peers have some or all of a resource, and has the catalogue of published manifests. It
//! stores nothing on disk.
//!
//! Reading order: [`start`] (from the command line to the end) → [`server`] (connections) → `service` (calls) →
//! [`memory`] (the data). `pool` limits the connections and `pace` the rate of their calls; `date` dates publications.

pub mod cli;
mod date;
pub mod memory;
mod pace;
mod pool;
pub mod server;
mod service;
pub mod start;
