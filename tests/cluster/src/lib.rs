//! The real binaries, started in sealed homes on loopback: for the scenarios in `tests/`, and for
//! `cargo xtask demo`.
//!
//! [`process`] starts, watches and ends one process; [`files`] makes and hashes what they exchange;
//! [`mounts`] gives a test disks of its own, [`clock`] a time of day; [`skip`] says what cannot run here; [`crash`] kills
//! a daemon again and again; [`slow_link`] is a long way between two; [`fake_tracker`] and [`hostile`] misbehave as they
//! are told; [`Tracker`] and [`Daemon`] are what a scenario is told
//! with (`questions` are those that a tracker answers). Those two panic when something is not as it must be, with the logs of all that took part.

mod again;
pub mod clock;
pub mod crash;
mod daemon;
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

pub use daemon::{Daemon, Status};
pub use programs::{Programs, program, use_programs};
pub use tracker::Tracker;

use std::time::{Duration, Instant};

/// Long enough for anything that a scenario waits for on a busy machine; nothing waits so long when all is well.
pub const CAP: Duration = Duration::from_secs(60);

/// Waits until the condition holds. Panics with `what` when it does not within the cap.
#[track_caller]
pub fn wait_until(what: &str, cap: Duration, mut condition: impl FnMut() -> bool) {
    wait_for(what, cap, || condition().then_some(()));
}

/// Waits until there is a value. Panics with `what` when there is none within the cap.
#[track_caller]
pub fn wait_for<T>(what: &str, cap: Duration, mut value: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(value) = value() {
            return value;
        }
        assert!(begin.elapsed() < cap, "waited {cap:?} in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
