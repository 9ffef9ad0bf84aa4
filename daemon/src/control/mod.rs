//! The service for ttctl at the Unix socket.

mod blocking;
mod callers;
pub mod common;
mod crowd;
mod diary;
mod examine;
mod get;
mod identity;
mod imports;
mod limit;
mod look_up;
mod overview;
mod paths;
mod quota;
mod read;
pub mod reception;
mod server;
mod sign;
mod tracker;
mod users;
