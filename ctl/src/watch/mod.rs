//! `--watch`: shows changes on a screen of its own, or as lines if there is no terminal.
//!
//! Reading order: `run` receives the updates, `frame` decides which lines are visible, `screen` handles the terminal.

mod frame;
mod run;
mod screen;

pub(crate) use frame::Frame;
pub(crate) use run::{Updates, Watched, watch};
