//! Chunks: their size, and three types that must not be confused: an index, a count, and a number of bytes.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The size of a chunk in bytes. Only a resource's last chunk may be shorter, with at least 1 byte.
pub const CHUNK_BYTES: u32 = 1 << 20;

/// Limits the chunks of a resource: 4 Mi chunks are 4 TiB. A larger file is refused. The limit bounds the size of a
/// have map (512 KiB) and of a manifest.
pub const CHUNKS_MAX: u32 = 4 << 20;

/// The position of a chunk in its resource, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChunkIndex(pub u32);

impl ChunkIndex {
    /// The byte offset at which the chunk begins.
    pub fn offset(self) -> u64 {
        u64::from(self.0) * u64::from(CHUNK_BYTES)
    }

    /// The index as a position in a slice.
    pub fn slot(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for ChunkIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of chunks of a resource: from 0 (an empty resource) to [`CHUNKS_MAX`].
///
/// ```
/// use shared::chunk::{CHUNKS_MAX, ChunkCount, ChunkIndex};
///
/// assert_eq!(ChunkCount::of_bytes(1 << 20).unwrap().get(), 1);
/// assert_eq!(ChunkCount::of_bytes((1 << 20) + 1).unwrap().get(), 2);
/// assert!(ChunkCount::new(CHUNKS_MAX + 1).is_none());
/// assert!(ChunkCount::new(2).unwrap().contains(ChunkIndex(1)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct ChunkCount(u32);

impl ChunkCount {
    /// `None` beyond [`CHUNKS_MAX`].
    pub fn new(count: u32) -> Option<ChunkCount> {
        (count <= CHUNKS_MAX).then_some(ChunkCount(count))
    }

    /// The number of chunks of a resource with `bytes` bytes; `None` beyond [`CHUNKS_MAX`].
    pub fn of_bytes(bytes: u64) -> Option<ChunkCount> {
        u32::try_from(bytes.div_ceil(u64::from(CHUNK_BYTES))).ok().and_then(ChunkCount::new)
    }

    /// The count as a number.
    pub fn get(self) -> u32 {
        self.0
    }

    /// Whether a chunk with this index exists.
    pub fn contains(self, index: ChunkIndex) -> bool {
        index.0 < self.0
    }

    /// All indices, in order.
    pub fn indices(self) -> impl DoubleEndedIterator<Item = ChunkIndex> + ExactSizeIterator {
        (0..self.0).map(ChunkIndex)
    }

    /// The index of the last chunk, the only one that may be shorter than [`CHUNK_BYTES`].
    pub fn last(self) -> Option<ChunkIndex> {
        self.0.checked_sub(1).map(ChunkIndex)
    }

    /// The largest size in bytes of a resource with this number of chunks.
    pub fn bytes_max(self) -> u64 {
        u64::from(self.0) * u64::from(CHUNK_BYTES)
    }
}

impl TryFrom<u32> for ChunkCount {
    type Error = String;

    fn try_from(count: u32) -> Result<Self, String> {
        ChunkCount::new(count).ok_or_else(|| format!("{count} chunks are more than the {CHUNKS_MAX} allowed"))
    }
}

impl From<ChunkCount> for u32 {
    fn from(count: ChunkCount) -> u32 {
        count.0
    }
}

impl fmt::Display for ChunkCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
