//! A directory that loses its name, because another one gets it or because it is removed. Only what is ours in it is
//! deleted. So what is ours is noted before, beside the place where the directory lies afterwards. Both go to the trash
//! together (`former` empties it).
//!
//! ```text
//! leaving/          in a slot, or in the place of an import
//!     listing         what is ours in the directory
//!     identities      the identity of each of these files, from when it was hashed
//!     new/listing     what is in the directory that gets the name, if one does
//!     note            which directory it is, and why it loses its name; written last
//!     tree/           the directory itself
//! ```

use super::tree_form::TreeForm;
use super::{At, FileIdentity, Slot, StoreError, atomic, invalid};
use serde::{Deserialize, Serialize};
use shared::tree::TreeName;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

const NOTE_BEGIN: &str = "version = ";
const NOTE_VERSION: u32 = 1;

/// The name of a directory whose own is not known, before `.kept`.
const UNKNOWN: &str = "directory";

/// Limits a note in bytes: a name of at most 239 bytes and some numbers.
const NOTE_BYTES_MAX: u64 = 4096;

/// Why a directory loses its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Leaves {
    /// Another one gets it. A file that was edited is deleted only if the other one has a file at its path.
    Replaced,
    /// It is removed. A file that was edited stays.
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
    /// The inode of the directory that gets the name. What lies in its place later, and is neither, is somebody else's.
    made: Option<u64>,
}

impl Note {
    /// The name that it had in the shared directory.
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

impl TreeForm {
    /// Notes what is ours in a directory, before it loses its name at `path`: what the listing in `ours` says. `new` is
    /// where the listing of the directory is that gets the name.
    ///
    /// # Errors
    /// Of kind [`io::ErrorKind::AlreadyExists`] if another directory is there. When the disk refuses, or nothing is
    /// known of it.
    pub(super) fn prepare_to_leave(
        &self,
        (path, directory): (&Path, Option<FileIdentity>),
        ours: &TreeForm,
        new: Option<&TreeForm>,
    ) -> Result<(), StoreError> {
        self.settle()?;
        let other = || io::Error::from(io::ErrorKind::AlreadyExists);
        let directory =
            directory.filter(|it| is_at(path, Some(*it))).ok_or_else(other).at("replace", path)?;
        let (leaving, disk) = (self.leaving(), self.disk());
        disk.make_folder(leaving.folder())?;
        disk.link(&ours.listing(), &leaving.listing())?;
        disk.link(&ours.identities(), &leaving.identities())?;
        if let Some(new) = new {
            let to = leaving.new_one();
            disk.make_folder(to.folder())?;
            disk.link(&new.listing(), &to.listing())?;
            disk.sync_folder(to.folder())?;
        }
        let why = if new.is_some() { Leaves::Replaced } else { Leaves::Removed };
        let made = inode_at(&self.staging());
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        leaving.write_note(&Note { version: NOTE_VERSION, name, why, directory, made })?;
        disk.sync_folder(self.folder())?;
        self.folder().parent().map_or(Ok(()), |parent| disk.sync_folder(parent))
    }

    /// Hands the directory that lost its name to the trash, with what is known of it. If none did, what was noted is
    /// removed. A directory that has come in its place goes to the trash with nothing known of it: all of it is kept.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn settle(&self) -> Result<(), StoreError> {
        let leaving = self.leaving();
        if is_there(leaving.folder()) {
            let tree = leaving.staging();
            if !is_there(&tree)
                && let Some(path) = self.left(&leaving)
            {
                self.trash().move_to(&path, &tree)?;
                self.disk().sync_folder(leaving.folder())?;
            }
            match is_there(&tree) {
                true => self.trash().take_former(leaving.folder())?,
                false => self.disk().remove_folder(leaving.folder())?,
            }
        }
        self.hand_over(&self.former())
    }

    /// Where the directory lies that lost its name, or one that has come in its place.
    fn left(&self, leaving: &TreeForm) -> Option<PathBuf> {
        let note = leaving.read_note();
        if let Err(error) = &note
            && error.source.kind() == io::ErrorKind::NotFound
        {
            return None; // before the note was written, no directory lost its name
        }
        // With a torn note, the trash does not delete it.
        let made = note.ok().and_then(|note| note.made);
        let is_left = |path: &PathBuf| inode_at(path).is_some_and(|there| Some(there) != made);
        [self.former(), self.staging()].into_iter().find(is_left)
    }

    /// Hands what lies at a path to the trash, without anything known of it: all of it is kept. No error if nothing is
    /// there.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn hand_over(&self, path: &Path) -> Result<(), StoreError> {
        if !is_there(path) {
            return Ok(());
        }
        let known = self.load().ok().map(|layout| layout.listing().name().as_str().to_owned());
        let name = known.unwrap_or_else(|| UNKNOWN.to_owned());
        let directory = FileIdentity::of_directory_at(path).unwrap_or_else(FileIdentity::unknown);
        let made = inode_at(&self.staging()).filter(|_| path != self.staging());
        let (leaving, why) = (self.leaving(), Leaves::Replaced);
        self.disk().make_folder(leaving.folder())?;
        leaving.write_note(&Note { version: NOTE_VERSION, name, why, directory, made })?;
        self.trash().move_to(path, &leaving.staging())?;
        self.disk().sync_folder(leaving.folder())?;
        self.trash().take_former(leaving.folder())
    }

    /// Whether a directory that lost its name, or what was noted of one, is here.
    pub(super) fn has_leaving(&self) -> bool {
        is_there(self.leaving().folder())
    }

    /// Where a directory that loses its name is noted.
    pub(super) fn leaving(&self) -> TreeForm {
        TreeForm::new(self.disk(), self.trash(), self.folder().join("leaving"))
    }

    /// Where what is in the directory is noted that gets the name.
    pub(super) fn new_one(&self) -> TreeForm {
        TreeForm::new(self.disk(), self.trash(), self.folder().join("new"))
    }

    fn note(&self) -> PathBuf {
        self.folder().join("note")
    }

    fn write_note(&self, note: &Note) -> Result<(), StoreError> {
        let text = toml::to_string(note).expect("a note has nothing that TOML cannot say");
        atomic::write(self.disk(), &self.note(), &atomic::seal(text.as_bytes()))?;
        self.disk().sync_folder(self.folder())
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
        !self.is_of_unknown() && self.identity_at(path).is_some()
    }

    /// Whether this is what was found in a directory that nobody knew.
    pub(super) fn is_of_unknown(&self) -> bool {
        is_there(&unknown_mark(self.folder()))
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

fn inode_at(path: &Path) -> Option<u64> {
    path.symlink_metadata().ok().map(|there| there.ino())
}

fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
