//! Directories on this machine as trees: finds their entries, opens their files and hashes them.
//!
//! Everything is reached from the descriptor of the top directory, and no symbolic link is followed: nobody who
//! changes the directory meanwhile can lead us out of it.

mod check;
mod error;
mod hash;
mod notes;
mod open;
mod seen;
mod stream;
mod walk;

#[cfg(test)]
mod tests;

pub use check::hash_tree_for;
pub use error::{TreeError, shown};
pub use hash::{HashedTree, TreeProgress, hash_tree};
pub use notes::{Noted, Notes};
pub use open::{TreeFiles, open_top};
pub use seen::Seen;
pub use stream::read_tree;
pub use walk::{Walked, walk};
