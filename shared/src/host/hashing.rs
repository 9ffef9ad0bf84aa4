//! Hashing a file: SHA-256 of the whole and of each chunk, with every core.
//!
//! The whole-file hash must go through the file in order, so it is one lane that one worker at a time can move on;
//! the chunks' hashes can be computed by anybody. Each worker moves the lane on when it is free and its next
//! chunk was read, and otherwise reads and hashes the next chunk. So two cores share the work evenly, although
//! the lane alone keeps one of them nearly busy. A small ring of buffers is used over and over: a chunk is read
//! once for both hashes, while it is in the processor's cache.

use crate::chunk::{CHUNK_BYTES, ChunkCount, ChunkIndex};
use crate::have::HaveMap;
use crate::id::{ChunkHash, ResourceId};
use crate::manifest::Manifest;
use sha2::{Digest, Sha256};
use std::fs::{File, Metadata};
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, RwLock};

/// How many chunks are in memory at a time.
const WINDOW: usize = 8;

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
    let hashed = hash_bytes(file, before.len(), progress)?;
    unchanged(&before, file)?;
    Ok(hashed)
}

/// What a comparison of a file with its manifest found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The chunks whose bytes are as the manifest says.
    pub good: HaveMap,
    /// All others, in order: they differ, or the file is too short to have them.
    pub bad: Vec<ChunkIndex>,
    /// Whether the file as a whole is the manifest's resource.
    pub whole_matches: bool,
    /// The file's size.
    pub bytes: u64,
}

/// Compares a file with its manifest. What the file has beyond the manifest's last chunk is not read; it is not
/// the resource then. Errors are those of [`hash_file`].
pub fn check_file(file: &File, manifest: &Manifest, progress: &Progress<'_>) -> io::Result<Checked> {
    let before = regular(file)?;
    let hashed = hash_bytes(file, before.len().min(manifest.count().bytes_max()), progress)?;
    unchanged(&before, file)?;
    let mut good = HaveMap::empty(manifest.count());
    for (index, (found, wanted)) in
        manifest.count().indices().zip(hashed.hashes.iter().zip(manifest.hashes()))
    {
        if found == wanted {
            good.insert(index);
        }
    }
    let bad = good.missing_from(ChunkIndex(0)).collect();
    let whole_matches = hashed.resource == manifest.resource() && hashed.bytes == before.len();
    Ok(Checked { good, bad, whole_matches, bytes: before.len() })
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

fn hash_bytes(file: &File, bytes: u64, progress: &Progress<'_>) -> io::Result<Hashed> {
    let count = ChunkCount::of_bytes(bytes)
        .ok_or_else(|| io::Error::new(io::ErrorKind::FileTooLarge, "more than 4 TiB"))?;
    let pipeline = Pipeline::new(file, bytes, count, progress);
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

/// What the workers share.
struct Pipeline<'a> {
    file: &'a File,
    bytes: u64,
    count: ChunkCount,
    progress: &'a Progress<'a>,
    /// Chunk `i` is in buffer `i % WINDOW`. The board says who may use a buffer; the lock never makes anybody wait.
    buffers: Vec<RwLock<Box<[u8]>>>,
    board: Mutex<Board>,
    changed: Condvar,
}

/// Who does what. It is locked for moments only, never while anything is read or hashed.
struct Board {
    /// The whole-file hash; `None` while a worker moves it on.
    lane: Option<Sha256>,
    /// The chunk that the lane needs next.
    lane_next: u32,
    /// The chunk that nobody has begun to read.
    read_next: u32,
    buffers: Vec<BufferState>,
    hashes: Vec<ChunkHash>,
    failed: Option<io::Error>,
}

#[derive(Clone, Copy, Default)]
struct BufferState {
    /// The chunk that was read into it, until both hashes are done with it.
    holds: Option<ChunkIndex>,
    /// How many of the two hashes still need it; it is free at 0.
    uses: u8,
}

enum Job {
    /// Move the lane on over this chunk, which was read.
    Lane(Sha256, ChunkIndex),
    /// Read and hash this chunk.
    Chunk(ChunkIndex),
}

impl<'a> Pipeline<'a> {
    fn new(file: &'a File, bytes: u64, count: ChunkCount, progress: &'a Progress<'a>) -> Pipeline<'a> {
        let buffers = WINDOW.min(count.get() as usize);
        let board = Board {
            lane: Some(Sha256::new()),
            lane_next: 0,
            read_next: 0,
            buffers: vec![BufferState::default(); buffers],
            hashes: vec![ChunkHash([0; 32]); count.get() as usize],
            failed: None,
        };
        let buffer = || RwLock::new(vec![0; bytes.min(CHUNK_BYTES.into()) as usize].into_boxed_slice());
        let buffers = (0..buffers).map(|_| buffer()).collect();
        Pipeline { file, bytes, count, progress, buffers, board: Mutex::new(board), changed: Condvar::new() }
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
                Job::Lane(lane, chunk) => self.move_lane(lane, chunk),
                Job::Chunk(chunk) => self.hash_chunk(chunk),
            };
            if let Err(error) = result {
                self.fail(error);
            }
        }
    }

    /// Waits for something to do; `None` when there will be nothing more.
    fn next_job(&self) -> Option<Job> {
        let mut board = self.board();
        loop {
            if board.failed.is_some() || board.lane_next == self.count.get() {
                return None;
            }
            if let Some(job) = board.take_job(self.count) {
                return Some(job);
            }
            board = self.changed.wait(board).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn move_lane(&self, mut lane: Sha256, chunk: ChunkIndex) -> io::Result<()> {
        lane.update(&self.buffer(chunk)[..self.chunk_bytes(chunk)]);
        // Only the worker that has the lane reports, so what it reports never goes back.
        let done = chunk.offset() + self.chunk_bytes(chunk) as u64;
        if (self.progress)(done).is_break() {
            return Err(io::Error::new(io::ErrorKind::Interrupted, "hashing was stopped"));
        }
        let mut board = self.board();
        board.lane = Some(lane);
        board.lane_next += 1;
        board.used(chunk);
        self.changed.notify_all();
        Ok(())
    }

    fn hash_chunk(&self, chunk: ChunkIndex) -> io::Result<()> {
        self.read(chunk)?;
        self.board().was_read(chunk);
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
        self.file.read_exact_at(wanted, chunk.offset()).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => changed("it became shorter".to_owned()),
            _ => error,
        })
    }

    fn finish(self) -> io::Result<Hashed> {
        let board = self.board.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = board.failed {
            return Err(error);
        }
        let lane = board.lane.expect("the lane is handed back unless something failed");
        Ok(Hashed { resource: ResourceId(lane.finalize().into()), hashes: board.hashes, bytes: self.bytes })
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
    fn take_job(&mut self, count: ChunkCount) -> Option<Job> {
        let lane_next = ChunkIndex(self.lane_next);
        // The buffer may still hold an earlier chunk, whose own hash takes its time.
        if self.buffers[place(lane_next, self.buffers.len())].holds == Some(lane_next)
            && let Some(lane) = self.lane.take()
        {
            return Some(Job::Lane(lane, lane_next));
        }
        let read_next = ChunkIndex(self.read_next);
        let buffer = place(read_next, self.buffers.len());
        if count.contains(read_next) && self.buffers[buffer].uses == 0 {
            self.read_next += 1;
            self.buffers[buffer] = BufferState { holds: None, uses: 2 };
            return Some(Job::Chunk(read_next));
        }
        None
    }

    /// This chunk is in its buffer.
    fn was_read(&mut self, chunk: ChunkIndex) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::url::TrackerUrl;
    use std::io::Write;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    const MIB: usize = CHUNK_BYTES as usize;

    fn file_of(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    /// Bytes of which no two chunks are alike.
    fn bytes(len: usize) -> Vec<u8> {
        (0..len).map(|at| (at / MIB * 31 + at % 251) as u8).collect()
    }

    fn manifest_of(bytes: &[u8]) -> Manifest {
        let trackers = vec!["tt://h".parse::<TrackerUrl>().unwrap()];
        let hashes = bytes.chunks(MIB).map(ChunkHash::of).collect();
        Manifest::new("n".parse().unwrap(), ResourceId::of(bytes), trackers, hashes).unwrap()
    }

    /// One worker is held up over chunk 0, while the other goes once around the ring.
    #[test]
    fn the_lane_does_not_take_an_old_chunk_for_a_new_one() {
        let content = bytes((WINDOW + 2) * MIB);
        let (file, count) = (file_of(&content), ChunkCount::of_bytes(content.len() as u64).unwrap());
        let pipeline = Pipeline::new(&file, content.len() as u64, count, &silent);
        let job = || pipeline.board().take_job(count);
        let held_up = ChunkIndex(0);
        assert!(matches!(job(), Some(Job::Chunk(chunk)) if chunk == held_up));
        pipeline.read(held_up).unwrap();
        pipeline.board().was_read(held_up);
        while let Some(job) = job() {
            match job {
                Job::Lane(lane, chunk) => pipeline.move_lane(lane, chunk).unwrap(),
                Job::Chunk(chunk) => pipeline.hash_chunk(chunk).unwrap(),
            }
        }
        assert_eq!(pipeline.board().lane_next as usize, WINDOW, "the next chunk's buffer is in use");
        pipeline.board().hashes[0] = ChunkHash::of(&content[..MIB]);
        pipeline.board().used(held_up);
        pipeline.work();
        assert_eq!(pipeline.finish().unwrap().resource, ResourceId::of(&content));
    }

    #[test]
    fn it_computes_what_a_plain_loop_computes() {
        for len in
            [0, 1, MIB - 1, MIB, MIB + 1, 2 * MIB, 3 * MIB + 7, (WINDOW + 3) * MIB, 2 * WINDOW * MIB + 1]
        {
            let bytes = bytes(len);
            let hashed = hash_file(&file_of(&bytes), &silent).unwrap();
            assert_eq!(hashed.resource, ResourceId::of(&bytes), "{len} bytes");
            assert_eq!(
                hashed.hashes,
                bytes.chunks(MIB).map(ChunkHash::of).collect::<Vec<_>>(),
                "{len} bytes"
            );
            assert_eq!(hashed.bytes, len as u64);
        }
    }

    #[test]
    fn progress_only_grows_and_ends_at_the_size() {
        for len in [0, 5, 40 * MIB + 5] {
            let last = AtomicU64::new(0);
            let progress = |done| {
                assert!(last.swap(done, Relaxed) <= done);
                ControlFlow::Continue(())
            };
            hash_file(&file_of(&bytes(len)), &progress).unwrap();
            assert_eq!(last.into_inner(), len as u64);
        }
    }

    #[test]
    fn it_can_be_stopped() {
        let stop =
            |done| if done > 3 * MIB as u64 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        let error = hash_file(&file_of(&bytes(40 * MIB)), &stop).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Interrupted);
    }

    #[test]
    fn a_file_that_changes_meanwhile_is_an_error() {
        type Change = fn(&File);
        let cases: [(&str, Change); 3] = [
            ("it had 41943040 bytes and now has 41943041", |file| {
                file.write_all_at(b"x", 40 * MIB as u64).unwrap()
            }),
            ("it was written to", |file| {
                std::thread::sleep(std::time::Duration::from_millis(20)); // beyond the clock's tick
                file.write_all_at(b"x", 0).unwrap();
            }),
            ("it became shorter", |file| file.set_len(30 * MIB as u64).unwrap()),
        ];
        for (how, change) in cases {
            let file = file_of(&bytes(40 * MIB));
            let progress = |done| {
                if done == 2 * MIB as u64 {
                    change(&file);
                }
                ControlFlow::Continue(())
            };
            let error = hash_file(&file, &progress).unwrap_err();
            assert_eq!(error.to_string(), format!("the file changed while it was being hashed: {how}"));
        }
    }

    #[test]
    fn what_is_no_regular_file_is_refused() {
        let error = hash_file(&File::open("/dev/zero").unwrap(), &silent).unwrap_err();
        assert_eq!(error.to_string(), "not a regular file");
    }

    #[test]
    fn a_panic_in_progress_does_not_hang() {
        let file = file_of(&bytes(40 * MIB));
        let hashing = || hash_file(&file, &|_| panic!("on purpose"));
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(hashing)).is_err());
    }

    #[test]
    fn bad_chunks_are_found() {
        let good = bytes(5 * MIB + 9);
        let manifest = manifest_of(&good);
        let check = |bytes: &[u8]| {
            let checked = check_file(&file_of(bytes), &manifest, &silent).unwrap();
            assert_eq!(checked.good.len() as usize + checked.bad.len(), 6);
            assert_eq!(checked.bytes, bytes.len() as u64);
            (checked.whole_matches, checked.bad.iter().map(|index| index.0).collect::<Vec<_>>())
        };
        assert_eq!(check(&good), (true, vec![]));
        let mut corrupt = good.clone();
        corrupt[2 * MIB] ^= 1;
        assert_eq!(check(&corrupt), (false, vec![2]));
        assert_eq!(check(&good[..4 * MIB + 1]), (false, vec![4, 5]));
        assert_eq!(check(&[]), (false, vec![0, 1, 2, 3, 4, 5]));
        let mut longer = good.clone();
        longer.resize(9 * MIB, 0);
        assert_eq!(check(&longer), (false, vec![5]));
    }

    #[test]
    fn a_false_list_under_a_true_id_is_found_and_so_is_the_reverse() {
        let bytes = bytes(2 * MIB);
        let right = manifest_of(&bytes);
        let trackers = right.trackers().to_vec();
        let wrong_id =
            Manifest::new("n".parse().unwrap(), ResourceId([1; 32]), trackers, right.hashes().to_vec())
                .unwrap();
        let checked = check_file(&file_of(&bytes), &wrong_id, &silent).unwrap();
        assert!(checked.bad.is_empty() && !checked.whole_matches);
    }
}
