//! Reads what a former run left in a swarm's slot. Each small file is read once; a torn, empty or missing one is made
//! again from the others.

use super::slot::{HALF, MANIFEST_BEGIN, MANIFEST_BYTES_MAX, MANIFEST_VERSION, manifest_of};
use super::{At, Home, PublishedFile, Record, Slot, StoreError, atomic, invalid, read};
use shared::manifest::Manifest;
use std::io;
use std::path::PathBuf;

/// Limits a record in bytes: tens of thousands of names. A longer one cannot be read.
const RECORD_BYTES_MAX: u64 = 64 << 20;

/// A resource of a former run.
#[derive(Debug)]
pub struct Loaded {
    /// Its record.
    pub record: Record,
    /// Its manifest.
    pub manifest: Manifest,
    /// Whether it was laid out as a tree.
    pub is_tree: bool,
    /// The tree that it will replace, if it is a download that does so.
    pub older: Option<PublishedFile>,
    /// Set when the saved record was unreadable and was rebuilt from the manifest: the error. A rebuilt record may lack
    /// names.
    pub rebuilt: Option<StoreError>,
}

/// A resource of a former run, or why it could not be loaded.
#[cfg(any(test, feature = "fuzz"))]
pub type Remembered = Result<Loaded, StoreError>;

impl Slot {
    /// Loads what a former run left here. Returns `None`, and removes the slot, if a crash left it half made or half
    /// removed.
    ///
    /// # Errors
    /// When there is no manifest, or one of the files is of a later version. Then nothing is changed.
    pub fn recall(&self, home: &Home) -> Option<Result<Loaded, StoreError>> {
        let is_new = self.folder.as_os_str().as_encoded_bytes().ends_with(HALF.as_bytes());
        let mut files = SmallFiles::read(self);
        let mut is_half = is_new;
        if !is_new && files.are_missing() && home.must_be_here().is_ok() {
            files = SmallFiles::read(self); // the directory may have been mounted meanwhile
            is_half = files.are_missing();
        }
        if is_half && self.remove_half().is_ok() {
            return None;
        }
        Some(self.load_from(&files, home))
    }

    /// Removes a slot that is not complete. It may have the tree of an import, with directories of any mode.
    fn remove_half(&self) -> Result<(), StoreError> {
        self.tree().tidy()?;
        self.disk.remove_folder(&self.folder)
    }

    /// Reads the record and the manifest. A torn or missing manifest is taken from beside the published file; a record
    /// is rebuilt from the manifest.
    ///
    /// # Errors
    /// When there is no manifest, or one of the files is of a later version. Then nothing is changed.
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
        let mut replaced = record.names.iter().filter(|name| name.replace && name.published.is_none());
        let older = replaced.find_map(|record| self.older_tree(home, &record.name));
        Ok(Loaded { record, manifest, is_tree: self.tree().exists(), older, rebuilt })
    }

    fn load_record(&self, sealed: &io::Result<Vec<u8>>) -> Result<Record, StoreError> {
        let path = self.record();
        let record = copied(sealed).and_then(Record::from_bytes).at("read", &path)?;
        if self.is_of(record.key) { Ok(record) } else { Err(foreign()).at("use", &path) }
    }

    fn load_manifest(&self, sealed: &io::Result<Vec<u8>>) -> Result<Manifest, StoreError> {
        let path = self.manifest();
        let sealed = copied(sealed).at("read", &path)?;
        let manifest = manifest_of(sealed).at("read", &path)?;
        if self.is_of(manifest.key()) { Ok(manifest) } else { Err(foreign()).at("use", &path) }
    }

    /// Returns an error if a file of the slot is of a later version.
    ///
    /// # Errors
    /// In that case.
    pub fn refuse_later(&self) -> Result<(), StoreError> {
        SmallFiles::read(self).refuse_later(self)
    }
}

#[cfg(any(test, feature = "fuzz"))]
impl Home {
    /// Loads all slots in order, including those whose files cannot be read. Slots that a crash left half made or half
    /// removed are removed.
    ///
    /// # Errors
    /// When the directory cannot be listed.
    pub fn remembered(&self) -> Result<Vec<Remembered>, StoreError> {
        Ok(self.places()?.iter().filter_map(|slot| slot.recall(self)).collect())
    }
}

/// The record and the manifest as read from disk. Each is read only once, since every call takes time on a slow disk.
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

    /// Returns an error if one is of a later version. A missing file is reported when it is used.
    fn refuse_later(&self, slot: &Slot) -> Result<(), StoreError> {
        let refuse = |file: &io::Result<Vec<u8>>, path: PathBuf, before, known| match file {
            Ok(sealed) => atomic::refuse_later(sealed, before, known).at("use", &path),
            Err(_) => Ok(()),
        };
        refuse(&self.record, slot.record(), "version = ", super::record::VERSION)?;
        refuse(&self.manifest, slot.manifest(), MANIFEST_BEGIN, MANIFEST_VERSION)
    }
}

/// The bytes, or a copy of the error.
fn copied(read: &io::Result<Vec<u8>>) -> io::Result<&[u8]> {
    let again = |error: &io::Error| match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    };
    read.as_deref().map_err(again)
}

fn foreign() -> io::Error {
    invalid("it belongs to another file")
}
