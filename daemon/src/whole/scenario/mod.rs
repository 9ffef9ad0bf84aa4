//! What happens in worlds.

mod deaths;
mod links;
mod one_download;
mod table;
mod tracker;

pub(crate) use table::{ALL, Scenario};
