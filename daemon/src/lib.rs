//! ttd: the daemon of each machine. It owns the shared directory and all peer networking.
//!
//! ```text
//! decisions   peer, control → Input → driver → Event → core → Action → driver → links, answers, trackers
//! bytes       socket ⇄ peer ⇄ library ⇄ store
//! ```
//!
//! [`start`] starts everything, and `assemble` puts the daemon itself together. `driver` is the one loop that decides, and `inbox` holds the inputs that wake
//! it. `peer` and `control` are the two services and the links to other daemons; `tracker` talks to trackers; `library`
//! knows each resource; `watch` is what the driver observes over time; `snapshot` is the state that others read;
//! `store` is the disk; `automate` is what the daemon does by itself.

// Tests start tasks and threads as they like.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

mod assemble;
mod automate;
mod board;
pub mod cli;
mod control;
mod descriptors;
mod driver;
mod entropy;
mod identity;
mod inbox;
mod jobs;
mod library;
mod limits;
mod net;
mod panicked;
mod peer;
mod plan;
mod reload;
mod saver;
mod snapshot;
pub mod start;
mod store;
mod tasks;
mod throttle;
mod tracker;
mod trust;
mod watch;
mod watchdog;
#[cfg(test)]
mod whole;

#[cfg(feature = "fuzz")]
pub use identity::check_list as check_revoked_lists;
#[cfg(feature = "fuzz")]
pub use store::fuzz;
