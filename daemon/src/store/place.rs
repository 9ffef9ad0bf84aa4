//! What is in the shared directory under a name at this moment, found without reading any file.

use super::{FileIdentity, Home};
use shared::name::ResourceName;
use std::fs::{FileType, Metadata};
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

/// What is at one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lying {
    /// Nothing.
    Nothing,
    /// A regular file, or a directory where a tree is expected.
    File(FileIdentity),
    /// Something else, described for users ("a directory").
    Other(&'static str),
    /// The disk reported an error.
    Unknown,
}

/// What is under a name, and under the name of its manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameState {
    /// What is at the resource's path.
    pub file: Lying,
    /// What is at its manifest's path.
    pub manifest: Lying,
    /// Whether a directory is at the path that the resource would have as a tree, and the resource that has the name is
    /// none.
    pub is_beside_directory: bool,
    /// The directory at that path, whether the resource that has the name is one or not.
    pub directory: Option<FileIdentity>,
}

impl NameState {
    /// Not examined yet, or the directory itself is missing.
    pub const UNKNOWN: NameState = NameState {
        file: Lying::Unknown,
        manifest: Lying::Unknown,
        is_beside_directory: false,
        directory: None,
    };

    /// A directory that nobody knows, without a manifest.
    pub const UNKNOWN_DIRECTORY: NameState = NameState {
        file: Lying::Nothing,
        manifest: Lying::Nothing,
        is_beside_directory: true,
        directory: None,
    };

    /// A file without a manifest.
    pub fn of_file(identity: FileIdentity) -> NameState {
        NameState {
            file: Lying::File(identity),
            manifest: Lying::Nothing,
            is_beside_directory: false,
            directory: None,
        }
    }

    /// Whether a directory that may be the resource lies there, and no file.
    pub fn is_directory(&self) -> bool {
        self.is_beside_directory && self.file == Lying::Nothing
    }

    /// Examines the paths. Blocks as long as the disk does.
    /// `tree` is the size of the resource that has the name, in bytes, if it is a tree.
    pub fn look(home: &Home, name: &ResourceName, tree: Option<u64>) -> NameState {
        let file = match tree.and_then(|bytes| Some((home.tree(name)?, bytes))) {
            Some((path, bytes)) => Lying::tree_at(&path, bytes),
            None => Lying::at(&home.file(name)),
        };
        let directory = home.tree(name).and_then(|path| FileIdentity::of_directory_at(&path));
        let is_beside_directory = tree.is_none() && directory.is_some();
        NameState { file, manifest: Lying::at(&home.manifest_file(name)), is_beside_directory, directory }
    }
}

impl Lying {
    /// Examines a path. A symbolic link is not followed.
    pub fn at(path: &Path) -> Lying {
        match std::fs::symlink_metadata(path) {
            Ok(metadata) => Lying::of(&metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Lying::Nothing,
            Err(_) => Lying::Unknown,
        }
    }

    /// Examines the path of a tree. A directory counts as the file that the resource is.
    pub fn tree_at(path: &Path, bytes: u64) -> Lying {
        match std::fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_dir() => Lying::File(FileIdentity::of_tree(&metadata, bytes)),
            Ok(metadata) if metadata.is_file() => Lying::Other("a file"),
            Ok(metadata) => Lying::Other(kind_of(metadata.file_type())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Lying::Nothing,
            Err(_) => Lying::Unknown,
        }
    }

    fn of(metadata: &Metadata) -> Lying {
        match metadata.is_file() {
            true => Lying::File(FileIdentity::of_metadata(metadata)),
            false => Lying::Other(kind_of(metadata.file_type())),
        }
    }

    /// Whether it is the file that was hashed.
    pub fn is(&self, identity: &FileIdentity) -> bool {
        matches!(self, Lying::File(now) if identity.is_same(now))
    }

    /// Whether something is there that is certainly not the file that was hashed.
    pub fn is_other_than(&self, identity: &FileIdentity) -> bool {
        matches!(self, Lying::File(_) | Lying::Other(_)) && !self.is(identity)
    }
}

fn kind_of(file_type: FileType) -> &'static str {
    match file_type {
        it if it.is_dir() => "a directory",
        it if it.is_symlink() => "a symbolic link",
        it if it.is_fifo() => "a FIFO",
        it if it.is_socket() => "a socket",
        it if it.is_block_device() || it.is_char_device() => "a device",
        _ => "not a regular file",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_is_no_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        assert_eq!(Lying::at(&path), Lying::Nothing);
        fs::write(&path, b"one").unwrap();
        let identity = FileIdentity::at(&path).unwrap();
        assert!(Lying::at(&path).is(&identity) && !Lying::at(&path).is_other_than(&identity));
        fs::write(&path, b"more").unwrap();
        assert!(Lying::at(&path).is_other_than(&identity));
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
        assert_eq!(Lying::at(&path), Lying::Other("a symbolic link"));
        assert_eq!(Lying::at(folder.path()), Lying::Other("a directory"));
        assert_eq!(Lying::at(Path::new("/dev/null")), Lying::Other("a device"));
        assert!(Lying::at(folder.path()).is_other_than(&identity));
        assert!(!Lying::Unknown.is_other_than(&identity) && !Lying::Nothing.is_other_than(&identity));
    }
}
