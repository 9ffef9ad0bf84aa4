//! The daemon's side of the trackers. [`trackers`] are all that we talk to; an [`announcer`] keeps one connection to each
//! and announces, withdraws and publishes when [`schedule`] and [`publications`] say so; what it is told waits in an
//! [`inbox`]. [`catalogue`] looks things up for a `get`, [`asker`] puts the questions of ttctl; [`health`] is what people are
//! told. Trackers are believed as little as anybody: what they say is bounded here, and whom they name in the core.

mod announcer;
pub(crate) mod asker;
pub mod catalogue;
mod dates;
mod entry;
mod health;
mod idle;
mod inbox;
pub(crate) mod pages;
mod publications;
mod publish;
mod schedule;
pub(crate) mod session;
#[cfg(test)]
mod storm;
mod trackers;

pub use entry::{AnnouncedEntry, TrackerCommand, Unpublished, Waiting};
pub use health::{Trouble, seconds};
pub use trackers::Trackers;
