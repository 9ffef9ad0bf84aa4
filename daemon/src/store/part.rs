//! The file that chunks are written to and served from, before and after it is published.

use super::chunk_set::ChunkSet;
use super::disk::{Disk, Open};
use super::layout::{Layout, Place};
use super::tree_part::{MOVED_MAX, TreePart};
use super::{At, OwnFile, StagingTree, StoreError, SumsReader};
use bytes::BytesMut;
use shared::chunk::{CHUNK_BYTES, ChunkCount, ChunkIndex};
use shared::have::HaveMap;
use shared::host::hashing::{Checked, Progress, check_part, check_part_body};
use shared::host::sparse;
use shared::manifest::Manifest;
use shared::rpc::wire::buffers;
use shared::tree::TreeLayout;
use shared::zeros::{self, Part};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};

/// A resource's bytes on disk, shared between threads: all access is positional. They are in one file, or, once the
/// resource is known to be a tree, in the tree's files.
#[derive(Debug)]
pub struct PartFile {
    own: OwnFile,
    count: ChunkCount,
    /// The last chunk's length in bytes; 0 while unknown.
    last_bytes: AtomicU64,
    /// The chunks that may be in the one file: they are moved when there is a tree.
    plain: ChunkSet,
    tree: OnceLock<Box<TreePart>>,
    /// Whether everything was moved into the tree, so that the one file is empty.
    is_moved: AtomicBool,
}

impl PartFile {
    /// Opens or makes the part file of a download.
    ///
    /// # Errors
    /// When it cannot be opened for reading and writing.
    pub fn open(disk: &Disk, path: &Path, count: ChunkCount) -> Result<PartFile, StoreError> {
        let own = OwnFile::new(disk, disk.open(path, Open::Keep)?, path.to_owned());
        let (last_bytes, plain) = (AtomicU64::new(0), ChunkSet::empty(count));
        Ok(PartFile {
            own,
            count,
            last_bytes,
            plain,
            tree: OnceLock::new(),
            is_moved: AtomicBool::new(false),
        })
    }

    /// The part of a download that was laid out as a tree by an earlier run. What that run left in the one file still
    /// has to be moved.
    pub(super) fn with_tree(self, staging: StagingTree) -> PartFile {
        self.begin_tree(staging);
        self.is_moved.store(self.plain_length().is_ok_and(|length| length == 0), Ordering::Release);
        self
    }

    /// Notes the chunks that are in it, as a have map or a check says.
    pub fn know(&self, have: &HaveMap) {
        let tree = self.tree.get().filter(|_| !self.is_half_moved());
        let chunks = tree.map_or(&self.plain, |tree| &tree.placed);
        have.iter().for_each(|index| chunks.insert(index));
    }

    /// The number of chunks of the resource.
    pub fn count(&self) -> ChunkCount {
        self.count
    }

    /// The path where the file was opened.
    pub fn path(&self) -> &Path {
        self.own.path()
    }

    /// The resource's size in bytes; `None` while the last chunk's length is unknown.
    pub fn bytes(&self) -> Option<u64> {
        let Some(last) = self.count.last() else { return Some(0) };
        let bytes = self.last_bytes.load(Ordering::Acquire);
        (bytes > 0).then(|| last.offset() + bytes)
    }

    /// Sets the resource's size, taken from a complete file.
    pub fn set_bytes(&self, bytes: u64) {
        if let Some(last) = self.count.last() {
            let bytes = bytes.saturating_sub(last.offset()).min(CHUNK_BYTES.into());
            self.last_bytes.store(bytes, Ordering::Release);
        }
    }

    /// Forgets the length of the last chunk, which is missing again. A tree's length is known from its listing.
    pub fn forget_last(&self) {
        if self.tree.get().is_none() {
            self.last_bytes.store(0, Ordering::Release);
        }
    }

    /// Allows writing to a complete file again, because some chunks must be replaced.
    pub fn reopen(&self) {
        self.own.reopen();
        if let Some(tree) = self.tree.get() {
            tree.staging.reopen();
        }
    }

    /// How far the data reaches, in bytes; 0 when nothing was written yet.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn length(&self) -> Result<u64, StoreError> {
        match self.tree.get() {
            Some(tree) => Ok(tree.staging.layout().bytes()),
            None => self.plain_length(),
        }
    }

    /// The length of the one file.
    pub(super) fn plain_length(&self) -> Result<u64, StoreError> {
        Ok(self.own.metadata()?.len())
    }

    /// Whether it is a tree.
    pub fn is_tree(&self) -> bool {
        self.tree.get().is_some()
    }

    /// Whether chunks of a tree are still in the one file: a crash interrupted their move.
    pub fn is_half_moved(&self) -> bool {
        self.is_tree() && !self.is_moved.load(Ordering::Acquire)
    }

    /// The layout of the tree, once it is one and nothing is left in the one file.
    pub fn layout(&self) -> Option<&TreeLayout> {
        self.tree().filter(|_| !self.is_half_moved()).map(|tree| tree.staging.layout())
    }

    /// Reads the hashes of the tree's files, if it is one. They are those of the tree only if its chunks with the sums
    /// are there.
    pub fn sums(&self) -> Option<SumsReader<'_>> {
        let staging = &self.tree()?.staging;
        Some(SumsReader::new(staging.sums().0, staging.layout()))
    }

    /// The tree, if it is one.
    pub(super) fn tree(&self) -> Option<&TreePart> {
        self.tree.get().map(Box::as_ref)
    }

    /// Has chunks written to a tree from now on. Returns whether the last chunk, if it is there, has the right length.
    pub(super) fn begin_tree(&self, staging: StagingTree) -> bool {
        let total = staging.layout().bytes();
        drop(self.tree.set(Box::new(TreePart { staging, placed: ChunkSet::empty(self.count) }))); // one task does this
        fence(Ordering::SeqCst); // see `write`
        let is_right = self.bytes().is_none_or(|bytes| bytes == total);
        self.set_bytes(total);
        is_right
    }

    /// Limits the chunks that are on the disk twice while they are moved into a tree. Where the file system cannot make
    /// holes, none is given back before all are moved.
    pub fn twice_max(&self) -> u32 {
        if self.own.makes_holes() { MOVED_MAX } else { u32::MAX }
    }

    /// The chunks that may be in the one file.
    pub(super) fn plain_chunks(&self) -> Vec<ChunkIndex> {
        self.plain.iter().collect()
    }

    /// Gives back the room of some chunks of the one file, which were copied into the tree. They are read from the tree
    /// from then on, and that is synced before. After a crash zeros are found here, which nobody takes for the chunks.
    pub(super) fn settle(&self, moved: &[ChunkIndex]) -> Result<(), StoreError> {
        let Some(tree) = self.tree.get() else { return Ok(()) };
        self.sync(self.failed_syncs())?;
        let length = self.plain_length()?;
        for index in moved {
            tree.placed.insert(*index);
            let bytes = length.saturating_sub(index.offset()).min(CHUNK_BYTES.into());
            self.own.clear(index.offset(), bytes)?;
        }
        Ok(())
    }

    /// Empties the one file, whose chunks were copied into the tree. They count as there only when they are durable:
    /// until then they are read from the one file.
    pub(super) fn end_move(&self, moved: &[ChunkIndex]) -> Result<(), StoreError> {
        self.sync(self.failed_syncs())?;
        if let Some(tree) = self.tree.get() {
            moved.iter().for_each(|index| tree.placed.insert(*index));
        }
        self.own.empty()?;
        self.is_moved.store(true, Ordering::Release);
        Ok(())
    }

    /// The size of the resource; while it is unknown, the size of all chunks but the last; `None` if that is nothing.
    pub(super) fn bytes_at_most(&self) -> Option<u64> {
        let last = self.count.last()?;
        self.bytes().or_else(|| Some(last.offset()).filter(|bytes| *bytes > 0))
    }

    /// Checks that no other file is at its path. The file itself need not be there: it may have been published.
    ///
    /// # Errors
    /// When another file is there.
    pub fn must_not_be_covered(&self, place: &Path) -> Result<(), StoreError> {
        self.own.must_not_be_covered(place)
    }

    /// Makes adjacent chunks of zeros without writing or syncing them, whatever was there. A last chunk of zeros has the
    /// full size.
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub fn clear(&self, chunks: Range<u32>) -> Result<(), StoreError> {
        if self.tree.get().is_none() {
            chunks.clone().for_each(|index| self.plain.insert(ChunkIndex(index)));
            let (begin, end) = (ChunkIndex(chunks.start).offset(), ChunkIndex(chunks.end).offset());
            self.own.clear(begin, end - begin)?;
            if chunks.end == self.count.get() {
                self.own.cut(end)?;
                self.last_bytes.store(CHUNK_BYTES.into(), Ordering::Release);
            }
            fence(Ordering::SeqCst); // see `write`
        }
        let Some(tree) = self.tree.get() else { return Ok(()) };
        chunks.map(ChunkIndex).try_for_each(|index| {
            let mut zeros = buffers::take(self.chunk_bytes(index));
            zeros.fill(0);
            tree.write(index, &zeros)
        })
    }

    /// Writes a verified chunk without syncing it. Long runs of zeros become holes. The file ends with the last chunk:
    /// anything that others wrote after it is cut off.
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub fn write(&self, index: ChunkIndex, bytes: &[u8]) -> Result<(), StoreError> {
        if let Some(tree) = self.tree.get() {
            return tree.write(index, bytes);
        }
        self.plain.insert(index);
        self.write_plain(index, bytes)?;
        // Whoever makes the tree looks at `plain` after that. So either the chunk is found there and moved, or the tree
        // is seen here.
        fence(Ordering::SeqCst);
        self.tree.get().map_or(Ok(()), |tree| tree.write(index, bytes))
    }

    fn write_plain(&self, index: ChunkIndex, bytes: &[u8]) -> Result<(), StoreError> {
        let is_last = Some(index) == self.count.last();
        Layout::File.write(index.offset(), bytes, |place, part| {
            let Place::File { offset, .. } = place else { return Ok(()) };
            if is_last { self.own.write_end(offset, part) } else { self.own.write(offset, part) }
        })?;
        if is_last {
            self.last_bytes.store(bytes.len() as u64, Ordering::Release);
        }
        Ok(())
    }

    /// Writes a verified chunk that another file has at `from_offset`. Where the file system can, the two files share its
    /// blocks. That is only tried: what counts are the bytes, and if somebody has written to the other file since they
    /// were read, they are written here. Otherwise like [`write`](PartFile::write).
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub fn write_shared(
        &self,
        index: ChunkIndex,
        bytes: &[u8],
        from: &File,
        from_offset: u64,
    ) -> Result<(), StoreError> {
        let (offset, len) = (index.offset(), bytes.len() as u64);
        self.plain.insert(index);
        if self.tree.get().is_none()
            && Some(index) != self.count.last()
            && self.own.shares_blocks()
            && self.own.copy_range_from(from, from_offset, offset, len).is_ok()
            && self.contains(offset, bytes)
        {
            for part in zeros::parts(bytes) {
                let Part::Zeros(run) = part else { continue };
                self.own.clear(offset + run.start as u64, run.len() as u64)?;
            }
            fence(Ordering::SeqCst); // see `write`
            return self.tree.get().map_or(Ok(()), |tree| tree.write(index, bytes));
        }
        self.write(index, bytes)
    }

    fn contains(&self, offset: u64, bytes: &[u8]) -> bool {
        let mut there = buffers::take(bytes.len());
        self.own.file().read_exact_at(&mut there, offset).is_ok() && there[..] == *bytes
    }

    /// Whether all of a chunk is a hole, and so reads as zeros. Where the file system does not tell, it is not.
    pub fn is_hole(&self, index: ChunkIndex) -> bool {
        let (begin, bytes) = (index.offset(), self.chunk_bytes(index) as u64);
        matches!(sparse::next_data(self.own.file(), begin, begin + bytes), Ok(None))
    }

    /// Reads a chunk that is in the file.
    ///
    /// # Errors
    /// When the file is shorter than it was, or the disk fails.
    pub fn read(&self, index: ChunkIndex) -> Result<BytesMut, StoreError> {
        let mut bytes = buffers::take(self.chunk_bytes(index));
        let placed = || self.tree.get().filter(|tree| tree.placed.contains(index));
        if placed().is_none() {
            let read = Layout::File.read(index.offset(), &mut bytes, |place, part| {
                let Place::File { offset, .. } = place else { return Ok(()) };
                self.own.file().read_exact_at(part, offset)
            });
            if placed().is_none() {
                return read.at("read", self.path()).map(|()| bytes);
            }
            // It was moved meanwhile, so what was read may be less than the chunk.
            bytes.resize(self.chunk_bytes(index), 0);
        }
        let Some(tree) = placed() else { return Ok(bytes) };
        tree.staging.read(index.offset(), &mut bytes)?;
        Ok(bytes)
    }

    /// Finds the last chunk's length after a restart if the have map says that it is there: the file then ends with it.
    ///
    /// # Errors
    /// When the file is too short to contain it, or longer than the resource can be.
    pub fn find_last(&self) -> Result<(), StoreError> {
        let bytes = self.length()?;
        let last = self.count.last().map_or(0, ChunkIndex::offset);
        if bytes <= last || bytes > self.count.bytes_max() {
            let why = format!("its size of {bytes} bytes does not match {} chunks", self.count);
            return Err(io::Error::other(why)).at("use", self.path());
        }
        self.set_bytes(bytes);
        Ok(())
    }

    /// Makes the written data durable, unless a sync failed since `failed_before` syncs had failed.
    ///
    /// # Errors
    /// When the disk fails, or has failed since then.
    pub fn sync(&self, failed_before: u64) -> Result<(), StoreError> {
        self.own.sync_by(failed_before, || {
            if !self.is_moved.load(Ordering::Acquire) {
                self.own.sync_file()?;
            }
            self.tree.get().map_or(Ok(()), |tree| tree.staging.sync())
        })
    }

    /// Like [`sync`](PartFile::sync), and makes everything else durable that is in a tree: modes, times and links.
    ///
    /// # Errors
    /// Those of [`sync`](PartFile::sync).
    pub(super) fn sync_all(&self, failed_before: u64) -> Result<(), StoreError> {
        self.own.sync_by(failed_before, || {
            if !self.is_moved.load(Ordering::Acquire) {
                self.own.sync_file()?;
            }
            self.tree.get().map_or(Ok(()), |tree| tree.staging.sync_all())
        })
    }

    /// The number of failed syncs so far.
    pub fn failed_syncs(&self) -> u64 {
        self.own.failed_syncs()
    }

    /// Compares what the disk has with a manifest, like [`check_part`](shared::host::hashing::check_part).
    ///
    /// # Errors
    /// When the disk fails, or `progress` stops it.
    pub fn check(&self, manifest: &Manifest, progress: &Progress<'_>) -> io::Result<Checked> {
        match self.tree.get() {
            Some(tree) => {
                tree.staging.read_anew();
                check_part_body(&tree.staging, manifest, progress)
            }
            None => check_part(self.own.file(), manifest, progress),
        }
    }

    /// The file itself, for operations on the whole of it.
    pub(super) fn own(&self) -> &OwnFile {
        &self.own
    }

    fn chunk_bytes(&self, index: ChunkIndex) -> usize {
        if Some(index) != self.count.last() {
            return CHUNK_BYTES as usize;
        }
        match self.last_bytes.load(Ordering::Acquire) {
            0 => CHUNK_BYTES as usize,
            bytes => bytes as usize,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn the_size_is_known_with_the_last_chunk() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.part");
        let count = ChunkCount::new(2).unwrap();
        let part = PartFile::open(&Disk::system(), &path, count).unwrap();
        assert_eq!(part.bytes(), None);
        part.write(ChunkIndex(1), b"tail").unwrap();
        assert_eq!(part.bytes(), Some((1 << 20) + 4));
        assert_eq!(part.read(ChunkIndex(1)).unwrap(), b"tail"[..]);
        let again = PartFile::open(&Disk::system(), &path, count).unwrap();
        again.find_last().unwrap();
        assert_eq!(again.bytes(), part.bytes());
    }

    /// A chunk of which only the bytes `data` are not zero.
    fn sparse(data: Range<usize>, bytes: usize) -> Vec<u8> {
        let mut chunk = vec![0; bytes];
        chunk[data].fill(7);
        chunk
    }

    #[test]
    fn zeros_are_holes_whatever_was_there_before() {
        let folder = tempfile::tempdir().unwrap();
        let count = ChunkCount::new(4).unwrap();
        let (mib, step) = (CHUNK_BYTES as usize, 128 << 10);
        let last = sparse(0..step, mib - 77); // it ends with zeros
        let chunks = [sparse(step..2 * step, mib), vec![0; mib], sparse(mib - step..mib, mib), last];
        for (round, before) in [0, 3 * mib + 5, 5 * mib].into_iter().enumerate() {
            let path = folder.path().join(format!("{round}.part"));
            fs::write(&path, vec![9; before]).unwrap();
            let part = PartFile::open(&Disk::system(), &path, count).unwrap();
            for at in [3, 0, 2] {
                part.write(ChunkIndex(at), &chunks[at as usize]).unwrap();
            }
            part.clear(1..2).unwrap();
            assert!(fs::read(&path).unwrap() == chunks.concat(), "{before} bytes were there");
            assert_eq!(part.bytes(), Some((4 * mib - 77) as u64));
            assert_eq!([0, 1, 2, 3].map(|at| part.is_hole(ChunkIndex(at))), [false, true, false, false]);
            let blocks = fs::metadata(&path).unwrap().blocks() as usize * 512;
            assert!(blocks <= 3 * step + (64 << 10), "{blocks} bytes are allocated");
        }
    }

    #[test]
    fn a_last_chunk_of_zeros_gives_the_length() {
        let folder = tempfile::tempdir().unwrap();
        let count = ChunkCount::new(3).unwrap();
        for before in [0, 5 << 20] {
            let path = folder.path().join(format!("{before}.part"));
            fs::write(&path, vec![9; before]).unwrap();
            let part = PartFile::open(&Disk::system(), &path, count).unwrap();
            part.clear(0..3).unwrap();
            assert_eq!((part.bytes(), part.length().unwrap()), (Some(3 << 20), 3 << 20));
            assert!(fs::read(&path).unwrap().iter().all(|byte| *byte == 0));
            assert_eq!(fs::metadata(&path).unwrap().blocks(), 0);
        }
    }

    #[test]
    fn another_file_in_its_place_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.part");
        let part = PartFile::open(&Disk::system(), &path, ChunkCount::new(2).unwrap()).unwrap();
        part.must_not_be_covered(&path).unwrap();
        fs::rename(&path, folder.path().join("published")).unwrap();
        part.must_not_be_covered(&path).unwrap();
        fs::write(&path, b"of another directory").unwrap();
        assert!(part.must_not_be_covered(&path).unwrap_err().to_string().contains("a different directory"));
    }

    #[test]
    fn a_file_that_is_too_short_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let part =
            PartFile::open(&Disk::system(), &folder.path().join("x.part"), ChunkCount::new(1).unwrap())
                .unwrap();
        assert!(part.find_last().is_err());
        assert!(part.read(ChunkIndex(0)).is_err());
    }
}
