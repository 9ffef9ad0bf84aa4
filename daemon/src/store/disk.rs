//! The boundary to the disk. Every change on disk is a [`Step`], and every step is performed by a [`Medium`]:
//! [`System`], or in tests a medium that stops, tears writes, loses data and fails, or a slow one. Our small files are
//! read through it too; other reading bypasses it.

use super::doubts::Doubts;
use super::root::{self, Root};
use super::{At, StoreError, holes, read};
use rustix::fs::{Advice, CWD, Mode, OFlags, RenameFlags};
use shared::host::sparse;
use std::fmt::Debug;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

/// One change on disk.
#[derive(Debug, Clone, Copy)]
pub enum Step<'a> {
    /// Writes bytes to an open file.
    Write { file: &'a File, offset: u64, bytes: &'a [u8] },
    /// Makes a range of a file zeros, as a hole if the file system can. It ends within the file.
    Punch { file: &'a File, offset: u64, bytes: u64 },
    /// Copies all bytes of a file to an empty one, sharing blocks if the file system can. Holes stay holes.
    Copy { from: &'a File, to: &'a File },
    /// Truncates a file to this many bytes.
    Cut { file: &'a File, bytes: u64 },
    /// Copies a range of a file to another, sharing blocks if the file system can.
    CopyRange { from: &'a File, from_offset: u64, to: &'a File, offset: u64, bytes: u64 },
    /// Makes the data written to a file durable.
    SyncFile { file: &'a File },
    /// Drops what is cached of a file and is not waiting to be written: who reads it then reads what the disk has.
    DropCached { file: &'a File },
    /// Makes the names in a directory durable.
    SyncFolder { path: &'a Path },
    /// Makes a directory that only its owner can access.
    MakeFolder { path: &'a Path },
    /// Renames a file, replacing an existing one.
    Replace { from: &'a Path, to: &'a Path },
    /// Renames a file, unless the new name exists.
    Rename { from: &'a Path, to: &'a Path },
    /// Gives a file a second name, unless that exists.
    Link { from: &'a Path, to: &'a Path },
    /// Removes a file.
    Remove { path: &'a Path },
    /// Removes an empty directory.
    RemoveFolder { path: &'a Path },
    /// Changes a file's permissions.
    SetMode { file: &'a File, mode: u32 },
    /// Changes a file's group.
    SetGroup { file: &'a File, group: u32 },
    /// Makes a directory below another one, which only its owner can access.
    MakeFolderBelow { root: &'a Root, below: &'a str },
    /// Removes a file below a directory.
    RemoveBelow { root: &'a Root, below: &'a str },
    /// Removes an empty directory below a directory.
    RemoveFolderBelow { root: &'a Root, below: &'a str },
    /// Makes a symbolic link below a directory.
    MakeLink { root: &'a Root, below: &'a str, target: &'a str },
    /// Sets the time of the last change of a file or directory, in seconds since 1970.
    SetTime { file: &'a File, seconds: i64 },
    /// The same for a symbolic link below a directory.
    SetLinkTime { root: &'a Root, below: &'a str, seconds: i64 },
    /// Makes everything on the file system of a directory durable.
    SyncAll { root: &'a Root },
    /// Exchanges two directories.
    Exchange { one: &'a Path, other: &'a Path },
    /// Removes a directory with everything in it, or a file.
    RemoveAll { path: &'a Path },
}

#[cfg(test)]
impl Step<'_> {
    /// Whether it also works on a full disk.
    pub(super) fn needs_no_room(&self) -> bool {
        matches!(
            self,
            Step::Remove { .. }
                | Step::RemoveFolder { .. }
                | Step::RemoveAll { .. }
                | Step::RemoveBelow { .. }
                | Step::RemoveFolderBelow { .. }
                | Step::Cut { .. }
                | Step::Replace { .. }
                | Step::Rename { .. }
                | Step::Exchange { .. }
                | Step::SetMode { .. }
                | Step::SetTime { .. }
                | Step::SetLinkTime { .. }
                | Step::SyncFolder { .. }
                | Step::SyncAll { .. }
        )
    }
}

/// How a file is opened for writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open {
    /// Keep an existing file's content.
    Keep,
    /// Truncate an existing file.
    Empty,
    /// Fail if the file exists.
    New,
    /// Fail if the file is missing. Keep its content.
    Present,
}

/// Performs steps.
pub trait Medium: Debug + Send + Sync {
    /// Opens a file for reading and writing. A new file is accessible only to its owner.
    ///
    /// # Errors
    /// When the system refuses.
    fn open(&self, path: &Path, how: Open) -> io::Result<File>;

    /// Opens a file below a directory for reading and writing. A new file is accessible only to its owner.
    ///
    /// # Errors
    /// When the system refuses, also because the path leads through a symbolic link.
    fn open_below(&self, root: &Root, below: &str, how: Open) -> io::Result<File> {
        let flags = match how {
            Open::Keep => OFlags::CREATE,
            Open::Empty => OFlags::CREATE | OFlags::TRUNC,
            Open::New => OFlags::CREATE | OFlags::EXCL,
            Open::Present => OFlags::empty(),
        };
        let mode = if how == Open::Present { Mode::empty() } else { Mode::RUSR | Mode::WUSR };
        root.open_below(below, flags | OFlags::RDWR, mode)
    }

    /// Performs one step. All steps except `Write`, `Punch`, `Copy`, `CopyRange` and `RemoveAll` happen completely or not
    /// at all.
    ///
    /// # Errors
    /// When the system refuses.
    fn perform(&self, step: Step<'_>) -> io::Result<()>;

    /// Reads one of our small files, of at most `bytes_max` bytes.
    ///
    /// # Errors
    /// When the system refuses, or the file is longer.
    fn read(&self, path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
        read::whole(path, bytes_max)
    }

    /// Whether what lost its name is deleted by a thread of its own. Where steps are counted it is deleted at once, so that
    /// they have one order.
    fn removes_later(&self) -> bool {
        true
    }
}

/// The file system of this machine.
#[derive(Debug)]
pub struct System;

impl Medium for System {
    fn open(&self, path: &Path, how: Open) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).mode(0o600);
        match how {
            Open::Keep => options.create(true).truncate(false),
            Open::Empty => options.create(true).truncate(true),
            Open::New => options.create_new(true),
            Open::Present => &mut options,
        };
        options.open(path)
    }

    fn perform(&self, step: Step<'_>) -> io::Result<()> {
        match step {
            Step::Write { file, offset, bytes } => file.write_all_at(bytes, offset),
            Step::Punch { file, offset, bytes } => holes::punch(file, offset, bytes),
            Step::Copy { from, to } => {
                sparse::copy(from, to, from.metadata()?.len(), &mut |_| ControlFlow::Continue(()))
            }
            Step::Cut { file, bytes } => file.set_len(bytes),
            Step::CopyRange { from, from_offset, to, offset, bytes } => {
                sparse::copy_range(from, from_offset, to, offset, bytes)
            }
            Step::SyncFile { file } => file.sync_all(),
            Step::DropCached { file } => Ok(rustix::fs::fadvise(file, 0, None, Advice::DontNeed)?),
            Step::SyncFolder { path } => File::open(path)?.sync_all(),
            Step::MakeFolder { path } => DirBuilder::new().mode(0o700).create(path),
            Step::Replace { from, to } => fs::rename(from, to),
            Step::Rename { from, to } => rename(from, to),
            Step::Link { from, to } => fs::hard_link(from, to),
            Step::Remove { path } => fs::remove_file(path),
            Step::RemoveFolder { path } => fs::remove_dir(path),
            Step::SetMode { file, mode } => file.set_permissions(fs::Permissions::from_mode(mode)),
            Step::SetGroup { file, group } => std::os::unix::fs::fchown(file, None, Some(group)),
            Step::MakeFolderBelow { root, below } => root.make_folder(below),
            Step::RemoveBelow { root, below } => root.remove(below),
            Step::RemoveFolderBelow { root, below } => root.remove_folder(below),
            Step::MakeLink { root, below, target } => root.make_link(below, target),
            Step::SetTime { file, seconds } => root::set_time(file, seconds),
            Step::SetLinkTime { root, below, seconds } => root.set_link_time(below, seconds),
            Step::SyncAll { root } => Ok(rustix::fs::syncfs(root.directory())?),
            Step::Exchange { one, other } => root::exchange(one, other),
            Step::RemoveAll { path } => root::remove_all(path),
        }
    }
}

/// The file systems that let two files share blocks, by their magic numbers: Btrfs, XFS, bcachefs and OCFS2.
const SHARING: [u32; 4] = [0x9123_683e, 0x5846_5342, 0xca45_1a4e, 0x7461_636f];

/// Whether the file system of a file lets two files share blocks. On others, copying within the kernel saves nothing.
pub(super) fn shares_blocks(file: &File) -> bool {
    rustix::fs::fstatfs(file).is_ok_and(|found| SHARING.contains(&(found.f_type as u32)))
}

/// Renames without replacing.
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => rename_in_steps(from, to),
        renamed => Ok(renamed?),
    }
}

/// Renames without replacing on file systems that cannot do it in one step, such as NFS and many FUSE file systems.
fn rename_in_steps(from: &Path, to: &Path) -> io::Result<()> {
    if fs::symlink_metadata(from)?.is_dir() {
        return fs::rename(from, to); // replaces at most an empty directory
    }
    fs::hard_link(from, to)?; // fails if the name exists
    fs::remove_file(from)
}

/// The medium that contains the shared directory. Its errors say what was tried on which path.
#[derive(Debug, Clone)]
pub struct Disk(Arc<dyn Medium>, Doubts);

impl Disk {
    /// The file system of this machine.
    pub fn system() -> Disk {
        Disk::on(Arc::new(System))
    }

    /// Any other medium.
    pub fn on(medium: Arc<dyn Medium>) -> Disk {
        Disk(medium, Doubts::default())
    }

    /// The files of downloads of which a sync has failed.
    pub(super) fn doubts(&self) -> &Doubts {
        &self.1
    }

    pub(super) fn open(&self, path: &Path, how: Open) -> Result<File, StoreError> {
        self.0.open(path, how).at(if how == Open::Keep { "open" } else { "create" }, path)
    }

    pub(super) fn write(
        &self,
        file: &File,
        path: &Path,
        offset: u64,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        self.0.perform(Step::Write { file, offset, bytes }).at("write to", path)
    }

    /// Makes a range zeros, without changing the file's length.
    pub(super) fn punch(&self, file: &File, path: &Path, offset: u64, bytes: u64) -> Result<(), StoreError> {
        self.0.perform(Step::Punch { file, offset, bytes }).at("write zeros to", path)
    }

    /// Whether what lost its name is deleted by a thread of its own.
    pub(super) fn removes_later(&self) -> bool {
        self.0.removes_later()
    }

    /// Reads one of our small files. The error has no path, since the caller handles some kinds itself.
    pub(super) fn read(&self, path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
        self.0.read(path, bytes_max)
    }

    pub(super) fn copy(&self, from: &File, to: &File, path: &Path) -> Result<(), StoreError> {
        self.0.perform(Step::Copy { from, to }).at("copy to", path)
    }

    pub(super) fn cut(&self, file: &File, path: &Path, bytes: u64) -> Result<(), StoreError> {
        self.0.perform(Step::Cut { file, bytes }).at("truncate", path)
    }

    /// Copies a range of one file to another.
    pub(super) fn copy_range(
        &self,
        from: &File,
        from_offset: u64,
        to: &File,
        path: &Path,
        offset: u64,
        bytes: u64,
    ) -> Result<(), StoreError> {
        self.0.perform(Step::CopyRange { from, from_offset, to, offset, bytes }).at("copy to", path)
    }

    pub(super) fn sync_file(&self, file: &File, path: &Path) -> Result<(), StoreError> {
        self.0.perform(Step::SyncFile { file }).at("sync", path)
    }

    /// Has the next reader of a file read what the disk has of it, also where a write-back has failed: Linux still shows
    /// such bytes, and tells of the failure once, perhaps to an earlier process. What is not yet written stays; a sync
    /// before this call writes it. A file system without a disk, such as tmpfs, keeps everything.
    pub(super) fn drop_cached(&self, file: &File) {
        let _ = self.0.perform(Step::DropCached { file }); // advice that is not taken changes nothing
    }

    pub(super) fn sync_folder(&self, path: &Path) -> Result<(), StoreError> {
        self.0.perform(Step::SyncFolder { path }).at("sync the directory", path)
    }

    /// Makes a directory. Returns whether it is new.
    pub(super) fn make_folder(&self, path: &Path) -> Result<bool, StoreError> {
        match self.0.perform(Step::MakeFolder { path }) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            made => made.at("create the directory", path).map(|()| true),
        }
    }

    pub(super) fn replace(&self, from: &Path, to: &Path) -> Result<(), StoreError> {
        self.0.perform(Step::Replace { from, to }).at("rename into place", to)
    }

    /// The error has no path, since the caller handles some kinds itself.
    pub(super) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.perform(Step::Rename { from, to })
    }

    /// Gives a file a second name, or copies it where the file system has no second names.
    pub(super) fn link(&self, from: &Path, to: &Path) -> Result<(), StoreError> {
        if self.0.perform(Step::Link { from, to }).is_ok() {
            return Ok(());
        }
        let file = File::open(from).at("open", from)?;
        self.copy(&file, &self.open(to, Open::Empty)?, to)
    }

    /// Removes a file. It is no error if it does not exist.
    pub(super) fn remove(&self, path: &Path) -> Result<(), StoreError> {
        match self.0.perform(Step::Remove { path }) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.at("remove", path),
        }
    }

    /// Removes a directory and everything in it. It is no error if it does not exist.
    pub(super) fn remove_folder(&self, path: &Path) -> Result<(), StoreError> {
        let entries = match fs::read_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries.at("read the directory", path)?,
        };
        for entry in entries {
            let path = entry.at("read the directory", path)?.path();
            if path.is_dir() && !path.is_symlink() { self.remove_folder(&path)? } else { self.remove(&path)? }
        }
        self.0.perform(Step::RemoveFolder { path }).at("remove", path)
    }

    pub(super) fn open_below(&self, root: &Root, below: &str, how: Open) -> Result<File, StoreError> {
        let opened = self.0.open_below(root, below, how);
        opened.at(if how == Open::New { "create" } else { "open" }, &root.join(below))
    }

    /// Makes a file this long: the bytes after that are cut off, and missing ones are a hole.
    pub(super) fn set_length(&self, file: &File, path: &Path, bytes: u64) -> Result<(), StoreError> {
        self.0.perform(Step::Cut { file, bytes }).at("set the length of", path)
    }

    pub(super) fn make_folder_below(&self, root: &Root, below: &str) -> Result<(), StoreError> {
        self.0.perform(Step::MakeFolderBelow { root, below }).at("create the directory", &root.join(below))
    }

    /// Removes a file below a directory.
    pub(super) fn remove_below(&self, root: &Root, below: &str) -> Result<(), StoreError> {
        self.0.perform(Step::RemoveBelow { root, below }).at("remove", &root.join(below))
    }

    /// Removes an empty directory below a directory.
    pub(super) fn remove_folder_below(&self, root: &Root, below: &str) -> Result<(), StoreError> {
        self.0.perform(Step::RemoveFolderBelow { root, below }).at("remove", &root.join(below))
    }

    /// Removes an empty directory.
    pub(super) fn remove_empty(&self, path: &Path) -> Result<(), StoreError> {
        self.0.perform(Step::RemoveFolder { path }).at("remove", path)
    }

    /// Makes a symbolic link, where nothing may be.
    pub(super) fn make_new_link(&self, root: &Root, below: &str, target: &str) -> Result<(), StoreError> {
        let made = self.0.perform(Step::MakeLink { root, below, target });
        made.at("create the symbolic link", &root.join(below))
    }

    /// Makes a symbolic link; one with the same target may be there.
    pub(super) fn make_link(&self, root: &Root, below: &str, target: &str) -> Result<(), StoreError> {
        match self.0.perform(Step::MakeLink { root, below, target }) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && has_target(root, below, target) => {
                Ok(())
            }
            made => made.at("create the symbolic link", &root.join(below)),
        }
    }

    pub(super) fn set_time(&self, file: &File, path: &Path, seconds: i64) -> Result<(), StoreError> {
        self.0.perform(Step::SetTime { file, seconds }).at("set the time of", path)
    }

    pub(super) fn set_link_time(&self, root: &Root, below: &str, seconds: i64) -> Result<(), StoreError> {
        self.0.perform(Step::SetLinkTime { root, below, seconds }).at("set the time of", &root.join(below))
    }

    /// Makes everything on the file system of a directory durable.
    pub(super) fn sync_all(&self, root: &Root) -> Result<(), StoreError> {
        self.0.perform(Step::SyncAll { root }).at("sync the file system of", root.path())
    }

    /// The error has no path, since the caller handles some kinds itself.
    pub(super) fn exchange(&self, one: &Path, other: &Path) -> io::Result<()> {
        self.0.perform(Step::Exchange { one, other })
    }

    /// Removes a directory with everything in it, or a file, also where their owner may not write. No symbolic link is
    /// followed. It is no error if nothing is there.
    pub(super) fn remove_all(&self, path: &Path) -> Result<(), StoreError> {
        self.0.perform(Step::RemoveAll { path }).at("remove", path)
    }

    pub(super) fn set_mode(&self, file: &File, path: &Path, mode: u32) -> Result<(), StoreError> {
        self.0.perform(Step::SetMode { file, mode }).at("set the permissions of", path)
    }

    pub(super) fn set_group(&self, file: &File, path: &Path, group: u32) -> Result<(), StoreError> {
        // Only root can give files to groups that it is not in.
        let doing = "set the group (ttd's user must be a member; see file_group) of";
        self.0.perform(Step::SetGroup { file, group }).at(doing, path)
    }
}

fn has_target(root: &Root, below: &str, target: &str) -> bool {
    root.link(below).is_ok_and(|found| found == target.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_not_replaced_in_steps_either() {
        let folder = tempfile::tempdir().unwrap();
        let [file, taken, full, new] = ["file", "taken", "full", "new"].map(|name| folder.path().join(name));
        for path in [&file, &taken] {
            fs::write(path, path.to_str().unwrap()).unwrap();
        }
        for path in [&full, &new] {
            fs::create_dir(path).unwrap();
            fs::write(path.join("data"), path.to_str().unwrap()).unwrap();
        }
        let kind = |from: &Path, to: &Path| rename_in_steps(from, to).unwrap_err().kind();
        assert_eq!(kind(&file, &taken), io::ErrorKind::AlreadyExists);
        assert_eq!(kind(&file, &full), io::ErrorKind::AlreadyExists);
        assert_eq!(kind(&new, &full), io::ErrorKind::DirectoryNotEmpty);
        assert_eq!(kind(&new, &taken), io::ErrorKind::NotADirectory);
        assert_eq!(fs::read(&taken).unwrap(), taken.to_str().unwrap().as_bytes());
        assert_eq!(fs::read(full.join("data")).unwrap(), full.to_str().unwrap().as_bytes());

        let (other, moved) = (folder.path().join("other"), folder.path().join("moved"));
        rename_in_steps(&file, &other).unwrap();
        rename_in_steps(&new, &moved).unwrap();
        assert!(!file.exists() && !new.exists());
        assert!(other.is_file() && moved.join("data").is_file());
    }
}
