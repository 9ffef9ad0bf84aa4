//! Chunks that arrive in any order from several peers, beside the task that keeps the hash close behind them: the hash
//! is always right, and nobody waits for ever.

use super::hash::WholeHash;
use super::recent::Memory;
use crate::chunk::ChunkIndex;
use crate::have::HaveMap;
use crate::id::{ChunkHash, ResourceId};
use crate::manifest::Manifest;
use crate::orders::in_many_orders;
use crate::store::PartFile;
use crate::sync::{Arc, Mutex};
use crate::thread::{scope, spawn};
use bytes::Bytes;

const ORDERS: usize = 500;

/// A download of which each chunk is a few bytes.
struct Bench {
    chunks: Vec<Bytes>,
    file: Arc<PartFile>,
    whole: WholeHash,
    have: Mutex<HaveMap>,
}

impl Bench {
    fn new(count: u8) -> Bench {
        let chunks: Vec<Bytes> = (0..count).map(|at| vec![at; 3 + usize::from(at)].into()).collect();
        let hashes = chunks.iter().map(|chunk| ChunkHash::of(chunk)).collect();
        let trackers = vec!["tt://t".parse().unwrap()];
        let manifest = Manifest::new("x".parse().unwrap(), right(&chunks), trackers, hashes).unwrap();
        let have = Mutex::new(HaveMap::empty(manifest.count()));
        let file = Arc::new(PartFile::default());
        Bench { whole: WholeHash::new(file.clone(), manifest, Memory::default()), chunks, file, have }
    }

    /// Takes a chunk from a peer, as a download does.
    fn take(&self, at: u32) {
        let (index, bytes) = (ChunkIndex(at), self.chunks[at as usize].clone());
        assert!(self.whole.verify(index, &bytes, &ChunkHash::of(&bytes)), "chunk {at} is right");
        self.file.write(index, &bytes);
        self.whole.keep(index, bytes);
        let mut have = self.have.lock().unwrap();
        have.insert(index);
        self.whole.advance(&have);
    }

    /// Hashes what is here, as the task beside the chunks does.
    fn follow(&self) {
        for _ in 0..3 {
            let there = self.whole.frontier().borrow().chunks;
            self.whole.pass(there, 2).unwrap();
        }
    }

    /// Hashes what is left. The result is the hash of all chunks.
    fn must_end_right(&self) {
        self.whole.pass(self.chunks.len() as u32, u32::MAX).unwrap();
        assert_eq!(self.whole.passed() as usize, self.chunks.len());
        assert_eq!(self.whole.get(), right(&self.chunks));
    }
}

fn right(chunks: &[Bytes]) -> ResourceId {
    ResourceId::of(&chunks.concat())
}

#[test]
fn the_hash_is_right_and_everybody_has_a_turn() {
    in_many_orders(ORDERS, || {
        let bench = Bench::new(6);
        scope(|scope| {
            scope.spawn(|| [0, 1].into_iter().for_each(|at| bench.take(at)));
            scope.spawn(|| [3, 2].into_iter().for_each(|at| bench.take(at)));
            scope.spawn(|| [5, 4].into_iter().for_each(|at| bench.take(at)));
            bench.follow();
        });
        bench.must_end_right();
    });
}

#[test]
fn a_chunk_that_comes_from_two_peers_at_once_counts_once() {
    in_many_orders(ORDERS, || {
        let bench = Bench::new(2);
        scope(|scope| {
            scope.spawn(|| [0, 1].into_iter().for_each(|at| bench.take(at)));
            scope.spawn(|| [0, 1].into_iter().for_each(|at| bench.take(at)));
        });
        bench.must_end_right();
    });
}

#[test]
fn corrupt_chunks_leave_no_trace_and_hold_nobody_up() {
    in_many_orders(ORDERS, || {
        let bench = Bench::new(3);
        let is_right = |at: u32| {
            let hash = ChunkHash::of(&bench.chunks[at as usize]);
            bench.whole.verify(ChunkIndex(at), b"corrupt", &hash)
        };
        scope(|scope| {
            scope.spawn(|| assert!(!is_right(0) && !is_right(2)));
            scope.spawn(|| [1, 0].into_iter().for_each(|at| bench.take(at)));
            scope.spawn(|| bench.take(2));
        });
        bench.must_end_right();
    });
}

#[test]
fn a_read_that_fails_gives_its_turn_back() {
    in_many_orders(ORDERS, || {
        let bench = Arc::new(Bench::new(3));
        bench.file.write(ChunkIndex(0), &bench.chunks[0]);
        bench.file.fail_once(ChunkIndex(0));
        let failing = bench.clone();
        let failing = spawn(move || failing.whole.pass(1, 1).is_err());
        let others = bench.clone();
        let others = spawn(move || [1, 2].into_iter().for_each(|at| others.take(at)));
        assert!(failing.join().unwrap(), "nobody but this thread reads chunk 0");
        others.join().unwrap();
        bench.must_end_right();
    });
}
