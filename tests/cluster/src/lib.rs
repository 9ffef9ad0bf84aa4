//! The real binaries, started in sealed homes on loopback: for the scenarios in `tests/`, and for
//! `cargo xtask demo`.
//!
//! [`process`] starts, watches and ends one process; [`files`] makes and hashes what they exchange;
//! [`mounts`] gives a test disks of its own, [`clock`] a time of day; [`skip`] says what cannot run here; [`document`] takes
//! commands and files out of a document; [`crash`] kills
//! a daemon again and again; [`slow_link`] is a long way between two; [`fake_tracker`] and [`hostile`] misbehave as they
//! are told; [`Tracker`] and [`Daemon`] are what a scenario is told
//! with (`questions` are those that a tracker answers). Those two panic when something is not as it must be, with the logs of all that took part.

mod again;
pub mod clock;
pub mod crash;
mod daemon;
pub mod document;
#[cfg(feature = "hostile")]
pub mod fake_tracker;
pub mod files;
#[cfg(feature = "hostile")]
pub mod hostile;
pub mod mounts;
pub mod process;
mod programs;
#[cfg(feature = "hostile")]
mod questions;
pub mod skip;
#[cfg(feature = "hostile")]
pub mod slow_link;
mod tracker;
mod wait;

pub use daemon::{Daemon, Status};
pub use programs::{Programs, program, use_programs};
pub use tracker::Tracker;
pub use wait::{CAP, wait_for, wait_until};
