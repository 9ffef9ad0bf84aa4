//! Chunks that occur more than once in one resource. When one of them is there, the others can be copied from it.

use super::sorted::Sorted;
use crate::chunk::ChunkIndex;
use crate::manifest::Manifest;

/// The chunks of a resource that occur more than once, without those of zeros, which are made from nothing. It needs 12
/// bytes for each of them.
///
/// ```
/// use shared::chunk::ChunkIndex;
/// use shared::id::{ChunkHash, ResourceId};
/// use shared::manifest::Manifest;
/// use shared::reuse::repeats::Repeats;
///
/// let hashes = [b"a", b"b", b"a"].map(|bytes| ChunkHash::of(bytes)).to_vec();
/// let trackers = vec!["tt://h".parse().unwrap()];
/// let manifest = Manifest::new("aba".parse().unwrap(), ResourceId::of(b"?"), trackers, hashes).unwrap();
/// let repeats = Repeats::of(&manifest);
/// assert_eq!(repeats.like(ChunkIndex(0)), [ChunkIndex(0), ChunkIndex(2)]);
/// assert!(repeats.like(ChunkIndex(1)).is_empty());
/// ```
#[derive(Debug)]
pub struct Repeats(Sorted);

impl Repeats {
    /// Finds the chunks of a resource that occur more than once. It takes as long as sorting the hashes: for the largest
    /// resource a second or two.
    pub fn of(manifest: &Manifest) -> Repeats {
        let mut all: Vec<ChunkIndex> =
            manifest.count().indices().filter(|index| !manifest.is_zeros(*index)).collect();
        let hashes = manifest.hashes();
        all.sort_unstable_by_key(|index| hashes[index.slot()]);
        let is_alike = |one: &ChunkIndex, other: &ChunkIndex| hashes[one.slot()] == hashes[other.slot()];
        let repeated = all.chunk_by(is_alike).filter(|alike| alike.len() > 1).flatten().copied().collect();
        Repeats(Sorted::new(manifest.clone(), repeated))
    }

    /// All chunks with the content of this one, itself included, in order; empty if there is no other.
    pub fn like(&self, index: ChunkIndex) -> &[ChunkIndex] {
        self.0.manifest().hash(index).map_or(&[], |hash| self.0.with(hash))
    }

    /// Whether every chunk occurs once.
    pub fn is_empty(&self) -> bool {
        self.0.chunks().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{ChunkHash, ResourceId};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_names_all_that_are_alike(of in prop::collection::vec(0u8..12, 2..40)) {
            let hashes = of.iter().map(|of| ChunkHash([*of; 32])).collect();
            let trackers = vec!["tt://h".parse().unwrap()];
            let manifest = Manifest::new("x".parse().unwrap(), ResourceId([99; 32]), trackers, hashes).unwrap();
            let repeats = Repeats::of(&manifest);
            for (at, content) in of.iter().enumerate() {
                let alike: Vec<ChunkIndex> =
                    (0..).zip(&of).filter(|(_, other)| *other == content).map(|(other, _)| ChunkIndex(other)).collect();
                let expected = if alike.len() > 1 { alike } else { Vec::new() };
                prop_assert_eq!(repeats.like(ChunkIndex(at as u32)), expected);
            }
            prop_assert_eq!(repeats.is_empty(), of.iter().collect::<std::collections::BTreeSet<_>>().len() == of.len());
        }
    }
}
