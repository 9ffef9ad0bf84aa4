//! Between daemons: [`server`] answers those who dialled us, [`link`] asks those whom we dialled (`connection` is how it
//! dials them), [`news`] is what both sides tell each other about the chunks that they have, [`told`] what of ours one
//! connection has heard, `follow` hears theirs, [`knock`] has a lonely leecher hear of us, `wishes` is what it is still to ask for; [`room`] is who may be
//! connected, [`bans`] who is refused for a while.

pub mod bans;
mod connection;
mod follow;
pub mod knock;
pub mod link;
pub mod news;
pub mod room;
pub mod server;
mod teller;
pub mod told;
mod wishes;
