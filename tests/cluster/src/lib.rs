//! The real binaries, started in sealed homes on loopback: for the scenarios in `tests/`, and for
//! `cargo xtask demo`.
//!
//! [`process`] starts, watches and ends a process; [`ports`] finds it a port; [`files`] makes and hashes files;
//! [`keys`] are keys to sign with; [`Authority`] issues certificates, and [`openssl`] those of strangers; [`mounts`] gives a
//! test disks of its own, and [`clock`] a time of day; [`skip`] records tests that cannot run here; [`document`] reads
//! commands and files out of a document; [`crash`] kills a daemon again and again; [`slow_link`] delays the bytes between two
//! processes; [`trees`] makes and compares directories; [`fake_tracker`] and [`hostile`] misbehave as they are told. Scenarios are written with [`Tracker`] and [`Daemon`], which panic on a failure with the
//! logs of all processes; `questions` asks a tracker.

mod again;
mod authority;
pub mod clock;
pub mod crash;
mod daemon;
pub mod document;
#[cfg(feature = "hostile")]
pub mod fake_tracker;
pub mod files;
#[cfg(feature = "hostile")]
pub mod hostile;
pub mod keys;
pub mod mounts;
pub mod openssl;
pub mod ports;
pub mod process;
mod programs;
#[cfg(feature = "hostile")]
mod questions;
pub mod skip;
#[cfg(feature = "hostile")]
pub mod slow_link;
mod tracker;
#[cfg(feature = "hostile")]
pub mod trees;
mod wait;

pub use authority::Authority;
pub use daemon::{Daemon, LOGS_REQUESTS, Status};
pub use programs::{Programs, program, use_programs};
pub use tracker::Tracker;
pub use wait::{CAP, wait_for, wait_until};
