//! Copies a complete directory out of the shared directory, with the caller's rights.

use crate::error::{Error, Kind};
use crate::files::{self, write_error};
use crate::progress::{Now, Progress};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_OMIT};
use shared::host::sparse;
use std::fs::{self, DirBuilder, File, FileTimes, OpenOptions};
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Refuses to copy onto something that would be lost.
pub(crate) fn refuse_early(target: &Path, replace: bool) -> Result<(), Error> {
    match fs::symlink_metadata(target) {
        Ok(metadata) if metadata.is_dir() && replace => Ok(()),
        Ok(metadata) if metadata.is_dir() => Err(files::exists(target)),
        Ok(_) => Err(Error::refused(format!("{} exists and is not a directory", target.display()))
            .hint("move it away, or name another path with -o")),
        Err(_) => Ok(()),
    }
}

/// Why a directory was not copied.
pub(crate) enum NotCopied {
    /// The caller may not read all of it.
    NotAllowed,
    Other(Error),
}

impl From<Error> for NotCopied {
    fn from(error: Error) -> NotCopied {
        NotCopied::Other(error)
    }
}

/// Copies a directory to a path where nothing is. Setting `stop` ends it; then a part may be there.
pub(crate) fn copy_tree(
    source: &Path,
    to: &Path,
    bytes_total: u64,
    progress: Progress,
    stop: &AtomicBool,
) -> Result<(), NotCopied> {
    Copying { bytes_done: 0, bytes_total, progress, stop }.directory(source, to)
}

struct Copying<'a> {
    bytes_done: u64,
    bytes_total: u64,
    progress: Progress,
    stop: &'a AtomicBool,
}

impl Copying<'_> {
    /// Copies a directory with everything in it; it gets its mode and time at the end.
    fn directory(&mut self, from: &Path, to: &Path) -> Result<(), NotCopied> {
        let unreadable = |error: io::Error| unreadable(from, &error);
        let metadata = fs::symlink_metadata(from).map_err(unreadable)?;
        DirBuilder::new().mode(0o700).create(to).map_err(|error| write_error(to, &error))?;
        let entries = fs::read_dir(from).map_err(unreadable)?;
        let entries: Vec<PathBuf> = entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()
            .map_err(unreadable)?;
        for entry in entries {
            if self.stop.load(Ordering::Relaxed) {
                return Err(interrupted().into());
            }
            let target = to.join(entry.file_name().unwrap_or_default());
            let found = fs::symlink_metadata(&entry).map_err(|error| self::unreadable(&entry, &error))?;
            let kind = found.file_type();
            if kind.is_dir() {
                self.directory(&entry, &target)?;
            } else if kind.is_symlink() {
                let points_to = fs::read_link(&entry).map_err(|error| self::unreadable(&entry, &error))?;
                let made = symlink(points_to, &target).and_then(|()| set_link_time(&target, &found));
                made.map_err(|error| write_error(&target, &error))?;
            } else if kind.is_file() {
                self.file(&entry, &target)?;
            } else {
                let message = format!("{} is not a file, directory or link", entry.display());
                return Err(Error::refused(message).into());
            }
        }
        let dressed = File::open(to).and_then(|directory| dress(&directory, &metadata));
        Ok(dressed.map_err(|error| write_error(to, &error))?)
    }

    fn file(&mut self, from: &Path, to: &Path) -> Result<(), NotCopied> {
        let nofollow = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let opened = OpenOptions::new().read(true).custom_flags(nofollow.bits() as i32).open(from);
        let source = opened.map_err(|error| unreadable(from, &error))?;
        let metadata = source.metadata().map_err(|error| unreadable(from, &error))?;
        let create = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to);
        let target = create.map_err(|error| write_error(to, &error))?;
        let (before, bytes_total, stop) = (self.bytes_done, self.bytes_total, self.stop);
        let progress = &mut self.progress;
        let copied = sparse::copy(&source, &target, metadata.len(), &mut |bytes_done| {
            let bytes_done = before + bytes_done;
            progress.update(&Now { bytes_done, bytes_total, doing: "copying", ..Now::default() });
            if stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        copied.and_then(|()| dress(&target, &metadata)).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => interrupted(),
            _ => write_error(to, &error),
        })?;
        self.bytes_done += metadata.len();
        Ok(())
    }
}

fn interrupted() -> Error {
    Error::new(Kind::Interrupted, "interrupted")
}

/// Gives a copy the mode and the time of what it was copied from. The bits that give rights to whoever runs it are left
/// out.
fn dress(copy: &File, like: &fs::Metadata) -> io::Result<()> {
    copy.set_permissions(fs::Permissions::from_mode(like.permissions().mode() & 0o777))?;
    copy.set_times(FileTimes::new().set_modified(like.modified()?))
}

fn set_link_time(link: &Path, like: &fs::Metadata) -> io::Result<()> {
    let omitted = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
    let modified = Timespec { tv_sec: like.mtime(), tv_nsec: like.mtime_nsec() };
    let times = Timestamps { last_access: omitted, last_modification: modified };
    Ok(rustix::fs::utimensat(CWD, link, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

fn unreadable(path: &Path, error: &io::Error) -> NotCopied {
    match error.kind() {
        io::ErrorKind::PermissionDenied => NotCopied::NotAllowed,
        _ => NotCopied::Other(Error::io(format!("cannot read {}", path.display()), error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leftovers::remove_directory;

    fn tree(at: &Path) {
        fs::create_dir_all(at.join("deep/down")).unwrap();
        fs::write(at.join("deep/down/file"), "one").unwrap();
        fs::write(at.join("tool"), "two").unwrap();
        fs::set_permissions(at.join("tool"), fs::Permissions::from_mode(0o755)).unwrap();
        let sparse = File::create(at.join("sparse")).unwrap();
        sparse.set_len(64 << 20).unwrap();
        symlink("deep/down", at.join("link")).unwrap();
        symlink("/nowhere", at.join("away")).unwrap();
        let old = FileTimes::new().set_modified(std::time::SystemTime::UNIX_EPOCH);
        File::open(at.join("tool")).unwrap().set_times(old).unwrap();
        fs::set_permissions(at.join("deep/down"), fs::Permissions::from_mode(0o555)).unwrap();
    }

    #[test]
    fn a_copy_has_everything() {
        let home = tempfile::tempdir().unwrap();
        let (from, to) = (home.path().join("app"), home.path().join("copy"));
        tree(&from);
        let never = AtomicBool::new(false);
        assert!(copy_tree(&from, &to, 6, Progress::silent(), &never).is_ok());
        assert_eq!(fs::read(to.join("deep/down/file")).unwrap(), b"one");
        assert_eq!(fs::read_link(to.join("away")).unwrap(), Path::new("/nowhere"));
        let tool = fs::metadata(to.join("tool")).unwrap();
        assert_eq!((tool.mode() & 0o777, tool.mtime()), (0o755, 0));
        assert_eq!(fs::metadata(to.join("deep/down")).unwrap().mode() & 0o777, 0o555);
        let sparse = fs::metadata(to.join("sparse")).unwrap();
        assert!(sparse.len() == 64 << 20 && sparse.blocks() < 100, "its holes are kept");

        let stopped = AtomicBool::new(true);
        let stopped = copy_tree(&from, &home.path().join("new"), 6, Progress::silent(), &stopped);
        assert!(matches!(stopped, Err(NotCopied::Other(error)) if error.kind == Kind::Interrupted));
        for left in [from, to] {
            remove_directory(&left).unwrap();
        }
    }
}
