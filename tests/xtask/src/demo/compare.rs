//! Compares two directories: names, kinds, modes, times in seconds, contents and the targets of links.

use crate::interrupt;
use cluster::files::sha256_file;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What is in a directory, by path below it. The directory itself has the empty path.
pub(crate) type Content = BTreeMap<PathBuf, Entry>;

/// A file, directory or link.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    mode: u32,
    /// When it was modified, in seconds since 1970.
    time: i64,
    what: What,
}

#[derive(Debug, PartialEq, Eq)]
enum What {
    Directory,
    /// A file of this SHA-256.
    File(String),
    /// A link with this target.
    Link(PathBuf),
}

/// Reads everything in a directory.
pub(crate) fn content(directory: &Path) -> Result<Content, String> {
    let (mut content, mut left) = (Content::new(), vec![PathBuf::new()]);
    while let Some(below) = left.pop() {
        let path = if below.as_os_str().is_empty() { directory.to_owned() } else { directory.join(&below) };
        let read = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
        let metadata = path.symlink_metadata().map_err(read)?;
        let what = if metadata.is_dir() {
            for entry in fs::read_dir(&path).map_err(read)? {
                left.push(below.join(entry.map_err(read)?.file_name()));
            }
            What::Directory
        } else if metadata.is_symlink() {
            What::Link(fs::read_link(&path).map_err(read)?)
        } else if metadata.is_file() {
            What::File(sha256_file(&path).map_err(read)?)
        } else {
            // Reading a FIFO would wait for somebody who writes to it.
            return Err(format!("{} is not a file, a directory or a link", path.display()));
        };
        interrupt::check()?;
        content.insert(below, Entry { mode: metadata.mode() & 0o777, time: metadata.mtime(), what });
    }
    Ok(content)
}

/// An error if a directory has something else than this, or something more.
pub(crate) fn must_have(directory: &Path, wanted: &Content) -> Result<(), String> {
    let found = content(directory)?;
    for (path, entry) in wanted {
        let shown = directory.join(path);
        match found.get(path) {
            None => return Err(format!("{} is missing", shown.display())),
            Some(found) if found != entry => {
                return Err(format!("{} is {found:?} instead of {entry:?}", shown.display()));
            }
            Some(_) => {}
        }
    }
    match found.keys().find(|path| !wanted.contains_key(*path)) {
        Some(path) => Err(format!("{} should not be there", directory.join(path).display())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    #[test]
    fn a_fifo_is_named_and_not_read() {
        let home = tempfile::tempdir().expect("a directory");
        let fifo = home.path().join("fifo");
        mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR, 0).expect("a FIFO");
        let why = content(home.path()).expect_err("it is refused");
        assert!(why.starts_with(&fifo.display().to_string()), "{why}");
    }

    #[test]
    fn every_difference_is_noticed() {
        let home = tempfile::tempdir().expect("a directory");
        let at = |name: &str| home.path().join(name);
        let make = |name: &str| {
            fs::create_dir_all(at(name).join("sub")).expect("a directory");
            fs::write(at(name).join("sub/file"), "content").expect("a file");
            std::os::unix::fs::symlink("sub", at(name).join("link")).expect("a link");
            // The times of directories are set last.
            for path in ["sub/file", "sub", ""] {
                let file = fs::File::open(at(name).join(path)).expect("it is there");
                file.set_modified(std::time::UNIX_EPOCH).expect("a time");
            }
        };
        make("one");
        let wanted = content(&at("one")).expect("it is read");
        let without_link = |content: Content| -> Content {
            content.into_iter().filter(|(path, _)| path != Path::new("link")).collect()
        };
        let wanted = without_link(wanted); // its time cannot be set by std
        let differs = |change: &dyn Fn(&Path)| {
            make("two");
            fs::remove_file(at("two").join("link")).expect("the link is there");
            fs::File::open(at("two"))
                .and_then(|top| top.set_modified(std::time::UNIX_EPOCH))
                .expect("a time");
            change(&at("two"));
            let found = must_have(&at("two"), &wanted);
            fs::remove_dir_all(at("two")).expect("it is there");
            found.is_err()
        };
        assert!(!differs(&|_| ()));
        assert!(differs(&|two| fs::write(two.join("sub/file"), "CONTENT").expect("written")));
        assert!(differs(&|two| fs::write(two.join("sub/more"), "").expect("written")));
        assert!(differs(&|two| fs::remove_file(two.join("sub/file")).expect("removed")));
        assert!(differs(&|two| {
            fs::File::open(two.join("sub/file"))
                .and_then(|file| file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1)))
                .expect("a time");
        }));
    }
}
