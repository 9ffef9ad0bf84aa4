//! The service for ttctl at the Unix socket.

mod blocking;
mod callers;
pub mod common;
mod crowd;
mod diary;
mod examine;
mod imports;
mod limit;
mod look_up;
mod manner;
mod overview;
mod quota;
pub mod server;
mod tracker;
mod users;
