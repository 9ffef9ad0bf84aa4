//! What the plan asks for.

use crate::chunk::{CHUNK_BYTES, ChunkIndex};

/// Limits the shifts that are tried after one search.
pub const SHIFTS_MAX: usize = 4;

/// Which neighbors of a probe a search is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Those before it.
    Left,
    /// Those after it.
    Right,
    /// Both.
    Both,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Search the samples of this chunk, which has arrived, in the old file. The result goes to
    /// [`searched`](super::ShiftPlan::searched).
    Search(Search),
    /// Compare a range of the old file with a chunk's hash. The result goes to [`compared`](super::ShiftPlan::compared).
    Compare(Guess),
    /// Wait until a chunk arrives.
    Wait,
    /// Nothing: the plan has ended.
    Over,
}

/// A chunk whose samples are to be searched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// The chunk.
    pub index: ChunkIndex,
    /// The neighbors that are wanted, which says where to take the samples.
    pub side: Side,
    /// The shifts near which the content probably lies, in bytes: the most likely one first, at least one.
    pub near: Vec<i64>,
}

/// A range of the old file that may be a chunk of the new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guess {
    /// The chunk.
    pub index: ChunkIndex,
    /// Where it begins in the old file, in bytes.
    pub offset: u64,
    /// The length of the range in bytes. It is shorter than a chunk only for the last chunk.
    pub bytes: u32,
}

/// The guess that a chunk lies in an old file of `old_bytes` bytes at a shift; `None` if it cannot.
pub(super) fn guess(index: ChunkIndex, shift: i64, is_last: bool, old_bytes: u64) -> Option<Guess> {
    let offset = index.offset().checked_add_signed(shift)?;
    let bytes = old_bytes.saturating_sub(offset).min(CHUNK_BYTES.into()) as u32;
    (bytes == CHUNK_BYTES || (is_last && bytes > 0)).then_some(Guess { index, offset, bytes })
}
