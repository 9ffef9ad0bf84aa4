//! The file of a download, in memory.

use crate::chunk::ChunkIndex;
use crate::sync::Mutex;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};

/// Why a chunk could not be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct StoreError;

/// What was written of a download.
#[derive(Debug, Default)]
pub(crate) struct PartFile {
    chunks: Mutex<BTreeMap<ChunkIndex, Bytes>>,
    /// The chunks whose next read fails.
    failing: Mutex<BTreeSet<ChunkIndex>>,
}

impl PartFile {
    pub(crate) fn write(&self, index: ChunkIndex, bytes: &Bytes) {
        self.chunks.lock().unwrap().insert(index, bytes.clone());
    }

    pub(crate) fn fail_once(&self, index: ChunkIndex) {
        self.failing.lock().unwrap().insert(index);
    }

    pub(crate) fn read(&self, index: ChunkIndex) -> Result<Bytes, StoreError> {
        match self.failing.lock().unwrap().remove(&index) {
            true => Err(StoreError),
            false => self.chunks.lock().unwrap().get(&index).cloned().ok_or(StoreError),
        }
    }

    #[expect(clippy::unused_self, reason = "it takes the place of the daemon's")]
    pub(crate) fn is_hole(&self, _index: ChunkIndex) -> bool {
        false
    }
}
