//! What a person sees: ttctl on a pseudo-terminal, against a daemon that only pretends.
//!
//! `pty` runs a command line and knows what its terminal shows; `fleet` is what there is to see.

#[path = "../../src/tests/fake.rs"]
#[allow(dead_code, reason = "the tests of whole commands use the rest")]
mod fake;
mod fleet;
mod pty;
mod snapshots;
mod watches;
mod widths;
