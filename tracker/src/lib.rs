//! tt-tracker: knows who has (part of) what, and the catalogue of published manifests. It keeps nothing on disk.
//!
//! Reading order: [`start`] (from the command line to the end) → [`server`] (connections) → `service` (calls)
//! → [`memory`] (what is kept). `pool` bounds the connections, `pace` how fast they may call; `date` dates what is published.

pub mod cli;
mod date;
pub mod memory;
mod pace;
mod pool;
pub mod server;
mod service;
pub mod start;
