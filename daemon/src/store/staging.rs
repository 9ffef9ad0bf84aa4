//! A tree that is being received: its files, under `.tinytorrent/` until it is complete. Chunks are written into the
//! files, so the tree is on the disk once. Its directories and empty files are there from the beginning. Every other file
//! is made when its first bytes are written; its name becomes durable with these bytes. A file of which one chunk has
//! all bytes is opened only once: it gets its mode and time, too.
//!
//! No symbolic link is made before all files are complete, and no path of a listing leads through one.

use super::disk::{Disk, Open};
use super::layout::{Layout, Place};
use super::mode::mode_of_file;
use super::root::Root;
use super::{At, FileIdentity, StoreError, invalid};
use rustix::fs::{Mode, OFlags};
use shared::host::hashing::Body;
use shared::tree::{Entry, EntryIndex, EntryKind, TreeLayout};
use shared::zeros::{self, Part};
use std::collections::{BTreeSet, VecDeque};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, RwLock};

/// Limits the files that are synced one by one, and the directories in which they were made. If more were written, the whole
/// file system is synced in one call, which costs about as much as syncing this number of files.
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
    /// For each entry the inode of the file, if the file has its mode and its time already; otherwise 0.
    dressed: Box<[AtomicU64]>,
    /// Whether it is complete, so that nothing more is written: it may have its name by now.
    complete: RwLock<bool>,
}

/// What was written since the last sync.
#[derive(Debug, Default)]
struct Dirty {
    sums: bool,
    files: BTreeSet<EntryIndex>,
    /// The directories in which files were made: those of some of the files above.
    folders: BTreeSet<EntryIndex>,
    /// Whether there are more files than are listed.
    more: bool,
}

impl Dirty {
    /// Notes a file that was written to.
    fn note(&mut self, entry: EntryIndex) {
        if self.more {
            return;
        }
        self.files.insert(entry);
        if self.files.len() > DIRTY_MAX || self.folders.len() > DIRTY_MAX {
            *self = Dirty { more: true, sums: self.sums, ..Dirty::default() };
        }
    }
}

impl StagingTree {
    /// Makes the directories and empty files of a tree at `path`, where nothing is, with its sums at `sums`; `None` if it is
    /// not wanted any more. They are durable after a sync of the file system and of the directory that it is in.
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
        // Where two names can be the same, all of them are made now, so that this is found out before anything is fetched.
        let makes_all = folds_names(disk, &root)?;
        for index in layout.listing().indices().skip(1) {
            let entry = layout.listing().entry(index);
            if !is_wanted() {
                return Ok(None);
            }
            match entry.kind {
                EntryKind::Directory => disk.make_folder_below(&root, entry.path.as_str())?,
                EntryKind::File { bytes } if bytes > 0 && !makes_all => {}
                EntryKind::Symlink { .. } if !makes_all => {}
                // In place of a link an empty file is there until all names are.
                EntryKind::File { .. } | EntryKind::Symlink { .. } => {
                    drop(disk.open_below(&root, entry.path.as_str(), Open::New)?);
                }
            }
        }
        for entry in layout.listing().entries().filter(|entry| makes_all && entry.is_symlink()) {
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
        let tree = StagingTree::with(disk, root, sums, file, layout);
        tree.dirty().more = true; // the names of files that an earlier process has made may not be durable
        Ok(tree)
    }

    fn with(disk: &Disk, root: Root, sums_path: &Path, sums: File, layout: TreeLayout) -> StagingTree {
        let dressed = (0..layout.listing().len()).map(|_| AtomicU64::new(0)).collect();
        StagingTree {
            disk: disk.clone(),
            root,
            layout,
            sums,
            sums_path: sums_path.to_owned(),
            recent: Mutex::default(),
            dirty: Mutex::default(),
            dressed,
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
            Place::File { entry, offset } => self.write_file(entry, offset, part),
            Place::Sums(offset) => {
                self.disk.write(&self.sums, &self.sums_path, offset, part)?;
                self.dirty().sums = true;
                Ok(())
            }
        })?;
        let wrong = || Err(invalid("it differs from what its listing says"));
        if is_right { Ok(()) } else { wrong().at("lay out", self.root.path()) }
    }

    /// Writes bytes to a file, and makes it if it is not there. Long runs of zeros become holes. The file has its length
    /// afterwards. If these were all its bytes, it has its mode and time, too.
    fn write_file(&self, index: EntryIndex, offset: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let (entry, path) = (self.layout.listing().entry(index), self.path(index));
        self.dressed[index.slot()].store(0, Ordering::Release);
        let file = self.file(index)?;
        let is_whole = bytes.len() as u64 == entry.content_bytes();
        let has_holes = zeros::parts(bytes).any(|part| matches!(part, Part::Zeros(_)));
        if has_holes || !is_whole {
            self.disk.set_length(&file, &path, entry.content_bytes())?;
        }
        for part in zeros::parts(bytes) {
            match part {
                Part::Data(range) => {
                    self.disk.write(&file, &path, offset + range.start as u64, &bytes[range])?;
                }
                Part::Zeros(range) => {
                    self.disk.punch(&file, &path, offset + range.start as u64, range.len() as u64)?;
                }
            }
        }
        if is_whole {
            self.dress(index, &entry, &file, &path)?;
        }
        self.dirty().note(index);
        Ok(())
    }

    /// Gives a file that has all its bytes its mode and time, and notes that. What cannot be noted is dressed once more when
    /// the tree is published.
    fn dress(
        &self,
        index: EntryIndex,
        entry: &Entry<'_>,
        file: &File,
        path: &Path,
    ) -> Result<(), StoreError> {
        let Some(time) = entry.time else { return Ok(()) };
        self.disk.set_mode(file, path, mode_of_file(entry))?;
        self.disk.set_time(file, path, time)?;
        let now = FileIdentity::of(file).at("access", path)?;
        let (inode, ..) = now.parts();
        if now.is_same(&identity_of(entry, inode, time)) {
            self.dressed[index.slot()].store(inode, Ordering::Release);
        }
        Ok(())
    }

    /// The identity of a file that has its mode and time already, with the group that it was made with.
    pub(super) fn dressed(&self, index: EntryIndex) -> Option<FileIdentity> {
        let entry = self.layout.listing().entry(index);
        match self.dressed[index.slot()].load(Ordering::Acquire) {
            0 => None,
            inode => Some(identity_of(&entry, inode, entry.time?)),
        }
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
        self.sync_by(|dirty| self.sync_these(dirty))
    }

    /// Makes everything in it durable, also modes, times and links.
    ///
    /// # Errors
    /// When the disk fails.
    pub(super) fn sync_all(&self) -> Result<(), StoreError> {
        self.sync_by(|dirty| {
            if !*SYNCS_ALL {
                self.sync_these(dirty)?; // the sync of the whole file system reports no failed writes
            }
            self.disk.sync_all(&self.root)
        })
    }

    /// What was written before counts as durable if `sync` succeeds.
    fn sync_by(&self, sync: impl FnOnce(&Dirty) -> Result<(), StoreError>) -> Result<(), StoreError> {
        let dirty = std::mem::take(&mut *self.dirty());
        let synced = sync(&dirty);
        if synced.is_err() {
            let mut now = self.dirty();
            now.sums |= dirty.sums;
            now.more |= dirty.more;
            now.files.extend(dirty.files);
            now.folders.extend(dirty.folders);
        }
        synced
    }

    fn sync_these(&self, dirty: &Dirty) -> Result<(), StoreError> {
        if dirty.sums {
            self.disk.sync_file(&self.sums, &self.sums_path)?;
        }
        if dirty.more {
            return if *SYNCS_ALL { self.disk.sync_all(&self.root) } else { self.sync_each() };
        }
        dirty.files.iter().try_for_each(|&entry| self.sync_one(entry))?;
        dirty.folders.iter().try_for_each(|&entry| self.sync_one(entry))
    }

    /// Has the next reader read what the disk has, also where a write-back has failed and an earlier process was told.
    pub(super) fn read_anew(&self) {
        // If this fails, what it has dropped is not shown, and what is still to be written is synced again later.
        let _ = if *SYNCS_ALL { self.disk.sync_all(&self.root) } else { self.sync_each() };
        let _ = self.disk.sync_file(&self.sums, &self.sums_path);
        self.disk.drop_cached(&self.sums);
        let listing = self.layout.listing();
        let files = listing.entries().filter(|entry| entry.content_bytes() > 0);
        files
            .filter_map(|entry| self.open_present(&entry).ok())
            .for_each(|file| self.disk.drop_cached(&file));
    }

    /// Syncs each file that is there, and each directory.
    fn sync_each(&self) -> Result<(), StoreError> {
        let is_synced = |entry: &EntryIndex| !self.layout.listing().entry(*entry).is_symlink();
        self.layout.listing().indices().filter(is_synced).try_for_each(|entry| match self.sync_one(entry) {
            Err(error) if error.source.kind() == io::ErrorKind::NotFound => Ok(()), // it has no bytes yet
            synced => synced,
        })
    }

    fn sync_one(&self, index: EntryIndex) -> Result<(), StoreError> {
        let (entry, path) = (self.layout.listing().entry(index), self.path(index));
        if entry.is_directory() {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY;
            let directory = self.root.open_below(entry.path.as_str(), flags, Mode::empty());
            return self.disk.sync_file(&directory.at("open", &path)?, &path);
        }
        match self.recent_file(index) {
            Some(file) => self.disk.sync_file(&file, &path),
            None => self.disk.sync_file(&self.open_present(&entry)?, &path),
        }
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

    /// An open file of the tree. It is made if it is not there.
    fn file(&self, index: EntryIndex) -> Result<Arc<File>, StoreError> {
        if let Some(file) = self.recent_file(index) {
            return Ok(file);
        }
        let entry = self.layout.listing().entry(index);
        let file = match self.make(index, &entry) {
            Err(error) if error.source.kind() == io::ErrorKind::AlreadyExists => self.open_present(&entry)?,
            made => made?,
        };
        let file = Arc::new(file);
        if entry.content_bytes() >= LARGE_BYTES {
            let mut recent = self.recent();
            recent.push_back((index, file.clone()));
            if recent.len() > RECENT_MAX {
                recent.pop_front();
            }
        }
        Ok(file)
    }

    /// Makes a file. Until the directory that it is in is noted no sync begins, so whoever finds the file there and writes
    /// to it has its name synced, too.
    fn make(&self, index: EntryIndex, entry: &Entry<'_>) -> Result<File, StoreError> {
        let mut dirty = self.dirty();
        let file = self.disk.open_below(&self.root, entry.path.as_str(), Open::New)?;
        if !dirty.more {
            dirty.folders.extend(self.folder_of(index));
        }
        Ok(file)
    }

    fn open_present(&self, entry: &Entry<'_>) -> Result<File, StoreError> {
        let path = entry.path.as_str();
        let open = || self.disk.open_below(&self.root, path, Open::Present);
        // A file that has its final mode already may forbid its owner to write.
        open().or_else(|error| match error.source.kind() {
            io::ErrorKind::PermissionDenied => {
                self.root.allow_writing(path).at("set the permissions of", &error.path)?;
                open()
            }
            _ => Err(error),
        })
    }

    fn recent_file(&self, index: EntryIndex) -> Option<Arc<File>> {
        self.recent().iter().find(|(recent, _)| *recent == index).map(|(_, file)| file.clone())
    }

    /// The directory that an entry is in.
    fn folder_of(&self, entry: EntryIndex) -> Option<EntryIndex> {
        let listing = self.layout.listing();
        listing.find(listing.entry(entry).path.parent()?)
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

    /// A file may be missing or too short after a crash. Its bytes are not there then, which is no failure.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.read(offset, buffer).map_err(|error| match error.source.kind() {
            io::ErrorKind::UnexpectedEof => io::ErrorKind::NotFound.into(),
            _ => error.source,
        })
    }

    fn must_be_unchanged(&self) -> io::Result<()> {
        Ok(()) // only ttd writes to it, and nobody does while it is checked
    }
}

/// The identity of a file that has all its bytes and its time.
fn identity_of(entry: &Entry<'_>, inode: u64, time: i64) -> FileIdentity {
    FileIdentity::of_parts(inode, entry.content_bytes(), time, 0)
}

/// A name, and two others that some file systems take for the same one: they fold case, or the normal forms of Unicode.
const FOLDED: &str = "caf\u{e9}";
const FOLDING: [&str; 2] = ["CAF\u{e9}", "cafe\u{301}"];

/// Whether the file system takes different names in an empty directory for the same one.
fn folds_names(disk: &Disk, root: &Root) -> Result<bool, StoreError> {
    drop(disk.open_below(root, FOLDED, Open::New)?);
    let is_there = |name: &&str| disk.open_below(root, name, Open::Present).is_ok();
    let folds = FOLDING.iter().any(is_there);
    disk.remove_below(root, FOLDED)?;
    Ok(folds)
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
