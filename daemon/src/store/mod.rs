//! The shared folder: everything that ttd reads and writes on disk. All calls block; the driver makes them off
//! the async workers.
//!
//! ```text
//! NAME                                a finished resource
//! NAME.tinytorrent                    its manifest
//! .tinytorrent/lock                   one daemon per folder
//! .tinytorrent/imports/N.part         files that ttctl is sending
//! .tinytorrent/resources/KEY/         one folder per swarm:
//!     state.toml                        what must survive a restart
//!     manifest.tinytorrent              our own copy
//!     have                              the have map, never ahead of the data
//!     data.part                         the chunks, until the resource is published
//! ```

mod atomic;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod have_file;
mod home;
mod identity;
mod import;
mod part;
mod publish;
mod record;

pub use have_file::{read_have, write_have};
pub use home::{Home, Slot};
pub use identity::{FileIdentity, open_regular};
pub use import::Import;
pub use part::PartFile;
pub use publish::{PublishError, Publisher};
pub use record::{NameRecord, Record};

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
