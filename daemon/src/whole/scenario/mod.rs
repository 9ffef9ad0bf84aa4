//! What happens in worlds.

mod deaths;
mod one_download;
mod table;

pub(crate) use table::{ALL, Scenario};
