//! A file that only ttd should write: a download's part file, an import, a copy. When it gets its name, it has the
//! right length, nobody has written to it since it was complete, and every sync of it succeeded.

use super::disk::{self, Disk};
use super::{At, FileIdentity, StoreError, holes};
use shared::zeros::{self, Part};
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};

/// A file that is being written by several threads: all access is positional.
#[derive(Debug)]
pub struct OwnFile {
    disk: Disk,
    file: File,
    path: PathBuf,
    /// The file's identity when it was complete. After that nothing more is written to it.
    complete: RwLock<Option<FileIdentity>>,
    /// Allows one sync at a time. Linux reports a failed write-back once per open file, so of two concurrent syncs one
    /// would be told that all is well.
    syncing: Mutex<()>,
    /// The number of failed syncs.
    failed_syncs: AtomicU64,
    shares_blocks: bool,
    makes_holes: bool,
}

impl OwnFile {
    pub(super) fn new(disk: &Disk, file: File, path: PathBuf) -> OwnFile {
        let disk = disk.clone();
        let (complete, syncing) = (RwLock::default(), Mutex::default());
        let (shares_blocks, makes_holes) = (disk::shares_blocks(&file), holes::are_possible(&file));
        let failed_syncs = AtomicU64::new(0);
        OwnFile { disk, file, path, complete, syncing, failed_syncs, shares_blocks, makes_holes }
    }

    /// The path where it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The open file.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// The metadata of the file.
    ///
    /// # Errors
    /// When the disk fails.
    pub(super) fn metadata(&self) -> Result<Metadata, StoreError> {
        self.file.metadata().at("access", &self.path)
    }

    /// Writes bytes without syncing them. Long runs of zeros become holes. A complete file has them already and is not
    /// written to: it may have its name by now.
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub(super) fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let complete = self.complete.read().unwrap_or_else(PoisonError::into_inner);
        match *complete {
            Some(_) => Ok(()),
            None => self.write_parts(offset, bytes),
        }
    }

    /// Makes a range zeros without writing them, whatever was there. The file is at least as long as the range then.
    /// Otherwise like [`write`](OwnFile::write).
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub(super) fn clear(&self, offset: u64, bytes: u64) -> Result<(), StoreError> {
        let complete = self.complete.read().unwrap_or_else(PoisonError::into_inner);
        match *complete {
            Some(_) => Ok(()),
            None => self.make_hole(offset, bytes),
        }
    }

    /// Writes the last bytes of the file and cuts off everything after them. Otherwise like [`write`](OwnFile::write).
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub(super) fn write_end(&self, offset: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let complete = self.complete.read().unwrap_or_else(PoisonError::into_inner);
        if complete.is_some() {
            return Ok(());
        }
        self.write_parts(offset, bytes)?;
        self.cut(offset + bytes.len() as u64)
    }

    fn write_parts(&self, offset: u64, bytes: &[u8]) -> Result<(), StoreError> {
        for part in zeros::parts(bytes) {
            match part {
                Part::Data(range) => {
                    let at = offset + range.start as u64;
                    self.disk.write(&self.file, &self.path, at, &bytes[range])?;
                }
                Part::Zeros(range) => self.make_hole(offset + range.start as u64, range.len() as u64)?,
            }
        }
        Ok(())
    }

    /// Makes a range zeros. What is beyond the end of the file is a hole as soon as the file is long enough. It is made
    /// longer by writing its last byte, because `ftruncate` could cut off what another thread has just written.
    fn make_hole(&self, offset: u64, bytes: u64) -> Result<(), StoreError> {
        let (length, end) = (self.metadata()?.len(), offset + bytes);
        if offset < length {
            self.disk.punch(&self.file, &self.path, offset, end.min(length) - offset)?;
        }
        if length < end {
            self.disk.write(&self.file, &self.path, end - 1, &[0])?;
            let last = end.saturating_sub(zeros::RUN_BYTES_MIN as u64).max(offset); // the block of the last byte
            self.disk.punch(&self.file, &self.path, last, end - last)?;
        }
        Ok(())
    }

    /// Copies the content of another file.
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub(super) fn copy_from(&self, from: &File) -> Result<(), StoreError> {
        self.disk.copy(from, &self.file, &self.path)
    }

    /// Copies a range of another file, which starts there at `from_offset`, without syncing it. A complete file is not
    /// written to.
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub(super) fn copy_range_from(
        &self,
        from: &File,
        from_offset: u64,
        offset: u64,
        bytes: u64,
    ) -> Result<(), StoreError> {
        let complete = self.complete.read().unwrap_or_else(PoisonError::into_inner);
        match *complete {
            Some(_) => Ok(()),
            None => self.disk.copy_range(from, from_offset, &self.file, &self.path, offset, bytes),
        }
    }

    /// Whether the file system lets two files share blocks.
    pub(super) fn shares_blocks(&self) -> bool {
        self.shares_blocks
    }

    /// Whether the file system makes holes, so that the room of what is cleared is free.
    pub(super) fn makes_holes(&self) -> bool {
        self.makes_holes
    }

    /// Truncates the file to this many bytes if it is longer.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn cut(&self, bytes: u64) -> Result<(), StoreError> {
        match self.metadata()?.len() > bytes {
            true => self.disk.cut(&self.file, &self.path, bytes),
            false => Ok(()),
        }
    }

    /// Removes all bytes, durably: they are elsewhere.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn empty(&self) -> Result<(), StoreError> {
        self.cut(0)?;
        self.sync_file()
    }

    /// Marks the file as complete with this many bytes: anything after them is cut off, and nothing more is written.
    /// Returns `None` if it is shorter, or if it was complete before and somebody has written to it since.
    /// `failed_before` is as in [`sync`](OwnFile::sync): after a failed sync the file is written to again, and a caller
    /// that does not know of the failure must not end that.
    ///
    /// # Errors
    /// When the disk refuses, or a sync has failed since then.
    pub(super) fn complete(
        &self,
        bytes: u64,
        failed_before: u64,
    ) -> Result<Option<FileIdentity>, StoreError> {
        let mut complete = self.complete.write().unwrap_or_else(PoisonError::into_inner);
        self.must_have_synced(failed_before)?;
        if complete.is_none() {
            self.cut(bytes)?;
        }
        let now = FileIdentity::of(&self.file).at("access", &self.path)?;
        let is_right = now.bytes == bytes && complete.is_none_or(|before| before.is_same(&now));
        if is_right {
            *complete = Some(now);
        }
        Ok(is_right.then_some(now))
    }

    /// Allows writing again, because some of it must be replaced.
    pub(super) fn reopen(&self) {
        *self.complete.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Makes the written data durable. `failed_before` is the number of failed syncs when the caller began to write. If
    /// a sync has failed since then, this one fails as well, because data written meanwhile may be lost.
    ///
    /// # Errors
    /// When the disk fails, or a sync has failed since then.
    pub(super) fn sync(&self, failed_before: u64) -> Result<(), StoreError> {
        self.sync_by(failed_before, || self.sync_file())
    }

    /// Syncs the file itself, without counting a failure.
    pub(super) fn sync_file(&self) -> Result<(), StoreError> {
        self.disk.sync_file(&self.file, &self.path)
    }

    /// Like [`sync`](OwnFile::sync), of whatever `sync` syncs.
    ///
    /// # Errors
    /// When it fails, or a sync has failed since then.
    pub(super) fn sync_by(
        &self,
        failed_before: u64,
        sync: impl FnOnce() -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let _one_at_a_time = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        self.must_have_synced(failed_before)?;
        let mut failure = Failure { of: self, is_one: true };
        sync()?;
        failure.is_one = false;
        Ok(())
    }

    /// Checks that no sync has failed since `failed_before` syncs had failed.
    ///
    /// # Errors
    /// When one has.
    pub(super) fn must_have_synced(&self, failed_before: u64) -> Result<(), StoreError> {
        match self.failed_syncs() == failed_before {
            true => Ok(()),
            false => {
                let why = io::Error::other("an earlier sync failed, so data may be lost");
                Err(why).at("sync", &self.path)
            }
        }
    }

    /// The number of failed syncs so far.
    pub(super) fn failed_syncs(&self) -> u64 {
        self.failed_syncs.load(Ordering::Acquire)
    }

    /// Checks that no other file is at its path. The file itself need not be there: it may have been published.
    ///
    /// # Errors
    /// When another file is there.
    pub(super) fn must_not_be_covered(&self, place: &Path) -> Result<(), StoreError> {
        let inode = |metadata: Metadata| (metadata.dev(), metadata.ino());
        let Ok(there) = fs::symlink_metadata(place).map(inode) else { return Ok(()) };
        match inode(self.metadata()?) == there {
            true => Ok(()),
            false => Err(io::Error::other("a different directory is in its place"))
                .at("record what was written to", place),
        }
    }
}

/// Counts a sync as failed when dropped, even by a panic, unless it succeeded.
struct Failure<'a> {
    of: &'a OwnFile,
    is_one: bool,
}

impl Drop for Failure<'_> {
    fn drop(&mut self) {
        if self.is_one {
            self.of.failed_syncs.fetch_add(1, Ordering::AcqRel);
            self.of.disk.doubts().note(&self.of.path);
        }
    }
}
