//! Workers that hash the chunks of a file in two buffers: whatever happens, all of them end, with the right result.

use crate::chunk::{CHUNK_BYTES, ChunkIndex};
use crate::hashing::{Body, Hashed, hash_body, silent};
use crate::id::{ChunkHash, ResourceId};
use crate::orders::in_many_orders;
use crate::sync::atomic::{AtomicU32, Ordering};
use std::io;
use std::ops::ControlFlow;
use std::sync::LazyLock;

/// Few, because each order hashes whole chunks.
const ORDERS: usize = 40;
/// More than the buffers.
const CHUNKS: u32 = 4;
const BYTES: u64 = (CHUNKS as u64 - 1) * CHUNK_BYTES as u64 + 5;

/// The right result, computed by nobody else.
static RIGHT: LazyLock<Hashed> = LazyLock::new(|| {
    let mut bytes = vec![0; BYTES as usize];
    (1..).zip(bytes.chunks_mut(CHUNK_BYTES as usize)).for_each(|(byte, chunk)| chunk.fill(byte));
    let hashes = bytes.chunks(CHUNK_BYTES as usize).map(ChunkHash::of).collect();
    Hashed { resource: ResourceId::of(&bytes), hashes, bytes: BYTES }
});

/// Each chunk is filled with another byte.
fn byte_at(offset: u64) -> u8 {
    (offset / u64::from(CHUNK_BYTES)) as u8 + 1
}

/// What goes wrong with a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    None,
    /// This chunk cannot be read.
    Read(u32),
    /// Following this chunk fails.
    Follow(u32),
}

#[derive(Debug)]
struct Bytes {
    trouble: Trouble,
    follow_end: u32,
    followed: AtomicU32,
}

impl Bytes {
    fn new(trouble: Trouble, follow_end: u32) -> Bytes {
        Bytes { trouble, follow_end, followed: AtomicU32::new(0) }
    }
}

impl Body for Bytes {
    fn bytes(&self) -> u64 {
        BYTES
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let chunk = (offset / u64::from(CHUNK_BYTES)) as u32;
        if self.trouble == Trouble::Read(chunk) {
            return Err(io::Error::other("a bad sector"));
        }
        let followed = self.followed.load(Ordering::SeqCst);
        assert!(chunk < self.follow_end || followed == self.follow_end, "chunk {chunk} is read too early");
        buffer.fill(byte_at(offset));
        Ok(())
    }

    fn must_be_unchanged(&self) -> io::Result<()> {
        Ok(())
    }

    fn follow_end(&self) -> ChunkIndex {
        ChunkIndex(self.follow_end)
    }

    fn follow(&self, chunk: ChunkIndex, bytes: &[u8]) -> io::Result<()> {
        if self.trouble == Trouble::Follow(chunk.0) {
            return Err(io::Error::other("it makes no sense"));
        }
        let right = Some(&byte_at(chunk.offset()));
        assert!(bytes.first() == right && bytes.last() == right, "chunk {} was overwritten", chunk.0);
        assert_eq!(self.followed.fetch_add(1, Ordering::SeqCst), chunk.0, "in order, one at a time");
        Ok(())
    }
}

#[test]
fn the_hashes_are_right() {
    for follow_end in [0, 3, CHUNKS] {
        in_many_orders(ORDERS, move || {
            let hashed = hash_body(&Bytes::new(Trouble::None, follow_end), &silent).unwrap();
            assert!(hashed == *RIGHT);
        });
    }
}

#[test]
fn a_failure_ends_all_workers() {
    for trouble in [Trouble::Read(0), Trouble::Read(3), Trouble::Follow(1)] {
        in_many_orders(ORDERS, move || {
            assert!(hash_body(&Bytes::new(trouble, 2), &silent).is_err(), "{trouble:?}");
        });
    }
}

#[test]
fn whoever_stops_it_stops_all_workers() {
    in_many_orders(ORDERS, || {
        let stop =
            |done| if done > CHUNK_BYTES.into() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        let error = hash_body(&Bytes::new(Trouble::None, 0), &stop).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Interrupted);
    });
}
