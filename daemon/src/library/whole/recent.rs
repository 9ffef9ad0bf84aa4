//! Chunks that were just written, kept in memory until the whole-file hash has processed them, so that they need not be
//! read back. Limited over all downloads of the process.

use shared::chunk::ChunkIndex;
use shared::rpc::wire::buffers::Lent;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Limits the kept chunks of all downloads, of 1 MiB each, so that they take 16 MiB of memory at most. Further ones are
/// read back from the disk.
const CHUNKS_MAX: u32 = 16;

/// A chunk is kept only if it is less than this number of chunks ahead of the hash. One further ahead would occupy a
/// place for long.
const AHEAD_MAX: u32 = 16;

/// The memory budget for kept chunks, shared by all downloads of a process.
#[derive(Debug, Clone, Default)]
pub struct Memory(Arc<AtomicU32>);

/// The kept chunks of one download.
#[derive(Debug, Default)]
pub struct Recent {
    memory: Memory,
    kept: Mutex<KeptChunks>,
}

#[derive(Debug, Default)]
struct KeptChunks {
    /// The next chunk that the hash needs.
    next: u32,
    chunks: BTreeMap<u32, Lent>,
}

impl Recent {
    /// No chunks yet.
    pub fn new(memory: Memory) -> Recent {
        Recent { memory, kept: Mutex::default() }
    }

    /// Keeps a chunk if it is needed soon and there is room. Otherwise its buffer is freed.
    pub fn keep(&self, index: ChunkIndex, bytes: Lent) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let is_soon = index.0.checked_sub(kept.next).is_some_and(|ahead| ahead < AHEAD_MAX);
        if is_soon && !kept.chunks.contains_key(&index.0) && self.memory.take() {
            kept.chunks.insert(index.0, bytes);
        }
    }

    /// A kept chunk.
    pub fn find(&self, index: ChunkIndex) -> Option<Lent> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.chunks.get(&index.0).cloned()
    }

    /// Drops this chunk and all before it, since the hash has processed them.
    pub fn passed(&self, index: ChunkIndex) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let next = index.0 + 1;
        kept.next = next;
        let ahead = kept.chunks.split_off(&next);
        let passed = std::mem::replace(&mut kept.chunks, ahead);
        drop(kept);
        self.memory.give(passed.len());
    }
}

impl Drop for Recent {
    fn drop(&mut self) {
        self.memory.give(self.kept.get_mut().unwrap_or_else(PoisonError::into_inner).chunks.len());
    }
}

impl Memory {
    fn take(&self) -> bool {
        self.0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| (used < CHUNKS_MAX).then_some(used + 1))
            .is_ok()
    }

    fn give(&self, chunks: usize) {
        self.0.fetch_sub(chunks as u32, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn what_is_kept_is_bounded_and_given_back() {
        let memory = Memory::default();
        let (one, two) = (Recent::new(memory.clone()), Recent::new(memory.clone()));
        let chunk = |at: u32| Lent::from(Bytes::from(vec![at as u8]));
        (0..100).for_each(|at| one.keep(ChunkIndex(at), chunk(at)));
        two.keep(ChunkIndex(0), chunk(0));
        assert_eq!(memory.0.load(Ordering::Acquire), CHUNKS_MAX);
        assert_eq!(two.find(ChunkIndex(0)), None, "there was no room");
        assert_eq!(one.find(ChunkIndex(2)), Some(chunk(2)));
        one.passed(ChunkIndex(2));
        assert_eq!(one.find(ChunkIndex(2)), None);
        assert_eq!(memory.0.load(Ordering::Acquire), CHUNKS_MAX - 3, "those before it are of no use");
        one.keep(ChunkIndex(1), chunk(1));
        assert_eq!(memory.0.load(Ordering::Acquire), CHUNKS_MAX - 3, "it was passed");
        drop(one);
        assert_eq!(memory.0.load(Ordering::Acquire), 0);
    }

    #[test]
    fn a_chunk_far_ahead_is_not_kept_and_one_that_comes_twice_is_kept_once() {
        let memory = Memory::default();
        let recent = Recent::new(memory.clone());
        let is_kept = |at| {
            recent.keep(ChunkIndex(at), Lent::from(Bytes::from_static(b"x")));
            (recent.find(ChunkIndex(at)).is_some(), memory.0.load(Ordering::Acquire))
        };
        assert_eq!(is_kept(AHEAD_MAX), (false, 0));
        assert_eq!(is_kept(AHEAD_MAX - 1), (true, 1));
        assert_eq!(is_kept(AHEAD_MAX - 1), (true, 1));
    }
}
