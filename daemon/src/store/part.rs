//! The file that chunks are written to and served from, before and after it is published.

use super::disk::{Disk, Open};
use super::{At, OwnFile, StoreError};
use bytes::BytesMut;
use shared::chunk::{CHUNK_BYTES, ChunkCount, ChunkIndex};
use shared::host::sparse;
use shared::rpc::wire::buffers;
use shared::zeros::{self, Part};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// A resource's bytes on disk, shared between threads: all access is positional.
#[derive(Debug)]
pub struct PartFile {
    own: OwnFile,
    count: ChunkCount,
    /// The last chunk's length in bytes; 0 while unknown.
    last_bytes: AtomicU64,
}

impl PartFile {
    /// Opens or makes the part file of a download.
    ///
    /// # Errors
    /// When it cannot be opened for reading and writing.
    pub fn open(disk: &Disk, path: &Path, count: ChunkCount) -> Result<PartFile, StoreError> {
        let own = OwnFile::new(disk, disk.open(path, Open::Keep)?, path.to_owned());
        Ok(PartFile { own, count, last_bytes: AtomicU64::new(0) })
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
        match self.last_bytes.load(Ordering::Acquire) {
            0 => None,
            bytes => Some(last.offset() + bytes),
        }
    }

    /// Sets the resource's size, taken from a complete file.
    pub fn set_bytes(&self, bytes: u64) {
        if let Some(last) = self.count.last() {
            let bytes = bytes.saturating_sub(last.offset()).min(CHUNK_BYTES.into());
            self.last_bytes.store(bytes, Ordering::Release);
        }
    }

    /// Forgets the length of the last chunk, which is missing again.
    pub fn forget_last(&self) {
        self.last_bytes.store(0, Ordering::Release);
    }

    /// Allows writing to a complete file again, because some chunks must be replaced.
    pub fn reopen(&self) {
        self.own.reopen();
    }

    /// The length of the file; 0 when nothing was written to it yet.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn length(&self) -> Result<u64, StoreError> {
        Ok(self.own.metadata()?.len())
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
        let (begin, end) = (ChunkIndex(chunks.start).offset(), ChunkIndex(chunks.end).offset());
        self.own.clear(begin, end - begin)?;
        if chunks.end == self.count.get() {
            self.own.cut(end)?;
            self.last_bytes.store(CHUNK_BYTES.into(), Ordering::Release);
        }
        Ok(())
    }

    /// Writes a verified chunk without syncing it. Long runs of zeros become holes. The file ends with the last chunk:
    /// anything that others wrote after it is cut off.
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub fn write(&self, index: ChunkIndex, bytes: &[u8]) -> Result<(), StoreError> {
        if Some(index) != self.count.last() {
            self.own.write(index.offset(), bytes)?;
        } else {
            self.own.write_end(index.offset(), bytes)?;
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
        if Some(index) != self.count.last()
            && self.own.shares_blocks()
            && self.own.copy_range_from(from, from_offset, offset, len).is_ok()
            && self.contains(offset, bytes)
        {
            for part in zeros::parts(bytes) {
                let Part::Zeros(run) = part else { continue };
                self.own.clear(offset + run.start as u64, run.len() as u64)?;
            }
            return Ok(());
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
        self.own.file().read_exact_at(&mut bytes, index.offset()).at("read", self.path())?;
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
        self.own.sync(failed_before)
    }

    /// The number of failed syncs so far.
    pub fn failed_syncs(&self) -> u64 {
        self.own.failed_syncs()
    }

    /// The number of failed syncs after a running sync has ended. Blocks until then.
    pub fn wait_for_failed_syncs(&self) -> u64 {
        self.own.wait_for_failed_syncs()
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
