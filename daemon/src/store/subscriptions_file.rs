//! The versions that subscriptions fetched, in `.tinytorrent/subscriptions.toml` of the shared directory.

use super::disk::Disk;
use super::{Home, StoreError, atomic, invalid};
use serde::{Deserialize, Serialize};
use shared::id::SwarmKey;
use shared::name::ResourceName;
use std::io;
use std::path::{Path, PathBuf};

/// The version of the file's format.
const VERSION: u32 = 1;

/// The largest file that is read, in bytes; a larger one is an error. ttd writes 16,384 names of at most 255 bytes, each with
/// at most five versions.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// A version of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Its resource and its list of chunk hashes.
    pub key: SwarmKey,
    /// When it was published, in milliseconds since 1970 by the clock of the tracker that said so; 0 if unknown.
    pub shared_at_ms: u64,
}

/// The versions of one name that were fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// The name.
    pub name: ResourceName,
    /// The last one.
    pub newest: Version,
    /// Those before, the latest first.
    pub former: Vec<Version>,
}

#[derive(Serialize, Deserialize)]
struct Toml {
    version: u32,
    /// In the order in which they were fetched.
    #[serde(default)]
    fetched: Vec<Taken>,
}

impl Home {
    /// The versions that subscriptions fetched, in the order in which they did.
    ///
    /// # Errors
    /// When the file cannot be read, is torn or is of a later version.
    pub fn fetched_versions(&self) -> Result<Vec<Taken>, StoreError> {
        read(self.disk(), &self.subscriptions_file())
    }

    /// Writes that down, completely or not at all.
    ///
    /// # Errors
    /// When the disk refuses. What was written before is then still there.
    pub fn keep_fetched_versions(&self, fetched: Vec<Taken>) -> Result<(), StoreError> {
        write(self.disk(), &self.subscriptions_file(), fetched)
    }

    fn subscriptions_file(&self) -> PathBuf {
        self.limits_file().with_file_name("subscriptions.toml")
    }
}

fn read(disk: &Disk, path: &Path) -> Result<Vec<Taken>, StoreError> {
    let failed = |source| StoreError { doing: "read", path: path.to_owned(), source };
    match disk.read(path, FILE_BYTES_MAX) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        bytes => bytes.and_then(|bytes| from_bytes(&bytes)).map_err(failed),
    }
}

fn write(disk: &Disk, path: &Path, fetched: Vec<Taken>) -> Result<(), StoreError> {
    let toml = Toml { version: VERSION, fetched };
    let text = toml::to_string(&toml).expect("names, ids and dates are nothing that TOML cannot say");
    atomic::write(disk, path, &atomic::seal(text.as_bytes()))
}

fn from_bytes(sealed: &[u8]) -> io::Result<Vec<Taken>> {
    atomic::refuse_later(sealed, "version = ", VERSION)?;
    let text = std::str::from_utf8(atomic::unseal(sealed)?).map_err(invalid)?;
    Ok(toml::from_str::<Toml>(text).map_err(invalid)?.fetched)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::id::{ListDigest, ResourceId};

    fn version(number: u8) -> Version {
        let key = SwarmKey { resource: ResourceId([number; 32]), digest: ListDigest([number; 32]) };
        Version { key, shared_at_ms: number.into() }
    }

    #[test]
    fn what_was_fetched_is_read_back_in_its_order() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        assert_eq!(home.fetched_versions().unwrap(), []);
        home.keep_fetched_versions(Vec::new()).unwrap();
        assert_eq!(home.fetched_versions().unwrap(), []);
        let taken = |name: &str, newest, former: Vec<Version>| Taken {
            name: name.parse().unwrap(),
            newest: version(newest),
            former,
        };
        let fetched = vec![taken("z", 9, vec![version(1), version(0)]), taken("a \"é", 2, Vec::new())];
        home.keep_fetched_versions(fetched.clone()).unwrap();
        assert_eq!(home.fetched_versions().unwrap(), fetched);
        let path = folder.path().join(".tinytorrent/subscriptions.toml");
        std::fs::write(path, "version = 1\nfetched = []\n").unwrap();
        assert!(home.fetched_versions().is_err(), "it is torn");
    }
}
