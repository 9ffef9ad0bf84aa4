//! Runs threads that wait for each other by condition variables in many orders. What a stress test finds once in a
//! million runs, such as a wake-up that is lost, is found here within seconds, by [shuttle], which decides which thread
//! runs next at each lock, wait, and notification. A state in which all threads wait is a failure.
//!
//! The code is the production code itself (see `build.rs`). A failure prints the order in which the threads ran; as the
//! seeds are fixed, the test fails in the same way when it runs again. `shuttle::replay` takes the printed order.
//!
//! What this cannot find: orders that need weak memory (all atomics are sequentially consistent here), and what depends
//! on time.
//!
//! [shuttle]: https://docs.rs/shuttle

#![cfg(test)]

mod hashing_tests;
mod orders;
mod store;
mod sync;
mod thread;
mod unnoted_tests;
mod whole;

use shared::host::lane;
use shared::{chunk, have, host, id, manifest};

/// `shared::host::hashing`.
#[expect(dead_code, reason = "production code uses the rest")]
mod hashing {
    include!(concat!(env!("OUT_DIR"), "/hashing/mod.rs"));
}

/// `daemon::library::unnoted`.
mod unnoted {
    include!(concat!(env!("OUT_DIR"), "/unnoted.rs"));
}
