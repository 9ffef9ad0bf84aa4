//! Between daemons: [`server`] answers those who dialled us, [`link`] asks those whom we dialled, [`news`] is
//! what both sides tell each other about the chunks that they have.

pub mod link;
pub mod news;
pub mod server;
