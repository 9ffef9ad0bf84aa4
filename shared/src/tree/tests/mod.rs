//! Tests of the bytes of a tree.

mod listing;
mod model;
mod tar;
