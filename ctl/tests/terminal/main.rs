//! Tests what users see: ttctl on a pseudo-terminal, with a fake daemon.
//!
//! `pty` runs a command line and records what its terminal shows; `fleet` contains the data that is shown.

mod authority;
#[path = "../../src/tests/fake.rs"]
#[allow(dead_code, reason = "the tests of whole commands use the rest")]
mod fake;
mod fleet;
mod passwords;
mod pty;
mod shells;
mod snapshots;
mod watches;
mod widths;
