//! A tree that is being received: its files, under `.tinytorrent/` until it is complete. Chunks are written into the
//! files, so the tree is on the disk once. All its directories and files are there from the beginning, with their
//! lengths; nothing that is written later has a name that could be lost.
//!
//! No symbolic link is made before all files are complete, and no path of a listing leads through one.

use super::disk::{Disk, Open};
use super::layout::{Layout, Place};
use super::root::Root;
use super::{At, StoreError, invalid};
use shared::host::hashing::Body;
use shared::tree::{Entry, EntryIndex, EntryKind, TreeLayout};
use shared::zeros::{self, Part};
use std::collections::{BTreeSet, VecDeque};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, RwLock};

/// Limits the files that are synced one by one. If more were written, the whole file system is synced in one call, which
/// costs about as much as syncing this number of files.
const DIRTY_MAX: usize = 64;

/// Limits the files of one tree that stay open for the next chunk. Further ones are opened again.
const RECENT_MAX: usize = 8;

/// Files of at least this many bytes stay open for a while; a smaller one is in two chunks at most.
const LARGE_BYTES: u64 = 2 << 20;

/// A tree that is being received, shared between threads.
#[derive(Debug)]
pub struct StagingTree {
    disk: Disk,
    root: Root,
    layout: TreeLayout,
    /// The content of the sums, beside the tree.
    sums: File,
    sums_path: PathBuf,
    /// The files that were written last.
    recent: Mutex<VecDeque<(EntryIndex, Arc<File>)>>,
    dirty: Mutex<Dirty>,
    /// Whether it is complete, so that nothing more is written: it may have its name by now.
    complete: RwLock<bool>,
}

/// What was written since the last sync.
#[derive(Debug, Default)]
struct Dirty {
    sums: bool,
    files: BTreeSet<EntryIndex>,
    /// Whether there are more files than are listed.
    more: bool,
}

impl StagingTree {
    /// Makes an empty tree at `path`, where nothing is, with its sums at `sums`; `None` if it is not wanted any more.
    /// It is durable after a sync of the file system and of the directory that it is in.
    ///
    /// # Errors
    /// When the disk refuses. An error of kind [`io::ErrorKind::AlreadyExists`] means that the file system takes two
    /// names of the tree for the same.
    pub(super) fn create(
        disk: &Disk,
        path: &Path,
        sums: &Path,
        layout: TreeLayout,
        is_wanted: &dyn Fn() -> bool,
    ) -> Result<Option<StagingTree>, StoreError> {
        disk.make_folder(path)?;
        let root = Root::open(path).at("open", path)?;
        for index in layout.listing().indices().skip(1) {
            let entry = layout.listing().entry(index);
            if !is_wanted() {
                return Ok(None);
            }
            match entry.kind {
                EntryKind::Directory => disk.make_folder_below(&root, entry.path.as_str())?,
                EntryKind::File { bytes } => {
                    let file = disk.open_below(&root, entry.path.as_str(), Open::New)?;
                    if bytes > 0 {
                        disk.set_length(&file, &root.join(entry.path.as_str()), bytes)?;
                    }
                }
                // An empty file is there in place of the link until all names are: on a file system that takes two
                // names for the same one, that is found out now.
                EntryKind::Symlink { .. } => drop(disk.open_below(&root, entry.path.as_str(), Open::New)?),
            }
        }
        for entry in layout.listing().entries().filter(Entry::is_symlink) {
            disk.remove_below(&root, entry.path.as_str())?;
        }
        // A directory that has its name already may have the same sums. They are the same bytes, and they stay.
        let file = disk.open(sums, Open::Keep)?;
        disk.set_length(&file, sums, layout.sums_bytes())?;
        Ok(Some(StagingTree::with(disk, root, sums, file, layout)))
    }

    /// Opens a tree that [`create`](StagingTree::create) made.
    ///
    /// # Errors
    /// When it is missing or the disk refuses.
    pub(super) fn open(
        disk: &Disk,
        path: &Path,
        sums: &Path,
        layout: TreeLayout,
    ) -> Result<StagingTree, StoreError> {
        let root = Root::open(path).at("open", path)?;
        let file = disk.open(sums, Open::Keep)?;
        Ok(StagingTree::with(disk, root, sums, file, layout))
    }

    fn with(disk: &Disk, root: Root, sums_path: &Path, sums: File, layout: TreeLayout) -> StagingTree {
        StagingTree {
            disk: disk.clone(),
            root,
            layout,
            sums,
            sums_path: sums_path.to_owned(),
            recent: Mutex::default(),
            dirty: Mutex::default(),
            complete: RwLock::default(),
        }
    }

    /// Its layout.
    pub fn layout(&self) -> &TreeLayout {
        &self.layout
    }

    /// The directory.
    pub(super) fn root(&self) -> &Root {
        &self.root
    }

    /// The medium.
    pub(super) fn disk(&self) -> &Disk {
        &self.disk
    }

    /// The open file of the sums, and its path.
    pub(super) fn sums(&self) -> (&File, &Path) {
        (&self.sums, &self.sums_path)
    }

    /// Writes the bytes of the resource from `offset` on, without syncing them. A complete tree has them already and is
    /// not written to.
    ///
    /// # Errors
    /// When the disk is full or fails. An error of kind [`io::ErrorKind::InvalidData`] means that bytes of a header, the
    /// listing or the padding are not those of the layout: the resource is not what it says.
    pub(super) fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let complete = self.complete.read().unwrap_or_else(PoisonError::into_inner);
        if *complete {
            return Ok(());
        }
        let is_right = Layout::Tree(&self.layout).write(offset, bytes, |place, part| match place {
            Place::File { entry, offset } => {
                self.write_parts(&*self.file(entry)?, entry, offset, part)?;
                self.note(entry);
                Ok(())
            }
            Place::Sums(offset) => {
                self.disk.write(&self.sums, &self.sums_path, offset, part)?;
                self.dirty().sums = true;
                Ok(())
            }
        })?;
        let wrong = || Err(invalid("it differs from what its listing says"));
        if is_right { Ok(()) } else { wrong().at("lay out", self.root.path()) }
    }

    /// Writes bytes to a file. Long runs of zeros become holes; the file has its length already.
    fn write_parts(
        &self,
        file: &File,
        entry: EntryIndex,
        offset: u64,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        let path = self.path(entry);
        for part in zeros::parts(bytes) {
            match part {
                Part::Data(range) => {
                    self.disk.write(file, &path, offset + range.start as u64, &bytes[range])?;
                }
                Part::Zeros(range) => {
                    self.disk.punch(file, &path, offset + range.start as u64, range.len() as u64)?;
                }
            }
        }
        Ok(())
    }

    /// Reads the bytes of the resource from `offset` on.
    ///
    /// # Errors
    /// When a file is shorter than it was, or the disk fails.
    pub(super) fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), StoreError> {
        Layout::Tree(&self.layout).read(offset, buffer, |place, part| match place {
            Place::File { entry, offset } => {
                let file = self.root.open_regular(self.layout.listing().entry(entry).path.as_str());
                let read = file.and_then(|file| file.read_exact_at(part, offset));
                read.map_err(|source| StoreError { doing: "read", path: self.path(entry), source })
            }
            Place::Sums(offset) => self.sums.read_exact_at(part, offset).at("read", &self.sums_path),
        })
    }

    /// Makes the written data durable: a few files one by one, many of them by a sync of the whole file system.
    ///
    /// # Errors
    /// When the disk fails.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        let dirty = std::mem::take(&mut *self.dirty());
        let synced = self.sync_these(&dirty);
        if synced.is_err() {
            let mut now = self.dirty();
            now.sums |= dirty.sums;
            now.more |= dirty.more;
            now.files.extend(dirty.files);
        }
        synced
    }

    fn sync_these(&self, dirty: &Dirty) -> Result<(), StoreError> {
        if dirty.sums {
            self.disk.sync_file(&self.sums, &self.sums_path)?;
        }
        if !dirty.more {
            return dirty.files.iter().try_for_each(|&entry| self.sync_one(entry));
        }
        if *SYNCS_ALL {
            return self.disk.sync_all(&self.root);
        }
        let is_file = |&entry: &EntryIndex| self.layout.listing().entry(entry).content_bytes() > 0;
        self.layout.listing().indices().filter(is_file).try_for_each(|entry| self.sync_one(entry))
    }

    fn sync_one(&self, entry: EntryIndex) -> Result<(), StoreError> {
        self.disk.sync_file(&*self.file(entry)?, &self.path(entry))
    }

    /// Allows no more writes, if `may` allows that. Blocks while one is running.
    ///
    /// # Errors
    /// Those of `may`.
    pub(super) fn complete(&self, may: impl FnOnce() -> Result<(), StoreError>) -> Result<(), StoreError> {
        let mut complete = self.complete.write().unwrap_or_else(PoisonError::into_inner);
        may()?;
        *complete = true;
        Ok(())
    }

    /// Allows writing again, because some chunks must be replaced.
    pub(super) fn reopen(&self) {
        *self.complete.write().unwrap_or_else(PoisonError::into_inner) = false;
    }

    /// An open file of the tree.
    fn file(&self, entry: EntryIndex) -> Result<Arc<File>, StoreError> {
        let found = self.recent().iter().find(|(recent, _)| *recent == entry).map(|(_, file)| file.clone());
        if let Some(file) = found {
            return Ok(file);
        }
        let of = self.layout.listing().entry(entry);
        let open = || self.disk.open_below(&self.root, of.path.as_str(), Open::Present);
        // A file that has its final mode already may forbid its owner to write.
        let file = Arc::new(open().or_else(|error| match error.source.kind() {
            io::ErrorKind::PermissionDenied => {
                self.root.allow_writing(of.path.as_str()).at("set the permissions of", &error.path)?;
                open()
            }
            _ => Err(error),
        })?);
        if of.content_bytes() >= LARGE_BYTES {
            let mut recent = self.recent();
            recent.push_back((entry, file.clone()));
            if recent.len() > RECENT_MAX {
                recent.pop_front();
            }
        }
        Ok(file)
    }

    fn note(&self, entry: EntryIndex) {
        let mut dirty = self.dirty();
        if !dirty.more {
            dirty.files.insert(entry);
        }
        if dirty.files.len() > DIRTY_MAX {
            *dirty = Dirty { more: true, sums: dirty.sums, files: BTreeSet::new() };
        }
    }

    /// The path of an entry, for messages.
    fn path(&self, entry: EntryIndex) -> PathBuf {
        self.root.join(self.layout.listing().entry(entry).path.as_str())
    }

    fn recent(&self) -> std::sync::MutexGuard<'_, VecDeque<(EntryIndex, Arc<File>)>> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn dirty(&self) -> std::sync::MutexGuard<'_, Dirty> {
        self.dirty.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Body for StagingTree {
    fn bytes(&self) -> u64 {
        self.layout.bytes()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.read(offset, buffer).map_err(|error| error.source)
    }

    fn must_be_unchanged(&self) -> io::Result<()> {
        Ok(()) // only ttd writes to it, and nobody does while it is checked
    }
}

/// Whether a sync of the whole file system reports failed writes, as it does from Linux 5.8 on.
static SYNCS_ALL: LazyLock<bool> = LazyLock::new(|| {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    reports_failed_writes(&release)
});

fn reports_failed_writes(release: &str) -> bool {
    let mut numbers =
        release.split(|it: char| !it.is_ascii_digit()).map(|number| number.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (5, 8)
}

/// Whether an error says that the file system takes two names of a tree for the same.
pub(super) fn is_folding(error: &StoreError) -> bool {
    error.source.kind() == io::ErrorKind::AlreadyExists
}

#[cfg(test)]
mod tests;
