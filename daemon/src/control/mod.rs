//! Between ttctl and this daemon, over the Unix socket.

pub mod server;
