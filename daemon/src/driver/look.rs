//! Looks at a resource's files, in calls that block: after the start, and when the shared directory is back.

use crate::inbox::{Restored, Seen};
use crate::library::Check;
use crate::store::{FileIdentity, Home, PublishedFile, PublishedTree, Record, Slot, StoreError};
use shared::have::HaveMap;
use shared::id::SwarmKey;
use shared::manifest::Manifest;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A resource whose files are looked at.
#[derive(Debug, Clone)]
pub(super) enum Look {
    /// One of the last run, of which only its folder is known.
    Recall(Slot),
    /// One that was known before the shared directory was away.
    Again { key: SwarmKey, record: Box<Record>, manifest: Manifest, slot: Slot, check: Check },
}

impl Look {
    /// Looks at the files. Blocks.
    pub(super) fn perform(&self, home: &Home) -> Seen {
        match self {
            Look::Recall(slot) => {
                let recalled = slot.recall(home).map(|loaded| {
                    let mut loaded = loaded?;
                    suppose_published(home, &mut loaded.record, slot);
                    let restored = look(home, &loaded.record, &loaded.manifest, slot)?;
                    Ok(Box::new((loaded, restored)))
                });
                Seen::Recalled { place: slot.place().to_owned(), recalled }
            }
            Look::Again { key, record, manifest, slot, check } => {
                let restored = look(home, record, manifest, slot).map(Box::new);
                Seen::Again { key: *key, check: check.clone(), restored }
            }
        }
    }
}

impl Look {
    /// Like [`perform`](Look::perform), but a panic becomes an error, because somebody may wait for the result.
    pub(super) fn perform_safely(&self, home: &Home) -> Seen {
        catch_unwind(AssertUnwindSafe(|| self.perform(home))).unwrap_or_else(|_| {
            let error = |slot: &Slot| StoreError {
                doing: "access",
                path: slot.part(),
                source: io::Error::other("it panicked"),
            };
            match self {
                Look::Recall(slot) => {
                    Seen::Recalled { place: slot.place().to_owned(), recalled: Some(Err(error(slot))) }
                }
                Look::Again { key, slot, check, .. } => {
                    Seen::Again { key: *key, check: check.clone(), restored: Err(error(slot)) }
                }
            }
        })
    }
}

/// Handles a crash between publishing a file and recording that: the part file is gone, and a file has the name. It is
/// recorded as published, and the check that follows finds out whether it is right. If it is not, the download had not
/// begun.
fn suppose_published(home: &Home, record: &mut Record, slot: &Slot) {
    doubt_unknown_trees(home, record, slot);
    if record.names.iter().any(|name| name.published.is_some()) {
        return;
    }
    if slot.tree().exists() {
        return suppose_published_tree(home, record, slot);
    }
    if slot.part().exists() {
        return;
    }
    for name in &mut record.names {
        let file = FileIdentity::at(&home.file(&name.name)).ok();
        // A directory only if its manifest is visible: something else may lie beside a download.
        let is_shown = home.manifest_file(&name.name).exists() && !record.as_file;
        let directory = home.directory(&name.name).filter(|_| is_shown);
        let found = file.or_else(|| PublishedTree::identity_at(&directory?, 0).ok());
        name.published = found.map(FileIdentity::unsure);
    }
}

/// Handles the loss of what the slot of a tree knew of its files: the check that follows finds out whether the directory is
/// right.
fn doubt_unknown_trees(home: &Home, record: &mut Record, slot: &Slot) {
    if slot.tree().exists() {
        return;
    }
    for name in &mut record.names {
        let (Some(identity), Some(path)) = (name.published, home.directory(&name.name)) else { continue };
        if PublishedTree::identity_at(&path, identity.bytes).is_ok_and(|now| identity.is_same(&now)) {
            name.published = Some(identity.unsure());
        }
    }
}

/// The same for a tree: its name was given to it if the directory is the one whose files were noted before that.
fn suppose_published_tree(home: &Home, record: &mut Record, slot: &Slot) {
    for name in &mut record.names {
        let Some(path) = home.tree(&name.name) else { continue };
        if let Err(error) = slot.tree().move_former_back(&path) {
            tracing::error!(%error, "the former directory stays in its place below .tinytorrent");
        }
        name.published = slot.tree().published_at(&path);
    }
    if slot.tree().may_have_name() && record.names.iter().all(|name| name.published.is_none()) {
        // What its slot knew of its files is lost.
        for name in &mut record.names {
            let found = home.directory(&name.name).and_then(|path| PublishedTree::identity_at(&path, 0).ok());
            name.published = found.map(FileIdentity::unsure);
        }
    }
}

/// Looks at the files of a resource.
///
/// # Errors
/// When its have map was written by a later version; then nothing may be changed.
fn look(home: &Home, record: &Record, manifest: &Manifest, slot: &Slot) -> Result<Restored, StoreError> {
    let mut published = record.names.iter().filter_map(|name| Some((name, name.published?))).peekable();
    if published.peek().is_some() {
        let mut why = String::new();
        for (name, identity) in published {
            let tree = slot.tree().exists().then(|| PublishedTree::new(slot.tree()));
            let path = tree.as_ref().and_then(|_| home.tree(&name.name));
            let path = path.unwrap_or_else(|| home.file(&name.name));
            match PublishedFile::find(manifest, &path, identity, tree) {
                Ok(_) if name.damaged => why = format!("{} was found damaged", name.name),
                Ok(published) => {
                    return Ok(Restored::Finished { published, is_untidy: slot.is_untidy() });
                }
                Err(error) => why = error,
            }
        }
        return Ok(Restored::Doubtful(why));
    }
    match unfinished(manifest, slot) {
        Err(error) if error.is_later_version() => Err(error),
        Err(error) => Ok(Restored::Doubtful(error.to_string())),
        Ok(restored) => Ok(restored),
    }
}

/// The chunks of an unfinished download. The have map counts only as far as the part file is long enough.
fn unfinished(manifest: &Manifest, slot: &Slot) -> Result<Restored, StoreError> {
    let count = manifest.count();
    let part = slot.open_part(count)?; // this forgets the have map if the files are lost
    let have = slot.read_have(count)?;
    if part.is_half_moved() {
        return Ok(Restored::Doubtful("its chunks were being moved into its directory".to_owned()));
    }
    let (have, bytes) = match have {
        _ if part.length()? == 0 => return Ok(Restored::Unfinished(part, HaveMap::empty(count))),
        None => return Ok(Restored::Doubtful("its have map is missing".to_owned())),
        Some(have) => (have, part.length()?),
    };
    if let Some(missing) = have.iter().find(|index| index.offset() >= bytes) {
        return Ok(Restored::Doubtful(format!(
            "its have map lists chunk {missing}, and the data ends before it"
        )));
    }
    if count.last().is_some_and(|last| have.contains(last)) {
        part.find_last()?;
    }
    Ok(Restored::Unfinished(part, have))
}
