//! Tests with real directories.

mod changes;
mod directory;
mod refusals;
mod tools;
