//! State that all connections share: `news` is what we have, `feed` is what one connection has been told of it, and
//! `bans` is whom we refuse and how often, `handshakes` which of them do not
//! show who they are. `events` is what happened lately.

pub mod bans;
pub mod events;
pub mod feed;
pub mod handshakes;
pub mod news;
