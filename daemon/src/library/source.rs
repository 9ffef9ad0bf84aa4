//! What a resource's chunks are written to while it is fetched, and read from.

use super::unnoted::Unnoted;
use super::whole::WholeHash;
use crate::store::{Donor, Namesakes, PartFile, PublishedFile, StoreError};
use bytes::{Bytes, BytesMut};
use shared::chunk::{CHUNK_BYTES, ChunkIndex};
use shared::have::HaveMap;
use shared::id::SwarmKey;
use shared::manifest::Manifest;
use std::sync::Arc;

/// Limits the adjacent chunks of zeros that are made by one call, which cannot be stopped; more of them take several
/// calls. Where the file system cannot make holes, the call reads what is there: 256 MiB take a disk some seconds.
const ZEROS_AT_ONCE_MAX: u32 = 256;

/// A resource that is being fetched, with its part file. Only verified chunks are written to it.
#[derive(Debug)]
pub struct Download {
    /// Its manifest.
    pub manifest: Manifest,
    /// The file that its chunks are written to.
    pub file: Arc<PartFile>,
    /// The hash of the whole, which follows the chunks.
    pub whole: Arc<WholeHash>,
    /// The chunks that the have map on disk does not claim yet.
    pub unnoted: Unnoted,
    /// The number of failed syncs of the file when this download began. After one more failure it is unknown which of
    /// the later chunks are on disk: a new download replaces this one and fetches them again.
    pub failed_syncs: u64,
    /// What else has its names.
    pub namesakes: Namesakes,
}

/// A download that ended before it was published, and its chunks.
#[derive(Debug, Clone)]
pub struct Former {
    /// The download.
    pub download: Arc<Download>,
    /// The chunks that it had.
    pub have: HaveMap,
    /// Those of them that were synced.
    pub safe: HaveMap,
}

/// The file that chunks are served from.
#[derive(Debug, Clone)]
pub enum Source {
    /// A download, complete or not.
    Download(Arc<Download>),
    /// A finished file.
    Published(Arc<PublishedFile>),
}

/// Why a chunk cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file was replaced, edited, truncated or removed since it was hashed.
    #[error("{} has changed since it was shared", .0.path.display())]
    Changed(Arc<PublishedFile>),
    /// The disk failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a received chunk was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    /// Its bytes do not match the manifest.
    #[error("the hash is wrong")]
    Corrupt,
    /// It could not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file of this machine that should have it cannot be read.
    #[error(transparent)]
    Unread(StoreError),
    /// The download has ended or was replaced.
    #[error("the download has ended")]
    Ended,
    /// Verifying it panicked.
    #[error("{0}")]
    Panicked(String),
}

impl Download {
    /// Makes the written data durable. Blocks, also while another thread does it.
    ///
    /// # Errors
    /// When a sync fails, or one has failed since this download began.
    pub fn sync(&self) -> Result<(), StoreError> {
        self.file.sync(self.failed_syncs)
    }

    /// Verifies and writes a received chunk. Blocks, also while too many chunks are missing from the have map on disk.
    ///
    /// # Errors
    /// When its hash or length is wrong, it cannot be written, or the download ends meanwhile.
    pub fn store(&self, index: ChunkIndex, bytes: Bytes) -> Result<(), TakeError> {
        self.take(index, bytes, |bytes| self.file.write(index, bytes))
    }

    /// Reads a chunk that another file may have at `at`, verifies it and writes it. The two files share its blocks if
    /// the file system can do that. Nobody else may write this chunk at the same time, so this is for downloads that have
    /// not joined their swarm. Otherwise like [`store`](Download::store).
    ///
    /// # Errors
    /// When the other file does not have the chunk (`Corrupt`) or cannot be read, the chunk cannot be written, or the
    /// download ends meanwhile.
    pub fn store_from(&self, index: ChunkIndex, donor: &Donor, at: ChunkIndex) -> Result<(), TakeError> {
        let bytes = donor.read(at).map_err(TakeError::Unread)?.freeze();
        self.take(index, bytes, |bytes| match donor.file() {
            Some(file) => self.file.write_shared(index, bytes, file, at.offset()),
            None => self.file.write(index, bytes),
        })
    }

    fn take(
        &self,
        index: ChunkIndex,
        bytes: Bytes,
        write: impl FnOnce(&[u8]) -> Result<(), StoreError>,
    ) -> Result<(), TakeError> {
        let Some(entered) = self.unnoted.enter() else { return Err(TakeError::Ended) };
        self.verify_and_write(index, bytes, write)?;
        entered.stay();
        Ok(())
    }

    /// Makes the chunks of zeros that are not in `have`, without writing them. Returns those that were made: not all of
    /// them once `is_wanted` says no. Blocks.
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub fn make_zeros(&self, have: &HaveMap, is_wanted: impl Fn() -> bool) -> Result<HaveMap, StoreError> {
        let mut made = HaveMap::empty(self.manifest.count());
        let missing = have.missing_from(ChunkIndex(0)).filter(|index| self.manifest.is_zeros(*index));
        let mut missing = missing.peekable();
        while let Some(ChunkIndex(first)) = missing.next() {
            if !is_wanted() {
                break;
            }
            let mut end = first + 1;
            while end - first < ZEROS_AT_ONCE_MAX && missing.next_if_eq(&ChunkIndex(end)).is_some() {
                end += 1;
            }
            self.file.clear(first..end)?;
            (first..end).for_each(|index| _ = made.insert(ChunkIndex(index)));
        }
        Ok(made)
    }

    fn verify_and_write(
        &self,
        index: ChunkIndex,
        bytes: Bytes,
        write: impl FnOnce(&[u8]) -> Result<(), StoreError>,
    ) -> Result<(), TakeError> {
        let is_last = Some(index) == self.manifest.count().last();
        let is_short = (1..CHUNK_BYTES as usize).contains(&bytes.len());
        let fits = bytes.len() == CHUNK_BYTES as usize || (is_last && is_short);
        let hash = self.manifest.hash(index).filter(|_| fits).ok_or(TakeError::Corrupt)?;
        if !self.whole.verify(index, &bytes, hash) {
            return Err(TakeError::Corrupt);
        }
        write(&bytes)?;
        self.whole.keep(index, bytes);
        Ok(())
    }
}

impl Former {
    /// The chunks of `good` that are on the disk. Syncs those that are not certain. If that fails, or a sync has failed
    /// since the download began, only those that were synced before are certain. A chunk that the download did not have
    /// may have been lost by a sync that failed before it: the system still shows such bytes, and no later sync tells of
    /// them. Blocks.
    #[must_use]
    pub fn reliable(&self, mut good: HaveMap) -> HaveMap {
        let certain = if self.download.sync().is_ok() { &self.have } else { &self.safe };
        let lost: Vec<ChunkIndex> = good.iter().filter(|index| !certain.contains(*index)).collect();
        lost.into_iter().for_each(|index| _ = good.remove(index));
        good
    }
}

impl Source {
    /// Its manifest.
    pub fn manifest(&self) -> &Manifest {
        match self {
            Source::Download(download) => &download.manifest,
            Source::Published(published) => &published.manifest,
        }
    }

    /// Its swarm.
    pub fn key(&self) -> SwarmKey {
        self.manifest().key()
    }

    /// The resource's size in bytes; `None` while the last chunk's length is unknown.
    pub fn bytes(&self) -> Option<u64> {
        match self {
            Source::Download(download) => download.file.bytes(),
            Source::Published(published) => Some(published.identity.bytes),
        }
    }

    /// Opens it to take chunks from. Blocks.
    ///
    /// # Errors
    /// When it cannot be opened, or is not the file that was hashed.
    pub fn donor(&self) -> Result<Donor, StoreError> {
        match self {
            Source::Download(download) => Ok(Donor::Part(download.file.clone())),
            Source::Published(published) => Donor::published(published),
        }
    }

    /// Reads a chunk that we have. Blocks.
    ///
    /// # Errors
    /// When the file has changed since it was hashed, or cannot be read.
    pub fn read(&self, index: ChunkIndex) -> Result<BytesMut, ReadError> {
        match self {
            Source::Download(download) => Ok(download.file.read(index)?),
            Source::Published(published) => {
                published.read(index).ok_or_else(|| ReadError::Changed(published.clone()))
            }
        }
    }
}

#[cfg(test)]
mod tests;
