//! The prints of the directories that the watch has shared, in `.tinytorrent/watched.toml` of the shared directory: after a
//! restart they tell whether anything in them has changed. A file that is lost costs nothing: a directory without a print
//! counts as unchanged until it changes.

use super::disk::Disk;
use super::{Home, StoreError, atomic, invalid};
use serde::{Deserialize, Serialize};
use shared::name::ResourceName;
use std::io;
use std::path::{Path, PathBuf};

/// The version of the file's format.
const VERSION: u32 = 1;

/// The largest file that is read, in bytes; a larger one is an error. ttd writes 65,536 names of at most 255 bytes, each
/// of which TOML may write as six, with two numbers.
const FILE_BYTES_MAX: u64 = 128 << 20;

/// The name of a directory with the two parts of its print.
pub type WatchedTree = (ResourceName, i64, i64);

#[derive(Serialize, Deserialize)]
struct Toml {
    version: u32,
    tree: Vec<WatchedTree>,
}

impl Home {
    /// The directories that the watch has shared; none if there is no file.
    ///
    /// # Errors
    /// When the file cannot be read, is torn or is of a later version.
    pub fn watched_trees(&self) -> Result<Vec<WatchedTree>, StoreError> {
        read(self.disk(), &self.watched_file())
    }

    /// Writes them down, completely or not at all.
    ///
    /// # Errors
    /// When the disk refuses. What was written before is then still there.
    pub fn keep_watched_trees(&self, trees: Vec<WatchedTree>) -> Result<(), StoreError> {
        write(self.disk(), &self.watched_file(), trees)
    }

    fn watched_file(&self) -> PathBuf {
        self.limits_file().with_file_name("watched.toml")
    }
}

/// Reads the directories; none if there is no file.
fn read(disk: &Disk, path: &Path) -> Result<Vec<WatchedTree>, StoreError> {
    let failed = |source| StoreError { doing: "read", path: path.to_owned(), source };
    match disk.read(path, FILE_BYTES_MAX) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        bytes => bytes.and_then(|bytes| from_bytes(&bytes)).map_err(failed),
    }
}

/// Writes them completely or not at all.
fn write(disk: &Disk, path: &Path, trees: Vec<WatchedTree>) -> Result<(), StoreError> {
    let toml = Toml { version: VERSION, tree: trees };
    let text = toml::to_string(&toml).expect("names and numbers are nothing that TOML cannot say");
    atomic::write(disk, path, &atomic::seal(text.as_bytes()))
}

fn from_bytes(sealed: &[u8]) -> io::Result<Vec<WatchedTree>> {
    atomic::refuse_later(sealed, "version = ", VERSION)?;
    let text = std::str::from_utf8(atomic::unseal(sealed)?).map_err(invalid)?;
    Ok(toml::from_str::<Toml>(text).map_err(invalid)?.tree)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        assert_eq!(home.watched_trees().unwrap(), []);
        let trees = vec![("z".parse().unwrap(), i64::MIN, -1), ("a \"é".parse().unwrap(), i64::MAX, 0)];
        home.keep_watched_trees(trees.clone()).unwrap();
        assert_eq!(home.watched_trees().unwrap(), trees);
        std::fs::write(home.watched_file(), "version = 1\ntree = []\n").unwrap();
        assert!(home.watched_trees().is_err(), "it is torn");
    }
}
