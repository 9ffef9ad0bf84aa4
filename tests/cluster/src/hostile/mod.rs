//! Hostile peers. They run in this process, speak the protocol as far as they want to, and misbehave as a test tells
//! them: [`FalseSeeder`] is dialed and asked, [`Asker`] dials and asks, [`Silent`] dials and says nothing, and
//! [`Publisher`] publishes what it likes.

mod asker;
mod crowd;
mod distort;
mod publisher;
mod seeder;
mod silent;
pub mod tar;
mod way;

pub use asker::{Asker, is_welcome, lengths, strangers};
pub use crowd::Crowd;
pub use publisher::Publisher;
pub use seeder::FalseSeeder;
pub use silent::Silent;
pub use way::Way;
