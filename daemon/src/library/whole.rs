//! The whole-file hash of a download, computed along the way: it passes over the chunks in order, and where it
//! can in the same breath in which the hash of another chunk is computed. One stream of SHA-256 waits for its own
//! rounds most of the time; two that take turns cost a third less together (docs/performance.md).

use super::recent::{Recent, Room};
use crate::store::{PartFile, StoreError};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use shared::chunk::ChunkIndex;
use shared::id::{ChunkHash, ResourceId};
use shared::rpc::wire::buffers;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

/// How many bytes each stream gets in its turn: few enough that both are in the processor's view at once.
const TURN_BYTES: usize = 128;

/// The hash of the whole, as far as it got.
#[derive(Debug)]
pub struct Whole {
    recent: Recent,
    lane: Mutex<Lane>,
}

#[derive(Debug, Default)]
struct Lane {
    /// The chunk that comes next.
    next: u32,
    hasher: Sha256,
}

impl Whole {
    /// Nothing is hashed yet.
    pub fn new(room: Room) -> Whole {
        Whole { recent: Recent::new(room), lane: Mutex::default() }
    }

    /// Whether a chunk that has just arrived is right. If nobody else is at it, the whole-file hash passes over its
    /// next chunk at the same time: over this one, when it is right, or over one that is still in memory.
    pub fn verify(&self, index: ChunkIndex, bytes: &[u8], hash: &ChunkHash) -> bool {
        let Some(mut lane) = self.try_lane().filter(|lane| lane.next <= index.0) else {
            return ChunkHash::of(bytes) == *hash;
        };
        let next = ChunkIndex(lane.next);
        let (mut chunk, mut whole) = (Sha256::new(), lane.hasher.clone());
        if next == index {
            in_turn(&mut chunk, bytes, &mut whole, bytes);
        } else if let Some(kept) = self.recent.find(next) {
            in_turn(&mut chunk, bytes, &mut whole, &kept);
            self.recent.passed(next);
            buffers::give(kept);
        } else {
            return ChunkHash::of(bytes) == *hash;
        }
        let is_right = ChunkHash(chunk.finalize().into()) == *hash;
        if is_right || next != index {
            *lane = Lane { next: next.0 + 1, hasher: whole };
            self.recent.passed(next); // also those that were kept and came again
        }
        is_right
    }

    /// Keeps a verified chunk in memory if the whole-file hash comes to it soon.
    pub fn keep(&self, index: ChunkIndex, bytes: Bytes) {
        self.recent.keep(index, bytes);
    }

    /// How many chunks were passed over.
    pub fn passed(&self) -> u32 {
        self.lane().next
    }

    /// Passes over chunks that are there, up to and without `end`, but no more than `chunks_max` of them. Blocks.
    ///
    /// # Errors
    /// When one that is not in memory any more cannot be read.
    pub fn pass(&self, file: &PartFile, end: u32, chunks_max: u32) -> Result<(), StoreError> {
        let mut lane = self.lane();
        let end = end.min(lane.next.saturating_add(chunks_max));
        while lane.next < end {
            let next = ChunkIndex(lane.next);
            let bytes = match self.recent.find(next) {
                Some(kept) => kept,
                None => file.read(next)?.freeze(),
            };
            lane.hasher.update(&bytes);
            lane.next += 1;
            self.recent.passed(next);
            buffers::give(bytes);
        }
        Ok(())
    }

    /// The hash of all chunks that were passed over.
    pub fn get(&self) -> ResourceId {
        ResourceId(self.lane().hasher.clone().finalize().into())
    }

    fn lane(&self) -> MutexGuard<'_, Lane> {
        self.lane.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn try_lane(&self) -> Option<MutexGuard<'_, Lane>> {
        match self.lane.try_lock() {
            Ok(lane) => Some(lane),
            Err(TryLockError::Poisoned(lane)) => Some(lane.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

/// Hashes two streams by turns.
fn in_turn(one: &mut Sha256, bytes: &[u8], other: &mut Sha256, other_bytes: &[u8]) {
    let common = bytes.len().min(other_bytes.len());
    for (turn, other_turn) in bytes[..common].chunks(TURN_BYTES).zip(other_bytes[..common].chunks(TURN_BYTES))
    {
        one.update(turn);
        other.update(other_turn);
    }
    one.update(&bytes[common..]);
    other.update(&other_bytes[common..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::chunk::{CHUNK_BYTES, ChunkCount};

    fn chunks(count: u8, last: usize) -> Vec<Vec<u8>> {
        let bytes = |at| if at + 1 == count { last } else { CHUNK_BYTES as usize };
        (0..count).map(|at| vec![at.wrapping_mul(37); bytes(at)]).collect()
    }

    fn part(count: u8) -> (tempfile::TempDir, PartFile) {
        let folder = tempfile::tempdir().unwrap();
        let count = ChunkCount::new(count.into()).unwrap();
        let file = PartFile::open(&folder.path().join("x.part"), count).unwrap();
        (folder, file)
    }

    /// Takes chunks in this order as a download does, and gives the hash of the whole.
    fn take_all(chunks: &[Vec<u8>], order: &[usize]) -> ResourceId {
        let (_folder, file) = part(chunks.len() as u8);
        let whole = Whole::new(Room::default());
        for &at in order {
            let (index, bytes) = (ChunkIndex(at as u32), Bytes::from(chunks[at].clone()));
            assert!(whole.verify(index, &bytes, &ChunkHash::of(&bytes)));
            file.write(index, &bytes).unwrap();
            whole.keep(index, bytes);
        }
        whole.pass(&file, chunks.len() as u32, u32::MAX).unwrap();
        assert_eq!(whole.passed(), chunks.len() as u32);
        whole.get()
    }

    #[test]
    fn the_hash_is_that_of_the_file_in_whatever_order_its_chunks_come() {
        let chunks = chunks(40, 1234);
        let right = ResourceId::of(&chunks.concat());
        let in_order: Vec<usize> = (0..40).collect();
        let backwards: Vec<usize> = (0..40).rev().collect();
        let mixed: Vec<usize> = (0..40).map(|at| at * 7 % 40).collect();
        for order in [in_order, backwards, mixed] {
            assert_eq!(take_all(&chunks, &order), right, "{order:?}");
        }
    }

    #[test]
    fn a_corrupt_chunk_leaves_no_trace() {
        let chunks = chunks(3, 77);
        let (_folder, file) = part(3);
        let whole = Whole::new(Room::default());
        let corrupt = vec![9; CHUNK_BYTES as usize];
        assert!(!whole.verify(ChunkIndex(0), &corrupt, &ChunkHash::of(&chunks[0])));
        assert_eq!(whole.passed(), 0);
        for (at, bytes) in chunks.iter().enumerate() {
            let index = ChunkIndex(at as u32);
            assert!(!whole.verify(index, &corrupt[..bytes.len()], &ChunkHash::of(bytes)));
            assert!(whole.verify(index, bytes, &ChunkHash::of(bytes)));
            file.write(index, bytes).unwrap();
        }
        assert_eq!((whole.passed(), whole.get()), (3, ResourceId::of(&chunks.concat())));
    }

    #[test]
    fn a_chunk_that_comes_twice_counts_once() {
        let chunks = chunks(2, 5);
        let whole = Whole::new(Room::default());
        for at in [0, 0, 1, 1, 0] {
            assert!(whole.verify(ChunkIndex(at), &chunks[at as usize], &ChunkHash::of(&chunks[at as usize])));
        }
        assert_eq!(whole.get(), ResourceId::of(&chunks.concat()));
    }
}
