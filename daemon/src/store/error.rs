//! Errors of the disk: what was tried, where, and what the system reported.

use shared::plain::io_error;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An operation on a file that failed: what was tried, where, and why.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} {}: {}", path.display(), io_error(source))]
pub struct StoreError {
    /// What was tried, for the text "cannot … PATH".
    pub doing: &'static str,
    /// The path.
    pub path: PathBuf,
    /// The error of the system.
    pub source: io::Error,
}

impl StoreError {
    /// Whether the disk or the caller's quota is full.
    pub fn is_no_space(&self) -> bool {
        matches!(self.source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }

    /// Whether the bytes that were to be written are right and cannot be what they say: a tree whose headers are not
    /// those of its listing.
    pub fn is_bad_data(&self) -> bool {
        self.source.kind() == io::ErrorKind::InvalidData
    }

    /// Whether a file was written by a later version of ttd. Such a file must not be replaced.
    pub fn is_later_version(&self) -> bool {
        self.source.kind() == io::ErrorKind::Unsupported
    }
}

/// Why there is no room on the disk for a file.
#[derive(Debug, Clone, thiserror::Error)]
#[error("no space on the disk")]
pub enum NoRoom {
    /// There is not enough free space. All numbers are in bytes.
    Short {
        /// Still to be written.
        needed: u64,
        /// Free on the disk.
        free: u64,
        /// The part of it that must stay free (`min_free_space`).
        kept: u64,
        /// The part of it that is reserved for others.
        promised: u64,
    },
    /// The free space is unknown, because the disk reported an error or was not asked yet.
    Unknown(Option<Arc<StoreError>>),
}

/// Adds the operation and the path to an I/O error.
pub(crate) trait At<T> {
    fn at(self, doing: &'static str, path: &Path) -> Result<T, StoreError>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, doing: &'static str, path: &Path) -> Result<T, StoreError> {
        self.map_err(|source| StoreError { doing, path: path.to_owned(), source })
    }
}

impl<T> At<T> for rustix::io::Result<T> {
    fn at(self, doing: &'static str, path: &Path) -> Result<T, StoreError> {
        self.map_err(io::Error::from).at(doing, path)
    }
}

/// An error about the content of a file.
pub(crate) fn invalid(error: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use io::ErrorKind as Io;

    #[test]
    fn what_an_error_means_follows_from_the_system_s_kind() {
        let means = |source: io::Error| {
            let error = StoreError { doing: "write", path: "x".into(), source };
            (error.is_no_space(), error.is_bad_data(), error.is_later_version())
        };
        let cases = [
            (Io::StorageFull.into(), (true, false, false)),
            (Io::QuotaExceeded.into(), (true, false, false)),
            (invalid("it is torn"), (false, true, false)),
            (Io::Unsupported.into(), (false, false, true)),
            (Io::PermissionDenied.into(), (false, false, false)),
        ];
        for (error, meaning) in cases {
            let what = error.to_string();
            assert_eq!(means(error), meaning, "{what}");
        }
    }
}
