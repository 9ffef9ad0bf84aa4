//! A pool of buffers of one chunk. A new buffer costs 256 page faults, and its pages are cleared twice: by the kernel,
//! and by the code that must not read uninitialized memory.

use crate::chunk::CHUNK_BYTES;
use bytes::{Bytes, BytesMut};
use std::ops::Deref;
use std::sync::{Mutex, PoisonError};

/// Limits the unused buffers that are kept, of 1 MiB each; further ones are freed. A busy daemon has about this many
/// chunks in its hands at once.
const FREE_MAX: usize = 16;

/// The unused buffers of this process.
static FREE: Pool = Pool(Mutex::new(Free { buffers: Vec::new(), unused: 0 }));

struct Pool(Mutex<Free>);

struct Free {
    /// Each has the length of a chunk.
    buffers: Vec<BytesMut>,
    /// The smallest number of unused buffers since the last trim.
    unused: usize,
}

impl Pool {
    fn locked(&self) -> std::sync::MutexGuard<'_, Free> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Option<BytesMut> {
        let mut free = self.locked();
        let buffer = free.buffers.pop();
        free.unused = free.unused.min(free.buffers.len());
        buffer
    }

    fn give(&self, buffer: BytesMut) {
        let whole = CHUNK_BYTES as usize;
        let mut free = self.locked();
        if buffer.len() == whole && buffer.capacity() == whole && free.buffers.len() < FREE_MAX {
            free.buffers.push(buffer);
        }
    }

    fn trim(&self) {
        let mut free = self.locked();
        let rest = free.buffers.len() - free.unused;
        let unused = free.buffers.split_off(rest);
        free.unused = rest;
        drop(free);
        drop(unused);
    }
}

/// An initialized buffer of `bytes` bytes with arbitrary content.
pub fn take(bytes: usize) -> BytesMut {
    used_before(bytes).unwrap_or_else(|| BytesMut::zeroed(bytes))
}

/// An empty buffer with room for `bytes` bytes.
pub(super) fn take_empty(bytes: usize) -> BytesMut {
    let mut buffer = used_before(bytes).unwrap_or_else(|| BytesMut::with_capacity(bytes));
    buffer.clear();
    buffer
}

fn used_before(bytes: usize) -> Option<BytesMut> {
    if bytes == CHUNK_BYTES as usize { FREE.take() } else { None }
}

/// Bytes in a pooled buffer. When the last clone is dropped, a buffer of one chunk returns to the pool; any other is
/// freed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lent(Bytes);

impl From<Bytes> for Lent {
    fn from(bytes: Bytes) -> Lent {
        Lent(bytes)
    }
}

impl From<BytesMut> for Lent {
    fn from(bytes: BytesMut) -> Lent {
        Lent(bytes.freeze())
    }
}

impl Deref for Lent {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Ok(buffer) = std::mem::take(&mut self.0).try_into_mut() {
            FREE.give(buffer);
        }
    }
}

/// Frees the buffers that were not used since the last call. Call it every few seconds, so that an idle process is
/// small.
pub fn trim() {
    FREE.trim();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool() -> Pool {
        Pool(Mutex::new(Free { buffers: Vec::new(), unused: 0 }))
    }

    fn chunk() -> BytesMut {
        BytesMut::zeroed(CHUNK_BYTES as usize)
    }

    #[test]
    fn a_chunk_that_was_frozen_is_used_again() {
        let pool = pool();
        let bytes = chunk().freeze();
        let place = bytes.as_ptr();
        pool.give(bytes.try_into_mut().unwrap());
        assert_eq!(pool.take().unwrap().as_ptr(), place);
        assert!(pool.take().is_none());
    }

    #[test]
    fn a_buffer_is_kept_for_its_last_clone() {
        let bytes = Bytes::from(chunk());
        let (place, lent) = (bytes.as_ptr(), Lent::from(bytes));
        let clone = lent.clone();
        drop(lent);
        assert_eq!((clone.len(), clone.as_ptr()), (CHUNK_BYTES as usize, place), "it is still in use");
        assert!(clone.0.is_unique(), "its buffer can be given back when it is dropped");
    }

    #[test]
    fn only_whole_chunks_are_kept_and_not_too_many() {
        let pool = pool();
        pool.give(BytesMut::zeroed(1000));
        pool.give(BytesMut::zeroed(CHUNK_BYTES as usize * 2));
        assert!(pool.take().is_none());
        (0..FREE_MAX + 5).for_each(|_| pool.give(chunk()));
        assert_eq!(pool.locked().buffers.len(), FREE_MAX);
    }

    #[test]
    fn what_lies_unused_is_freed() {
        let pool = pool();
        (0..6).for_each(|_| pool.give(chunk()));
        pool.trim(); // they came just now
        let used: Vec<BytesMut> = (0..2).filter_map(|_| pool.take()).collect();
        used.into_iter().for_each(|buffer| pool.give(buffer));
        pool.trim();
        assert_eq!(pool.locked().buffers.len(), 2, "two were in use since");
        pool.trim();
        assert_eq!(pool.locked().buffers.len(), 0);
    }
}
