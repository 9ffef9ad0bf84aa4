//! Scenarios of a fleet with the real binaries: each test starts a tracker and daemons of its own.
//!
//! `cargo test -p cluster` builds the binaries again when their sources have changed; `$TT_BIN` names a folder with
//! others. When a test fails, the logs of all its processes are printed.

mod adopt;
mod adopt_trees;
mod callers;
mod clones;
mod completions;
mod crash;
mod damaged;
mod disk;
mod events;
mod faults;
mod files;
mod fleet;
mod get;
mod hostile;
mod hostile_trees;
mod info;
mod input;
mod invented;
mod join;
mod lifecycle;
mod local;
mod logs;
mod many;
mod names;
mod odd_trees;
mod parts;
mod questions;
mod reasons;
mod recipes;
mod restarts;
mod reuse;
mod rights;
mod room;
mod service;
mod share_trees;
mod shifts;
mod signatures;
mod sparse;
mod start;
mod strays;
mod streams;
mod swarm;
mod tls;
mod trackers;
mod tree_copies;
mod tree_costs;
mod tree_states;
mod trees;
mod trust;
mod unpublish;
mod updates;
mod uploads;
mod wanted;
