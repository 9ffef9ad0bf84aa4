//! The shared folder: everything that ttd reads and writes on disk. All calls block; the driver makes them off
//! the async workers.
//!
//! ```text
//! NAME                                a finished resource
//! NAME.tinytorrent                    its manifest
//! .tinytorrent/lock                   one daemon per folder
//! .tinytorrent/folder                 the folder's own id: an empty mount point has none
//! .tinytorrent/imports/N.part         files that ttctl is sending
//! .tinytorrent/resources/KEY/         one folder per swarm:
//!     state.toml                        what must survive a restart
//!     manifest                          our own copy
//!     have                              the have map, never ahead of the data
//!     data.part                         the chunks, until the resource is published
//! ```
//!
//! Each of our small files is written by rename, begins with its version and ends with its checksum. They are there
//! to save work: what is torn, empty or missing is made anew from the data, never the other way round. A file of a
//! later version is left as it is.
//!
//! The order of a download: the folder of its swarm appears whole; chunks are written; their data is synced; the
//! have map that claims them is written; the whole is synced, gets its manifest and, in one step, its name; the
//! record notes that; what only the download needed goes.

mod atomic;
mod disk;
#[cfg(test)]
pub mod faulty;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod group;
mod have_file;
mod home;
mod identity;
mod import;
mod own_file;
mod part;
mod place;
mod publish;
mod read;
mod record;
mod reuse;
mod slot;
mod strays;

#[cfg_attr(
    not(any(test, feature = "fuzz")),
    expect(unused_imports, reason = "tests put another one in its place")
)]
pub use disk::Disk;
#[cfg(test)]
pub use disk::{Medium, Open, Step, System};
pub use home::{Home, NotHere};
pub use identity::{FileIdentity, open_regular};
pub use import::Import;
pub use own_file::OwnFile;
pub use part::PartFile;
pub use place::{Lying, Place};
pub use publish::{PublishError, Publisher, holds_already};
pub use record::{NameRecord, Record};
pub use reuse::{Copied, copy_chunks};
pub use slot::{Loaded, Slot};

use std::io;
use std::path::{Path, PathBuf};

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

fn invalid(error: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}
