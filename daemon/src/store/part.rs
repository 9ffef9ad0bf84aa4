//! The file that chunks are written into and served from, before and after it is published.

use super::{At, StoreError};
use bytes::BytesMut;
use shared::chunk::{CHUNK_BYTES, ChunkCount, ChunkIndex};
use shared::rpc::wire::buffers;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A resource's bytes on disk. Shared between threads: all access is positional.
#[derive(Debug)]
pub struct PartFile {
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
    pub fn open(path: &Path, count: ChunkCount) -> Result<PartFile, StoreError> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
        let file = file.at("open", path)?;
        Ok(PartFile { file, path: path.to_owned(), count, last_bytes: AtomicU64::new(0) })
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

    /// Writes a verified chunk. The data is not synced yet.
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub fn write(&self, index: ChunkIndex, bytes: &[u8]) -> Result<(), StoreError> {
        self.file.write_all_at(bytes, index.offset()).at("write to", &self.path)?;
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
        self.file.sync_data().at("sync", &self.path)
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
        let part = PartFile::open(&path, count).unwrap();
        assert_eq!(part.bytes(), None);
        part.write(ChunkIndex(1), b"tail").unwrap();
        assert_eq!(part.bytes(), Some((1 << 20) + 4));
        assert_eq!(part.read(ChunkIndex(1)).unwrap(), b"tail"[..]);
        let again = PartFile::open(&path, count).unwrap();
        again.find_last().unwrap();
        assert_eq!(again.bytes(), part.bytes());
    }

    #[test]
    fn a_file_that_is_too_short_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let part = PartFile::open(&folder.path().join("x.part"), ChunkCount::new(1).unwrap()).unwrap();
        assert!(part.find_last().is_err());
        assert!(part.read(ChunkIndex(0)).is_err());
    }
}
