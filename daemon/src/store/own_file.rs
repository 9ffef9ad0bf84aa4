//! A file that ttd writes, and nobody else should: a download's part, an import, a copy. When it gets its name it has
//! the length that it should have, nobody has written to it since it was complete, and each sync of it went well.

use super::disk::Disk;
use super::{At, FileIdentity, StoreError};
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};

/// A file that is being written. It is used by several threads: all access is positional.
#[derive(Debug)]
pub struct OwnFile {
    disk: Disk,
    file: File,
    path: PathBuf,
    /// The file as it was when it was complete; nothing is written to it from then on.
    complete: RwLock<Option<FileIdentity>>,
    /// One sync at a time: Linux tells of a failed write-back once per open file, and two syncs at once would both
    /// wait for it, and one of them be told that all is well.
    syncing: Mutex<()>,
    /// How many syncs have failed.
    failed_syncs: AtomicU64,
}

impl OwnFile {
    pub(super) fn new(disk: &Disk, file: File, path: PathBuf) -> OwnFile {
        let disk = disk.clone();
        let (complete, syncing) = (RwLock::default(), Mutex::default());
        OwnFile { disk, file, path, complete, syncing, failed_syncs: AtomicU64::new(0) }
    }

    /// Where it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file, to be read and dressed.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// What the system knows of it.
    ///
    /// # Errors
    /// When the disk fails.
    pub(super) fn metadata(&self) -> Result<Metadata, StoreError> {
        self.file.metadata().at("look at", &self.path)
    }

    /// Writes bytes, which are not synced yet. A file that is complete has them already and is left alone: it may have
    /// its name by now.
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub(super) fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let complete = self.complete.read().unwrap_or_else(PoisonError::into_inner);
        match *complete {
            Some(_) => Ok(()),
            None => self.disk.write(&self.file, &self.path, offset, bytes),
        }
    }

    /// Writes bytes with which the file ends: what lies behind them goes. Otherwise as [`write`](OwnFile::write).
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub(super) fn write_end(&self, offset: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let complete = self.complete.read().unwrap_or_else(PoisonError::into_inner);
        if complete.is_some() {
            return Ok(());
        }
        self.disk.write(&self.file, &self.path, offset, bytes)?;
        self.cut(offset + bytes.len() as u64)
    }

    /// Takes over the bytes of another file.
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub(super) fn copy_from(&self, from: &File) -> Result<(), StoreError> {
        self.disk.copy(from, &self.file, &self.path)
    }

    /// Takes over a range of the bytes of another file, to the same place. They are not synced yet.
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub(super) fn copy_range_from(&self, from: &File, offset: u64, bytes: u64) -> Result<(), StoreError> {
        self.disk.copy_range(from, &self.file, &self.path, offset, bytes)
    }

    /// Takes away what lies behind this many bytes, if anything does.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn cut(&self, bytes: u64) -> Result<(), StoreError> {
        match self.metadata()?.len() > bytes {
            true => self.disk.cut(&self.file, &self.path, bytes),
            false => Ok(()),
        }
    }

    /// The file is complete with this many bytes: what lies behind them is cut off, and nothing more is written.
    /// `None` when it is shorter, or when it was complete before and somebody has written to it since.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn complete(&self, bytes: u64) -> Result<Option<FileIdentity>, StoreError> {
        let mut complete = self.complete.write().unwrap_or_else(PoisonError::into_inner);
        if complete.is_none() {
            self.cut(bytes)?;
        }
        let now = FileIdentity::of(&self.file).at("look at", &self.path)?;
        let is_right = now.bytes == bytes && complete.is_none_or(|before| before.is_same(&now));
        if is_right {
            *complete = Some(now);
        }
        Ok(is_right.then_some(now))
    }

    /// Some of it has to be written anew.
    pub(super) fn reopen(&self) {
        *self.complete.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Makes what was written durable. After a sync that failed no other one says that all is well: `failed_before` is
    /// how many had failed when the caller began to write, and what was written since then may be lost.
    ///
    /// # Errors
    /// When the disk fails, or a sync has failed since then.
    pub(super) fn sync(&self, failed_before: u64) -> Result<(), StoreError> {
        let _one_at_a_time = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.failed_syncs() != failed_before {
            let why =
                io::Error::other("a sync has failed before, and what was written until then may be lost");
            return Err(why).at("sync", &self.path);
        }
        let mut failure = Failure { count: &self.failed_syncs, is_one: true };
        self.disk.sync_file(&self.file, &self.path)?;
        failure.is_one = false;
        Ok(())
    }

    /// How many syncs have failed so far.
    pub(super) fn failed_syncs(&self) -> u64 {
        self.failed_syncs.load(Ordering::Acquire)
    }

    /// The same, when the sync that is under way has ended.
    pub(super) fn failed_syncs_in_the_end(&self) -> u64 {
        let _none_is_under_way = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        self.failed_syncs()
    }

    /// Looks at its place. It need not be there any more: it may have been published.
    ///
    /// # Errors
    /// When another file is there.
    pub(super) fn must_not_be_covered(&self, place: &Path) -> Result<(), StoreError> {
        let inode = |metadata: Metadata| (metadata.dev(), metadata.ino());
        let Ok(there) = fs::symlink_metadata(place).map(inode) else { return Ok(()) };
        match inode(self.metadata()?) == there {
            true => Ok(()),
            false => {
                Err(io::Error::other("another directory is in its place")).at("note what came into", place)
            }
        }
    }
}

/// Counts a sync that fails, also by a panic.
struct Failure<'a> {
    count: &'a AtomicU64,
    is_one: bool,
}

impl Drop for Failure<'_> {
    fn drop(&mut self) {
        if self.is_one {
            self.count.fetch_add(1, Ordering::AcqRel);
        }
    }
}
