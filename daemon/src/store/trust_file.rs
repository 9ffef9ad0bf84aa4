//! The times of the signatures that were accepted, in `.tinytorrent/signatures.toml` of the shared directory.

use super::disk::Disk;
use super::{Home, StoreError, atomic, invalid};
use serde::{Deserialize, Serialize};
use shared::name::ResourceName;
use std::io;
use std::path::{Path, PathBuf};

/// The version of the file's format.
const VERSION: u32 = 1;

/// The largest file that is read, in bytes; a larger one is an error. ttd writes 16,384 names of at most 255 bytes, each
/// of which TOML may write as six.
const FILE_BYTES_MAX: u64 = 32 << 20;

#[derive(Serialize, Deserialize)]
struct Toml {
    version: u32,
    /// In the order in which they were accepted.
    accepted: Vec<(ResourceName, u64)>,
}

impl Home {
    /// When the newest accepted signature of each name was made, in the order in which they were accepted.
    ///
    /// # Errors
    /// When the file cannot be read, is torn or is of a later version.
    pub fn accepted_signatures(&self) -> Result<Vec<(ResourceName, u64)>, StoreError> {
        read(self.disk(), &self.signatures_file())
    }

    /// Writes that down, completely or not at all.
    ///
    /// # Errors
    /// When the disk refuses. What was written before is then still there.
    pub fn keep_accepted_signatures(&self, accepted: &[(ResourceName, u64)]) -> Result<(), StoreError> {
        write(self.disk(), &self.signatures_file(), accepted)
    }

    fn signatures_file(&self) -> PathBuf {
        self.limits_file().with_file_name("signatures.toml")
    }
}

/// Reads the names with their times; none if there is no file.
fn read(disk: &Disk, path: &Path) -> Result<Vec<(ResourceName, u64)>, StoreError> {
    let failed = |source| StoreError { doing: "read", path: path.to_owned(), source };
    match disk.read(path, FILE_BYTES_MAX) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        bytes => bytes.and_then(|bytes| from_bytes(&bytes)).map_err(failed),
    }
}

/// Writes them completely or not at all.
fn write(disk: &Disk, path: &Path, accepted: &[(ResourceName, u64)]) -> Result<(), StoreError> {
    let toml = Toml { version: VERSION, accepted: accepted.to_vec() };
    let text = toml::to_string(&toml).expect("names and numbers are nothing that TOML cannot say");
    atomic::write(disk, path, &atomic::seal(text.as_bytes()))
}

fn from_bytes(sealed: &[u8]) -> io::Result<Vec<(ResourceName, u64)>> {
    atomic::refuse_later(sealed, "version = ", VERSION)?;
    let text = std::str::from_utf8(atomic::unseal(sealed)?).map_err(invalid)?;
    Ok(toml::from_str::<Toml>(text).map_err(invalid)?.accepted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_accepted_is_read_back_in_its_order() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        assert_eq!(home.accepted_signatures().unwrap(), []);
        let accepted = [("z".parse().unwrap(), 5), ("a \"é".parse().unwrap(), i64::MAX as u64)];
        home.keep_accepted_signatures(&accepted).unwrap();
        assert_eq!(home.accepted_signatures().unwrap(), accepted);
        let path = folder.path().join(".tinytorrent/signatures.toml");
        std::fs::write(path, "version = 1\naccepted = []\n").unwrap();
        assert!(home.accepted_signatures().is_err(), "it is torn");
    }
}
