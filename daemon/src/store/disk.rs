//! The boundary to the disk: whatever changes something there is a [`Step`], and all steps go through a [`Medium`].
//! There is [`System`], which does what is asked, and in tests one that stops, tears, forgets and fails, and one that is
//! slow. Our small files are read by it, too; other reading goes past it.

use super::{At, StoreError, read};
use rustix::fs::{CWD, RenameFlags};
use std::fmt::Debug;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

/// One change of what is on disk.
#[derive(Debug, Clone, Copy)]
pub enum Step<'a> {
    /// Bytes go into a file that is open.
    Write { file: &'a File, offset: u64, bytes: &'a [u8] },
    /// All bytes of a file go into another, by sharing blocks where the file system can.
    Copy { from: &'a File, to: &'a File },
    /// A file that is longer ends after this many bytes.
    Cut { file: &'a File, bytes: u64 },
    /// Bytes of a file go to the same place in another, by sharing blocks where the file system can.
    CopyRange { from: &'a File, to: &'a File, offset: u64, bytes: u64 },
    /// What was written to a file is made durable.
    SyncFile { file: &'a File },
    /// The names in a folder are made durable.
    SyncFolder { path: &'a Path },
    /// A folder is made, for nobody else to read.
    MakeFolder { path: &'a Path },
    /// A file gets another name, and may take the place of what had it.
    Replace { from: &'a Path, to: &'a Path },
    /// A file gets another name, unless something has that name.
    Rename { from: &'a Path, to: &'a Path },
    /// A file goes.
    Remove { path: &'a Path },
    /// An empty folder goes.
    RemoveFolder { path: &'a Path },
    /// A file's permissions change.
    SetMode { file: &'a File, mode: u32 },
    /// A file's group changes.
    SetGroup { file: &'a File, group: u32 },
}

/// How a file is opened to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open {
    /// It may be there, and keeps what it has.
    Keep,
    /// It may be there, and is emptied.
    Empty,
    /// It must not be there yet.
    New,
}

/// What performs steps.
pub trait Medium: Debug + Send + Sync {
    /// Opens a file for reading and writing; makes it, for nobody else to read, should it not be there.
    ///
    /// # Errors
    /// When the system refuses.
    fn open(&self, path: &Path, how: Open) -> io::Result<File>;

    /// Performs one step, whole or not at all but for `Write`, `Copy` and `CopyRange`.
    ///
    /// # Errors
    /// When the system refuses.
    fn perform(&self, step: Step<'_>) -> io::Result<()>;

    /// Reads one of our small files, of at most this many bytes.
    ///
    /// # Errors
    /// When the system refuses, or it has more.
    fn read(&self, path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
        read::whole(path, bytes_max)
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
        };
        options.open(path)
    }

    fn perform(&self, step: Step<'_>) -> io::Result<()> {
        match step {
            Step::Write { file, offset, bytes } => file.write_all_at(bytes, offset),
            Step::Copy { mut from, mut to } => io::copy(&mut from, &mut to).map(drop),
            Step::Cut { file, bytes } => file.set_len(bytes),
            Step::CopyRange { from, to, offset, bytes } => copy_range(from, to, offset, bytes),
            Step::SyncFile { file } => file.sync_all(),
            Step::SyncFolder { path } => File::open(path)?.sync_all(),
            Step::MakeFolder { path } => DirBuilder::new().mode(0o700).create(path),
            Step::Replace { from, to } => fs::rename(from, to),
            Step::Rename { from, to } => rename(from, to),
            Step::Remove { path } => fs::remove_file(path),
            Step::RemoveFolder { path } => fs::remove_dir(path),
            Step::SetMode { file, mode } => file.set_permissions(fs::Permissions::from_mode(mode)),
            Step::SetGroup { file, group } => std::os::unix::fs::fchown(file, None, Some(group)),
        }
    }
}

/// The kernel copies, or shares blocks, where it can; else we do it.
fn copy_range(from: &File, to: &File, offset: u64, bytes: u64) -> io::Result<()> {
    let (mut read_at, mut write_at, end) = (offset, offset, offset + bytes);
    while read_at < end {
        let rest = usize::try_from(end - read_at).unwrap_or(usize::MAX);
        let copied = rustix::fs::copy_file_range(from, Some(&mut read_at), to, Some(&mut write_at), rest);
        match copied {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(
                rustix::io::Errno::XDEV
                | rustix::io::Errno::INVAL
                | rustix::io::Errno::NOSYS
                | rustix::io::Errno::OPNOTSUPP,
            ) => {
                let mut rest = vec![0; rest];
                from.read_exact_at(&mut rest, read_at)?;
                return to.write_all_at(&rest, write_at);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Renames without replacing.
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => rename_in_steps(from, to),
        renamed => Ok(renamed?),
    }
}

/// For file systems that cannot do it in one step: NFS, and many that a process serves.
fn rename_in_steps(from: &Path, to: &Path) -> io::Result<()> {
    if fs::symlink_metadata(from)?.is_dir() {
        return fs::rename(from, to); // replaces nothing but an empty folder
    }
    fs::hard_link(from, to)?; // fails when the name is there
    fs::remove_file(from)
}

/// The medium that the shared folder is on; its errors say what was tried on which path.
#[derive(Debug, Clone)]
pub struct Disk(Arc<dyn Medium>);

impl Disk {
    /// The file system of this machine.
    pub fn system() -> Disk {
        Disk::on(Arc::new(System))
    }

    /// Another one.
    pub fn on(medium: Arc<dyn Medium>) -> Disk {
        Disk(medium)
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

    /// Reads one of our small files. Without a word on what was tried: the caller tells one error from another.
    pub(super) fn read(&self, path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
        self.0.read(path, bytes_max)
    }

    pub(super) fn copy(&self, from: &File, to: &File, path: &Path) -> Result<(), StoreError> {
        self.0.perform(Step::Copy { from, to }).at("copy to", path)
    }

    pub(super) fn cut(&self, file: &File, path: &Path, bytes: u64) -> Result<(), StoreError> {
        self.0.perform(Step::Cut { file, bytes }).at("cut to its length", path)
    }

    /// A chunk of one file goes to the same place in another.
    pub(super) fn copy_range(
        &self,
        from: &File,
        to: &File,
        path: &Path,
        offset: u64,
        bytes: u64,
    ) -> Result<(), StoreError> {
        self.0.perform(Step::CopyRange { from, to, offset, bytes }).at("copy to", path)
    }

    pub(super) fn sync_file(&self, file: &File, path: &Path) -> Result<(), StoreError> {
        self.0.perform(Step::SyncFile { file }).at("sync", path)
    }

    pub(super) fn sync_folder(&self, path: &Path) -> Result<(), StoreError> {
        self.0.perform(Step::SyncFolder { path }).at("sync the directory", path)
    }

    /// Makes a folder; whether it was not there before.
    pub(super) fn make_folder(&self, path: &Path) -> Result<bool, StoreError> {
        match self.0.perform(Step::MakeFolder { path }) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            made => made.at("make the directory", path).map(|()| true),
        }
    }

    pub(super) fn replace(&self, from: &Path, to: &Path) -> Result<(), StoreError> {
        self.0.perform(Step::Replace { from, to }).at("rename into place", to)
    }

    /// Without a word on what was tried: the caller tells one error from another.
    pub(super) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.perform(Step::Rename { from, to })
    }

    /// Removes a file that may be gone already.
    pub(super) fn remove(&self, path: &Path) -> Result<(), StoreError> {
        match self.0.perform(Step::Remove { path }) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.at("remove", path),
        }
    }

    /// Removes a folder and the files in it; it may be gone already.
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

    pub(super) fn set_mode(&self, file: &File, path: &Path, mode: u32) -> Result<(), StoreError> {
        self.0.perform(Step::SetMode { file, mode }).at("set the mode of", path)
    }

    pub(super) fn set_group(&self, file: &File, path: &Path, group: u32) -> Result<(), StoreError> {
        // only root gives files to groups that it is not in
        let doing = "set the group (is ttd's user in it? see file_group) of";
        self.0.perform(Step::SetGroup { file, group }).at(doing, path)
    }
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
