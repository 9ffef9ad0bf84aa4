//! The hash of a whole file, which is moved on over the file's chunks in order. This is plain state; waiting and
//! locking are up to the caller.

use crate::chunk::ChunkIndex;
use crate::id::ResourceId;
use sha2::{Digest, Sha256};

/// The hash of the first chunks of a file. One caller at a time moves it on over the next chunk.
#[derive(Debug, Clone, Default)]
pub struct Lane {
    next: u32,
    /// The hash of all chunks before `next`.
    hasher: Sha256,
    is_taken: bool,
}

/// The right to move a [`Lane`] on over one chunk. It is returned with [`Lane::pass`] or [`Lane::release`].
#[derive(Debug)]
pub struct LaneTurn {
    /// The next chunk to hash.
    pub index: ChunkIndex,
    /// The hash of all chunks before it, to be updated with this chunk's bytes.
    pub hasher: Sha256,
}

impl Lane {
    /// The number of chunks that were hashed.
    pub fn passed(&self) -> u32 {
        self.next
    }

    /// The next chunk to hash.
    pub fn next(&self) -> ChunkIndex {
        ChunkIndex(self.next)
    }

    /// Whether nobody holds the turn.
    pub fn is_free(&self) -> bool {
        !self.is_taken
    }

    /// Takes the turn; `None` while somebody else holds it.
    pub fn take(&mut self) -> Option<LaneTurn> {
        let turn = LaneTurn { index: self.next(), hasher: self.hasher.clone() };
        let is_free = self.is_free();
        self.is_taken = true;
        is_free.then_some(turn)
    }

    /// Returns a turn whose hasher was updated with its chunk.
    pub fn pass(&mut self, turn: LaneTurn) {
        debug_assert!(self.is_taken && turn.index == self.next(), "a turn of this lane");
        *self = Lane { next: turn.index.0 + 1, hasher: turn.hasher, is_taken: false };
    }

    /// Ends a turn without a result, whatever was done with its hasher. The same chunk is next.
    pub fn release(&mut self) {
        self.is_taken = false;
    }

    /// The hash of all chunks so far.
    pub fn hash(&self) -> ResourceId {
        ResourceId(self.hasher.clone().finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_moves_it_on_in_order() {
        let mut lane = Lane::default();
        for (index, bytes) in [b"some ".as_slice(), b"bytes, ", b"and more"].into_iter().enumerate() {
            let mut turn = lane.take().expect("nobody has it");
            assert_eq!(turn.index, ChunkIndex(index as u32));
            assert!(!lane.is_free() && lane.take().is_none());
            turn.hasher.update(bytes);
            lane.pass(turn);
        }
        assert_eq!((lane.passed(), lane.hash()), (3, ResourceId::of(b"some bytes, and more")));
    }

    #[test]
    fn a_turn_that_passes_over_nothing_leaves_no_trace() {
        let mut lane = Lane::default();
        let mut turn = lane.take().expect("nobody has it");
        turn.hasher.update(b"wrong");
        drop(turn);
        lane.release();
        assert_eq!((lane.passed(), lane.hash()), (0, ResourceId::of(b"")));
        let mut turn = lane.take().expect("it was released");
        turn.hasher.update(b"right");
        lane.pass(turn);
        assert_eq!((lane.passed(), lane.hash()), (1, ResourceId::of(b"right")));
    }
}
