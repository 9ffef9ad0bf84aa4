//! A file from elsewhere that ttctl sends, hashed as it arrives.

use super::disk::{Disk, Open};
use super::{At, StoreError};
use sha2::{Digest, Sha256};
use shared::chunk::{CHUNK_BYTES, CHUNKS_MAX};
use shared::id::{ChunkHash, ResourceId};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// An import. What was not published of it is removed when it is dropped.
#[derive(Debug)]
pub struct Import {
    disk: Disk,
    file: File,
    path: PathBuf,
    whole: Sha256,
    hashes: Vec<ChunkHash>,
    bytes: u64,
}

impl Import {
    pub(super) fn create(disk: &Disk, path: PathBuf) -> Result<Import, StoreError> {
        let (file, disk) = (disk.open(&path, Open::New)?, disk.clone());
        Ok(Import { disk, file, path, whole: Sha256::new(), hashes: Vec::new(), bytes: 0 })
    }

    /// The file that has the bytes.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Where the bytes are.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds the next chunk. Every one but the last has [`CHUNK_BYTES`].
    ///
    /// # Errors
    /// When a chunk follows a short one, the file grows too large, or the disk refuses.
    pub fn add(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let in_order = self.bytes.is_multiple_of(u64::from(CHUNK_BYTES));
        if bytes.is_empty()
            || bytes.len() > CHUNK_BYTES as usize
            || !in_order
            || self.hashes.len() == CHUNKS_MAX as usize
        {
            return Err(io::Error::other("its parts are not chunks, or too many")).at("import", &self.path);
        }
        self.disk.write(&self.file, &self.path, self.bytes, bytes)?;
        self.whole.update(bytes);
        self.hashes.push(ChunkHash::of(bytes));
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// How many bytes there are so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What the bytes are, when all of them are there.
    pub fn hashes(&self) -> (ResourceId, Vec<ChunkHash>) {
        (ResourceId(self.whole.clone().finalize().into()), self.hashes.clone())
    }
}

impl Drop for Import {
    fn drop(&mut self) {
        let _ = self.disk.remove(&self.path); // it is gone already if it was published
    }
}
