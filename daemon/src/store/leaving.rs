//! A directory that loses its name, because another one gets it or because it is removed. Only what is ours in it is
//! deleted. So what is ours is noted before, beside the place where the directory lies afterwards. Both go to the trash
//! together (`former` empties it).
//!
//! ```text
//! leaving/          in a slot, or in the place of an import
//!     listing         what is ours in the directory
//!     identities      the identity of each of these files; only if the directory is removed
//!     note            which directory it is, and why it loses its name; written last
//!     tree/           the directory itself
//! ```

use super::tree_form::TreeForm;
use super::{At, FileIdentity, Slot, StoreError, atomic, invalid};
use serde::{Deserialize, Serialize};
use shared::tree::TreeName;
use std::io;
use std::path::{Path, PathBuf};

const NOTE_BEGIN: &str = "version = ";
const NOTE_VERSION: u32 = 1;

/// Limits a note in bytes: a name of at most 239 bytes and some numbers.
const NOTE_BYTES_MAX: u64 = 4096;

/// Why a directory loses its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Leaves {
    /// Another one gets it. Files that were edited are replaced with the others.
    Replaced,
    /// It is removed. Files that were edited stay.
    Removed,
}

/// Which directory it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Note {
    version: u32,
    name: String,
    /// Why it loses its name.
    pub(super) why: Leaves,
    /// The directory.
    pub(super) directory: FileIdentity,
}

impl Note {
    /// The name that it had in the shared directory.
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

impl TreeForm {
    /// Notes what is ours in the directory at `path`, before it loses its name: what the listing in `ours` says.
    ///
    /// # Errors
    /// When the disk refuses, or nothing is known of it.
    pub(super) fn prepare_to_leave(
        &self,
        path: &Path,
        ours: &TreeForm,
        why: Leaves,
    ) -> Result<(), StoreError> {
        self.settle()?;
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        let directory = FileIdentity::of_directory_at(path).ok_or_else(missing).at("access", path)?;
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let (leaving, disk) = (self.leaving(), self.disk());
        disk.make_folder(leaving.folder())?;
        disk.link(&ours.listing(), &leaving.listing())?;
        if why == Leaves::Removed {
            disk.link(&ours.identities(), &leaving.identities())?;
        }
        let note = Note { version: NOTE_VERSION, name, why, directory };
        let text = toml::to_string(&note).expect("a note has nothing that TOML cannot say");
        atomic::write(disk, &leaving.note(), &atomic::seal(text.as_bytes()))?;
        disk.sync_folder(leaving.folder())?;
        disk.sync_folder(self.folder())?;
        self.folder().parent().map_or(Ok(()), |parent| disk.sync_folder(parent))
    }

    /// Hands the directory that lost its name to the trash, with what is known of it. If none did, what was noted is
    /// removed.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn settle(&self) -> Result<(), StoreError> {
        let leaving = self.leaving();
        if !is_there(leaving.folder()) {
            return Ok(());
        }
        let tree = leaving.staging();
        if !is_there(&tree) {
            let is_it = |path: &PathBuf| match leaving.read_note() {
                Ok(note) => is_at(path, Some(note.directory)),
                // Before the note was written, no directory lost its name.
                Err(error) if error.source.kind() == io::ErrorKind::NotFound => false,
                Err(_) => is_there(path), // torn: the trash does not delete it
            };
            if let Some(path) = [self.former(), self.staging()].iter().find(|path| is_it(path)) {
                self.trash().move_to(path, &tree)?;
                self.disk().sync_folder(leaving.folder())?;
            }
        }
        match is_there(&tree) {
            true => self.trash().take_former(leaving.folder()),
            false => self.disk().remove_folder(leaving.folder()),
        }
    }

    /// Whether a directory that lost its name, or what was noted of one, is here.
    pub(super) fn has_leaving(&self) -> bool {
        is_there(self.leaving().folder())
    }

    /// Where a directory that loses its name is noted.
    pub(super) fn leaving(&self) -> TreeForm {
        TreeForm::new(self.disk(), self.trash(), self.folder().join("leaving"))
    }

    fn note(&self) -> PathBuf {
        self.folder().join("note")
    }

    /// Reads the note of a directory that loses its name.
    ///
    /// # Errors
    /// When it is missing, torn, or of a later version.
    pub(super) fn read_note(&self) -> Result<Note, StoreError> {
        let path = self.note();
        let read = || -> io::Result<Note> {
            let sealed = self.disk().read(&path, NOTE_BYTES_MAX)?;
            atomic::refuse_later(&sealed, NOTE_BEGIN, NOTE_VERSION)?;
            let text = std::str::from_utf8(atomic::unseal(&sealed)?).map_err(invalid)?;
            let note: Note = toml::from_str(text).map_err(invalid)?;
            note.name.parse::<TreeName>().map_err(invalid)?; // it becomes a path
            Ok(note)
        };
        read().at("read", &path)
    }
}

impl Slot {
    /// Marks what is kept of an older directory as found there: nobody knows whose it is.
    pub(super) fn mark_unknown(&self) -> Result<(), StoreError> {
        atomic::write(&self.disk, &unknown_mark(&self.folder), b"")
    }
}

impl TreeForm {
    /// What is known of the directory at `path`, from when it was fetched or shared.
    pub(super) fn knows(&self, path: &Path) -> bool {
        !is_there(&unknown_mark(self.folder())) && self.identity_at(path).is_some()
    }
}

/// The file that says that a directory was found: its listing has also what was put into it by others.
fn unknown_mark(folder: &Path) -> PathBuf {
    folder.join("found")
}

/// Whether this directory is at a path.
pub(super) fn is_at(path: &Path, directory: Option<FileIdentity>) -> bool {
    let there = FileIdentity::of_directory_at(path);
    directory.zip(there).is_some_and(|(wanted, there)| wanted.is_same(&there))
}

fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
