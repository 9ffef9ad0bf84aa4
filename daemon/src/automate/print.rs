//! The print of a directory: a number that is another one when anything in it has changed, without reading a file. Blocks.

use super::seen::Print;
use sha2::{Digest, Sha256};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Limits the entries of a directory that is watched. A larger one is not shared by itself.
pub(super) const ENTRIES_MAX: usize = 1_000_000;

/// Why a directory has no print.
#[derive(Debug)]
pub(super) enum NoPrint {
    /// It has more than [`ENTRIES_MAX`] entries.
    TooLarge,
    /// It cannot be read.
    Unreadable,
}

impl From<io::Error> for NoPrint {
    fn from(error: io::Error) -> NoPrint {
        tracing::debug!(%error, "a directory of the watched directory cannot be read");
        NoPrint::Unreadable
    }
}

/// The print of a directory with these metadata and everything in it, in whatever order the system lists it. Symbolic
/// links are not followed.
///
/// # Errors
/// When it has too many entries or cannot be read.
pub(super) fn print(top: &Path, metadata: &Metadata) -> Result<Print, NoPrint> {
    let mut print = Print::default();
    let mut entries = 0;
    add(&mut print, top.as_os_str().as_bytes(), metadata);
    let mut left: Vec<PathBuf> = vec![top.to_owned()];
    while let Some(directory) = left.pop() {
        let listed = match fs::read_dir(&directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue, // its parent has changed
            listed => listed?,
        };
        for entry in listed {
            let entry = entry?;
            entries += 1;
            if entries > ENTRIES_MAX {
                return Err(NoPrint::TooLarge);
            }
            let metadata = match entry.metadata() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                metadata => metadata?,
            };
            let path = entry.path();
            add(&mut print, path.as_os_str().as_bytes(), &metadata);
            if metadata.is_dir() {
                left.push(path);
            }
        }
    }
    Ok(print)
}

/// Adds an entry. The sum does not depend on the order.
fn add(print: &mut Print, path: &[u8], metadata: &Metadata) {
    let mut hasher = Sha256::new();
    hasher.update(metadata.mode().to_le_bytes());
    for number in [metadata.ino(), metadata.size(), metadata.uid().into(), metadata.gid().into()] {
        hasher.update(number.to_le_bytes());
    }
    for number in [metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec()] {
        hasher.update(number.to_le_bytes());
    }
    hasher.update(path);
    let hash = hasher.finalize();
    let half = |at: usize| i64::from_le_bytes(hash[at..at + 8].try_into().expect("eight of 32 bytes"));
    print.0 = print.0.wrapping_add(half(0));
    print.1 = print.1.wrapping_add(half(8));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_changes_below_a_directory_it_has_another_print() {
        let root = tempfile::tempdir().unwrap();
        let top = root.path().join("app");
        fs::create_dir_all(top.join("a/b")).unwrap();
        fs::write(top.join("a/b/file"), "one").unwrap();
        let now = || print(&top, &fs::symlink_metadata(&top).unwrap()).unwrap();
        let mut before = now();
        assert_eq!(now(), before);
        let changes: [(&str, &dyn Fn()); 6] = [
            ("a file is added", &|| fs::write(top.join("a/new"), "").unwrap()),
            ("a file is written again", &|| fs::write(top.join("a/b/file"), "three").unwrap()),
            ("a file gets another mode", &|| {
                fs::set_permissions(top.join("a/new"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
                    .unwrap();
            }),
            ("a file is renamed", &|| fs::rename(top.join("a/new"), top.join("a/newer")).unwrap()),
            ("a link is made", &|| std::os::unix::fs::symlink("b", top.join("a/link")).unwrap()),
            ("a file is removed", &|| fs::remove_file(top.join("a/newer")).unwrap()),
        ];
        for (what, change) in changes {
            change();
            assert_ne!(now(), before, "{what}");
            before = now();
            assert_eq!(now(), before);
        }
    }
}
