//! The swarm core decides which chunk to fetch from which peer, and which peer to serve.
//!
//! It is pure: it has no clock, no source of randomness, no socket and no file, and it holds no chunk bytes, only ids.
//! A driver (the daemon or the simulator) feeds it [`Event`]s and performs the [`Action`]s that it returns. It never
//! fails: nonsense from a stranger ends as [`Action::Drop`]. The same seed and the same events give the same actions.
//!
//! The strategy and its reasons are in docs/strategy.md.

mod action;
mod alarms;
mod answers;
mod chunks;
mod config;
mod dials;
mod drop_reason;
mod event;
mod handle;
#[cfg(test)]
mod hostile_tests;
mod machine;
mod members;
mod outcome;
mod peer;
mod peers;
mod place;
mod rate;
mod reach;
mod request;
mod schedule;
mod serve;
mod state;
mod status;
mod takers;
#[cfg(test)]
mod tests;
mod time;
mod uploads;
mod zone;
mod zones;

pub use action::Action;
pub use config::SwarmConfig;
pub use drop_reason::DropReason;
pub use event::{AskEnd, AskId, Event, News, PeerAddr, RequestId, RequestRefusal};
pub use machine::Machine;
pub use peer::SUBSCRIPTIONS_MAX;
pub use status::{PeerStatus, SwarmStatus, TakerStatus, Waiting};
pub use time::Time;
