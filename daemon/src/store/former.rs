//! Empties the trash of a directory that lost its name: what its listing says is deleted, and what others have put into it
//! gets a name of its own in the shared directory.

use super::disk::Disk;
use super::edited::is_same;
use super::leaving::{Leaves, Note, is_at};
use super::root::{Root, open_for_changes};
use super::trash::Trash;
use super::tree_form::{TreeForm, TreeIdentities};
use super::{At, StoreError};
use rustix::io::Errno;
use shared::tree::{Entry, EntryIndex, EntryKind, TreeLayout};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// How many directories of kept files one name has at most. Further ones stay in the trash until one of these is gone.
const KEPT_MAX: u32 = 100;

/// How many files that were kept are counted. If there are more, the number that is reported is too low.
const COUNTED_MAX: u64 = 10_000_000;

/// Deletes what is ours in a directory in the trash, and moves out what is not. After a crash at any moment it can be
/// called again.
///
/// # Errors
/// When the disk refuses. What was not deleted stays in the trash.
pub(super) fn clear(trash: &Trash, folder: &Path) -> Result<(), StoreError> {
    let (disk, form) = (trash.disk(), TreeForm::new(trash.disk(), trash, folder.to_owned()));
    let tree = form.staging();
    if tree.symlink_metadata().is_err() {
        return disk.remove_all(folder); // it was done when a crash came
    }
    let note = form.read_note()?;
    let known = match is_at(&tree, Some(note.directory)) {
        true => Ours::load(&form, note.why),
        false => Err(io::Error::other("it is another directory than was noted")).at("delete", &tree),
    };
    match known {
        Ok(ours) => {
            let root = open_for_changes(&tree).at("open", &tree)?;
            delete_listed(disk, &root, &ours)?;
        }
        Err(error) => {
            tracing::warn!(name = note.name(), %error, "it is not known which files are ours; all are kept");
        }
    }
    match disk.remove_empty(&tree) {
        Ok(()) => {}
        Err(error) if has_more(&error) || is_no_directory(&error) => move_out(trash, &note, &tree)?,
        Err(error) => return Err(error),
    }
    disk.remove_all(folder)
}

/// What is ours in a directory.
pub(super) struct Ours {
    pub(super) layout: TreeLayout,
    /// The files as they were when they were hashed.
    pub(super) identities: TreeIdentities,
    /// The directory that takes its place, if one does.
    pub(super) new: Option<TreeLayout>,
}

impl Ours {
    /// Reads what was noted of a directory that lost its name.
    fn load(form: &TreeForm, why: Leaves) -> Result<Ours, StoreError> {
        let layout = form.load()?;
        let identities = form.read_identities(layout.listing().len())?;
        let new = match why {
            Leaves::Replaced => Some(form.new_one().load()?),
            Leaves::Removed => None,
        };
        Ok(Ours { layout, identities, new })
    }

    /// Whether an entry is to be deleted: it is as it was, or something else than a directory takes its place.
    fn has(&self, root: &Root, index: EntryIndex, entry: &Entry<'_>) -> bool {
        let is_replaced = |new: &TreeLayout| {
            let found = new.listing().find(entry.path);
            found.is_some_and(|index| !new.listing().entry(index).is_directory())
        };
        is_as_it_was(root, index, entry, &self.identities) || self.new.as_ref().is_some_and(is_replaced)
    }
}

/// Deletes what is ours below a directory, but not the directory itself. Files that were edited stay, unless others take
/// their place. A directory stays if something is in it. No symbolic link is followed.
///
/// # Errors
/// When the disk refuses.
pub(super) fn delete_listed(disk: &Disk, root: &Root, ours: &Ours) -> Result<(), StoreError> {
    let listing = ours.layout.listing();
    // Backwards, what is in a directory comes before it.
    for index in listing.indices().rev().filter(|index| *index != EntryIndex::TOP) {
        let entry = listing.entry(index);
        if !ours.has(root, index, &entry) {
            continue;
        }
        let path = entry.path.as_str();
        let delete = || match entry.is_directory() {
            true => disk.remove_folder_below(root, path),
            false => disk.remove_below(root, path),
        };
        let deleted = delete().or_else(|error| match error.source.kind() {
            io::ErrorKind::PermissionDenied => {
                root.let_owner_change(path);
                delete()
            }
            _ => Err(error),
        });
        match deleted {
            Err(error) if !is_not_ours(&error) => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Whether an entry is what the listing says, and a file the one that was hashed.
pub(super) fn is_as_it_was(
    root: &Root,
    index: EntryIndex,
    entry: &Entry<'_>,
    known: &TreeIdentities,
) -> bool {
    let path = entry.path.as_str();
    match entry.kind {
        EntryKind::Directory => true, // it is deleted only if it is an empty directory
        EntryKind::File { bytes } => is_same(root, path, &known.of(index, bytes)),
        EntryKind::Symlink { target } => root.link(path).is_ok_and(|found| found == target.as_bytes()),
    }
}

/// Whether an error means that something else is there than the listing says, or something more, or that others have
/// forbidden it.
fn is_not_ours(error: &StoreError) -> bool {
    let errno = error.source.raw_os_error().map(Errno::from_raw_os_error);
    has_more(error)
        || error.source.kind() == io::ErrorKind::NotFound
        || matches!(
            errno,
            Some(
                Errno::NOTDIR
                    | Errno::ISDIR
                    | Errno::LOOP
                    | Errno::XDEV
                    | Errno::BUSY
                    | Errno::ACCESS
                    | Errno::PERM
            )
        )
}

fn has_more(error: &StoreError) -> bool {
    let errno = error.source.raw_os_error().map(Errno::from_raw_os_error);
    matches!(errno, Some(Errno::NOTEMPTY | Errno::EXIST))
}

fn is_no_directory(error: &StoreError) -> bool {
    error.source.kind() == io::ErrorKind::NotADirectory
}

/// Gives what others have put into a directory a name in the shared directory. What is left of a directory that was removed
/// gets its own name back if that is free.
fn move_out(trash: &Trash, note: &Note, tree: &Path) -> Result<(), StoreError> {
    let (count, first) = count(tree);
    let own = (note.why == Leaves::Removed).then(|| note.name().to_owned());
    let kept = (1..=KEPT_MAX).map(|number| match number {
        1 => format!("{}.kept", note.name()),
        number => format!("{}.kept-{number}", note.name()),
    });
    for name in own.into_iter().chain(kept) {
        let path = trash.shared().join(&name);
        match trash.move_to(tree, &path) {
            Ok(()) => {
                trash.disk().sync_folder(trash.shared())?;
                tracing::warn!(path = %path.display(), files = count, first = %first.display(),
                    "a directory was replaced or removed; files in it that ttd did not put there, or that were edited, are kept");
                return Ok(());
            }
            Err(error) if error.source.kind() == io::ErrorKind::AlreadyExists || has_more(&error) => {}
            Err(error) => return Err(error),
        }
    }
    let why = format!("{KEPT_MAX} directories of kept files are in {} already", trash.shared().display());
    Err(io::Error::other(why)).at("move files that are not ours out of", tree)
}

/// How many files are below a directory, and the first of them; an empty directory counts as one. No link is followed.
pub(super) fn count(tree: &Path) -> (u64, PathBuf) {
    let (mut left, mut count, mut first) = (vec![tree.to_owned()], 0, None);
    while let Some(directory) = left.pop() {
        let mut is_empty = true;
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            is_empty = false;
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                left.push(entry.path());
                continue;
            }
            count += 1;
            first.get_or_insert_with(|| entry.path());
        }
        if is_empty {
            count += 1;
            first.get_or_insert(directory);
        }
        if count >= COUNTED_MAX {
            break;
        }
    }
    let first = first.unwrap_or_default();
    (count, first.strip_prefix(tree).map(Path::to_owned).unwrap_or_default())
}
