//! Hashes a file: the SHA-256 of the whole and of each chunk, on all cores.
//!
//! The hash of the whole file must process the chunks in order. So it is a [`Lane`], which one worker at a time moves
//! on; any worker can hash single chunks. A worker moves the lane on if it is free and its next chunk was read.
//! Otherwise the worker reads and hashes the next chunk. So two cores share the work evenly, although the lane alone
//! keeps one of them nearly busy. The workers share a small ring of buffers. A chunk is read once for both hashes,
//! while it is in the processor's cache.

use super::lane::{Lane, LaneTurn};
use crate::chunk::{CHUNK_BYTES, ChunkCount, ChunkIndex};
use crate::have::HaveMap;
use crate::id::{ChunkHash, ResourceId};
use crate::manifest::Manifest;
use body::changed;
use sha2::Digest;
use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, RwLock};

mod body;
#[cfg(test)]
mod tests;

pub use body::{Body, RegularFile};

/// Limits the chunks in memory, of 1 MiB each. Workers wait for a free buffer. 8 are enough to keep 4 workers busy.
const WINDOW: usize = 8;

/// Limits the unreadable chunks of a download. With more of them, the disk counts as failed. A crash may cost the same
/// number of chunks.
const UNREADABLE_MAX: usize = 64;

/// Limits the worker threads. More would be idle, since the lane of the whole-file hash is the bottleneck.
const WORKERS_MAX: usize = 4;

/// A callback that is told the number of bytes done, from any thread, never fewer than before. If it returns `Break`,
/// hashing stops with an error of kind [`io::ErrorKind::Interrupted`].
pub type Progress<'a> = dyn Fn(u64) -> ControlFlow<()> + Sync + 'a;

/// A [`Progress`] that ignores the numbers.
pub fn silent(_bytes: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// A file's hashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hashed {
    /// The SHA-256 of the whole file.
    pub resource: ResourceId,
    /// The SHA-256 of each chunk, in order.
    pub hashes: Vec<ChunkHash>,
    /// The file's size.
    pub bytes: u64,
}

/// Hashes a file from its beginning, regardless of its cursor.
///
/// If the file's size or modification time changes meanwhile, the result is an error of kind
/// [`io::ErrorKind::InvalidData`]. A file of more than 4 TiB is an error of kind [`io::ErrorKind::FileTooLarge`].
///
/// ```
/// use shared::host::hashing::{hash_file, silent};
/// use shared::id::{ChunkHash, ResourceId};
/// use std::io::Write;
///
/// let mut file = tempfile::tempfile().unwrap();
/// file.write_all(b"hello").unwrap();
/// let hashed = hash_file(&file, &silent).unwrap();
/// assert_eq!((hashed.resource, hashed.bytes), (ResourceId::of(b"hello"), 5));
/// assert_eq!(hashed.hashes, [ChunkHash::of(b"hello")]);
/// ```
pub fn hash_file(file: &File, progress: &Progress<'_>) -> io::Result<Hashed> {
    hash_body(&RegularFile::new(file)?, progress)
}

/// Hashes a resource's bytes. The errors are those of [`hash_file`].
pub fn hash_body(body: &dyn Body, progress: &Progress<'_>) -> io::Result<Hashed> {
    let (hashed, _) = hash_bytes(body, 0, progress)?;
    body.must_be_unchanged()?;
    Ok(hashed)
}

/// The result of comparing a file with a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The chunks that match the manifest.
    pub good: HaveMap,
    /// All other chunks, in order: they differ, are beyond the end of the file, or cannot be read.
    pub bad: Vec<ChunkIndex>,
    /// The bad chunks that cannot be read, in no particular order.
    pub unreadable: Vec<ChunkIndex>,
    /// Whether the file as a whole is the manifest's resource.
    pub whole_matches: bool,
    /// The file's size; for a download, only the part that can belong to the resource.
    pub bytes: u64,
    /// What was found. The hash of a chunk that was passed over is all zeros, and that of the whole means nothing then.
    pub found: Hashed,
}

/// Compares a file with a manifest. Bytes beyond the manifest's last chunk are not read; with them the file is not the
/// resource. The errors are those of [`hash_file`].
pub fn check_file(file: &File, manifest: &Manifest, progress: &Progress<'_>) -> io::Result<Checked> {
    let file = RegularFile::new(file)?.at_most(manifest.count().bytes_max());
    let checked = check_body(&file, manifest, progress)?;
    let whole_matches = checked.whole_matches && checked.bytes == file.file_bytes();
    Ok(Checked { whole_matches, bytes: file.file_bytes(), ..checked })
}

/// Compares a resource's bytes with a manifest. They must be at most as many as the manifest's chunks can have. The
/// errors are those of [`hash_file`].
pub fn check_body(body: &dyn Body, manifest: &Manifest, progress: &Progress<'_>) -> io::Result<Checked> {
    check(body, manifest, 0, progress)
}

/// Compares a download with its manifest like [`check_file`], with two differences. A few chunks that cannot be read
/// (`UNREADABLE_MAX`) count as bad: they can be fetched and written again, which is what a disk with bad sectors needs.
/// If there are more, or if no chunk can be read, the result is an error, since the disk failed and may recover. And
/// bytes beyond the last chunk are ignored.
pub fn check_part(file: &File, manifest: &Manifest, progress: &Progress<'_>) -> io::Result<Checked> {
    let file = RegularFile::new(file)?.at_most(manifest.count().bytes_max());
    check_part_body(&file, manifest, progress)
}

/// Compares the bytes of a download with its manifest, like [`check_part`].
pub fn check_part_body(body: &dyn Body, manifest: &Manifest, progress: &Progress<'_>) -> io::Result<Checked> {
    check(body, manifest, UNREADABLE_MAX, progress)
}

fn check(
    body: &dyn Body,
    manifest: &Manifest,
    unreadable_max: usize,
    progress: &Progress<'_>,
) -> io::Result<Checked> {
    let (mut hashed, skipped) = hash_bytes(body, unreadable_max, progress)?;
    body.must_be_unchanged()?;
    let mut good = HaveMap::empty(manifest.count());
    for (index, (found, wanted)) in
        manifest.count().indices().zip(hashed.hashes.iter().zip(manifest.hashes()))
    {
        if found == wanted && !skipped.contains(index) {
            good.insert(index);
        }
    }
    let bad = good.missing_from(ChunkIndex(0)).collect();
    let whole_matches = skipped.is_empty() && hashed.resource == manifest.resource();
    for (index, hash) in (0..).map(ChunkIndex).zip(&mut hashed.hashes) {
        if skipped.contains(index) {
            *hash = ChunkHash([0; 32]);
        }
    }
    let bytes = body.bytes();
    Ok(Checked { good, bad, unreadable: skipped.unreadable, whole_matches, bytes, found: hashed })
}

/// The chunks that were passed over.
#[derive(Debug, Default, PartialEq, Eq)]
struct Skipped {
    /// The disk failed to read them.
    unreadable: Vec<ChunkIndex>,
    /// Bytes of them are not there.
    missing: BTreeSet<ChunkIndex>,
}

impl Skipped {
    fn is_empty(&self) -> bool {
        self.unreadable.is_empty() && self.missing.is_empty()
    }

    fn contains(&self, index: ChunkIndex) -> bool {
        self.missing.contains(&index) || self.unreadable.contains(&index)
    }
}

/// Also returns the chunks that were passed over. Their hashes, and then the hash of the whole, are meaningless. More
/// than `unreadable_max` chunks that the disk cannot read are an error.
fn hash_bytes(
    body: &dyn Body,
    unreadable_max: usize,
    progress: &Progress<'_>,
) -> io::Result<(Hashed, Skipped)> {
    let count = ChunkCount::of_bytes(body.bytes())
        .ok_or_else(|| io::Error::new(io::ErrorKind::FileTooLarge, "more than 4 TiB"))?;
    let pipeline = Pipeline::new(body, count, unreadable_max, progress);
    if count.get() <= 1 {
        return pipeline.hash_only_chunk();
    }
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    std::thread::scope(|scope| {
        for _ in 1..cores.min(WORKERS_MAX).min(count.get() as usize) {
            scope.spawn(|| pipeline.work());
        }
        pipeline.work();
    });
    pipeline.finish()
}

/// The state that the workers share.
struct Pipeline<'a> {
    body: &'a dyn Body,
    bytes: u64,
    count: ChunkCount,
    unreadable_max: usize,
    progress: &'a Progress<'a>,
    /// Chunk `i` is in buffer `i % WINDOW`. The board decides who may use a buffer, so these locks never block.
    buffers: Vec<RwLock<Box<[u8]>>>,
    board: Mutex<Board>,
    changed: Condvar,
}

/// The schedule of the work. Its lock is held only briefly, never while reading or hashing.
struct Board {
    /// The whole-file hash.
    lane: Lane,
    /// The next chunk to read.
    read_next: u32,
    /// The next chunk to follow, and whether a worker does it.
    follow_next: ChunkIndex,
    is_following: bool,
    /// The first chunk that is not followed.
    follow_end: ChunkIndex,
    buffers: Vec<BufferState>,
    hashes: Vec<ChunkHash>,
    skipped: Skipped,
    failed: Option<io::Error>,
}

#[derive(Clone, Copy, Default)]
struct BufferState {
    /// The chunk in this buffer, until all are done with it.
    holds: Option<ChunkIndex>,
    /// The number of uses that it still has: two hashes, and [`Body::follow`] if the chunk is followed. It is free at 0.
    uses: u8,
}

enum HashJob {
    /// Move the lane on over this chunk, which was read already.
    Lane(LaneTurn),
    /// Read and hash this chunk.
    Chunk(ChunkIndex),
    /// Let the body follow this chunk, which was read already.
    Follow(ChunkIndex),
}

impl<'a> Pipeline<'a> {
    fn new(
        body: &'a dyn Body,
        count: ChunkCount,
        unreadable_max: usize,
        progress: &'a Progress<'a>,
    ) -> Pipeline<'a> {
        let bytes = body.bytes();
        let buffers = WINDOW.min(count.get() as usize);
        let board = Board {
            lane: Lane::default(),
            read_next: 0,
            follow_next: ChunkIndex(0),
            is_following: false,
            follow_end: body.follow_end(),
            buffers: vec![BufferState::default(); buffers],
            hashes: vec![ChunkHash([0; 32]); count.get() as usize],
            skipped: Skipped::default(),
            failed: None,
        };
        let buffer = || RwLock::new(vec![0; bytes.min(CHUNK_BYTES.into()) as usize].into_boxed_slice());
        let buffers = (0..buffers).map(|_| buffer()).collect();
        let (board, changed) = (Mutex::new(board), Condvar::new());
        Pipeline { body, bytes, count, unreadable_max, progress, buffers, board, changed }
    }

    /// A file of at most one chunk: the chunk is the whole file, so it is hashed once.
    fn hash_only_chunk(self) -> io::Result<(Hashed, Skipped)> {
        let mut resource = ResourceId::of(b"");
        let mut hashes = Vec::new();
        if self.count.get() == 1 {
            let chunk = ChunkIndex(0);
            if let Err(error) = self.read(chunk) {
                self.pass_over(chunk, error)?;
            }
            let hash = ChunkHash::of(&self.buffer(chunk)[..self.chunk_bytes(chunk)]);
            (resource, hashes) = (ResourceId(hash.0), vec![hash]);
        }
        let _ = (self.progress)(self.bytes);
        let board = self.board.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok((Hashed { resource, hashes, bytes: self.bytes }, board.skipped))
    }

    fn work(&self) {
        let _guard = PanicGuard(self);
        while let Some(job) = self.next_job() {
            let result = match job {
                HashJob::Lane(turn) => self.move_lane(turn),
                HashJob::Chunk(chunk) => self.hash_chunk(chunk),
                HashJob::Follow(chunk) => self.follow(chunk),
            };
            if let Err(error) = result {
                self.fail(error);
            }
        }
    }

    /// Waits for a job; `None` when there are no more.
    fn next_job(&self) -> Option<HashJob> {
        let mut board = self.board();
        loop {
            if board.failed.is_some() || board.lane.passed() == self.count.get() {
                return None;
            }
            if let Some(job) = board.take_job(self.count) {
                return Some(job);
            }
            board = self.changed.wait(board).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn move_lane(&self, mut turn: LaneTurn) -> io::Result<()> {
        let chunk = turn.index;
        turn.hasher.update(&self.buffer(chunk)[..self.chunk_bytes(chunk)]);
        // Only the worker that holds the lane reports progress, so the reported number never decreases.
        let done = chunk.offset() + self.chunk_bytes(chunk) as u64;
        if (self.progress)(done).is_break() {
            return Err(io::Error::new(io::ErrorKind::Interrupted, "hashing was stopped"));
        }
        let mut board = self.board();
        board.lane.pass(turn);
        board.used(chunk);
        self.changed.notify_all();
        Ok(())
    }

    fn hash_chunk(&self, chunk: ChunkIndex) -> io::Result<()> {
        if let Err(error) = self.read(chunk) {
            self.pass_over(chunk, error)?;
        }
        self.board().hold(chunk);
        self.changed.notify_one();
        let hash = ChunkHash::of(&self.buffer(chunk)[..self.chunk_bytes(chunk)]);
        let mut board = self.board();
        board.hashes[chunk.slot()] = hash;
        board.used(chunk);
        self.changed.notify_one();
        Ok(())
    }

    fn follow(&self, chunk: ChunkIndex) -> io::Result<()> {
        // If that fails, the chunk stays the next one to follow, so that nobody follows or reads what depends on it.
        self.body.follow(chunk, &self.buffer(chunk)[..self.chunk_bytes(chunk)])?;
        let mut board = self.board();
        board.is_following = false;
        board.follow_next = ChunkIndex(chunk.0 + 1);
        board.used(chunk);
        self.changed.notify_all();
        Ok(())
    }

    fn read(&self, chunk: ChunkIndex) -> io::Result<()> {
        let buffer = &self.buffers[place(chunk, self.buffers.len())];
        let mut buffer = buffer.write().unwrap_or_else(PoisonError::into_inner);
        let wanted = &mut buffer[..self.chunk_bytes(chunk)];
        self.body.read_exact_at(wanted, chunk.offset()).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => changed("it became shorter".to_owned()),
            _ => error,
        })
    }

    /// Notes that a chunk is not there or cannot be read. Returns the error if too many chunks cannot be read, or if
    /// the file changed.
    fn pass_over(&self, chunk: ChunkIndex, error: io::Error) -> io::Result<()> {
        let mut board = self.board();
        let skipped = &mut board.skipped;
        let too_many = skipped.unreadable.len() + 1 >= self.count.get() as usize;
        match error.kind() {
            io::ErrorKind::NotFound => _ = skipped.missing.insert(chunk),
            io::ErrorKind::InvalidData => return Err(error),
            _ if too_many || skipped.unreadable.len() >= self.unreadable_max => return Err(error),
            _ => skipped.unreadable.push(chunk),
        }
        Ok(())
    }

    fn finish(self) -> io::Result<(Hashed, Skipped)> {
        let board = self.board.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = board.failed {
            return Err(error);
        }
        debug_assert_eq!(board.lane.passed(), self.count.get(), "it passes over all unless something failed");
        Ok((Hashed { resource: board.lane.hash(), hashes: board.hashes, bytes: self.bytes }, board.skipped))
    }

    fn fail(&self, error: io::Error) {
        self.board().failed.get_or_insert(error);
        self.changed.notify_all();
    }

    fn buffer(&self, chunk: ChunkIndex) -> std::sync::RwLockReadGuard<'_, Box<[u8]>> {
        self.buffers[place(chunk, self.buffers.len())].read().unwrap_or_else(PoisonError::into_inner)
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn chunk_bytes(&self, chunk: ChunkIndex) -> usize {
        (self.bytes - chunk.offset()).min(u64::from(CHUNK_BYTES)) as usize
    }
}

impl Board {
    /// A job that can be done now.
    fn take_job(&mut self, count: ChunkCount) -> Option<HashJob> {
        let lane_next = self.lane.next();
        // The buffer may still contain an earlier chunk that is being hashed.
        if self.buffers[place(lane_next, self.buffers.len())].holds == Some(lane_next)
            && let Some(turn) = self.lane.take()
        {
            return Some(HashJob::Lane(turn));
        }
        let follow_next = self.follow_next;
        let is_read = self.buffers[place(follow_next, self.buffers.len())].holds == Some(follow_next);
        if is_read && !self.is_following && follow_next < self.follow_end {
            self.is_following = true;
            return Some(HashJob::Follow(follow_next));
        }
        let read_next = ChunkIndex(self.read_next);
        let buffer = place(read_next, self.buffers.len());
        let is_followed = read_next < self.follow_end;
        let may_read = is_followed || follow_next == self.follow_end;
        if count.contains(read_next) && may_read && self.buffers[buffer].uses == 0 {
            self.read_next += 1;
            self.buffers[buffer] = BufferState { holds: None, uses: 2 + u8::from(is_followed) };
            return Some(HashJob::Chunk(read_next));
        }
        None
    }

    /// Notes that a chunk is in its buffer.
    fn hold(&mut self, chunk: ChunkIndex) {
        let buffer = place(chunk, self.buffers.len());
        self.buffers[buffer].holds = Some(chunk);
    }

    /// Notes that one of the uses of this chunk's buffer is over.
    fn used(&mut self, chunk: ChunkIndex) {
        let buffer = place(chunk, self.buffers.len());
        self.buffers[buffer].uses -= 1;
        if self.buffers[buffer].uses == 0 {
            self.buffers[buffer].holds = None;
        }
    }
}

/// The buffer of a chunk.
fn place(chunk: ChunkIndex, buffers: usize) -> usize {
    chunk.slot() % buffers
}

/// Wakes the other workers when one panics in the caller's `progress`. They would wait for it forever.
struct PanicGuard<'a, 'b>(&'a Pipeline<'b>);

impl Drop for PanicGuard<'_, '_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail(io::Error::other("hashing panicked"));
        }
    }
}
