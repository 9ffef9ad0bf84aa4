//! What happens in worlds.

mod clocks;
mod copies;
mod deaths;
mod disks;
mod downloads;
mod everything;
mod imports;
mod kind;
mod links;
mod on_purpose;
mod one_download;
mod subscriptions;
mod table;
mod tracker;

pub(crate) use kind::Scenario;
pub(crate) use table::{ALL, named};
