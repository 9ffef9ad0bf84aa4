//! The tree of a download, and which chunks are in it.

use super::chunk_set::ChunkSet;
use super::{At, StagingTree, StoreError, invalid};
use shared::chunk::{CHUNK_BYTES, ChunkIndex};

/// Limits the chunks that are on the disk twice while they are moved into a tree. When there are this many, the tree is
/// synced, and their first place is given back. More would take more room, fewer more syncs.
pub(super) const MOVED_MAX: u32 = 8;

/// Why bytes that begin like a tree are none.
pub(super) const WRONG_SIZE: &str = "its size is not the one that its listing says";

/// A tree that chunks are written to, and which of them it has.
#[derive(Debug)]
pub(super) struct TreePart {
    pub(super) staging: StagingTree,
    pub(super) placed: ChunkSet,
}

impl TreePart {
    /// Writes a chunk whose hash is right.
    ///
    /// # Errors
    /// When the disk is full or fails, or, of kind [`InvalidData`](std::io::ErrorKind::InvalidData), when the chunk is not
    /// what the listing says.
    pub(super) fn write(&self, index: ChunkIndex, bytes: &[u8]) -> Result<(), StoreError> {
        let total = self.staging.layout().bytes();
        if bytes.len() as u64 != total.saturating_sub(index.offset()).min(CHUNK_BYTES.into()) {
            return Err(invalid(WRONG_SIZE)).at("lay out", self.staging.root().path());
        }
        self.staging.write(index.offset(), bytes)?;
        self.placed.insert(index);
        Ok(())
    }
}
