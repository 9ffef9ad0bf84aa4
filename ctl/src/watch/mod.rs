//! `--watch`: something that changes, on a screen of its own, or as lines where no terminal is.
//!
//! Reading order: `run` takes the updates, `frame` decides which lines are seen, `screen` has the terminal.

mod frame;
mod run;
mod screen;

pub(crate) use frame::Frame;
pub(crate) use run::{Updates, Watched, watch};
