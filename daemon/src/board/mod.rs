//! State that all connections share: `news` is what we have, `told` is what one connection has been told of it, and
//! `bans` is whom we refuse and how often.

pub mod bans;
pub mod news;
pub mod told;
