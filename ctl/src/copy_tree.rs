//! Copies a complete directory out of the shared directory, with the caller's rights. The copy appears as a whole or not
//! at all.

use crate::error::{Error, Kind};
use crate::files::{self, write_error};
use crate::progress::{Now, Progress};
use rustix::fs::{AtFlags, CWD, RenameFlags, Timespec, Timestamps, UTIME_OMIT};
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

/// Copies a directory. Setting `stop` ends it; then nothing is left behind.
pub(crate) fn copy_tree(
    source: &Path,
    target: &Path,
    replace: bool,
    bytes_total: u64,
    progress: Progress,
    stop: &AtomicBool,
) -> Result<(), Error> {
    refuse_early(target, replace)?;
    let beside = tempfile::Builder::new()
        .prefix(".tinytorrent-")
        .tempdir_in(files::parent(target))
        .map_err(|error| write_error(target, &error))?;
    let new = beside.path().join("new");
    let mut copying = Copying { bytes_done: 0, bytes_total, progress, stop };
    copying.directory(source, &new).inspect_err(|_| make_removable(&new))?;
    let is_there = fs::symlink_metadata(target).is_ok();
    let (flags, former) = match is_there {
        true => (RenameFlags::EXCHANGE, Some(&new)),
        false => (RenameFlags::NOREPLACE, None),
    };
    match rustix::fs::renameat_with(CWD, &new, CWD, target, flags) {
        Ok(()) => {}
        Err(rustix::io::Errno::EXIST) => return Err(files::exists(target)),
        // a file system without exchange
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            if is_there {
                fs::rename(target, beside.path().join("former"))
                    .map_err(|error| write_error(target, &error))?;
            }
            fs::rename(&new, target).map_err(|error| write_error(target, &error))?;
        }
        Err(error) => return Err(write_error(target, &error.into())),
    }
    former.into_iter().for_each(|former| make_removable(former));
    Ok(())
}

struct Copying<'a> {
    bytes_done: u64,
    bytes_total: u64,
    progress: Progress,
    stop: &'a AtomicBool,
}

impl Copying<'_> {
    /// Copies a directory with everything in it; it gets its mode and time at the end.
    fn directory(&mut self, from: &Path, to: &Path) -> Result<(), Error> {
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
                return Err(interrupted());
            }
            let target = to.join(entry.file_name().unwrap_or_default());
            let found = fs::symlink_metadata(&entry).map_err(|error| unreadable_at(&entry, &error))?;
            let kind = found.file_type();
            if kind.is_dir() {
                self.directory(&entry, &target)?;
            } else if kind.is_symlink() {
                let points_to = fs::read_link(&entry).map_err(|error| unreadable_at(&entry, &error))?;
                let made = symlink(points_to, &target).and_then(|()| set_link_time(&target, &found));
                made.map_err(|error| write_error(&target, &error))?;
            } else if kind.is_file() {
                self.file(&entry, &target)?;
            } else {
                return Err(Error::refused(format!("{} is not a file, directory or link", entry.display())));
            }
        }
        let dressed = File::open(to).and_then(|directory| dress(&directory, &metadata));
        dressed.map_err(|error| write_error(to, &error))
    }

    fn file(&mut self, from: &Path, to: &Path) -> Result<(), Error> {
        let nofollow = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let opened = OpenOptions::new().read(true).custom_flags(nofollow.bits() as i32).open(from);
        let source = opened.map_err(|error| unreadable_at(from, &error))?;
        let metadata = source.metadata().map_err(|error| unreadable_at(from, &error))?;
        let create = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to);
        let target = create.map_err(|error| write_error(to, &error))?;
        let (before, bytes_total, stop) = (self.bytes_done, self.bytes_total, self.stop);
        // Holes stay holes, and the kernel shares the blocks where it can.
        let copied = sparse::copy(&source, &target, metadata.len(), &mut |bytes| {
            let bytes_done = before + bytes;
            self.progress.update(&Now { bytes_done, bytes_total, doing: "copying", ..Now::default() });
            if stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        let copied = copied.and_then(|()| dress(&target, &metadata));
        copied.map_err(|error| match error.kind() {
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

fn unreadable(source: &Path, error: &io::Error) -> Error {
    unreadable_at(source, error).hint("ttd can read it and you cannot; see file_group in ttd.toml(5)")
}

fn unreadable_at(path: &Path, error: &io::Error) -> Error {
    Error::io(format!("cannot read {}", path.display()), error)
}

/// Lets the owner remove what is in a directory. What cannot be changed is left as it is.
fn make_removable(directory: &Path) {
    let Ok(metadata) = fs::symlink_metadata(directory) else { return };
    if !metadata.is_dir() {
        return;
    }
    let mode = metadata.permissions().mode() | 0o700;
    let _ = fs::set_permissions(directory, fs::Permissions::from_mode(mode));
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            make_removable(&entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(at: &Path) {
        fs::create_dir_all(at.join("deep/down")).unwrap();
        fs::write(at.join("deep/down/file"), "one").unwrap();
        fs::write(at.join("tool"), "two").unwrap();
        fs::set_permissions(at.join("tool"), fs::Permissions::from_mode(0o755)).unwrap();
        symlink("deep/down", at.join("link")).unwrap();
        symlink("/nowhere", at.join("away")).unwrap();
        let old = FileTimes::new().set_modified(std::time::SystemTime::UNIX_EPOCH);
        File::open(at.join("tool")).unwrap().set_times(old).unwrap();
        fs::set_permissions(at.join("deep/down"), fs::Permissions::from_mode(0o555)).unwrap();
    }

    #[test]
    fn a_copy_has_everything_and_a_former_one_is_replaced_only_when_asked() {
        let home = tempfile::tempdir().unwrap();
        let (from, to) = (home.path().join("app"), home.path().join("copy"));
        tree(&from);
        let never = AtomicBool::new(false);
        for replace in [false, true] {
            copy_tree(&from, &to, replace, 6, Progress::silent(), &never).unwrap();
            assert_eq!(fs::read(to.join("deep/down/file")).unwrap(), b"one");
            assert_eq!(fs::read_link(to.join("away")).unwrap(), Path::new("/nowhere"));
            let tool = fs::metadata(to.join("tool")).unwrap();
            assert_eq!((tool.mode() & 0o777, tool.mtime()), (0o755, 0));
            assert_eq!(fs::metadata(to.join("deep/down")).unwrap().mode() & 0o777, 0o555);
        }
        assert!(copy_tree(&from, &to, false, 6, Progress::silent(), &never).is_err());
        let stopped = AtomicBool::new(true);
        let error = copy_tree(&from, &home.path().join("new"), false, 6, Progress::silent(), &stopped);
        assert_eq!(error.unwrap_err().kind, Kind::Interrupted);
        let mut left: Vec<_> =
            fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["app", "copy"]);
        make_removable(home.path());
    }
}
