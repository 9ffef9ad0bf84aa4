//! The whole-file hash of a download: `hash` processes chunks as they arrive, `recent` keeps chunks that it needs soon
//! in memory, and `follow` hashes the chunks that were missed.

mod follow;
mod hash;
mod recent;

pub use follow::HashedWhole;
pub use hash::WholeHash;
pub use recent::Memory;
