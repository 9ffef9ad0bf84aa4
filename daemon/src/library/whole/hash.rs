//! The whole-file hash of a download, computed along the way: it passes over the chunks in order, and where it
//! can in the same breath in which the hash of another chunk is computed. One stream of SHA-256 waits for its own
//! rounds most of the time; two that take turns cost a third less together (docs/performance.md).

use super::recent::{Recent, Room};
use crate::store::{PartFile, StoreError};
use bytes::{Bytes, BytesMut};
use sha2::{Digest, Sha256};
use shared::chunk::ChunkIndex;
use shared::id::{ChunkHash, ResourceId};
use shared::rpc::wire::buffers;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError};

/// How many bytes each stream gets in its turn: few enough that both are in the processor's view at once.
const TURN_BYTES: usize = 128;

/// How many chunks may wait for the hash of the whole to go along with them. Any more do without: with many
/// processors that is faster, with few it only costs more.
static WAITING_MAX: LazyLock<usize> = LazyLock::new(|| {
    let few = std::thread::available_parallelism().is_ok_and(|processors| processors.get() <= 4);
    if few { 8 } else { 2 }
});

/// The hash of the whole, as far as it got.
#[derive(Debug)]
pub struct Whole {
    recent: Recent,
    /// How many chunks from the beginning are in the file.
    there: AtomicU32,
    lane: Mutex<Lane>,
    /// The lane is free, or has another first in line.
    freed: Condvar,
}

#[derive(Debug, Default)]
struct Lane {
    /// The chunk that comes next.
    next: u32,
    /// All before it.
    hasher: Sha256,
    /// Somebody is hashing.
    busy: bool,
    /// The chunks that wait to be verified, in order.
    waiting: BTreeSet<ChunkIndex>,
}

impl Whole {
    /// Nothing is hashed yet.
    pub fn new(room: Room) -> Whole {
        let recent = Recent::new(room);
        Whole { recent, there: AtomicU32::new(0), lane: Mutex::default(), freed: Condvar::new() }
    }

    /// So many chunks from the beginning are in the file.
    pub fn advance(&self, there: u32) {
        self.there.fetch_max(there, Ordering::AcqRel);
    }

    /// Whether a chunk that has just arrived is right. The whole-file hash passes over its next chunk at the same
    /// time if it can: over this one, when it is right, or over one that is there. Blocks for a moment while that is
    /// done for other chunks.
    pub fn verify(&self, file: &PartFile, index: ChunkIndex, bytes: &[u8], hash: &ChunkHash) -> bool {
        let Some(turn) = self.wait_for_turn(index) else { return ChunkHash::of(bytes) == *hash };
        let next = ChunkIndex(turn.next);
        let (mut chunk, mut whole) = (Sha256::new(), turn.hasher.clone());
        let kept = if next == index { None } else { self.find(file, next) };
        if next == index {
            in_turn(&mut chunk, bytes, &mut whole, bytes);
        } else if let Some(kept) = &kept {
            in_turn(&mut chunk, bytes, &mut whole, kept);
        } else {
            drop(turn); // for somebody who can make use of it
            return ChunkHash::of(bytes) == *hash;
        }
        let is_right = ChunkHash(chunk.finalize().into()) == *hash;
        if is_right || next != index {
            turn.pass(whole);
        }
        kept.into_iter().for_each(buffers::give);
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
        for _ in 0..chunks_max {
            let turn = self.turn(self.lane_when(|lane| !lane.busy));
            if turn.next >= end {
                break;
            }
            let next = ChunkIndex(turn.next);
            let bytes = self.recent.find(next).map_or_else(|| Ok(file.read(next)?.freeze()), Ok)?;
            let mut whole = turn.hasher.clone();
            whole.update(&bytes);
            turn.pass(whole);
            buffers::give(bytes);
        }
        Ok(())
    }

    /// The hash of all chunks that were passed over.
    pub fn get(&self) -> ResourceId {
        ResourceId(self.lane().hasher.clone().finalize().into())
    }

    /// A chunk that is there, from memory or from the file.
    fn find(&self, file: &PartFile, index: ChunkIndex) -> Option<Bytes> {
        let read = || file.read(index).ok().map(BytesMut::freeze);
        let is_there = index.0 < self.there.load(Ordering::Acquire);
        self.recent.find(index).or_else(|| if is_there { read() } else { None })
    }

    fn lane(&self) -> MutexGuard<'_, Lane> {
        self.lane.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lane_when(&self, mut condition: impl FnMut(&Lane) -> bool) -> MutexGuard<'_, Lane> {
        self.freed.wait_while(self.lane(), |lane| !condition(lane)).unwrap_or_else(PoisonError::into_inner)
    }

    /// The right to hash, for the first chunk in order of those that wait. `None` where it is of no use: the hash
    /// of the whole has passed this chunk, or too many wait.
    fn wait_for_turn(&self, index: ChunkIndex) -> Option<Turn<'_>> {
        let mut lane = self.lane();
        if lane.next > index.0 || lane.waiting.len() >= *WAITING_MAX || !lane.waiting.insert(index) {
            return None;
        }
        drop(lane);
        let mut lane = self.lane_when(|lane| !lane.busy && lane.waiting.first() == Some(&index));
        lane.waiting.remove(&index);
        Some(self.turn(lane)).filter(|turn| turn.next <= index.0)
    }

    fn turn(&self, mut lane: MutexGuard<'_, Lane>) -> Turn<'_> {
        lane.busy = true;
        Turn { next: lane.next, hasher: lane.hasher.clone(), of: self }
    }
}

/// The right to hash: one has it at a time. It ends when it is dropped.
struct Turn<'a> {
    next: u32,
    hasher: Sha256,
    of: &'a Whole,
}

impl Turn<'_> {
    /// The next chunk was passed, with this result.
    fn pass(self, hasher: Sha256) {
        let mut lane = self.of.lane();
        (lane.next, lane.hasher) = (self.next + 1, hasher);
        drop(lane);
        self.of.recent.passed(ChunkIndex(self.next));
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.of.lane().busy = false;
        self.of.freed.notify_all();
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
        let file =
            PartFile::open(&crate::store::Disk::system(), &folder.path().join("x.part"), count).unwrap();
        (folder, file)
    }

    /// Takes chunks in this order as a download does, and gives the hash of the whole.
    fn take_all(chunks: &[Vec<u8>], order: &[usize]) -> ResourceId {
        let (_folder, file) = part(chunks.len() as u8);
        let whole = Whole::new(Room::default());
        for &at in order {
            let (index, bytes) = (ChunkIndex(at as u32), Bytes::from(chunks[at].clone()));
            assert!(whole.verify(&file, index, &bytes, &ChunkHash::of(&bytes)));
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
        assert!(!whole.verify(&file, ChunkIndex(0), &corrupt, &ChunkHash::of(&chunks[0])));
        assert_eq!(whole.passed(), 0);
        for (at, bytes) in chunks.iter().enumerate() {
            let index = ChunkIndex(at as u32);
            assert!(!whole.verify(&file, index, &corrupt[..bytes.len()], &ChunkHash::of(bytes)));
            assert!(whole.verify(&file, index, bytes, &ChunkHash::of(bytes)));
            file.write(index, bytes).unwrap();
        }
        assert_eq!((whole.passed(), whole.get()), (3, ResourceId::of(&chunks.concat())));
    }

    #[test]
    fn a_chunk_that_comes_twice_counts_once() {
        let chunks = chunks(2, 5);
        let (_folder, file) = part(2);
        let whole = Whole::new(Room::default());
        for at in [0, 0, 1, 1, 0] {
            assert!(whole.verify(
                &file,
                ChunkIndex(at),
                &chunks[at as usize],
                &ChunkHash::of(&chunks[at as usize])
            ));
        }
        assert_eq!(whole.get(), ResourceId::of(&chunks.concat()));
    }
}
