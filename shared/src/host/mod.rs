//! What a process finds on its machine: configuration, paths, logs, files to hash.

pub mod accounts;
pub mod clock;
pub mod config;
pub mod hashing;
pub mod lane;
pub mod logging;
pub mod paths;
pub mod service;
