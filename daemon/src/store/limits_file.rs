//! The limits of `ttctl limit --save`, in `.tinytorrent/limits.toml` of the shared directory. ttd may always write
//! there, even if its unit forbids it to write beside its config file.

use super::disk::Disk;
use super::{StoreError, atomic, invalid};
use serde::{Deserialize, Serialize};
use shared::host::config::RateLimit;
use std::io;
use std::path::Path;

/// The version of the file's format.
const VERSION: u32 = 1;

/// The largest file that is read, in bytes; a larger one is an error. ttd writes 150 at most.
const FILE_BYTES_MAX: u64 = 4096;

/// The saved limits; `None` in a direction where the configuration counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SavedLimits {
    /// How fast chunks may arrive.
    pub download: Option<RateLimit>,
    /// How fast chunks may be sent.
    pub upload: Option<RateLimit>,
}

#[derive(Serialize, Deserialize)]
struct Toml {
    version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    download_limit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upload_limit: Option<String>,
}

impl SavedLimits {
    /// Whether nothing is saved.
    pub fn is_empty(&self) -> bool {
        *self == SavedLimits::default()
    }

    fn to_bytes(self) -> Vec<u8> {
        let text = |limit: Option<RateLimit>| limit.map(|limit| limit.to_string());
        let toml =
            Toml { version: VERSION, download_limit: text(self.download), upload_limit: text(self.upload) };
        atomic::seal(toml::to_string(&toml).expect("limits have nothing that TOML cannot say").as_bytes())
    }

    fn from_bytes(sealed: &[u8]) -> io::Result<SavedLimits> {
        atomic::refuse_later(sealed, "version = ", VERSION)?;
        let text = std::str::from_utf8(atomic::unseal(sealed)?).map_err(invalid)?;
        let toml: Toml = toml::from_str(text).map_err(invalid)?;
        let limit = |text: Option<String>| text.map(|text| text.parse().map_err(invalid)).transpose();
        Ok(SavedLimits { download: limit(toml.download_limit)?, upload: limit(toml.upload_limit)? })
    }
}

/// Reads the saved limits; none if there is no file.
pub(super) fn read(disk: &Disk, path: &Path) -> Result<SavedLimits, StoreError> {
    let failed = |source| StoreError { doing: "read", path: path.to_owned(), source };
    match disk.read(path, FILE_BYTES_MAX) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(SavedLimits::default()),
        bytes => bytes.and_then(|bytes| SavedLimits::from_bytes(&bytes)).map_err(failed),
    }
}

/// Writes the limits completely or not at all. Without limits the file is removed. A file of a later version stays as it
/// is, and that is an error.
pub(super) fn write(disk: &Disk, path: &Path, saved: SavedLimits) -> Result<(), StoreError> {
    if let Err(error) = read(disk, path)
        && error.source.kind() == io::ErrorKind::Unsupported
    {
        return Err(error);
    }
    match saved.is_empty() {
        true => disk.remove(path),
        false => atomic::write(disk, path, &saved.to_bytes()),
    }?;
    disk.sync_folder(path.parent().unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_back_as_they_were() {
        for text in ["none", "0", "20 MB/s", "100 Mbit/s", "1234567 B/s", "3 KiB/s"] {
            let limit: RateLimit = text.parse().unwrap();
            for saved in [
                SavedLimits { download: Some(limit), upload: None },
                SavedLimits { download: None, upload: Some(limit) },
            ] {
                assert_eq!(SavedLimits::from_bytes(&saved.to_bytes()).unwrap(), saved, "{text}");
            }
        }
    }

    #[test]
    fn limits_are_saved_until_there_are_none() {
        let folder = tempfile::tempdir().unwrap();
        let (disk, path) = (Disk::system(), folder.path().join("limits.toml"));
        assert_eq!(read(&disk, &path).unwrap(), SavedLimits::default(), "there is no file");
        let saved = SavedLimits { download: None, upload: Some(RateLimit::Pause) };
        write(&disk, &path, saved).unwrap();
        assert_eq!(read(&disk, &path).unwrap(), saved);
        write(&disk, &path, SavedLimits::default()).unwrap();
        assert!(!path.exists());
    }

    /// Nobody would know that the limits do not hold.
    #[test]
    fn a_file_that_cannot_be_read_is_not_taken_for_none() {
        let folder = tempfile::tempdir().unwrap();
        let error = read(&Disk::system(), folder.path()).unwrap_err();
        assert!(error.to_string().contains("cannot read"), "{error}");
    }

    #[test]
    fn a_file_of_a_later_version_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (disk, path) = (Disk::system(), folder.path().join("limits.toml"));
        std::fs::write(&path, "version = 2\nand more").unwrap();
        assert!(write(&disk, &path, SavedLimits::default()).unwrap_err().is_later_version());
        assert!(path.exists());
    }

    #[test]
    fn a_file_that_was_torn_or_edited_or_is_of_a_later_version_is_refused() {
        let saved = SavedLimits { download: Some(RateLimit::Pause), upload: None };
        let bytes = saved.to_bytes();
        assert!(SavedLimits::from_bytes(&bytes[..bytes.len() - 3]).is_err());
        let edited = String::from_utf8(bytes).unwrap().replace("\"0\"", "\"none\"");
        assert!(SavedLimits::from_bytes(edited.as_bytes()).is_err());
        let later = SavedLimits::from_bytes(b"version = 2\nand more").unwrap_err();
        assert_eq!(later.kind(), io::ErrorKind::Unsupported);
    }
}
