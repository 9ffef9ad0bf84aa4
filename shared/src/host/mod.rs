//! What a process finds on its machine: configuration, environment, paths, logs, files and directories to hash.

pub mod accounts;
#[cfg(feature = "tls")]
pub mod certificates;
pub mod clock;
pub mod config;
#[cfg(feature = "tls")]
pub mod doors;
pub mod environment;
#[cfg(feature = "tls")]
pub mod guard;
#[cfg(feature = "tls")]
pub mod handshakes;
pub mod hashing;
pub mod hostname;
pub mod lane;
pub mod logging;
pub mod paths;
#[cfg(feature = "program")]
pub mod program;
#[cfg(feature = "tls")]
pub mod refused;
pub mod service;
pub mod sources;
pub mod sparse;
pub mod tree;
