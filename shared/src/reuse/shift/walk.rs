//! A walk: chunk after chunk is compared with the old file at one shift, in one direction.

use super::step::{Guess, Side, guess};
use crate::chunk::ChunkIndex;
use crate::have::HaveMap;

/// A walk ends when this many chunks in a row differ. With 2, a chunk that was changed in place does not end it.
const DIFFERING_MAX: u32 = 2;

/// A walk from a probe to one side.
#[derive(Debug)]
pub(super) struct Walk {
    start: ChunkIndex,
    to_right: bool,
    /// The shifts that were not tried yet, the next one last.
    others: Vec<i64>,
    /// The shift that is tried, or was found to be right; `None` when none is left.
    shift: Option<i64>,
    /// Whether a chunk was found at this shift.
    is_right: bool,
    /// The last chunk that was compared; at first the probe.
    at: ChunkIndex,
    /// The next chunk to compare.
    next: Option<ChunkIndex>,
    /// The first of the last chunks that differ, and how many there are.
    differing: Option<(ChunkIndex, u32)>,
}

impl Walk {
    /// A walk over the chunks after `start`, at the first of these shifts that fits.
    pub(super) fn to_right(start: ChunkIndex, shifts: &[i64]) -> Walk {
        Walk::new(start, true, shifts)
    }

    /// A walk over the chunks before `start`.
    pub(super) fn to_left(start: ChunkIndex, shifts: &[i64]) -> Walk {
        Walk::new(start, false, shifts)
    }

    fn new(start: ChunkIndex, to_right: bool, shifts: &[i64]) -> Walk {
        let mut others: Vec<i64> = shifts.iter().rev().copied().collect();
        let shift = others.pop();
        Walk { start, to_right, others, shift, is_right: false, at: start, next: None, differing: None }
    }

    /// Finds the next chunk to compare, with another shift if the present one leads nowhere. Returns whether there is
    /// one.
    pub(super) fn settle(&mut self, have: &HaveMap, old_bytes: u64) -> bool {
        while self.shift.is_some() {
            let is_done = self.differing.is_some_and(|(_, in_row)| in_row >= DIFFERING_MAX);
            self.next = if is_done { None } else { self.next_missing(have) };
            if self.guess(have, old_bytes).is_some() {
                return true;
            }
            if self.is_right {
                return false;
            }
            (self.shift, self.at, self.differing) = (self.others.pop(), self.start, None);
        }
        false
    }

    /// What to compare now.
    pub(super) fn guess(&self, have: &HaveMap, old_bytes: u64) -> Option<Guess> {
        let index = self.next?;
        guess(index, self.shift?, Some(index) == have.count().last(), old_bytes)
    }

    pub(super) fn compared(&mut self, index: ChunkIndex, is_equal: bool) {
        (self.at, self.next) = (index, None);
        self.is_right |= is_equal;
        self.differing = match self.differing {
            _ if is_equal => None,
            Some((first, in_row)) => Some((first, in_row + 1)),
            None => Some((index, 1)),
        };
    }

    /// The chunk where the walk ended because its content lies elsewhere, the shift, and the side of the chunk on which
    /// the search may go on.
    pub(super) fn end(&self) -> Option<(ChunkIndex, i64, Side)> {
        let (first, _) = self.differing.filter(|_| self.is_right)?;
        Some((first, self.shift?, if self.to_right { Side::Right } else { Side::Left }))
    }

    fn next_missing(&self, have: &HaveMap) -> Option<ChunkIndex> {
        match self.to_right {
            true => have.missing_from(ChunkIndex(self.at.0 + 1)).next(),
            false => (0..self.at.0).rev().map(ChunkIndex).find(|&index| !have.contains(index)),
        }
    }
}
