//! Opens the files of a directory by their paths below it.

use super::error::TreeError;
use super::seen::Seen;
use crate::tree::{Entry, TreePath};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, openat, openat2};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// A FIFO that somebody puts there must not block us.
const FILE: OFlags = OFlags::RDONLY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// How a directory below another one is opened.
pub(super) const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Opens a directory that is to be a tree. If the path itself is a symbolic link to one, that is opened.
///
/// # Errors
/// When there is none, or it may not be read.
pub fn open_top(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// A directory whose files are read.
#[derive(Debug)]
pub struct TreeFiles {
    top: OwnedFd,
    /// Whether the kernel lacks openat2(2), or a sandbox refuses it.
    is_old: AtomicBool,
}

impl TreeFiles {
    /// The files below a directory.
    pub fn new(top: OwnedFd) -> TreeFiles {
        TreeFiles { top, is_old: AtomicBool::new(false) }
    }

    /// The directory.
    pub fn top(&self) -> BorrowedFd<'_> {
        self.top.as_fd()
    }

    /// Opens the file at a path for reading. Symbolic links are not followed anywhere in it.
    ///
    /// # Errors
    /// When there is none, or it may not be read. It may be something else than a regular file.
    pub fn open(&self, path: TreePath<'_>) -> io::Result<File> {
        if !self.is_old.load(Ordering::Relaxed) {
            let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
            match openat2(&self.top, path.as_str(), FILE, Mode::empty(), beneath) {
                Ok(file) => return Ok(file.into()),
                Err(Errno::NOSYS | Errno::PERM) => {}
                // The kernel could not rule out that `..` led outside meanwhile. Our paths have none.
                Err(Errno::AGAIN) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let file = self.open_in_steps(path)?;
        // The steps succeeded where the one call did not.
        self.is_old.store(true, Ordering::Relaxed);
        Ok(file)
    }

    /// Opens one directory of the path after the other.
    pub(super) fn open_in_steps(&self, path: TreePath<'_>) -> io::Result<File> {
        let mut directory: Option<OwnedFd> = None;
        for name in path.parent().into_iter().flat_map(TreePath::components) {
            let at = directory.as_ref().map_or(self.top.as_fd(), |directory| directory.as_fd());
            directory = Some(openat(at, name, DIRECTORY, Mode::empty())?);
        }
        let at = directory.as_ref().map_or(self.top.as_fd(), |directory| directory.as_fd());
        Ok(openat(at, path.file_name(), FILE, Mode::empty())?.into())
    }

    /// Reads a range of a file, and then makes sure that it is the file that was `seen` and was not changed since. So
    /// the bytes are those that it had then. Returns the file.
    pub(super) fn read(
        &self,
        entry: &Entry<'_>,
        seen: &Seen,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<File, TreeError> {
        let path = entry.path.as_str();
        // Whoever removed it, or put something else there, has changed it.
        let file = self.open(entry.path).map_err(|error| match Errno::from_io_error(&error) {
            Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NXIO) => TreeError::changed(path),
            _ => TreeError::io(path, error),
        })?;
        let read = file.read_exact_at(buffer, offset);
        let stat = fstat(&file).map_err(|error| TreeError::io(path, error))?;
        let is_same = Seen::of(&stat) == *seen
            && stat.st_size as u64 == entry.content_bytes()
            && FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        match read {
            Ok(()) if is_same => Ok(file),
            Err(error) if is_same => Err(TreeError::io(path, error)),
            _ => Err(TreeError::changed(path)),
        }
    }
}
