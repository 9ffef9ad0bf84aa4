//! The have map on disk. It may lag behind the data but is never ahead of it: the caller syncs the data first.

use super::disk::Disk;
use super::{At, StoreError, atomic, invalid};
use shared::chunk::ChunkCount;
use shared::have::HaveMap;
use std::io;
use std::path::Path;

/// The first bytes of the file. The version follows.
/// The name of a have map in its slot.
pub(super) const HAVE: &str = "have";
const MAGIC: &str = "tt-have";
const VERSION: u32 = 1;

/// Writes a have map whose chunks are synced already.
pub(super) fn write(disk: &Disk, path: &Path, have: &HaveMap) -> Result<(), StoreError> {
    let mut content = format!("{MAGIC}{VERSION}").into_bytes();
    content.extend_from_slice(&have.count().get().to_le_bytes());
    content.extend_from_slice(&have.to_bytes());
    atomic::write(disk, path, &atomic::seal(&content))
}

/// Reads the have map of a resource with `count` chunks; `None` if there is none.
pub(super) fn read(disk: &Disk, path: &Path, count: ChunkCount) -> Result<Option<HaveMap>, StoreError> {
    // The map and its frame, with some room for a later version.
    let sealed = match disk.read(path, u64::from(count.get()) / 8 + 4096) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => read.at("read", path)?,
    };
    let is_ours = [format!("{MAGIC}{VERSION}").as_bytes(), &count.get().to_le_bytes()].concat();
    if !sealed.starts_with(&is_ours) {
        atomic::refuse_later(&sealed, MAGIC, VERSION).at("read", path)?;
    }
    let content = atomic::unseal(&sealed).at("read", path)?;
    let have = content.strip_prefix(&*is_ours).and_then(|bytes| HaveMap::from_bytes(count, bytes));
    have.map(Some).ok_or_else(|| invalid("it belongs to another file")).at("read", path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::chunk::ChunkIndex;

    #[test]
    fn it_is_read_back_and_a_foreign_one_is_refused() {
        let (folder, disk) = (tempfile::tempdir().unwrap(), Disk::system());
        let path = folder.path().join("have");
        let count = ChunkCount::new(9).unwrap();
        assert!(read(&disk, &path, count).unwrap().is_none());
        let mut have = HaveMap::empty(count);
        have.insert(ChunkIndex(8));
        write(&disk, &path, &have).unwrap();
        assert_eq!(read(&disk, &path, count).unwrap(), Some(have));
        assert!(read(&disk, &path, ChunkCount::new(10).unwrap()).is_err());
        std::fs::write(&path, b"").unwrap();
        assert!(!read(&disk, &path, count).unwrap_err().is_later_version());
        std::fs::write(&path, b"tt-have2 and what nobody knows yet").unwrap();
        assert!(read(&disk, &path, count).unwrap_err().is_later_version());
    }
}
