//! Counts the room on the disk that is promised: to running downloads, to copies under further names and to imports. There
//! is no list of promises: they are computed from what is running, and end with it.

use super::Driver;
use crate::library::{Phase, Resource, Shaping};
use crate::store::NoRoom;
use shared::chunk::CHUNK_BYTES;
use shared::id::SwarmKey;
use shared::manifest::Manifest;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

impl Driver {
    /// Why there is no room for what a download still has to write.
    pub(super) fn lacking_space(&self, key: SwarmKey) -> Option<NoRoom> {
        self.no_room(rest_bytes(self.library.get(key)?), Some(key))
    }

    /// Why there is no room for all of a download, apart from what is written already.
    pub(super) fn lacking_space_for_all(&self, key: SwarmKey) -> Option<NoRoom> {
        let resource = self.library.get(key)?;
        let written = allocated_bytes(&resource.slot.part());
        self.no_room(data_bytes_max(&resource.manifest).saturating_sub(written), Some(key))
    }

    /// Why there is no room for `needed` bytes in addition to the promises to all others than `by`.
    pub(super) fn no_room(&self, needed: u64, by: Option<SwarmKey>) -> Option<NoRoom> {
        let (kept, promised) = (self.settings.min_free_bytes, self.promised(by));
        let free = match self.free_bytes() {
            Ok(free) => free,
            Err(unknown) => return Some(NoRoom::Unknown(unknown)),
        };
        let left = free.saturating_sub(kept).saturating_sub(promised);
        (needed > left).then_some(NoRoom::Short { needed, free, kept, promised })
    }

    /// The same for a copy of `bytes` bytes under a further name.
    pub(super) fn no_room_for_copy(&mut self, bytes: u64) -> Option<NoRoom> {
        self.look_at_room();
        self.no_room(bytes, None)
    }

    /// The promised bytes that are not written yet, without those of `by`.
    fn promised(&self, by: Option<SwarmKey>) -> u64 {
        let others = self.library.stirring().filter(|(other, _)| Some(*other) != by);
        let fetched: u64 = others.filter(|(_, it)| is_running(&it.phase)).map(|(_, it)| rest_bytes(it)).sum();
        let copies: u64 = self.publishing.values().map(|publishing| publishing.room).sum();
        fetched.saturating_add(copies).saturating_add(self.tasks.promised())
    }
}

/// The bytes that a file occupies on the disk; 0 if there is none.
fn allocated_bytes(path: &Path) -> u64 {
    std::fs::symlink_metadata(path).map_or(0, |metadata| metadata.blocks().saturating_mul(512))
}

/// The most bytes that a resource may take up on the disk. Its chunks of zeros take up none. Whether another chunk
/// contains runs of zeros is unknown until it is written.
pub(super) fn data_bytes_max(manifest: &Manifest) -> u64 {
    u64::from(manifest.count().get() - manifest.zero_chunks()) * u64::from(CHUNK_BYTES)
}

/// Whether a download writes, or is about to.
fn is_running(phase: &Phase) -> bool {
    matches!(phase, Phase::Fetching(it) if it.blocked.as_ref().is_none_or(|blocked| blocked.probing))
}

/// The bytes that a download still has to write: the chunks that are missing, and those that are on the disk twice while
/// it is laid out as a directory, as long as it may be one.
fn rest_bytes(resource: &Resource) -> u64 {
    let Phase::Fetching(it) = &resource.phase else { return 0 };
    let missing = it.have.count().get().saturating_sub(it.have.len() + it.zeros_left);
    let twice = match it.shaping {
        Shaping::Known => 0,
        Shaping::Needs(_) | Shaping::Working => it.have.len().min(it.download.file.twice_max()),
    };
    u64::from(missing + twice) * u64::from(CHUNK_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holes_of_a_part_are_still_to_be_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("part");
        assert_eq!(allocated_bytes(&path), 0);
        std::fs::write(&path, vec![7; 1 << 20]).unwrap();
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.set_len(1 << 30).unwrap();
        file.sync_all().unwrap();
        let bytes = allocated_bytes(&path);
        assert!(((1 << 20)..(2 << 20)).contains(&bytes), "{bytes}");
    }
}
