//! Bytes that can be hashed: a regular file, or a resource whose bytes are in many files.

use crate::chunk::ChunkIndex;
use crate::host::sparse::Holes;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

/// The bytes of a resource, wherever they are.
pub trait Body: Sync {
    /// Their number.
    fn bytes(&self) -> u64;

    /// Fills a buffer with the bytes at an offset. Several threads call it at once.
    ///
    /// # Errors
    /// When they cannot be read. Bytes that are certainly not there are an error of kind [`io::ErrorKind::NotFound`]:
    /// the chunk counts as a wrong one. [`io::ErrorKind::UnexpectedEof`] and [`io::ErrorKind::InvalidData`] mean that
    /// the bytes have changed: the whole work fails.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// Checks that nobody has written to the bytes since this value was made.
    ///
    /// # Errors
    /// When somebody has (of kind [`io::ErrorKind::InvalidData`]), or that cannot be found out.
    fn must_be_unchanged(&self) -> io::Result<()>;

    /// The first chunk that is not given to [`follow`](Body::follow). It and those after it are read only when all
    /// before it were followed: they may depend on what was learned from those.
    fn follow_end(&self) -> ChunkIndex {
        ChunkIndex(0)
    }

    /// Is given the chunks before [`follow_end`](Body::follow_end), in order and one at a time, while they are being
    /// hashed. A body of a single chunk is not followed.
    ///
    /// # Errors
    /// Whatever makes the whole work fail.
    fn follow(&self, _chunk: ChunkIndex, _bytes: &[u8]) -> io::Result<()> {
        Ok(())
    }
}

/// A regular file as it was when this value was made.
#[derive(Debug)]
pub struct RegularFile<'a> {
    file: &'a File,
    before: Metadata,
    /// The bytes that count, from its beginning.
    bytes: u64,
    /// Its holes, which need not be read.
    holes: Holes,
}

impl<'a> RegularFile<'a> {
    /// The whole of an open file.
    ///
    /// # Errors
    /// When it is something else than a regular file, or cannot be accessed.
    pub fn new(file: &'a File) -> io::Result<RegularFile<'a>> {
        let before = file.metadata()?;
        let bytes = before.len();
        match before.is_file() {
            true => Ok(RegularFile { file, before, bytes, holes: Holes::of(file, bytes) }),
            false => Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")),
        }
    }

    /// The same file without the bytes after `bytes_max`.
    #[must_use]
    pub fn at_most(self, bytes_max: u64) -> RegularFile<'a> {
        RegularFile { bytes: self.bytes.min(bytes_max), ..self }
    }

    /// The size of the file, with all its bytes.
    pub fn file_bytes(&self) -> u64 {
        self.before.len()
    }
}

impl Body for RegularFile<'_> {
    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        if self.holes.bytes_from(self.file, offset) < buffer.len() as u64 {
            return self.file.read_exact_at(buffer, offset);
        }
        buffer.fill(0);
        Ok(())
    }

    fn must_be_unchanged(&self) -> io::Result<()> {
        let (before, after) = (&self.before, self.file.metadata()?);
        if after.len() != before.len() {
            return Err(changed(format!("it had {} bytes and now has {}", before.len(), after.len())));
        }
        if (after.mtime(), after.mtime_nsec()) != (before.mtime(), before.mtime_nsec()) {
            return Err(changed("it was written to".to_owned()));
        }
        Ok(())
    }
}

/// The error of bytes that have changed.
pub(super) fn changed(how: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the file changed while it was being hashed: {how}"))
}
