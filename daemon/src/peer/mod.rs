//! Between daemons: [`server`] answers those who dialled us, [`link`] asks those whom we dialled (`connection` is how it
//! dials them, `teller` tells the driver), `follow` hears which chunks they have and `wishes` is what it is still to ask for,
//! [`knock`] has a lonely leecher hear of us; [`room`] is who may be connected.

mod connection;
mod follow;
pub mod knock;
pub mod link;
pub mod room;
pub mod server;
mod teller;
mod wishes;
