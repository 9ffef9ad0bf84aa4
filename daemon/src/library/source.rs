//! Where a resource's chunks are read from and written to.

use crate::store::{FileIdentity, PartFile, StoreError};
use shared::chunk::{CHUNK_BYTES, ChunkIndex};
use shared::id::{ChunkHash, SwarmKey};
use shared::manifest::Manifest;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// The file of a resource. While it is being fetched it is a part file; once published it is served only as
/// long as the file under its name is the one that was hashed.
#[derive(Debug)]
pub struct Source {
    manifest: Manifest,
    part: PartFile,
    published: Mutex<Option<(PathBuf, FileIdentity)>>,
}

/// Why a chunk cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file was replaced, edited, truncated or removed since it was hashed.
    #[error("{} has changed since it was shared", .0.display())]
    Changed(PathBuf),
    /// The disk failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a received chunk does not count.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    /// Its bytes are not what the manifest says.
    #[error("the hash is wrong")]
    Corrupt,
    /// It could not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Source {
    /// The part file of a download.
    pub fn part(manifest: Manifest, part: PartFile) -> Source {
        Source { manifest, part, published: Mutex::new(None) }
    }

    /// A finished file under its name.
    pub fn published(manifest: Manifest, part: PartFile, identity: FileIdentity) -> Source {
        let path = part.path().to_owned();
        Source { manifest, part, published: Mutex::new(Some((path, identity))) }
    }

    /// The part file was published.
    pub fn set_published(&self, path: PathBuf, identity: FileIdentity) {
        *self.published.lock().unwrap_or_else(PoisonError::into_inner) = Some((path, identity));
    }

    /// Where the file is now.
    pub fn path(&self) -> PathBuf {
        match &*self.published.lock().unwrap_or_else(PoisonError::into_inner) {
            Some((path, _)) => path.clone(),
            None => self.part.path().to_owned(),
        }
    }

    /// What it is.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Which swarm it belongs to.
    pub fn key(&self) -> SwarmKey {
        self.manifest.key()
    }

    /// The file.
    pub fn file(&self) -> &PartFile {
        &self.part
    }

    /// Whether the file under the name is still the one that was hashed.
    pub fn is_unchanged(&self) -> bool {
        match &*self.published.lock().unwrap_or_else(PoisonError::into_inner) {
            Some((path, identity)) => FileIdentity::at(path).is_ok_and(|now| identity.is_same(&now)),
            None => true,
        }
    }

    /// Reads a chunk that we have. Blocks.
    ///
    /// # Errors
    /// When the file has changed since it was hashed, or cannot be read.
    pub fn read(&self, index: ChunkIndex) -> Result<Vec<u8>, ReadError> {
        if !self.is_unchanged() {
            return Err(ReadError::Changed(self.path()));
        }
        Ok(self.part.read(index)?)
    }

    /// Verifies a received chunk and writes it. Blocks.
    ///
    /// # Errors
    /// When its hash or length is wrong, or it cannot be written.
    pub fn take(&self, index: ChunkIndex, bytes: &[u8]) -> Result<(), TakeError> {
        let is_last = Some(index) == self.manifest.count().last();
        let fits = bytes.len() == CHUNK_BYTES as usize
            || (is_last && (1..CHUNK_BYTES as usize).contains(&bytes.len()));
        if !fits || self.manifest.hash(index) != Some(&ChunkHash::of(bytes)) {
            return Err(TakeError::Corrupt);
        }
        Ok(self.part.write(index, bytes)?)
    }
}
