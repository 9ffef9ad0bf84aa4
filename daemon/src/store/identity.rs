//! Recognizes, without reading it, whether a file is still the one that was hashed.

use super::{At, StoreError};
use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// The metadata that changes when a file is replaced, edited or truncated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileIdentity {
    device: u64,
    inode: u64,
    /// The file's size in bytes.
    pub bytes: u64,
    modified_s: i64,
    modified_ns: i64,
}

impl FileIdentity {
    /// A fixed identity that is the same on every machine.
    #[cfg(test)]
    pub(super) const FOR_A_FIXTURE: FileIdentity =
        FileIdentity { device: 1, inode: 2, bytes: (2 << 20) + 5, modified_s: 1_700_000_000, modified_ns: 5 };

    /// The identity of an open file.
    ///
    /// # Errors
    /// When its metadata cannot be read.
    pub fn of(file: &File) -> io::Result<FileIdentity> {
        file.metadata().map(|metadata| FileIdentity::of_metadata(&metadata))
    }

    /// The identity of the file at a path. A symbolic link is not followed, so it never matches a file.
    ///
    /// # Errors
    /// When nothing is there.
    pub fn at(path: &Path) -> io::Result<FileIdentity> {
        std::fs::symlink_metadata(path).map(|metadata| FileIdentity::of_metadata(&metadata))
    }

    /// The same identity without an inode, which matches no file: the file must be checked before it is trusted.
    #[must_use]
    pub fn unsure(self) -> FileIdentity {
        FileIdentity { inode: 0, ..self }
    }

    /// Like [`unsure`](FileIdentity::unsure), for a file that was never examined.
    pub fn unknown() -> FileIdentity {
        FileIdentity { device: 0, inode: 0, bytes: 0, modified_s: 0, modified_ns: 0 }
    }

    /// Whether it is [`unsure`](FileIdentity::unsure).
    pub fn is_unsure(&self) -> bool {
        self.inode == 0
    }

    /// The identity of the file that has this metadata.
    pub fn of_metadata(metadata: &Metadata) -> FileIdentity {
        FileIdentity {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.size(),
            modified_s: metadata.mtime(),
            modified_ns: metadata.mtime_nsec(),
        }
    }

    /// The identity of a tree as a whole: its top directory, whatever is in it, and the size of the resource.
    pub(super) fn of_tree(top: &Metadata, bytes: u64) -> FileIdentity {
        FileIdentity { device: top.dev(), inode: top.ino(), bytes, modified_s: 0, modified_ns: 0 }
    }

    /// The identity of the directory at a path, whatever is in it: its inode and when it was made, since a file system
    /// gives the inode of a removed directory to the next one. Where nobody knows when it was made, it is when something
    /// was last added to it or taken from it: too many count as other directories then, and none too few. `None` if no
    /// directory is there.
    pub fn of_directory_at(path: &Path) -> Option<FileIdentity> {
        let metadata = std::fs::symlink_metadata(path).ok().filter(Metadata::is_dir)?;
        Some(FileIdentity::of_directory(&metadata, metadata.created().ok()))
    }

    fn of_directory(metadata: &Metadata, made: Option<SystemTime>) -> FileIdentity {
        let identity = FileIdentity::of_tree(metadata, 0);
        let Some(made) =
            made.and_then(|made| made.duration_since(UNIX_EPOCH).ok()).filter(|made| !made.is_zero())
        else {
            // A file system that does not know it may report 1970, and no directory was made then.
            let (modified_s, modified_ns) = (metadata.mtime(), metadata.mtime_nsec());
            return FileIdentity { modified_s, modified_ns, ..identity };
        };
        let (modified_s, modified_ns) = (made.as_secs().cast_signed(), made.subsec_nanos().into());
        FileIdentity { modified_s, modified_ns, ..identity }
    }

    /// The inode, and the time of the last change in seconds and nanoseconds.
    pub fn parts(&self) -> (u64, i64, u32) {
        (self.inode, self.modified_s, self.modified_ns as u32)
    }

    /// An identity of these parts. The device is not compared, and left out.
    pub fn of_parts(inode: u64, bytes: u64, modified_s: i64, modified_ns: u32) -> FileIdentity {
        FileIdentity { device: 0, inode, bytes, modified_s, modified_ns: modified_ns.into() }
    }

    /// Whether both are the same file with the same content. The device is not compared, since its number may change at
    /// a reboot.
    pub fn is_same(&self, other: &FileIdentity) -> bool {
        (self.inode, self.bytes, self.modified_s, self.modified_ns)
            == (other.inode, other.bytes, other.modified_s, other.modified_ns)
    }
}

/// Opens a regular file for reading. Symbolic links, and files that block or have effects when opened, are refused.
///
/// # Errors
/// When there is none, or it is something else (a directory, a FIFO, a device).
pub fn open_regular(path: &Path) -> Result<File, StoreError> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| match error {
        rustix::io::Errno::LOOP => io::Error::other("it is a symbolic link, not a regular file"),
        error => error.into(),
    });
    let file = File::from(file.at("open", path)?);
    let is_file = file.metadata().at("access", path)?.is_file();
    if is_file { Ok(file) } else { Err(io::Error::other("it is not a regular file")).at("open", path) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_change_is_seen_and_a_second_link_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, b"one").unwrap();
        let identity = FileIdentity::of(&open_regular(&path).unwrap()).unwrap();
        fs::hard_link(&path, folder.path().join("link")).unwrap();
        assert!(identity.is_same(&FileIdentity::at(&path).unwrap()));
        fs::write(folder.path().join("new"), b"two").unwrap();
        fs::rename(folder.path().join("new"), &path).unwrap();
        assert!(!identity.is_same(&FileIdentity::at(&path).unwrap()));
    }

    #[test]
    fn a_directory_is_the_same_whatever_is_in_it_and_another_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        if folder.path().metadata().unwrap().created().is_err() {
            let place = folder.path().display();
            return cluster::skip::skipped(&format!("the file system of {place} tells no time of birth"));
        }
        let (path, other) = (folder.path().join("app"), folder.path().join("other"));
        assert!(FileIdentity::of_directory_at(&path).is_none());
        fs::create_dir(&path).unwrap();
        let identity = FileIdentity::of_directory_at(&path).unwrap();
        fs::write(path.join("file"), "x").unwrap();
        fs::rename(&path, &other).unwrap();
        assert!(identity.is_same(&FileIdentity::of_directory_at(&other).unwrap()));
        fs::remove_dir_all(&other).unwrap();
        fs::create_dir(&path).unwrap(); // it may get the same inode
        assert!(!identity.is_same(&FileIdentity::of_directory_at(&path).unwrap()));
        fs::remove_dir(&path).unwrap();
        fs::write(&path, "a file").unwrap();
        assert!(FileIdentity::of_directory_at(&path).is_none());
    }

    #[test]
    fn without_a_time_of_birth_a_directory_is_another_one_when_its_entries_changed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, moved) = (folder.path().join("app"), folder.path().join("moved"));
        let of = |path: &Path, made| FileIdentity::of_directory(&path.metadata().unwrap(), made);
        for made in [None, Some(UNIX_EPOCH)] {
            fs::create_dir(&path).unwrap();
            let time = |seconds| UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            fs::File::open(&path).unwrap().set_modified(time(1000)).unwrap();
            let identity = of(&path, made);
            // Neither a move nor another mode makes it another one: publishing does both.
            fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
            fs::rename(&path, &moved).unwrap();
            assert!(identity.is_same(&of(&moved, made)));
            fs::File::open(&moved).unwrap().set_modified(time(1001)).unwrap(); // as one with the same inode has
            assert!(!identity.is_same(&of(&moved, made)));
            fs::remove_dir(&moved).unwrap();
        }
    }

    #[test]
    fn only_regular_files_are_opened() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/etc/passwd", &link).unwrap();
        assert!(
            open_regular(&link)
                .unwrap_err()
                .to_string()
                .ends_with("it is a symbolic link, not a regular file")
        );
        assert!(open_regular(folder.path()).is_err());
        assert!(open_regular(Path::new("/dev/null")).is_err());
    }
}
