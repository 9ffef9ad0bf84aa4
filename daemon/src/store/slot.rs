//! The directory of one swarm's files, `.tinytorrent/resources/KEY/`. It is made completely or not at all, and read
//! back as far as possible.

use super::disk::{Disk, Open};
use super::have_file::HAVE;
use super::trash::Trash;
use super::{At, PartFile, Record, StoreError, atomic, have_file, invalid};
use shared::chunk::{CHUNKS_MAX, ChunkCount};
use shared::have::HaveMap;
use shared::id::{ListDigest, ResourceId, SwarmKey};
use shared::manifest::Manifest;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

/// The first bytes of our copy of a manifest. The version and a line end follow.
pub(super) const MANIFEST_BEGIN: &str = "tt-manifest";
pub(super) const MANIFEST_VERSION: u32 = 1;

/// Limits our copy of a manifest in bytes: 4 Mi chunks with a line of 65 bytes each, and 1 MiB for the rest.
pub(super) const MANIFEST_BYTES_MAX: u64 = CHUNKS_MAX as u64 * 65 + (1 << 20);

/// The suffix of a slot that is being made, until it is complete.
pub(super) const HALF: &str = ".new";

/// The directory of one swarm's files.
#[derive(Debug, Clone)]
pub struct Slot {
    pub(super) disk: Disk,
    pub(super) trash: Trash,
    pub(super) folder: PathBuf,
}

impl Slot {
    pub(super) fn new(disk: &Disk, trash: &Trash, folder: PathBuf) -> Slot {
        Slot { disk: disk.clone(), trash: trash.clone(), folder }
    }

    /// The name of a swarm's slot.
    pub(super) fn name(key: SwarmKey) -> String {
        format!("{}-{}", key.resource, short(key.digest))
    }

    /// The path of the chunks until the resource is published.
    pub fn part(&self) -> PathBuf {
        self.folder.join("data.part")
    }

    /// The name of this slot.
    pub fn place(&self) -> &OsStr {
        self.folder.file_name().unwrap_or_default()
    }

    /// The resource of this slot, taken from its name.
    pub fn resource(&self) -> Option<ResourceId> {
        self.place().to_str()?.split('-').next()?.parse().ok()
    }

    /// Opens or makes the part file of a download.
    ///
    /// # Errors
    /// When it cannot be opened for reading and writing.
    pub fn open_part(&self, count: ChunkCount) -> Result<PartFile, StoreError> {
        let part = PartFile::open(&self.disk, &self.part(), count)?;
        let tree = self.tree();
        if !tree.exists() {
            return Ok(part);
        }
        match tree.open_staging() {
            Ok(staging) => Ok(part.with_tree(staging)),
            Err(error) if error.is_bad_data() => {
                tracing::warn!(%error, "the directory is fetched again");
                tree.remove()?;
                Ok(part)
            }
            Err(error) => Err(error),
        }
    }

    /// Opens or makes the part file of a download that begins anew. Of an earlier one, which the disk refused to remove,
    /// nothing is kept if a sync of it has failed in this run: its bytes may be lost although they can be read.
    ///
    /// # Errors
    /// When it cannot be opened for reading and writing.
    pub fn open_part_anew(&self, count: ChunkCount) -> Result<PartFile, StoreError> {
        if self.disk.doubts().is_noted(&self.part()) {
            self.forget_have()?;
            self.tree().remove()?;
            self.disk.remove(&self.part())?;
            self.disk.doubts().forget(&self.part());
        }
        self.open_part(count)
    }

    /// Has the next reader of the part file read what the disk has of it, also where a write-back has failed and an
    /// earlier process was told of that.
    pub fn read_part_anew(&self) {
        if let Ok(file) = self.disk.open(&self.part(), Open::Present) {
            // If this fails, what it has dropped is not shown, and what is still to be written is synced again later.
            let _ = self.disk.sync_file(&file, &self.part());
            self.disk.drop_cached(&file);
        }
    }

    /// Makes its directory, if it is not there. Without a record and a manifest it is removed at the next start.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn make_folder(&self) -> Result<(), StoreError> {
        self.disk.make_folder(&self.folder).map(drop)
    }

    /// An empty part file, whatever was laid out here before.
    #[cfg(test)]
    pub(super) fn open_empty_part(&self, count: ChunkCount) -> Result<PartFile, StoreError> {
        self.disk.remove(&self.part())?;
        PartFile::open(&self.disk, &self.part(), count)
    }

    /// Makes the slot with its manifest and its first record. If the slot exists, both are written again.
    ///
    /// # Errors
    /// When it cannot be written; a new slot is then removed again. Also when an existing slot is of a later version.
    pub fn create(&self, record: &Record, manifest: &Manifest) -> Result<(), StoreError> {
        if self.folder.is_dir() {
            self.refuse_later()?;
            self.write_all(record, manifest)?;
            self.disk.sync_folder(&self.folder)?;
            return self.disk.sync_folder(self.parent()); // this may have failed when it was made
        }
        let half = Slot::new(&self.disk, &self.trash, with_suffix(&self.folder, HALF));
        let made = half.make(record, manifest).and_then(|()| {
            self.disk.rename(&half.folder, &self.folder).at("rename into place", &self.folder)
        });
        match made {
            Ok(()) => self.disk.sync_folder(self.parent()),
            Err(error) => {
                let _ = self.disk.remove_folder(&half.folder);
                Err(error)
            }
        }
    }

    fn make(&self, record: &Record, manifest: &Manifest) -> Result<(), StoreError> {
        self.disk.remove_folder(&self.folder)?; // left by a crash
        self.disk.make_folder(&self.folder)?;
        self.write_all(record, manifest)?;
        self.disk.sync_folder(&self.folder)
    }

    fn write_all(&self, record: &Record, manifest: &Manifest) -> Result<(), StoreError> {
        atomic::write(&self.disk, &self.manifest(), &sealed_manifest(manifest))?;
        self.save(record)
    }

    /// Writes the record.
    ///
    /// # Errors
    /// When it cannot be written. The former record is then still there.
    pub fn save(&self, record: &Record) -> Result<(), StoreError> {
        atomic::write(&self.disk, &self.record(), &record.to_bytes())
    }

    /// Writes a have map whose chunks are synced already.
    ///
    /// # Errors
    /// When it cannot be written. The former map is then still there.
    pub fn write_have(&self, have: &HaveMap) -> Result<(), StoreError> {
        have_file::write(&self.disk, &self.have(), have)
    }

    /// Like [`write_have`](Slot::write_have), but fails if another part file is here: then another directory was
    /// mounted over ours, and the map would claim chunks that its part file does not have.
    ///
    /// # Errors
    /// Also in that case.
    pub fn write_have_of(&self, part: &PartFile, have: &HaveMap) -> Result<(), StoreError> {
        part.must_not_be_covered(&self.part())?;
        self.write_have(have)
    }

    /// Reads the have map of a resource with `count` chunks; `None` if there is none.
    ///
    /// # Errors
    /// When it cannot be read, is torn, or belongs to another resource: then the data must be checked. Also when it is
    /// of a later version.
    pub fn read_have(&self, count: ChunkCount) -> Result<Option<HaveMap>, StoreError> {
        have_file::read(&self.disk, &self.have(), count)
    }

    /// Removes the have map before a check. If the check is interrupted, the next start checks the data again.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn forget_have(&self) -> Result<(), StoreError> {
        self.disk.remove(&self.have())
    }

    /// Whether this is the slot of a swarm.
    pub(super) fn is_of(&self, key: SwarmKey) -> bool {
        self.folder.file_name().is_some_and(|name| name == Slot::name(key).as_str())
    }

    /// Removes the slot: first its record and manifest, since a slot with neither is removed at the next start. This
    /// works on a full disk.
    ///
    /// # Errors
    /// When the files cannot be removed.
    pub fn remove(&self) -> Result<(), StoreError> {
        self.disk.remove(&self.record())?;
        self.disk.remove(&self.manifest())?;
        self.tree().remove()?;
        self.disk.remove_folder(&self.folder)?;
        self.disk.doubts().forget(&self.part());
        self.disk.sync_folder(self.parent())
    }

    /// Whether it contains files that only an unfinished download needs.
    pub fn is_untidy(&self) -> bool {
        let older = self.older().folder;
        self.part().exists() || self.have().exists() || self.tree().is_untidy() || older.exists()
    }

    /// Removes the files that only an unfinished download needs.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn tidy(&self) -> Result<(), StoreError> {
        self.disk.remove(&self.have())?;
        self.disk.remove(&self.part())?;
        self.forget_older()?;
        self.tree().tidy()
    }

    fn parent(&self) -> &Path {
        self.folder.parent().unwrap_or(&self.folder)
    }

    fn have(&self) -> PathBuf {
        self.folder.join(HAVE)
    }

    pub(super) fn record(&self) -> PathBuf {
        self.folder.join("state.toml")
    }

    pub(super) fn manifest(&self) -> PathBuf {
        self.folder.join("manifest")
    }
}

/// The content of our copy of a manifest.
pub(super) fn sealed_manifest(manifest: &Manifest) -> Vec<u8> {
    let content = format!("{MANIFEST_BEGIN}{MANIFEST_VERSION}\n{}", manifest.to_text());
    atomic::seal(content.as_bytes())
}

/// The manifest of such a copy.
pub(super) fn manifest_of(sealed: &[u8]) -> io::Result<Manifest> {
    let begin = format!("{MANIFEST_BEGIN}{MANIFEST_VERSION}\n");
    let text = atomic::unseal(sealed)?.strip_prefix(begin.as_bytes());
    Manifest::parse(text.unwrap_or_default()).map_err(invalid)
}

/// The first 16 digits of a list digest, which distinguish the swarms of one resource.
fn short(digest: ListDigest) -> String {
    digest.to_string()[..16].to_owned()
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    path.with_file_name(name)
}

#[cfg(test)]
mod tests;
