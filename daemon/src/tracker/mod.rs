//! The daemon's side of the tracker protocol. [`trackers`] holds all trackers that we talk to. An [`announcer`] keeps
//! one connection to each, and announces, withdraws and publishes when [`schedule`] and [`publications`] say so; the
//! driver's orders wait in its [`inbox`]. [`lookup`] looks names up for `get`, [`asker`] asks on behalf of ttctl,
//! [`health`] is the state that people see, and [`enrol`] asks for certificates. Trackers are not trusted: their answers are bounded here, and the core
//! checks the peers that they name.

mod advertise;
mod announcer;
pub(crate) mod asker;
mod dates;
pub mod enrol;
mod entry;
mod fitting;
mod health;
mod idle;
mod inbox;
pub mod lookup;
pub(crate) mod pages;
mod publications;
mod publish;
mod schedule;
pub(crate) mod session;
#[cfg(test)]
mod storm;
mod to_unpublish;
mod trackers;

pub use entry::{AnnouncedEntry, Announcing, NamedManifest, NotPublished, TrackerCommand};
pub use health::{Trouble, seconds};
pub use trackers::Trackers;
