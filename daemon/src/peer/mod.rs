//! The connections between daemons. [`server`] answers peers that dialed us. [`link`] asks peers that we dialed:
//! `connection` dials them, `teller` tells the driver, `follow` receives their news, and `wishes` has the subscriptions
//! that are still to be sent. [`knock`] contacts lonely leechers, and [`room`] limits the connections.

mod connection;
mod follow;
pub mod knock;
pub mod link;
pub mod room;
pub mod server;
mod teller;
mod wishes;
