//! Peers that mean no good. They speak the protocol as far as they want to, in this process, and are told how to
//! misbehave: [`FalseSeeder`] is dialled and asked, [`Asker`] dials and
//! asks, [`Silent`] dials and says nothing, [`Publisher`] publishes what it likes.

mod asker;
mod crowd;
mod distort;
mod publisher;
mod seeder;
mod silent;
mod way;

pub use asker::{Asker, is_welcome, lengths, strangers};
pub use crowd::Crowd;
pub use publisher::Publisher;
pub use seeder::FalseSeeder;
pub use silent::Silent;
pub use way::Way;
