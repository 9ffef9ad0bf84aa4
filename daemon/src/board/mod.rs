//! State that all connections share: `news` is what we have, `feed` is what one connection has been told of it, and
//! `bans` is whom we refuse for a while, and `rejections` how often and why somebody was turned away. `nodes` is who
//! should be where, as trackers say. `events` is what happened lately. `catalogues` is how far the catalogues of trackers are.

pub mod bans;
pub mod catalogues;
pub mod events;
pub mod feed;
pub mod news;
pub mod nodes;
pub mod rejections;
