//! The place of one swarm's files, `.tinytorrent/resources/KEY/`: made whole or not at all, and read back as far
//! as it can be.

use super::disk::Disk;
use super::{At, PartFile, Record, StoreError, atomic, have_file};
use shared::chunk::{CHUNKS_MAX, ChunkCount};
use shared::have::HaveMap;
use shared::id::{ListDigest, ResourceId, SwarmKey};
use shared::manifest::Manifest;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// What our copy of a manifest begins with, before its version and a line's end.
pub(super) const MANIFEST_BEGIN: &str = "tt-manifest";
pub(super) const MANIFEST_VERSION: u32 = 1;

/// The longest manifest: 4 Mi chunks with a line of 65 bytes each, and what comes before them.
pub(super) const MANIFEST_BYTES_MAX: u64 = CHUNKS_MAX as u64 * 65 + (1 << 20);

/// What a place being made is called until it is whole.
pub(super) const HALF: &str = ".new";

/// The place of one swarm's files.
#[derive(Debug, Clone)]
pub struct Slot {
    pub(super) disk: Disk,
    pub(super) folder: PathBuf,
}

impl Slot {
    pub(super) fn new(disk: &Disk, folder: PathBuf) -> Slot {
        Slot { disk: disk.clone(), folder }
    }

    /// The name of a swarm's place.
    pub(super) fn name(key: SwarmKey) -> String {
        format!("{}-{}", key.resource, short(key.digest))
    }

    /// Where the chunks are until the resource is published.
    pub fn part(&self) -> PathBuf {
        self.folder.join("data.part")
    }

    /// What tells this place from others of the folder.
    pub fn place(&self) -> &OsStr {
        self.folder.file_name().unwrap_or_default()
    }

    /// The resource whose place this is, told by its name alone.
    pub fn resource(&self) -> Option<ResourceId> {
        self.place().to_str()?.split('-').next()?.parse().ok()
    }

    /// Opens or makes the part file of a download.
    ///
    /// # Errors
    /// When it cannot be opened for reading and writing.
    pub fn open_part(&self, count: ChunkCount) -> Result<PartFile, StoreError> {
        PartFile::open(&self.disk, &self.part(), count)
    }

    /// Makes the place, with its manifest and its first record; writes them anew if it is there.
    ///
    /// # Errors
    /// When it cannot be written (nothing of it is left then, unless it was there before), or what is there is of a
    /// later version.
    pub fn create(&self, record: &Record, manifest: &Manifest) -> Result<(), StoreError> {
        if self.folder.is_dir() {
            self.refuse_later()?;
            self.write_all(record, manifest)?;
            self.disk.sync_folder(&self.folder)?;
            return self.disk.sync_folder(self.parent()); // that may have failed when it was made
        }
        let half = Slot::new(&self.disk, with_suffix(&self.folder, HALF));
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
        let content = format!("{MANIFEST_BEGIN}{MANIFEST_VERSION}\n{}", manifest.to_text());
        atomic::write(&self.disk, &self.manifest(), &atomic::seal(content.as_bytes()))?;
        self.save(record)
    }

    /// Writes the record anew.
    ///
    /// # Errors
    /// When it cannot be written; the former one is then still there.
    pub fn save(&self, record: &Record) -> Result<(), StoreError> {
        atomic::write(&self.disk, &self.record(), &record.to_bytes())
    }

    /// Persists a have map whose chunks are synced already.
    ///
    /// # Errors
    /// When the file cannot be written; the former one is then still there.
    pub fn write_have(&self, have: &HaveMap) -> Result<(), StoreError> {
        have_file::write(&self.disk, &self.have(), have)
    }

    /// The same, unless another part file than this is here: then another folder was mounted over ours, and the map
    /// would claim what its part file does not have.
    ///
    /// # Errors
    /// Also in that case.
    pub fn write_have_of(&self, part: &PartFile, have: &HaveMap) -> Result<(), StoreError> {
        part.must_not_be_covered(&self.part())?;
        self.write_have(have)
    }

    /// Reads the have map of a resource of `count` chunks; `None` if there is none.
    ///
    /// # Errors
    /// When the file cannot be read, is torn, or belongs to another resource: the data must be checked then. Also
    /// when it is of a later version.
    pub fn read_have(&self, count: ChunkCount) -> Result<Option<HaveMap>, StoreError> {
        have_file::read(&self.disk, &self.have(), count)
    }

    /// Forgets the have map: what there is of the data is found out by a check, should that be broken off.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn doubt(&self) -> Result<(), StoreError> {
        self.disk.remove(&self.have())
    }

    /// Whether this is the place of a swarm.
    pub(super) fn is_of(&self, key: SwarmKey) -> bool {
        self.folder.file_name().is_some_and(|name| name == Slot::name(key).as_str())
    }

    /// Forgets the swarm, its record and manifest first: what has neither goes at the next start. Works on a full
    /// disk.
    ///
    /// # Errors
    /// When the files cannot be removed.
    pub fn remove(&self) -> Result<(), StoreError> {
        self.disk.remove(&self.record())?;
        self.disk.remove(&self.manifest())?;
        self.disk.remove_folder(&self.folder)?;
        self.disk.sync_folder(self.parent())
    }

    /// Whether anything is there that only an unfinished download needs.
    pub fn is_untidy(&self) -> bool {
        self.part().exists() || self.have().exists()
    }

    /// Takes away what only an unfinished download needs.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn tidy(&self) -> Result<(), StoreError> {
        self.disk.remove(&self.have())?;
        self.disk.remove(&self.part())
    }

    fn parent(&self) -> &Path {
        self.folder.parent().unwrap_or(&self.folder)
    }

    fn have(&self) -> PathBuf {
        self.folder.join("have")
    }

    pub(super) fn record(&self) -> PathBuf {
        self.folder.join("state.toml")
    }

    pub(super) fn manifest(&self) -> PathBuf {
        self.folder.join("manifest")
    }
}

/// So many digits of a list digest tell the swarms of one resource apart.
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
