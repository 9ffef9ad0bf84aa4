//! Tests of the bytes of a tree.

mod golden;
mod known;
mod large;
mod listing;
mod model;
mod tar;
