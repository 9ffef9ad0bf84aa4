//! Hashing a file: SHA-256 of the whole and of each chunk, with every core.
//!
//! The whole-file hash must go through the file in order, so it is one lane that one worker at a time can move on;
//! the chunks' hashes can be computed by anybody. Each worker moves the lane on when it is free and its next
//! chunk was read, and otherwise reads and hashes the next chunk. So two cores share the work evenly, although
//! the lane alone keeps one of them nearly busy. A small ring of buffers is used over and over: a chunk is read
//! once for both hashes, while it is in the processor's cache.

use super::lane::{Lane, LaneTurn};
use crate::chunk::{CHUNK_BYTES, ChunkCount, ChunkIndex};
use crate::have::HaveMap;
use crate::id::{ChunkHash, ResourceId};
use crate::manifest::Manifest;
use sha2::Digest;
use std::fs::{File, Metadata};
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, RwLock};

#[cfg(test)]
mod tests;

/// How many chunks are in memory at a time.
const WINDOW: usize = 8;

/// The most chunks of a download that may be unreadable; with more of them its disk counts as failed. A crash may cost as
/// many.
const UNREADABLE_MAX: usize = 64;

/// More workers than these have nothing to do: the lane of the whole-file hash is the limit.
const WORKERS_MAX: usize = 4;

/// Is told how many bytes are done, from time to time and from any thread; never less than before. It ends the
/// work with `Break`: the result is then an error of kind [`io::ErrorKind::Interrupted`].
pub type Progress<'a> = dyn Fn(u64) -> ControlFlow<()> + Sync + 'a;

/// A [`Progress`] for those who do not want to know.
pub fn silent(_bytes: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// A file's hashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hashed {
    /// SHA-256 of the whole file.
    pub resource: ResourceId,
    /// SHA-256 of each chunk, in order.
    pub hashes: Vec<ChunkHash>,
    /// The file's size.
    pub bytes: u64,
}

/// Hashes a file from its beginning, wherever its cursor is.
///
/// A file that changes meanwhile is an error of kind [`io::ErrorKind::InvalidData`], as far as its size or its
/// time of modification tell. So is one of more than 4 TiB, of kind [`io::ErrorKind::FileTooLarge`].
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
    let before = regular(file)?;
    let (hashed, _) = hash_bytes(&reader(file), before.len(), 0, progress)?;
    unchanged(&before, file)?;
    Ok(hashed)
}

/// What a comparison of a file with its manifest found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The chunks whose bytes are as the manifest says.
    pub good: HaveMap,
    /// All others, in order: they differ, the file is too short to have them, or they cannot be read.
    pub bad: Vec<ChunkIndex>,
    /// Those of the bad ones that cannot be read, in no order.
    pub unreadable: Vec<ChunkIndex>,
    /// Whether the file as a whole is the manifest's resource.
    pub whole_matches: bool,
    /// The file's size; of a download only what can belong to the resource.
    pub bytes: u64,
}

/// Compares a file with its manifest. What the file has beyond the manifest's last chunk is not read; it is not
/// the resource then. Errors are those of [`hash_file`].
pub fn check_file(file: &File, manifest: &Manifest, progress: &Progress<'_>) -> io::Result<Checked> {
    let (checked, bytes) = check(file, manifest, 0, progress)?;
    let whole_matches = checked.whole_matches && checked.bytes == bytes;
    Ok(Checked { whole_matches, bytes, ..checked })
}

/// Compares a download with its manifest, as [`check_file`] does. A few chunks that the disk cannot read are bad like
/// others: they can be fetched and written again, which is what a disk with bad sectors needs. It is an error when
/// there are more than 64 of them, or when none can be read: then it is the disk that fails, and that may pass. What lies
/// behind the last chunk's end says nothing of the resource: it is not looked at.
pub fn check_part(file: &File, manifest: &Manifest, progress: &Progress<'_>) -> io::Result<Checked> {
    Ok(check(file, manifest, UNREADABLE_MAX, progress)?.0)
}

/// Compares as much of a file as can belong to the resource; gives the file's size, too.
fn check(
    file: &File,
    manifest: &Manifest,
    unreadable_max: usize,
    progress: &Progress<'_>,
) -> io::Result<(Checked, u64)> {
    let before = regular(file)?;
    let bytes = before.len().min(manifest.count().bytes_max());
    let (hashed, unreadable) = hash_bytes(&reader(file), bytes, unreadable_max, progress)?;
    unchanged(&before, file)?;
    let mut good = HaveMap::empty(manifest.count());
    for (index, (found, wanted)) in
        manifest.count().indices().zip(hashed.hashes.iter().zip(manifest.hashes()))
    {
        if found == wanted && !unreadable.contains(&index) {
            good.insert(index);
        }
    }
    let bad = good.missing_from(ChunkIndex(0)).collect();
    let whole_matches = unreadable.is_empty() && hashed.resource == manifest.resource();
    Ok((Checked { good, bad, unreadable, whole_matches, bytes }, before.len()))
}

fn regular(file: &File) -> io::Result<Metadata> {
    let metadata = file.metadata()?;
    match metadata.is_file() {
        true => Ok(metadata),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")),
    }
}

fn unchanged(before: &Metadata, file: &File) -> io::Result<()> {
    let after = file.metadata()?;
    if after.len() != before.len() {
        return Err(changed(format!("it had {} bytes and now has {}", before.len(), after.len())));
    }
    if (after.mtime(), after.mtime_nsec()) != (before.mtime(), before.mtime_nsec()) {
        return Err(changed("it was written to".to_owned()));
    }
    Ok(())
}

fn changed(how: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the file changed while it was being hashed: {how}"))
}

/// Fills a buffer from an offset on, from any thread.
type Read<'a> = dyn Fn(&mut [u8], u64) -> io::Result<()> + Sync + 'a;

fn reader(file: &File) -> impl Fn(&mut [u8], u64) -> io::Result<()> + Sync {
    |buffer, offset| file.read_exact_at(buffer, offset)
}

/// Gives the chunks that could not be read, too. Their hashes mean nothing, and then that of the whole means nothing either.
/// More than `unreadable_max` of them are an error.
fn hash_bytes(
    read: &Read<'_>,
    bytes: u64,
    unreadable_max: usize,
    progress: &Progress<'_>,
) -> io::Result<(Hashed, Vec<ChunkIndex>)> {
    let count = ChunkCount::of_bytes(bytes)
        .ok_or_else(|| io::Error::new(io::ErrorKind::FileTooLarge, "more than 4 TiB"))?;
    let pipeline = Pipeline::new(read, bytes, count, unreadable_max, progress);
    if count.get() <= 1 {
        return Ok((pipeline.hash_only_chunk()?, Vec::new()));
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

/// What the workers share.
struct Pipeline<'a> {
    read: &'a Read<'a>,
    bytes: u64,
    count: ChunkCount,
    unreadable_max: usize,
    progress: &'a Progress<'a>,
    /// Chunk `i` is in buffer `i % WINDOW`. The board says who may use a buffer; the lock never makes anybody wait.
    buffers: Vec<RwLock<Box<[u8]>>>,
    board: Mutex<Board>,
    changed: Condvar,
}

/// Who does what. It is locked for moments only, never while anything is read or hashed.
struct Board {
    /// The whole-file hash.
    lane: Lane,
    /// The chunk that nobody has begun to read.
    read_next: u32,
    buffers: Vec<BufferState>,
    hashes: Vec<ChunkHash>,
    /// What could not be read, and is passed over.
    unreadable: Vec<ChunkIndex>,
    failed: Option<io::Error>,
}

#[derive(Clone, Copy, Default)]
struct BufferState {
    /// The chunk that was read into it, until both hashes are done with it.
    holds: Option<ChunkIndex>,
    /// How many of the two hashes still need it; it is free at 0.
    uses: u8,
}

enum HashJob {
    /// Move the lane on over this chunk, which was read.
    Lane(LaneTurn),
    /// Read and hash this chunk.
    Chunk(ChunkIndex),
}

impl<'a> Pipeline<'a> {
    fn new(
        read: &'a Read<'a>,
        bytes: u64,
        count: ChunkCount,
        unreadable_max: usize,
        progress: &'a Progress<'a>,
    ) -> Pipeline<'a> {
        let buffers = WINDOW.min(count.get() as usize);
        let board = Board {
            lane: Lane::default(),
            read_next: 0,
            buffers: vec![BufferState::default(); buffers],
            hashes: vec![ChunkHash([0; 32]); count.get() as usize],
            unreadable: Vec::new(),
            failed: None,
        };
        let buffer = || RwLock::new(vec![0; bytes.min(CHUNK_BYTES.into()) as usize].into_boxed_slice());
        let buffers = (0..buffers).map(|_| buffer()).collect();
        let (board, changed) = (Mutex::new(board), Condvar::new());
        Pipeline { read, bytes, count, unreadable_max, progress, buffers, board, changed }
    }

    /// The only chunk is the whole file, so it is hashed once.
    fn hash_only_chunk(self) -> io::Result<Hashed> {
        let mut resource = ResourceId::of(b"");
        let mut hashes = Vec::new();
        if self.count.get() == 1 {
            let chunk = ChunkIndex(0);
            self.read(chunk)?;
            let hash = ChunkHash::of(&self.buffer(chunk)[..self.chunk_bytes(chunk)]);
            (resource, hashes) = (ResourceId(hash.0), vec![hash]);
        }
        let _ = (self.progress)(self.bytes);
        Ok(Hashed { resource, hashes, bytes: self.bytes })
    }

    fn work(&self) {
        let _guard = PanicGuard(self);
        while let Some(job) = self.next_job() {
            let result = match job {
                HashJob::Lane(turn) => self.move_lane(turn),
                HashJob::Chunk(chunk) => self.hash_chunk(chunk),
            };
            if let Err(error) = result {
                self.fail(error);
            }
        }
    }

    /// Waits for something to do; `None` when there will be nothing more.
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
        // Only the worker that has the lane reports, so what it reports never goes back.
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

    fn read(&self, chunk: ChunkIndex) -> io::Result<()> {
        let buffer = &self.buffers[place(chunk, self.buffers.len())];
        let mut buffer = buffer.write().unwrap_or_else(PoisonError::into_inner);
        let wanted = &mut buffer[..self.chunk_bytes(chunk)];
        (self.read)(wanted, chunk.offset()).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => changed("it became shorter".to_owned()),
            _ => error,
        })
    }

    /// Notes that a chunk cannot be read, unless that are too many, or the file is not what it was.
    fn pass_over(&self, chunk: ChunkIndex, error: io::Error) -> io::Result<()> {
        let mut board = self.board();
        let too_many = board.unreadable.len() + 1 >= self.count.get() as usize;
        if error.kind() == io::ErrorKind::InvalidData
            || too_many
            || board.unreadable.len() >= self.unreadable_max
        {
            return Err(error);
        }
        board.unreadable.push(chunk);
        Ok(())
    }

    fn finish(self) -> io::Result<(Hashed, Vec<ChunkIndex>)> {
        let board = self.board.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = board.failed {
            return Err(error);
        }
        debug_assert_eq!(board.lane.passed(), self.count.get(), "it passes over all unless something failed");
        Ok((
            Hashed { resource: board.lane.hash(), hashes: board.hashes, bytes: self.bytes },
            board.unreadable,
        ))
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
    /// Something that can be done now.
    fn take_job(&mut self, count: ChunkCount) -> Option<HashJob> {
        let lane_next = self.lane.next();
        // The buffer may still hold an earlier chunk, whose own hash takes its time.
        if self.buffers[place(lane_next, self.buffers.len())].holds == Some(lane_next)
            && let Some(turn) = self.lane.take()
        {
            return Some(HashJob::Lane(turn));
        }
        let read_next = ChunkIndex(self.read_next);
        let buffer = place(read_next, self.buffers.len());
        if count.contains(read_next) && self.buffers[buffer].uses == 0 {
            self.read_next += 1;
            self.buffers[buffer] = BufferState { holds: None, uses: 2 };
            return Some(HashJob::Chunk(read_next));
        }
        None
    }

    /// This chunk is in its buffer.
    fn hold(&mut self, chunk: ChunkIndex) {
        let buffer = place(chunk, self.buffers.len());
        self.buffers[buffer].holds = Some(chunk);
    }

    /// One of the two hashes does not need this chunk's buffer any more.
    fn used(&mut self, chunk: ChunkIndex) {
        let buffer = place(chunk, self.buffers.len());
        self.buffers[buffer].uses -= 1;
        if self.buffers[buffer].uses == 0 {
            self.buffers[buffer].holds = None;
        }
    }
}

/// Which buffer a chunk is read into.
fn place(chunk: ChunkIndex, buffers: usize) -> usize {
    chunk.slot() % buffers
}

/// Wakes the others when a worker panics (in the caller's `progress`): they would wait for it for ever.
struct PanicGuard<'a, 'b>(&'a Pipeline<'b>);

impl Drop for PanicGuard<'_, '_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail(io::Error::other("hashing panicked"));
        }
    }
}
