//! What happens in worlds.

mod deaths;
mod disks;
mod links;
mod one_download;
mod table;
mod tracker;

pub(crate) use table::{ALL, Scenario};
