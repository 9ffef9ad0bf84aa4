//! The code that ttd, ttctl and tt-tracker share.
//!
//! Without features this crate is pure: it has no tokio, no tarpc, no file system, no clock and no global randomness,
//! so that the same swarm core runs in the daemon and in the simulator. The feature `rpc` adds the protocols between
//! processes; the feature `host` adds what a process finds on its machine: configuration, paths, logs, hashing of
//! files; the feature `signed` adds signatures of manifests and is as pure as the rest.
//!
//! Reading order: [`id`] → [`chunk`] → [`name`] → [`manifest`] → [`have`] → [`swarm`]; [`tree`] for directories.

pub mod chance;
pub mod chunk;
pub mod credit;
pub mod date;
pub mod der;
pub mod expiry;
pub mod have;
pub mod hostname;
pub mod id;
pub mod identity;
pub mod manifest;
pub mod name;
pub mod reuse;
pub mod shell;
#[cfg(feature = "signed")]
pub mod signature;
pub mod swarm;
pub mod tls_mode;
pub mod token;
pub mod tree;
pub mod url;
pub mod utc;
pub mod wanted;
pub mod window;
pub mod zeros;

#[cfg(feature = "host")]
pub mod host;
#[cfg(any(feature = "host", feature = "rpc"))]
pub mod plain;
#[cfg(feature = "rpc")]
pub mod rpc;
