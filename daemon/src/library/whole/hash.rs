//! The whole-file hash of a download, computed along the way: it passes over the chunks in order, and where it
//! can in the same breath in which the hash of another chunk is computed. One stream of SHA-256 waits for its own
//! rounds most of the time; two that take turns cost a third less together (docs/performance.md).

use super::recent::{Memory, Recent};
use crate::store::{PartFile, StoreError};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use shared::chunk::{ChunkCount, ChunkIndex};
use shared::have::HaveMap;
use shared::host::lane::{self, Lane};
use shared::id::{ChunkHash, ResourceId};
use shared::rpc::wire::buffers::Lent;
use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// How many bytes each stream gets in its turn: few enough that both are in the processor's view at once.
const TURN_BYTES: usize = 128;

/// How many chunks may wait for the hash of the whole to go along with them. Any more do without: with many
/// processors that is faster, with few it only costs more.
static WAITING_MAX: LazyLock<usize> = LazyLock::new(|| {
    let few = std::thread::available_parallelism().is_ok_and(|processors| processors.get() <= 4);
    if few { 8 } else { 2 }
});

/// The hash of a whole download, as far as it got. In order of use: chunks are verified as they arrive
/// ([`verify`](WholeHash::verify)), written by whoever received them and kept in memory ([`keep`](WholeHash::keep)); the
/// driver tells what is in the file ([`advance`](WholeHash::advance)), and one task waits for the end
/// ([`finished`](WholeHash::finished)).
#[derive(Debug)]
pub struct WholeHash {
    file: Arc<PartFile>,
    count: ChunkCount,
    recent: Recent,
    frontier: watch::Sender<Frontier>,
    line: Mutex<Line>,
    /// The lane is free, or another is the first in line.
    freed: Condvar,
}

/// How far a file has no gap.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Frontier {
    /// Chunks `0..chunks` are all in the file.
    pub(super) chunks: u32,
    /// Nobody wants the hash any more.
    pub(super) is_ended: bool,
}

/// The hash, and who waits for a turn at it.
#[derive(Debug, Default)]
struct Line {
    lane: Lane,
    /// The chunks that wait to be verified, in order.
    waiting: BTreeSet<ChunkIndex>,
}

impl WholeHash {
    /// Nothing of this file is hashed yet, and no chunk is known to be in it. It is to have `count` chunks.
    pub fn new(file: Arc<PartFile>, count: ChunkCount, memory: Memory) -> WholeHash {
        WholeHash {
            file,
            count,
            recent: Recent::new(memory),
            frontier: watch::Sender::default(),
            line: Mutex::default(),
            freed: Condvar::new(),
        }
    }

    /// These chunks are in the file.
    pub fn advance(&self, have: &HaveMap) {
        self.frontier.send_if_modified(|frontier| {
            let before = frontier.chunks;
            while have.contains(ChunkIndex(frontier.chunks)) {
                frontier.chunks += 1;
            }
            frontier.chunks > before
        });
    }

    /// Nobody wants the hash any more: whoever waits for it hears that.
    pub fn end(&self) {
        self.frontier.send_modify(|frontier| frontier.is_ended = true);
    }

    /// How many chunks the file has when it is whole.
    pub(super) fn count(&self) -> ChunkCount {
        self.count
    }

    /// How far the file has no gap, now and when that changes.
    pub(super) fn frontier(&self) -> watch::Receiver<Frontier> {
        self.frontier.subscribe()
    }

    /// Whether a chunk that has just arrived is right. The whole-file hash passes over its next chunk at the same
    /// time if it can: over this one, when it is right, or over one that is there. Blocks for a moment while that is
    /// done for other chunks.
    pub fn verify(&self, index: ChunkIndex, bytes: &[u8], hash: &ChunkHash) -> bool {
        let Some(mut turn) = self.wait_for_turn(index) else { return ChunkHash::of(bytes) == *hash };
        let (next, mut chunk) = (turn.at.index, Sha256::new());
        let kept = if next == index { None } else { self.find(next) };
        if next == index {
            in_turn(&mut chunk, bytes, &mut turn.at.hasher, bytes);
        } else if let Some(kept) = &kept {
            in_turn(&mut chunk, bytes, &mut turn.at.hasher, kept);
        } else {
            drop(turn); // for somebody who can make use of it
            return ChunkHash::of(bytes) == *hash;
        }
        let is_right = ChunkHash(chunk.finalize().into()) == *hash;
        if is_right || next != index {
            turn.pass();
        }
        is_right
    }

    /// Keeps a verified chunk in memory if the whole-file hash comes to it soon.
    pub fn keep(&self, index: ChunkIndex, bytes: Bytes) {
        self.recent.keep(index, bytes.into());
    }

    /// How many chunks were passed over.
    pub(super) fn passed(&self) -> u32 {
        self.line().lane.passed()
    }

    /// Passes over chunks that are there, up to and without `end`, but no more than `chunks_max` of them. Blocks.
    ///
    /// # Errors
    /// When one that is not in memory any more cannot be read.
    pub(super) fn pass(&self, end: u32, chunks_max: u32) -> Result<(), StoreError> {
        for _ in 0..chunks_max {
            let mut turn = self.turn(self.line_when(|line| line.lane.is_free()));
            let next = turn.at.index;
            if next.0 >= end {
                break;
            }
            let bytes = self.recent.find(next).map_or_else(|| Ok(self.file.read(next)?.into()), Ok)?;
            turn.at.hasher.update(&*bytes);
            turn.pass();
        }
        Ok(())
    }

    /// The hash of all chunks that were passed over.
    pub(super) fn get(&self) -> ResourceId {
        self.line().lane.hash()
    }

    /// A chunk that is there, from memory or from the file.
    fn find(&self, index: ChunkIndex) -> Option<Lent> {
        let read = || self.file.read(index).ok().map(Lent::from);
        let is_there = index.0 < self.frontier.borrow().chunks;
        self.recent.find(index).or_else(|| if is_there { read() } else { None })
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The right to hash, for the first chunk in order of those that wait. `None` where it is of no use: the hash
    /// of the whole has passed this chunk, or too many wait.
    fn wait_for_turn(&self, index: ChunkIndex) -> Option<HashTurn<'_>> {
        let mut line = self.line();
        if line.lane.passed() > index.0 || line.waiting.len() >= *WAITING_MAX || !line.waiting.insert(index) {
            return None;
        }
        drop(line);
        let is_its_turn = |line: &Line| line.lane.is_free() && line.waiting.first() == Some(&index);
        let mut line = self.line_when(is_its_turn);
        line.waiting.remove(&index);
        Some(self.turn(line)).filter(|turn| turn.at.index <= index)
    }

    fn line_when(&self, condition: impl Fn(&Line) -> bool) -> MutexGuard<'_, Line> {
        self.freed.wait_while(self.line(), |line| !condition(line)).unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self, mut line: MutexGuard<'_, Line>) -> HashTurn<'_> {
        let at = line.lane.take().expect("that it is free was waited for");
        HashTurn { at, held: Held { of: self, has_passed: false } }
    }
}

/// The right to hash: one has it at a time. It ends when it is dropped.
struct HashTurn<'a> {
    at: lane::LaneTurn,
    held: Held<'a>,
}

impl HashTurn<'_> {
    /// The hash has passed over its chunk.
    fn pass(self) {
        let HashTurn { at, mut held } = self;
        held.of.recent.passed(at.index);
        held.of.line().lane.pass(at);
        held.has_passed = true;
    }
}

/// The lane, until this is dropped: also by a panic.
struct Held<'a> {
    of: &'a WholeHash,
    /// The lane was given back already, and may be another's by now.
    has_passed: bool,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if !self.has_passed {
            self.of.line().lane.release();
        }
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

    fn whole(count: u8) -> (tempfile::TempDir, Arc<PartFile>, WholeHash) {
        let folder = tempfile::tempdir().unwrap();
        let count = ChunkCount::new(count.into()).unwrap();
        let disk = crate::store::Disk::system();
        let file = Arc::new(PartFile::open(&disk, &folder.path().join("x.part"), count).unwrap());
        let whole = WholeHash::new(file.clone(), count, Memory::default());
        (folder, file, whole)
    }

    /// Takes chunks in this order as a download does, and gives the hash of the whole.
    fn take_all(chunks: &[Vec<u8>], order: &[usize]) -> ResourceId {
        let (_folder, file, whole) = whole(chunks.len() as u8);
        for &at in order {
            let (index, bytes) = (ChunkIndex(at as u32), Bytes::from(chunks[at].clone()));
            assert!(whole.verify(index, &bytes, &ChunkHash::of(&bytes)));
            file.write(index, &bytes).unwrap();
            whole.keep(index, bytes);
        }
        whole.pass(chunks.len() as u32, u32::MAX).unwrap();
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
        let (_folder, file, whole) = whole(3);
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
        let (_folder, _file, whole) = whole(2);
        for at in [0, 0, 1, 1, 0] {
            assert!(whole.verify(ChunkIndex(at), &chunks[at as usize], &ChunkHash::of(&chunks[at as usize])));
        }
        assert_eq!(whole.get(), ResourceId::of(&chunks.concat()));
    }
}
