//! Subscriptions: what is published under certain names comes to this machine by itself, each version once.
//!
//! Reading order: `rules` (which names, from which trackers) → `known` (which versions were fetched before) → `machine` (what is
//! fetched, and when) → `follow` (when a tracker is asked) → `task` (asks, and has the driver fetch) → `report` (what ttctl is
//! told). All but `task` are pure.

#[cfg(test)]
mod fleet;
mod follow;
mod known;
mod machine;
mod report;
mod rules;
mod task;

pub use task::SubscriptionsHandle;
