//! The file that chunks are written into and served from, before and after it is published.

use super::disk::{Disk, Open};
use super::{At, OwnFile, StoreError};
use bytes::BytesMut;
use shared::chunk::{CHUNK_BYTES, ChunkCount, ChunkIndex};
use shared::id::ChunkHash;
use shared::rpc::wire::buffers;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// A resource's bytes on disk. Shared between threads: all access is positional.
#[derive(Debug)]
pub struct PartFile {
    own: OwnFile,
    count: ChunkCount,
    /// The last chunk's length in bytes; 0 while it is not known.
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

    /// How many chunks the resource has.
    pub fn count(&self) -> ChunkCount {
        self.count
    }

    /// Where the file was opened.
    pub fn path(&self) -> &Path {
        self.own.path()
    }

    /// The resource's size in bytes; `None` while the last chunk's length is not known.
    pub fn bytes(&self) -> Option<u64> {
        let Some(last) = self.count.last() else { return Some(0) };
        match self.last_bytes.load(Ordering::Acquire) {
            0 => None,
            bytes => Some(last.offset() + bytes),
        }
    }

    /// Takes note of the resource's size, from a file that is known to be whole.
    pub fn set_bytes(&self, bytes: u64) {
        if let Some(last) = self.count.last() {
            let bytes = bytes.saturating_sub(last.offset()).min(CHUNK_BYTES.into());
            self.last_bytes.store(bytes, Ordering::Release);
        }
    }

    /// The last chunk is not there any more, and what it was is not known.
    pub fn forget_last(&self) {
        self.last_bytes.store(0, Ordering::Release);
    }

    /// Some chunks are to be written anew, although all were there.
    pub fn reopen(&self) {
        self.own.reopen();
    }

    /// How long the file is, whatever is in it: 0 when nothing was written to it yet.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn length(&self) -> Result<u64, StoreError> {
        Ok(self.own.metadata()?.len())
    }

    /// Looks at its place. It need not be there any more: it may have been published.
    ///
    /// # Errors
    /// When another file is there.
    pub fn must_not_be_covered(&self, place: &Path) -> Result<(), StoreError> {
        self.own.must_not_be_covered(place)
    }

    /// Writes a verified chunk. The data is not synced yet. The file ends with the last chunk: what somebody else has
    /// written behind that goes.
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

    /// Copies a chunk from another file, by sharing its blocks where the file system can, and reads back what is here
    /// then: whether it is the chunk of this hash. The data is not synced yet.
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub(super) fn copy_chunk(
        &self,
        from: &File,
        index: ChunkIndex,
        bytes: u64,
        hash: &ChunkHash,
    ) -> Result<bool, StoreError> {
        self.own.copy_range_from(from, index.offset(), bytes)?;
        let mut copy = buffers::take(bytes as usize);
        self.own.file().read_exact_at(&mut copy, index.offset()).at("read", self.path())?;
        let is_right = ChunkHash::of(&copy) == *hash;
        if is_right && Some(index) == self.count.last() {
            self.own.cut(index.offset() + bytes)?;
            self.last_bytes.store(bytes, Ordering::Release);
        }
        Ok(is_right)
    }

    /// Reads a chunk that is there.
    ///
    /// # Errors
    /// When the file is shorter than it was, or the disk fails.
    pub fn read(&self, index: ChunkIndex) -> Result<BytesMut, StoreError> {
        let mut bytes = buffers::take(self.chunk_bytes(index));
        self.own.file().read_exact_at(&mut bytes, index.offset()).at("read", self.path())?;
        Ok(bytes)
    }

    /// Finds the last chunk's length after a restart, when the have map says that the chunk is there: the file
    /// then ends with it.
    ///
    /// # Errors
    /// When the file is too short to have it, or longer than the resource can be.
    pub fn find_last(&self) -> Result<(), StoreError> {
        let bytes = self.length()?;
        let last = self.count.last().map_or(0, ChunkIndex::offset);
        if bytes <= last || bytes > self.count.bytes_max() {
            let why = format!("it has {bytes} bytes, which cannot be for {} chunks", self.count);
            return Err(io::Error::other(why)).at("use", self.path());
        }
        self.set_bytes(bytes);
        Ok(())
    }

    /// Makes what was written durable, unless a sync has failed since there were this many that had.
    ///
    /// # Errors
    /// When the disk fails, or has failed since then.
    pub fn sync(&self, failed_before: u64) -> Result<(), StoreError> {
        self.own.sync(failed_before)
    }

    /// How many syncs have failed so far.
    pub fn failed_syncs(&self) -> u64 {
        self.own.failed_syncs()
    }

    /// The same, when the sync that is under way has ended. Blocks until then.
    pub fn failed_syncs_in_the_end(&self) -> u64 {
        self.own.failed_syncs_in_the_end()
    }

    /// The file itself, for what is done to it as a whole.
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

    #[test]
    fn another_file_in_its_place_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.part");
        let part = PartFile::open(&Disk::system(), &path, ChunkCount::new(2).unwrap()).unwrap();
        part.must_not_be_covered(&path).unwrap();
        fs::rename(&path, folder.path().join("published")).unwrap();
        part.must_not_be_covered(&path).unwrap();
        fs::write(&path, b"of another directory").unwrap();
        assert!(part.must_not_be_covered(&path).unwrap_err().to_string().contains("another directory"));
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
