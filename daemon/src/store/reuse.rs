//! Copies matching chunks from the file under a name into the download that will replace it. The file itself stays
//! untouched until the download is complete.

use super::{At, PartFile, Slot, StoreError, open_regular};
use shared::chunk::{CHUNK_BYTES, ChunkIndex};
use shared::have::HaveMap;
use shared::host::hashing::{Progress, check_part};
use shared::manifest::Manifest;
use std::fs::File;
use std::io;
use std::path::Path;

/// A download, and the correct chunks in it, which are not synced yet.
#[derive(Debug)]
pub struct Copied {
    /// The download's file.
    pub part: PartFile,
    /// The correct chunks in it.
    pub good: HaveMap,
}

/// Copies the `wanted` chunks of the file at `from` that the download does not have yet, except chunks of zeros: those are
/// not copied from anywhere. A chunk counts only if the
/// written data has the hash of the manifest. If the file is gone, nothing is copied.
///
/// # Errors
/// When the download cannot be read, or the disk cannot be written.
pub fn copy_chunks(
    slot: &Slot,
    from: &Path,
    manifest: &Manifest,
    wanted: &HaveMap,
    progress: &Progress<'_>,
) -> Result<Copied, StoreError> {
    let part = slot.open_part(manifest.count())?;
    let mut good = found_in(&part, manifest, progress)?;
    let Ok(file) = open_regular(from) else { return Ok(Copied { part, good }) };
    let total = file.metadata().at("access", from)?.len();
    for index in
        wanted.iter().filter(|index| !good.contains(*index) && !manifest.is_zeros(*index)).collect::<Vec<_>>()
    {
        if progress(index.offset()).is_break() {
            return Err(io::Error::from(io::ErrorKind::Interrupted)).at("copy to", part.path());
        }
        if copy_one(&file, total, &part, manifest, index)? {
            good.insert(index);
        }
    }
    Ok(Copied { part, good })
}

/// The chunks that a former run left in the download without noting them.
fn found_in(part: &PartFile, manifest: &Manifest, progress: &Progress<'_>) -> Result<HaveMap, StoreError> {
    let bytes = part.length()?;
    if bytes == 0 {
        return Ok(HaveMap::empty(manifest.count()));
    }
    let checked = check_part(part.own().file(), manifest, progress).at("check", part.path())?;
    if manifest.count().last().is_some_and(|last| checked.good.contains(last)) {
        part.set_bytes(bytes.min(manifest.count().bytes_max()));
    }
    Ok(checked.good)
}

/// Copies one chunk. Returns whether it was there and is in the download now. Only a disk that cannot be written ends
/// the whole copy: a chunk that cannot be read is fetched from peers instead.
fn copy_one(
    file: &File,
    total: u64,
    part: &PartFile,
    manifest: &Manifest,
    index: ChunkIndex,
) -> Result<bool, StoreError> {
    let bytes = total.saturating_sub(index.offset()).min(u64::from(CHUNK_BYTES));
    let Some(hash) = manifest.hash(index).filter(|_| bytes > 0) else { return Ok(false) };
    match part.copy_chunk(file, index, bytes, hash) {
        Err(error) if error.is_no_space() || error.source.kind() == io::ErrorKind::ReadOnlyFilesystem => {
            Err(error)
        }
        Err(error) => {
            tracing::warn!(%error, "cannot take chunk {index} from the old file; it is fetched");
            Ok(false)
        }
        copied => copied,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Home, NameRecord, Record};
    use shared::host::hashing::silent;
    use shared::id::{ChunkHash, ResourceId};

    #[test]
    fn only_what_fits_is_copied_and_what_is_there_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        let bytes: Vec<u8> = (0..(3 << 20) + 9).map(|at: u32| (at / 5 % 241) as u8).collect();
        let trackers = vec!["tt://127.0.0.1:1".parse().unwrap()];
        let hashes = bytes.chunks(1 << 20).map(ChunkHash::of).collect();
        let manifest = Manifest::new("x".parse().unwrap(), ResourceId::of(&bytes), trackers, hashes).unwrap();
        let name = NameRecord::new(manifest.name().clone(), None, Default::default());
        let name = NameRecord { replace: true, ..name };
        let record = Record::wanted(manifest.key(), None, 0, name);
        let slot = home.slot(manifest.key());
        slot.create(&record, &manifest).unwrap();
        let mut other = bytes.clone();
        other[(1 << 20) + 3] ^= 1;
        let from = home.file(manifest.name());
        std::fs::write(&from, &other).unwrap();

        let all = HaveMap::full(manifest.count());
        let copied = copy_chunks(&slot, &from, &manifest, &all, &silent).unwrap();
        let good: Vec<u32> = copied.good.iter().map(|index| index.0).collect();
        assert_eq!(good, [0, 2, 3]);
        assert_eq!(copied.part.bytes(), Some(bytes.len() as u64));
        assert_eq!(copied.part.read(ChunkIndex(3)).unwrap(), bytes[3 << 20..]);
        assert_eq!(std::fs::read(&from).unwrap(), other, "the file itself stays");

        std::fs::remove_file(&from).unwrap();
        let again = copy_chunks(&slot, &from, &manifest, &all, &silent).unwrap();
        assert_eq!(again.good, copied.good, "what was copied before is found again");
    }
}
