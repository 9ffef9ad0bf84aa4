//! The place of one swarm's files, `.tinytorrent/resources/KEY/`: made whole or not at all, and read back as far
//! as it can be.

use super::disk::Disk;
use super::{At, Home, PartFile, Record, StoreError, atomic, have_file, invalid, read};
use shared::chunk::{CHUNKS_MAX, ChunkCount};
use shared::have::HaveMap;
use shared::id::{ListDigest, ResourceId, SwarmKey};
use shared::manifest::Manifest;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

/// What our copy of a manifest begins with, before its version and a line's end.
const MANIFEST_BEGIN: &str = "tt-manifest";
const MANIFEST_VERSION: u32 = 1;

/// The longest manifest: 4 Mi chunks with a line of 65 bytes each, and what comes before them.
const MANIFEST_BYTES_MAX: u64 = CHUNKS_MAX as u64 * 65 + (1 << 20);

/// The longest record: some tens of thousands of names.
const RECORD_BYTES_MAX: u64 = 64 << 20;

/// What a place being made is called until it is whole.
const HALF: &str = ".new";

/// A resource of a former run.
#[derive(Debug)]
pub struct Loaded {
    /// What survived.
    pub record: Record,
    /// Its manifest.
    pub manifest: Manifest,
    /// Why the record is not the one that was saved but one that the rest was made into; it may lack names.
    pub rebuilt: Option<StoreError>,
}

/// The place of one swarm's files.
#[derive(Debug, Clone)]
pub struct Slot {
    disk: Disk,
    folder: PathBuf,
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

    /// What a former run left here; `None` when the place was not made to its end, or not removed to its end: then it is
    /// taken away.
    ///
    /// # Errors
    /// As [`load`](Slot::load).
    pub fn recall(&self, home: &Home) -> Option<Result<Loaded, StoreError>> {
        let is_new = self.folder.as_os_str().as_encoded_bytes().ends_with(HALF.as_bytes());
        let mut files = SmallFiles::read(self);
        let mut is_half = is_new;
        if !is_new && files.are_missing() && home.must_be_here().is_ok() {
            files = SmallFiles::read(self); // the folder may have come back since they were looked for
            is_half = files.are_missing();
        }
        if is_half && self.disk.remove_folder(&self.folder).is_ok() {
            return None;
        }
        Some(self.load_from(&files, home))
    }

    /// Reads the record and the manifest. A manifest that is torn or missing is found beside the published file;
    /// a record is made anew from the manifest.
    ///
    /// # Errors
    /// When there is no manifest, or something is of a later version. Nothing is changed then.
    #[cfg(test)]
    pub fn load(&self, home: &Home) -> Result<Loaded, StoreError> {
        self.load_from(&SmallFiles::read(self), home)
    }

    fn load_from(&self, files: &SmallFiles, home: &Home) -> Result<Loaded, StoreError> {
        files.refuse_later(self)?;
        let record = self.load_record(&files.record);
        let manifest = self.load_manifest(&files.manifest).or_else(|error| {
            let names = record.iter().flat_map(|record| &record.names);
            let mut shown = names.filter_map(|record| {
                let text = read::whole(&home.manifest_file(&record.name), MANIFEST_BYTES_MAX).ok()?;
                Manifest::parse(&text).ok().filter(|manifest| self.is_of(manifest.key()))
            });
            shown.next().ok_or(error)
        })?;
        let (record, rebuilt) = match record {
            Ok(record) => (record, None),
            Err(error) => (Record::rebuilt(&manifest), Some(error)),
        };
        Ok(Loaded { record, manifest, rebuilt })
    }

    fn load_record(&self, sealed: &io::Result<Vec<u8>>) -> Result<Record, StoreError> {
        let path = self.record();
        let record = copied(sealed).and_then(Record::from_bytes).at("read", &path)?;
        if self.is_of(record.key) { Ok(record) } else { Err(foreign()).at("use", &path) }
    }

    fn load_manifest(&self, sealed: &io::Result<Vec<u8>>) -> Result<Manifest, StoreError> {
        let path = self.manifest();
        let sealed = copied(sealed).at("read", &path)?;
        let begin = format!("{MANIFEST_BEGIN}{MANIFEST_VERSION}\n");
        let text = atomic::unseal(sealed).at("read", &path)?.strip_prefix(begin.as_bytes());
        let manifest = Manifest::parse(text.unwrap_or_default()).map_err(invalid).at("read", &path)?;
        if self.is_of(manifest.key()) { Ok(manifest) } else { Err(foreign()).at("use", &path) }
    }

    /// Refuses a place of which something is of a later version.
    ///
    /// # Errors
    /// In that case.
    pub fn refuse_later(&self) -> Result<(), StoreError> {
        SmallFiles::read(self).refuse_later(self)
    }

    /// Whether this is the place of a swarm.
    fn is_of(&self, key: SwarmKey) -> bool {
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

    fn record(&self) -> PathBuf {
        self.folder.join("state.toml")
    }

    fn manifest(&self) -> PathBuf {
        self.folder.join("manifest")
    }
}

/// The record and the manifest as they lie on disk, each read once: a slow disk takes its time for every call.
struct SmallFiles {
    record: io::Result<Vec<u8>>,
    manifest: io::Result<Vec<u8>>,
}

impl SmallFiles {
    fn read(slot: &Slot) -> SmallFiles {
        let (record, manifest) = (slot.record(), slot.manifest());
        SmallFiles {
            record: slot.disk.read(&record, RECORD_BYTES_MAX),
            manifest: slot.disk.read(&manifest, MANIFEST_BYTES_MAX),
        }
    }

    fn are_missing(&self) -> bool {
        let is_missing = |file: &io::Result<Vec<u8>>| {
            file.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
        };
        is_missing(&self.record) && is_missing(&self.manifest)
    }

    /// Refuses what is of a later version; what is missing is told of when it is used.
    fn refuse_later(&self, slot: &Slot) -> Result<(), StoreError> {
        let refuse = |file: &io::Result<Vec<u8>>, path: PathBuf, before, known| match file {
            Ok(sealed) => atomic::refuse_later(sealed, before, known).at("use", &path),
            Err(_) => Ok(()),
        };
        refuse(&self.record, slot.record(), "version = ", super::record::VERSION)?;
        refuse(&self.manifest, slot.manifest(), MANIFEST_BEGIN, MANIFEST_VERSION)
    }
}

/// What was read, or the same error once more.
fn copied(read: &io::Result<Vec<u8>>) -> io::Result<&[u8]> {
    let again = |error: &io::Error| match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    };
    read.as_deref().map_err(again)
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

fn foreign() -> io::Error {
    invalid("it belongs to another resource")
}

#[cfg(test)]
mod tests;
