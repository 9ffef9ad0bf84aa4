//! What went wrong on the disk: what was tried, where, and what the system said.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An operation on a file that failed: what was tried, where, and why.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} {}: {source}", path.display())]
pub struct StoreError {
    /// What was tried, as in "cannot … PATH".
    pub doing: &'static str,
    /// Where.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

impl StoreError {
    /// Whether the disk (or the caller's quota) is full.
    pub fn is_no_space(&self) -> bool {
        matches!(self.source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }

    /// Whether a file was written by a later version of ttd. Nothing may be put in its place.
    pub fn is_later_version(&self) -> bool {
        self.source.kind() == io::ErrorKind::Unsupported
    }
}

/// Why what is to be written finds no room on the disk.
#[derive(Debug, Clone, thiserror::Error)]
#[error("there is no room on the disk")]
pub enum NoRoom {
    /// There is not enough; all in bytes.
    Short {
        /// What is still to be written.
        needed: u64,
        /// What is free.
        free: u64,
        /// What of that is kept free (`min_free_space`).
        kept: u64,
        /// What of that is promised to others.
        promised: u64,
    },
    /// Nobody knows how much is free: the disk does not say, or was not asked yet.
    Unknown(Option<Arc<StoreError>>),
}

/// Names what was being done to which path when an I/O error happened.
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

/// The content of a file is not what it should be.
pub(crate) fn invalid(error: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}
