//! The have map on disk. It lags behind the data, and is never ahead of it: the caller syncs the data first.

use super::{At, StoreError, atomic};
use shared::chunk::ChunkCount;
use shared::have::HaveMap;
use std::io;
use std::path::Path;

/// The first bytes of the file: what it is, and its version.
const MAGIC: &[u8; 8] = b"tt-have1";

/// Persists a have map whose chunks are synced already.
///
/// # Errors
/// When the file cannot be written; the former one is then still there.
pub fn write_have(path: &Path, have: &HaveMap) -> Result<(), StoreError> {
    let mut content = MAGIC.to_vec();
    content.extend_from_slice(&have.count().get().to_le_bytes());
    content.extend_from_slice(&have.to_bytes());
    atomic::write(path, &atomic::seal(&content))
}

/// Reads a have map of a resource of `count` chunks; `None` if there is none yet.
///
/// # Errors
/// When the file cannot be read, is torn, or belongs to another resource: the data must be checked then.
pub fn read_have(path: &Path, count: ChunkCount) -> Result<Option<HaveMap>, StoreError> {
    let sealed = match std::fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => read.at("read", path)?,
    };
    let content = atomic::unseal(&sealed).at("read", path)?;
    let have = content
        .strip_prefix(MAGIC)
        .and_then(|rest| rest.strip_prefix(&count.get().to_le_bytes()))
        .and_then(|bytes| HaveMap::from_bytes(count, bytes));
    have.map(Some)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not this resource's have map"))
        .at("read", path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::chunk::ChunkIndex;

    #[test]
    fn it_is_read_back_and_a_foreign_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("have");
        let count = ChunkCount::new(9).unwrap();
        assert!(read_have(&path, count).unwrap().is_none());
        let mut have = HaveMap::empty(count);
        have.insert(ChunkIndex(8));
        write_have(&path, &have).unwrap();
        assert_eq!(read_have(&path, count).unwrap(), Some(have));
        assert!(read_have(&path, ChunkCount::new(10).unwrap()).is_err());
        std::fs::write(&path, b"").unwrap();
        assert!(read_have(&path, count).is_err());
    }
}
