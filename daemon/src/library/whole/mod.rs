//! The whole-file hash of a download: `hash` goes along with the chunks that arrive, `recent` keeps what it comes to soon
//! in memory, `follow` makes good what it missed.

mod follow;
mod hash;
mod recent;

pub use follow::{Frontier, HashedWhole};
pub use hash::Whole;
pub use recent::Room;
