//! Between ttctl and this daemon, over the Unix socket.

mod examine;
pub mod server;
