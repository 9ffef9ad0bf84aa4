//! Scenarios: named fleets, their troubles and their limits.
//!
//! A scenario stages a world for a seed and a size; [`run`] runs it and reports. Everything is judged there, so
//! that the binary, CI and the tests ask for the same.

mod definition;
mod even;
mod hostile;
mod list;
mod report;
mod run;
mod troubled;

pub use definition::{GIGABIT, Scenario, Size, Staged, size};
pub use list::{find, scenarios};
pub use report::Report;
pub use run::{Order, run};
