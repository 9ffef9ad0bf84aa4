//! The daemon's side of the trackers: [`announcer`] keeps one connection to each and announces, withdraws and
//! publishes when [`schedule`] and [`publications`] say so, what it is told waits in an [`inbox`]; [`catalogue`] looks things up for a `get`; [`health`] is what people are told.
//! Trackers are believed as little as anybody: what they say is bounded here, and whom they name in the core.

mod announcer;
pub mod catalogue;
mod dates;
mod entry;
mod health;
mod inbox;
mod publications;
mod publish;
mod schedule;
mod session;
#[cfg(test)]
mod storm;
mod trackers;

pub use dates::now_ms;
pub use entry::{Entry, TrackerCommand, Unpublished, Waiting};
pub use health::{Trouble, seconds};
pub use trackers::Trackers;
