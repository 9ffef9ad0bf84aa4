//! A file that ttctl sends from elsewhere. It is hashed as it arrives.

use super::disk::{Disk, Open};
use super::{At, OwnFile, StoreError};
use sha2::{Digest, Sha256};
use shared::chunk::{CHUNK_BYTES, CHUNKS_MAX};
use shared::id::{ChunkHash, ResourceId};
use std::io;
use std::path::PathBuf;

/// An import. Its file is removed on drop unless it was published.
#[derive(Debug)]
pub struct Import {
    disk: Disk,
    own: OwnFile,
    whole: Sha256,
    hashes: Vec<ChunkHash>,
    bytes: u64,
}

impl Import {
    pub(super) fn create(disk: &Disk, path: PathBuf) -> Result<Import, StoreError> {
        let (own, disk) = (OwnFile::new(disk, disk.open(&path, Open::New)?, path), disk.clone());
        Ok(Import { disk, own, whole: Sha256::new(), hashes: Vec::new(), bytes: 0 })
    }

    /// The file that has the bytes.
    pub(super) fn own(&self) -> &OwnFile {
        &self.own
    }

    /// Adds the next chunk. Every chunk except the last has [`CHUNK_BYTES`].
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
            return Err(io::Error::other("it has too many parts, or parts of the wrong size"))
                .at("import", self.own.path());
        }
        self.own.write(self.bytes, bytes)?;
        self.whole.update(bytes);
        self.hashes.push(ChunkHash::of(bytes));
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// The number of bytes so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The hashes of the complete file.
    pub fn hashes(&self) -> (ResourceId, Vec<ChunkHash>) {
        (ResourceId(self.whole.clone().finalize().into()), self.hashes.clone())
    }
}

impl Drop for Import {
    fn drop(&mut self) {
        let _ = self.disk.remove(self.own.path()); // a published file was renamed already
    }
}
