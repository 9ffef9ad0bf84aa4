//! A directory that is open, below which paths are followed without ever leaving it: no `..`, no symbolic link. A path
//! of a listing is a stranger's, and the directory may be one that other users write to.

use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags, ResolveFlags, Timespec, Timestamps, UTIME_OMIT};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// How long a path is followed from one directory, in bytes, when directories are made removable. Beyond that it is
/// followed from a directory on the way. The system takes no path of more than 4,096 bytes, and a name has up to 255.
const BELOW_BYTES_MAX: usize = 2_048;

/// An open directory.
#[derive(Debug)]
pub struct Root {
    directory: File,
    path: PathBuf,
}

impl Root {
    /// Opens a directory. A symbolic link is not followed.
    ///
    /// # Errors
    /// When it is missing or something else.
    pub(super) fn open(path: &Path) -> io::Result<Root> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = rustix::fs::open(path, flags, Mode::empty())?;
        Ok(Root { directory: directory.into(), path: path.to_owned() })
    }

    /// The same directory after it was moved to another path.
    ///
    /// # Errors
    /// When there are too many open files.
    pub(super) fn moved_to(&self, path: &Path) -> io::Result<Root> {
        Ok(Root { directory: self.directory.try_clone()?, path: path.to_owned() })
    }

    /// The path where it was opened.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The directory itself.
    pub(super) fn directory(&self) -> &File {
        &self.directory
    }

    /// The path of something below it, for messages.
    pub(super) fn join(&self, below: &str) -> PathBuf {
        if below.is_empty() { self.path.clone() } else { self.path.join(below) }
    }

    /// Opens something below it; the empty path is the directory itself.
    ///
    /// # Errors
    /// When the system refuses, also because the path leads through a symbolic link.
    pub(super) fn open_below(&self, below: impl AsRef<OsStr>, flags: OFlags, mode: Mode) -> io::Result<File> {
        let (below, flags) = (below.as_ref(), flags | OFlags::NOFOLLOW | OFlags::CLOEXEC);
        let path = if below.is_empty() { OsStr::new(".") } else { below };
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match rustix::fs::openat2(&self.directory, path, flags, mode, resolve) {
            // a kernel before 5.6, or a container that does not know the call
            Err(Errno::NOSYS | Errno::PERM) => Ok(self.walk(path, flags, mode)?.into()),
            opened => Ok(opened?.into()),
        }
    }

    /// Opens a regular file below it for reading, without blocking on anything else.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn open_regular(&self, below: &str) -> io::Result<File> {
        let file = self.open_below(below, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty())?;
        match file.metadata()?.is_file() {
            true => Ok(file),
            false => Err(io::Error::other("it is not a regular file")),
        }
    }

    /// Lets the owner of a file below it write to it.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn allow_writing(&self, below: &str) -> io::Result<()> {
        let file = self.open_below(below, OFlags::PATH, Mode::empty())?;
        Ok(add_to_mode(&file, Mode::RUSR | Mode::WUSR)?)
    }

    /// Makes a directory below it that only its owner can access.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn make_folder(&self, below: &str) -> io::Result<()> {
        let (parent, name) = self.parent(below)?;
        Ok(rustix::fs::mkdirat(&parent, name, Mode::RWXU)?)
    }

    /// Makes a symbolic link below it.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn make_link(&self, below: &str, target: &str) -> io::Result<()> {
        let (parent, name) = self.parent(below)?;
        Ok(rustix::fs::symlinkat(target, &parent, name)?)
    }

    /// Removes a file below it.
    ///
    /// # Errors
    /// When there is none, or the system refuses.
    pub(super) fn remove(&self, below: &str) -> io::Result<()> {
        let (parent, name) = self.parent(below)?;
        Ok(rustix::fs::unlinkat(&parent, name, AtFlags::empty())?)
    }

    /// Removes an empty directory below it.
    ///
    /// # Errors
    /// When there is none, something is in it, or the system refuses.
    pub(super) fn remove_folder(&self, below: &str) -> io::Result<()> {
        let (parent, name) = self.parent(below)?;
        Ok(rustix::fs::unlinkat(&parent, name, AtFlags::REMOVEDIR)?)
    }

    /// Lets the owner of the directories that something below it is in change them, as far as the system allows that.
    pub(super) fn let_owner_change(&self, below: &str) {
        let parents = below.match_indices('/').map(|(at, _)| &below[..at]);
        for parent in std::iter::once("").chain(parents) {
            let opened = self.open_below(parent, OFlags::PATH | OFlags::DIRECTORY, Mode::empty());
            let _ = opened.map(|directory| add_to_mode(&directory, Mode::RWXU)); // what is tried next says the error
        }
    }

    /// The target of a symbolic link below it.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn link(&self, below: &str) -> io::Result<Vec<u8>> {
        let (parent, name) = self.parent(below)?;
        Ok(rustix::fs::readlinkat(&parent, name, Vec::new())?.into_bytes())
    }

    /// Sets the modification time of a symbolic link below it, in seconds since 1970.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn set_link_time(&self, below: &str, seconds: i64) -> io::Result<()> {
        let (parent, name) = self.parent(below)?;
        Ok(rustix::fs::utimensat(&parent, name, &modified(seconds), AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// The directory in which something below this one is, and its name there.
    fn parent<'a>(&self, below: &'a str) -> io::Result<(File, &'a str)> {
        let (parent, name) = below.rsplit_once('/').unwrap_or(("", below));
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        Ok((self.open_below(parent, flags, Mode::empty())?, name))
    }

    /// Opens a path one component after the other.
    fn walk(&self, path: &OsStr, flags: OFlags, mode: Mode) -> rustix::io::Result<OwnedFd> {
        let step = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut directory: Option<OwnedFd> = None;
        let mut components = path.as_bytes().split(|byte| *byte == b'/').peekable();
        while let Some(component) = components.next() {
            if component == b".." {
                return Err(Errno::XDEV);
            }
            let here = directory.as_ref().map_or(self.directory.as_fd(), |directory| directory.as_fd());
            if components.peek().is_none() {
                return rustix::fs::openat(here, component, flags, mode);
            }
            directory = Some(rustix::fs::openat(here, component, step, Mode::empty())?);
        }
        Err(Errno::NOENT)
    }
}

/// Sets the modification time of an open file or directory, in seconds since 1970.
pub(super) fn set_time(file: &File, seconds: i64) -> io::Result<()> {
    Ok(rustix::fs::futimens(file, &modified(seconds))?)
}

fn modified(seconds: i64) -> Timestamps {
    Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: seconds, tv_nsec: 0 },
    }
}

/// Exchanges two paths in one step.
///
/// # Errors
/// Of kind [`io::ErrorKind::Unsupported`] if the file system cannot; others if the system refuses.
pub(super) fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => Err(io::ErrorKind::Unsupported.into()),
        exchanged => Ok(exchanged?),
    }
}

/// Removes a directory and everything in it, also directories that their owner may not write to. A symbolic link is
/// removed and never followed, whatever others do in the directory meanwhile. No error if it is missing.
pub(super) fn remove_all(path: &Path) -> io::Result<()> {
    match Root::open(path) {
        Ok(root) => make_removable(&root)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(_) => {} // not a directory
    }
    match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Opens a directory, whatever its owner may do with it. A symbolic link is not followed.
///
/// # Errors
/// When it is missing or something else.
pub(super) fn open_for_changes(path: &Path) -> io::Result<Root> {
    Root::open(path).or_else(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            add_to_mode(&rustix::fs::open(path, flags, Mode::empty())?.into(), Mode::RWXU)?;
            Root::open(path)
        }
        _ => Err(error),
    })
}

/// Lets the owner write to all directories below one, whatever their names are. A stack of paths bounds the open
/// directories to two, and one more for each [`BELOW_BYTES_MAX`] bytes of the longest path.
fn make_removable(root: &Root) -> io::Result<()> {
    let mut left = vec![OsString::new()];
    while let Some(below) = left.pop() {
        let directory = match root.open_below(&below, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()) {
            Ok(directory) => directory,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        add_to_mode(&directory, Mode::RWXU)?;
        if below.len() > BELOW_BYTES_MAX {
            make_removable(&Root { directory, path: root.path.join(below) })?;
            continue;
        }
        let readable = root.open_below(&below, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?;
        for entry in rustix::fs::Dir::read_from(&readable)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name != "." && name != ".." && is_directory(&readable, &entry) {
                let mut path = below.clone();
                path.push(if below.is_empty() { "" } else { "/" });
                path.push(name);
                left.push(path);
            }
        }
    }
    Ok(())
}

/// Adds permissions to something that was opened with `O_PATH`. Such a descriptor cannot be changed itself, and its path
/// may lead elsewhere by now.
fn add_to_mode(opened: &File, more: Mode) -> rustix::io::Result<()> {
    let mode = Mode::from_raw_mode(rustix::fs::fstat(opened)?.st_mode);
    match mode.contains(more) {
        true => Ok(()),
        false => rustix::fs::chmod(format!("/proc/self/fd/{}", opened.as_raw_fd()), mode | more),
    }
}

fn is_directory(parent: &File, entry: &rustix::fs::DirEntry) -> bool {
    use rustix::fs::FileType;
    match entry.file_type() {
        FileType::Unknown => rustix::fs::statat(parent, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW)
            .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_dir()),
        known => known.is_dir(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    /// With openat2, and without it as on older kernels.
    #[test]
    fn no_path_leads_out_of_a_directory() {
        let folder = tempfile::tempdir().unwrap();
        let [top, outside] = ["top", "outside"].map(|name| folder.path().join(name));
        fs::create_dir_all(top.join("a/b")).unwrap();
        fs::create_dir(&outside).unwrap();
        for path in [top.join("a/b/file"), outside.join("file")] {
            fs::write(path, "x").unwrap();
        }
        symlink(&outside, top.join("link")).unwrap();
        symlink("../../outside", top.join("a/up")).unwrap();
        symlink("b", top.join("a/inside")).unwrap();
        symlink("b/file", top.join("a/to file")).unwrap();
        let root = Root::open(&top).unwrap();
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opens = |path: &str| {
            let one = root.open_below(path, OFlags::RDONLY, Mode::empty()).is_ok();
            let other = root.walk(path.as_ref(), flags, Mode::empty()).is_ok();
            assert_eq!(one, other, "{path}");
            one
        };
        assert!(opens("a/b/file") && opens("a/b") && opens("a"));
        let absolute = outside.join("file");
        for path in [
            "link/file",
            "link",
            "a/up/file",
            "a/up",
            "a/inside/file",
            "a/to file",
            "..",
            "../outside/file",
            "a/../../outside/file",
            absolute.to_str().unwrap(),
        ] {
            assert!(!opens(path), "{path}");
        }
        assert!(Root::open(&top.join("link")).is_err());
        for path in ["link/new", "a/up/new", "../outside/new"] {
            root.make_folder(path).unwrap_err();
            root.make_link(path, "x").unwrap_err();
            root.remove(&path.replace("new", "file")).unwrap_err();
            root.set_link_time(&path.replace("new", "file"), 5).unwrap_err();
        }
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    }

    #[test]
    fn what_is_too_deep_for_a_path_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().join("top");
        fs::create_dir(&top).unwrap();
        let mut at = Root::open(&top).unwrap();
        let name = "d".repeat(250);
        for _ in 0..20 {
            at.make_folder(&name).unwrap();
            let opened = at.open_below(&name, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap();
            at = Root { directory: opened, path: PathBuf::new() };
        }
        let deepest = at.directory();
        deepest.set_permissions(fs::Permissions::from_mode(0o500)).unwrap();
        make_removable(&Root::open(&top).unwrap()).unwrap();
        assert_eq!(deepest.metadata().unwrap().mode() & 0o777, 0o700);
        remove_all(&top).unwrap();
        assert!(!top.exists());
    }

    /// As root nothing is in the way of a removal, so the modes are compared.
    #[test]
    fn a_directory_can_be_removed_whatever_its_name_is() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().join("top");
        let latin = top.join(OsStr::from_bytes(b"caf\xe9"));
        let inner = latin.join(OsStr::from_bytes(b"\xff\xfe"));
        fs::create_dir_all(&inner).unwrap();
        fs::write(inner.join("file"), "x").unwrap();
        let forbidden = fs::Permissions::from_mode(0o500);
        for path in [&inner, &latin] {
            fs::set_permissions(path, forbidden.clone()).unwrap();
        }
        make_removable(&Root::open(&top).unwrap()).unwrap();
        for path in [&latin, &inner] {
            assert_eq!(fs::metadata(path).unwrap().mode() & 0o777, 0o700, "{path:?}");
        }
        remove_all(&top).unwrap();
        assert!(!top.exists());
    }
}
