//! Decides what of a download is taken from files that are on this machine. Nothing here reads a file.

pub mod repeats;
pub mod samples;
pub mod search;
pub mod shift;
mod sorted;
