//! A set of chunks that several threads add to.

use shared::chunk::{ChunkCount, ChunkIndex};
use std::sync::atomic::{AtomicU64, Ordering};

/// Some of the chunks of a resource.
#[derive(Debug)]
pub(super) struct ChunkSet(Box<[AtomicU64]>);

impl ChunkSet {
    /// None of `count` chunks.
    pub(super) fn empty(count: ChunkCount) -> ChunkSet {
        ChunkSet((0..count.get().div_ceil(64)).map(|_| AtomicU64::new(0)).collect())
    }

    /// Adds a chunk.
    pub(super) fn insert(&self, index: ChunkIndex) {
        if let Some(word) = self.0.get(index.slot() / 64) {
            word.fetch_or(1 << (index.0 % 64), Ordering::SeqCst);
        }
    }

    /// Whether it has a chunk.
    pub(super) fn contains(&self, index: ChunkIndex) -> bool {
        let word = self.0.get(index.slot() / 64).map_or(0, |word| word.load(Ordering::SeqCst));
        word & (1 << (index.0 % 64)) != 0
    }

    /// Its chunks, in order. Those that are added meanwhile may be left out.
    pub(super) fn iter(&self) -> impl Iterator<Item = ChunkIndex> {
        (0..self.0.len() as u32 * 64).map(ChunkIndex).filter(|index| self.contains(*index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_is_there() {
        let set = ChunkSet::empty(ChunkCount::new(130).unwrap());
        [63, 129, 0].into_iter().for_each(|at| set.insert(ChunkIndex(at)));
        assert_eq!(set.iter().map(|index| index.0).collect::<Vec<_>>(), [0, 63, 129]);
        assert!(!set.contains(ChunkIndex(64)) && !set.contains(ChunkIndex(5000)));
    }
}
