//! Some chunks of a manifest, in the order of their hashes.

use crate::chunk::ChunkIndex;
use crate::id::ChunkHash;
use crate::manifest::Manifest;

/// Some chunks of a manifest, sorted by hash. It needs 12 bytes for each chunk beside the manifest. Looking a hash up
/// takes a number of steps that grows with the logarithm of the number of chunks, whatever hashes a stranger invents.
#[derive(Debug)]
pub(super) struct Sorted {
    manifest: Manifest,
    /// The first 8 bytes of each hash. Most lookups end without reading the manifest.
    prefixes: Vec<u64>,
    chunks: Vec<ChunkIndex>,
}

impl Sorted {
    /// Sorts these chunks. They exist in the manifest, and none comes twice.
    pub(super) fn new(manifest: Manifest, mut chunks: Vec<ChunkIndex>) -> Sorted {
        let hashes = manifest.hashes();
        chunks.sort_unstable_by_key(|index| (hashes[index.slot()], *index));
        let prefixes = chunks.iter().map(|index| prefix(&hashes[index.slot()])).collect();
        Sorted { manifest, prefixes, chunks }
    }

    /// The chunks with this hash, in order.
    pub(super) fn with(&self, hash: &ChunkHash) -> &[ChunkIndex] {
        let hashes = self.manifest.hashes();
        let first = self.prefixes.partition_point(|other| *other < prefix(hash));
        if self.prefixes.get(first) != Some(&prefix(hash)) {
            return &[];
        }
        // Hashes that begin alike are rare, unless somebody has chosen them.
        let rest = &self.chunks[first..];
        let first = rest.partition_point(|index| hashes[index.slot()] < *hash);
        let rest = &rest[first..];
        &rest[..rest.partition_point(|index| hashes[index.slot()] == *hash)]
    }

    /// The chunks, in the order of their hashes.
    pub(super) fn chunks(&self) -> &[ChunkIndex] {
        &self.chunks
    }

    /// The manifest.
    pub(super) fn manifest(&self) -> &Manifest {
        &self.manifest
    }
}

/// The first 8 bytes of a hash, in the order in which hashes are compared.
pub(super) fn prefix(hash: &ChunkHash) -> u64 {
    u64::from_be_bytes(*hash.0.first_chunk().expect("a hash has 32 bytes"))
}
