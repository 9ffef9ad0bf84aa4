//! The file that chunks are written into and served from, before and after it is published.

use super::disk::{Disk, Open};
use super::{At, StoreError};
use bytes::BytesMut;
use shared::chunk::{CHUNK_BYTES, ChunkCount, ChunkIndex};
use shared::rpc::wire::buffers;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A resource's bytes on disk. Shared between threads: all access is positional.
#[derive(Debug)]
pub struct PartFile {
    disk: Disk,
    file: File,
    path: PathBuf,
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
        let file = disk.open(path, Open::Keep)?;
        let (disk, path) = (disk.clone(), path.to_owned());
        Ok(PartFile { disk, file, path, count, last_bytes: AtomicU64::new(0) })
    }

    /// Where the file was opened.
    pub fn path(&self) -> &Path {
        &self.path
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
            self.last_bytes.store(bytes.saturating_sub(last.offset()), Ordering::Release);
        }
    }

    /// The last chunk is not there any more, and what it was is not known.
    pub fn forget_last(&self) {
        self.last_bytes.store(0, Ordering::Release);
    }

    /// How long the file is, whatever is in it: 0 when nothing was written to it yet.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn length(&self) -> Result<u64, StoreError> {
        Ok(self.file.metadata().at("look at", &self.path)?.len())
    }

    /// Looks at its place. It need not be there any more: it may have been published.
    ///
    /// # Errors
    /// When another file is there.
    pub fn must_not_be_covered(&self, place: &Path) -> Result<(), StoreError> {
        let inode = |metadata: Metadata| (metadata.dev(), metadata.ino());
        let Ok(there) = fs::symlink_metadata(place).map(inode) else { return Ok(()) };
        match self.file.metadata().map(inode).at("look at", &self.path)? == there {
            true => Ok(()),
            false => Err(io::Error::other("another folder is in its place")).at("note what came into", place),
        }
    }

    /// Writes a verified chunk. The data is not synced yet.
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub fn write(&self, index: ChunkIndex, bytes: &[u8]) -> Result<(), StoreError> {
        self.disk.write(&self.file, &self.path, index.offset(), bytes)?;
        if Some(index) == self.count.last() {
            self.last_bytes.store(bytes.len() as u64, Ordering::Release);
        }
        Ok(())
    }

    /// Reads a chunk that is there.
    ///
    /// # Errors
    /// When the file is shorter than it was, or the disk fails.
    pub fn read(&self, index: ChunkIndex) -> Result<BytesMut, StoreError> {
        let mut bytes = buffers::take(self.chunk_bytes(index));
        self.file.read_exact_at(&mut bytes, index.offset()).at("read", &self.path)?;
        Ok(bytes)
    }

    /// Finds the last chunk's length after a restart, when the have map says that the chunk is there: the file
    /// then ends with it.
    ///
    /// # Errors
    /// When the file is too short to have it, or longer than the resource can be.
    pub fn find_last(&self) -> Result<(), StoreError> {
        let bytes = self.file.metadata().at("look at", &self.path)?.len();
        let last = self.count.last().map_or(0, ChunkIndex::offset);
        if bytes <= last || bytes > self.count.bytes_max() {
            let why = format!("it has {bytes} bytes, which cannot be for {} chunks", self.count);
            return Err(io::Error::other(why)).at("use", &self.path);
        }
        self.set_bytes(bytes);
        Ok(())
    }

    /// Makes what was written durable.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn sync(&self) -> Result<(), StoreError> {
        self.disk.sync_file(&self.file, &self.path)
    }

    /// The file itself, for what is done to it as a whole.
    pub(super) fn file(&self) -> &File {
        &self.file
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
        fs::write(&path, b"of another folder").unwrap();
        assert!(part.must_not_be_covered(&path).unwrap_err().to_string().contains("another folder"));
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
