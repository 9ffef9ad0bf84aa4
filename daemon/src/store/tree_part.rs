//! The tree of a download, and which chunks are in it.

use super::chunk_set::ChunkSet;
use super::{StagingTree, StoreError};
use shared::chunk::ChunkIndex;

/// A tree that chunks are written to, and which of them it has.
#[derive(Debug)]
pub(super) struct TreePart {
    pub(super) staging: StagingTree,
    pub(super) placed: ChunkSet,
}

impl TreePart {
    pub(super) fn write(&self, index: ChunkIndex, bytes: &[u8]) -> Result<(), StoreError> {
        self.staging.write(index.offset(), bytes)?;
        self.placed.insert(index);
        Ok(())
    }
}
