//! ttd: the daemon of each machine. It owns the shared folder and all peer networking.
//!
//! ```text
//! socket → rpc handler → Input → driver → Event → core → Action → driver → socket / disk
//! ```
//!
//! [`start`] puts everything together; `driver` is the one loop. Around it: `peer` and `control` are the two
//! services and the links to other daemons, `tracker` talks to trackers, `store` is the disk, `library` what
//! is known of each resource.

mod board;
pub mod cli;
mod control;
mod descriptors;
mod driver;
mod health;
mod inbox;
mod library;
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
mod watch;

#[cfg(feature = "fuzz")]
pub use store::fuzz;
