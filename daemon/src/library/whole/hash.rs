//! The hash of a download's whole file. It is computed over the chunks in order, if possible together with the hash of
//! another chunk. A single SHA-256 stream mostly waits for its own rounds; two interleaved streams take a third less
//! time together (docs/performance.md).

use super::recent::{Memory, Recent};
use crate::store::{PartFile, StoreError};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use shared::chunk::{CHUNK_BYTES, ChunkCount, ChunkIndex};
use shared::have::HaveMap;
use shared::host::lane::{self, Lane};
use shared::id::{ChunkHash, ResourceId};
use shared::manifest::Manifest;
use shared::rpc::wire::buffers::Lent;
use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// The number of bytes that each stream hashes before the other continues. It is small enough for the processor to
/// overlap both.
const TURN_BYTES: usize = 128;

/// A chunk of zeros.
static ZEROS: LazyLock<Bytes> = LazyLock::new(|| vec![0; CHUNK_BYTES as usize].into());

/// Limits the arriving chunks that wait to be hashed together with the whole file. Further chunks are hashed alone. On
/// many processors waiting is slower; on few it saves work.
static WAITING_MAX: LazyLock<usize> = LazyLock::new(|| {
    let few = std::thread::available_parallelism().is_ok_and(|processors| processors.get() <= 4);
    if few { 8 } else { 2 }
});

/// The hash of a whole download. In order of use: chunks are verified as they arrive ([`verify`](WholeHash::verify)),
/// written by the caller and kept in memory ([`keep`](WholeHash::keep)); the driver says which chunks are in the file
/// ([`advance`](WholeHash::advance)), and one task awaits the result ([`finished`](WholeHash::finished)).
#[derive(Debug)]
pub struct WholeHash {
    file: Arc<PartFile>,
    manifest: Manifest,
    recent: Recent,
    frontier: watch::Sender<Frontier>,
    line: Mutex<Line>,
    /// Notified when the lane is free or another chunk is first in line.
    freed: Condvar,
}

/// The chunks at the beginning of the file without a gap.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Frontier {
    /// Chunks `0..chunks` are all in the file.
    pub(super) chunks: u32,
    /// Whether the hash is no longer wanted.
    pub(super) is_ended: bool,
}

/// The lane, and the chunks that wait for a turn.
#[derive(Debug, Default)]
struct Line {
    lane: Lane,
    /// Chunks that wait to be verified, in order.
    waiting: BTreeSet<ChunkIndex>,
}

impl WholeHash {
    /// A hash that has not begun, for the file of this manifest's chunks.
    pub fn new(file: Arc<PartFile>, manifest: Manifest, memory: Memory) -> WholeHash {
        WholeHash {
            file,
            manifest,
            recent: Recent::new(memory),
            frontier: watch::Sender::default(),
            line: Mutex::default(),
            freed: Condvar::new(),
        }
    }

    /// Notes which chunks are in the file.
    pub fn advance(&self, have: &HaveMap) {
        self.frontier.send_if_modified(|frontier| {
            let before = frontier.chunks;
            while have.contains(ChunkIndex(frontier.chunks)) {
                frontier.chunks += 1;
            }
            frontier.chunks > before
        });
    }

    /// Ends the hash: the task that awaits it returns.
    pub fn end(&self) {
        self.frontier.send_modify(|frontier| frontier.is_ended = true);
    }

    /// The number of chunks of the complete file.
    pub(super) fn count(&self) -> ChunkCount {
        self.manifest.count()
    }

    /// The chunks without a gap, now and when that changes.
    pub(super) fn frontier(&self) -> watch::Receiver<Frontier> {
        self.frontier.subscribe()
    }

    /// Verifies a chunk that has just arrived. The whole-file hash processes its next chunk at the same time if
    /// possible: this one, if it is correct, or one that is here already. Blocks briefly while other chunks do the
    /// same.
    pub fn verify(&self, index: ChunkIndex, bytes: &[u8], hash: &ChunkHash) -> bool {
        let Some(mut turn) = self.wait_for_turn(index) else { return ChunkHash::of(bytes) == *hash };
        let (next, mut chunk) = (turn.at.index, Sha256::new());
        let kept = if next == index { None } else { self.find(next) };
        if next == index {
            in_turn(&mut chunk, bytes, &mut turn.at.hasher, bytes);
        } else if let Some(kept) = &kept {
            in_turn(&mut chunk, bytes, &mut turn.at.hasher, kept);
        } else {
            drop(turn); // another chunk may use it
            return ChunkHash::of(bytes) == *hash;
        }
        let is_right = ChunkHash(chunk.finalize().into()) == *hash;
        if is_right || next != index {
            turn.pass();
        }
        is_right
    }

    /// Keeps a verified chunk in memory if the whole-file hash will need it soon.
    pub fn keep(&self, index: ChunkIndex, bytes: Bytes) {
        self.recent.keep(index, bytes.into());
    }

    /// The number of chunks hashed so far.
    pub(super) fn passed(&self) -> u32 {
        self.line().lane.passed()
    }

    /// Hashes chunks that are here up to `end` (exclusive), at most `chunks_max`. Blocks.
    ///
    /// # Errors
    /// When a chunk that is no longer in memory cannot be read.
    pub(super) fn pass(&self, end: u32, chunks_max: u32) -> Result<(), StoreError> {
        for _ in 0..chunks_max {
            let mut turn = self.turn(self.line_when(|line| line.lane.is_free()));
            let next = turn.at.index;
            if next.0 >= end {
                break;
            }
            let known = self.recent.find(next).or_else(|| self.zeros(next));
            let bytes = known.map_or_else(|| Ok(self.file.read(next)?.into()), Ok)?;
            turn.at.hasher.update(&*bytes);
            turn.pass();
        }
        Ok(())
    }

    /// The hash of all chunks so far.
    pub(super) fn get(&self) -> ResourceId {
        self.line().lane.hash()
    }

    /// A chunk that is here, from memory or from the file.
    fn find(&self, index: ChunkIndex) -> Option<Lent> {
        let read = || self.file.read(index).ok().map(Lent::from);
        let is_there = index.0 < self.frontier.borrow().chunks;
        let find = || self.zeros(index).or_else(read);
        self.recent.find(index).or_else(|| if is_there { find() } else { None })
    }

    /// The bytes of a chunk of zeros that is a hole in the file, so that it need not be read. Whatever else lies in its
    /// place is read: a crash or another program may have left other bytes there since the have map was written.
    fn zeros(&self, index: ChunkIndex) -> Option<Lent> {
        let is_hole = self.manifest.is_zeros(index) && self.file.is_hole(index);
        is_hole.then(|| ZEROS.clone().into())
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the turn of a chunk; the lowest waiting index goes first. Returns `None` if that would be useless: the
    /// whole-file hash is past this chunk, or too many chunks wait.
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
        HashTurn { at, held: HeldLane { of: self, has_passed: false } }
    }
}

/// The turn at the lane, held by one thread at a time until it is dropped.
struct HashTurn<'a> {
    at: lane::LaneTurn,
    held: HeldLane<'a>,
}

impl HashTurn<'_> {
    /// Ends the turn after its chunk was hashed.
    fn pass(self) {
        let HashTurn { at, mut held } = self;
        held.of.recent.passed(at.index);
        held.of.line().lane.pass(at);
        held.has_passed = true;
    }
}

/// Releases the lane when dropped, also by a panic.
struct HeldLane<'a> {
    of: &'a WholeHash,
    /// Whether the lane was returned already, so that another thread may hold it.
    has_passed: bool,
}

impl Drop for HeldLane<'_> {
    fn drop(&mut self) {
        if !self.has_passed {
            self.of.line().lane.release();
        }
        self.of.freed.notify_all();
    }
}

/// Hashes two streams alternately.
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
pub(super) mod tests {
    use super::*;
    use std::os::unix::fs::FileExt;

    fn chunks(count: u8, last: usize) -> Vec<Vec<u8>> {
        let bytes = |at| if at + 1 == count { last } else { CHUNK_BYTES as usize };
        (0..count).map(|at| vec![at.wrapping_mul(37); bytes(at)]).collect()
    }

    /// A manifest with the chunks' hashes, under an id that is not computed.
    pub(in super::super) fn manifest_of(chunks: &[impl AsRef<[u8]>]) -> Manifest {
        let hashes: Vec<ChunkHash> = chunks.iter().map(|chunk| ChunkHash::of(chunk.as_ref())).collect();
        let trackers = vec!["tt://t".parse().unwrap()];
        Manifest::new("x".parse().unwrap(), ResourceId(hashes[0].0), trackers, hashes).unwrap()
    }

    fn whole(chunks: &[Vec<u8>]) -> (tempfile::TempDir, Arc<PartFile>, WholeHash) {
        let folder = tempfile::tempdir().unwrap();
        let (disk, manifest) = (crate::store::Disk::system(), manifest_of(chunks));
        let part = PartFile::open(&disk, &folder.path().join("x.part"), manifest.count()).unwrap();
        let file = Arc::new(part);
        let whole = WholeHash::new(file.clone(), manifest, Memory::default());
        (folder, file, whole)
    }

    /// Takes chunks in this order as a download does, and gives the hash of the whole.
    fn take_all(chunks: &[Vec<u8>], order: &[usize]) -> ResourceId {
        let (_folder, file, whole) = whole(chunks);
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
        let (_folder, file, whole) = whole(&chunks);
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
    fn the_hash_of_a_file_with_holes_is_that_of_the_bytes_in_it() {
        for other in [None, Some(0), Some(9)] {
            let mut chunks = chunks(5, 77);
            [0, 2, 3].into_iter().for_each(|at| chunks[at].fill(0));
            let (_folder, file, whole) = whole(&chunks);
            for at in [4, 1] {
                let (index, bytes) = (ChunkIndex(at), Bytes::from(chunks[at as usize].clone()));
                assert!(whole.verify(index, &bytes, &ChunkHash::of(&bytes)));
                file.write(index, &bytes).unwrap();
            }
            // One chunk is not a hole, as after a power cut. If it is zeros nevertheless, the file is right.
            if let Some(byte) = other {
                chunks[2].fill(byte);
                std::fs::File::options()
                    .write(true)
                    .open(file.path())
                    .and_then(|written| written.write_all_at(&chunks[2], ChunkIndex(2).offset()))
                    .unwrap();
            }
            whole.advance(&shared::have::HaveMap::full(whole.count()));
            whole.pass(5, u32::MAX).unwrap();
            assert_eq!(whole.get(), ResourceId::of(&chunks.concat()), "{other:?}");
        }
    }

    /// Otherwise the hash would read them later, alone.
    #[test]
    fn with_a_chunk_that_arrives_one_is_hashed_that_waits_in_memory_or_in_the_file() {
        let chunks = chunks(3, 5);
        for is_kept in [true, false] {
            let (_folder, file, whole) = whole(&chunks);
            let bytes = |at: usize| Bytes::from(chunks[at].clone());
            if is_kept {
                whole.keep(ChunkIndex(0), bytes(0));
            } else {
                file.write(ChunkIndex(0), &chunks[0]).unwrap();
                let mut have = HaveMap::empty(whole.count());
                have.insert(ChunkIndex(0));
                whole.advance(&have);
            }
            assert!(whole.verify(ChunkIndex(2), &chunks[2], &ChunkHash::of(&chunks[2])));
            assert_eq!((whole.passed(), whole.get()), (1, ResourceId::of(&chunks[0])), "kept: {is_kept}");
        }
    }

    /// The file may have any bytes where a chunk is missing.
    #[test]
    fn a_chunk_that_is_not_there_is_not_read() {
        let chunks = chunks(3, 5);
        let (_folder, file, whole) = whole(&chunks);
        file.write(ChunkIndex(0), &vec![9; CHUNK_BYTES as usize]).unwrap();
        assert!(whole.verify(ChunkIndex(2), &chunks[2], &ChunkHash::of(&chunks[2])));
        assert_eq!(whole.passed(), 0);
    }

    #[test]
    fn a_chunk_that_comes_twice_counts_once() {
        let chunks = chunks(2, 5);
        let (_folder, _file, whole) = whole(&chunks);
        for at in [0, 0, 1, 1, 0] {
            assert!(whole.verify(ChunkIndex(at), &chunks[at as usize], &ChunkHash::of(&chunks[at as usize])));
        }
        assert_eq!(whole.get(), ResourceId::of(&chunks.concat()));
    }
}
