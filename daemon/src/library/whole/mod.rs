//! The whole-file hash of a download: `hash` goes along with the chunks that arrive, `recent` keeps what it comes to soon
//! in memory, `follow` makes good what it missed.

mod follow;
mod hash;
mod recent;

pub use follow::HashedWhole;
pub use hash::WholeHash;
pub use recent::Memory;
