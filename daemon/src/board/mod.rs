//! What all connections look at: what we have (`news`, and in `told` what of it one connection has heard), and whom we
//! refuse, and how often (`bans`).

pub mod bans;
pub mod news;
pub mod told;
