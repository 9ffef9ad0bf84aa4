//! Compares files with manifests, in calls that block.

use crate::inbox::CheckedFile;
use crate::store::{
    FileIdentity, LayOutError, NameRecord, PublishedTree, Slot, open_regular, wait_until_laid_out,
};
use shared::host::hashing::{Checked, Hashed, check_body, check_file, check_part};
use shared::manifest::Manifest;
use shared::plain::io_error;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;

/// How a file is compared with its manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// A part file: chunks that the disk cannot read are fetched again.
    AsPart,
    /// A file that a download will replace: its readable and right chunks are copied.
    ToReplace,
    /// A finished file: an unreadable chunk is an error.
    Strictly,
}

impl How {
    /// How to compare the file of a name.
    pub(super) fn of(record: &NameRecord) -> How {
        let is_unsure = record.published.is_some_and(|identity| identity.is_unsure());
        if record.replace && is_unsure { How::ToReplace } else { How::Strictly }
    }
}

/// Compares a file with a manifest.
pub(super) fn check_path(
    path: &Path,
    how: How,
    manifest: &Manifest,
    progress: &(dyn Fn(u64) -> ControlFlow<()> + Sync),
) -> io::Result<CheckedFile> {
    let at = |error| at(path, error);
    let file = open_regular(path).map_err(|error| at(error.source))?;
    let identity = FileIdentity::of(&file).map_err(at)?;
    let check = if how == How::Strictly { check_file } else { check_part };
    let checked = check(&file, manifest, progress).map_err(at)?;
    let Checked { good, unreadable, whole_matches, bytes, found, .. } = checked;
    let is_longer = how == How::ToReplace && identity.bytes > bytes;
    let (whole, bytes) = (whole_matches && !is_longer, if is_longer { identity.bytes } else { bytes });
    let content = if how == How::ToReplace && !whole { content_of(manifest, found) } else { None };
    let content = content.map(Box::new);
    Ok(CheckedFile { good, whole, bytes, unreadable, identity, content, tree: None, edited: None })
}

/// A manifest of what a file contains. Only chunks are taken from the file, so its trackers do not matter.
pub(super) fn content_of(wanted: &Manifest, found: Hashed) -> Option<Manifest> {
    Manifest::new(wanted.name().clone(), found.resource, wanted.trackers().to_vec(), found.hashes).ok()
}

/// Compares a finished tree with a manifest. If all of it is right, its files are served from now on as they are.
pub(super) fn check_tree(
    path: &Path,
    tree: &PublishedTree,
    how: How,
    manifest: &Manifest,
    progress: &(dyn Fn(u64) -> ControlFlow<()> + Sync),
) -> io::Result<CheckedFile> {
    let at = |error| at(path, error);
    let body = tree.body(path).map_err(|error| at(error.source))?;
    let Checked { good, unreadable, whole_matches, bytes, found, .. } =
        check_body(&body, manifest, progress).map_err(at)?;
    let missing = body.missing();
    let whole = whole_matches && missing.is_empty();
    // Only where nobody changed anything does a difference mean that the disk damaged it.
    let is_edited = !whole && (!body.is_as_hashed || !missing.is_empty());
    let edited = is_edited.then(|| body.edited(&good, missing));
    if how == How::Strictly || whole {
        body.note_right(&good).map_err(|error| at(error.source))?;
    }
    let identity = PublishedTree::identity_at(path, bytes).map_err(at)?;
    let is_content_wanted = how == How::ToReplace && !whole;
    let identity = if is_edited && how == How::Strictly { identity.unsure() } else { identity };
    let content = is_content_wanted.then(|| content_of(manifest, found)).flatten().map(Box::new);
    let tree = Some(tree.clone());
    Ok(CheckedFile { good, whole, bytes, unreadable, identity, content, tree, edited })
}

/// Adds the path to an error.
fn at(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {}", path.display(), io_error(&error)))
}

/// Compares what is on the disk of a download with its manifest.
pub(super) fn check_part_of(
    slot: &Slot,
    manifest: &Manifest,
    progress: &(dyn Fn(u64) -> ControlFlow<()> + Sync),
) -> io::Result<CheckedFile> {
    wait_until_laid_out();
    slot.read_part_anew();
    if !slot.tree().exists() {
        return check_path(&slot.part(), How::AsPart, manifest, progress);
    }
    let part =
        slot.open_part(manifest.count()).map_err(|error| io::Error::new(error.source.kind(), error))?;
    part.finish_move(manifest, &|| progress(0).is_continue()).map_err(|error| match error {
        LayOutError::Store(error) => io::Error::new(error.source.kind(), error),
        error => io::Error::other(error),
    })?;
    let Checked { good, unreadable, whole_matches, bytes, .. } = part.check(manifest, progress)?;
    let identity = FileIdentity::at(&slot.part())?;
    Ok(CheckedFile {
        good,
        whole: whole_matches,
        bytes,
        unreadable,
        identity,
        content: None,
        tree: None,
        edited: None,
    })
}

/// Checks that the path still leads to the file that was read.
pub(super) fn still_there(path: &Path, checked: CheckedFile) -> io::Result<CheckedFile> {
    match FileIdentity::at(path)?.is_same(&checked.identity) {
        true => Ok(checked),
        false => Err(io::Error::other("it is being changed; try again when nothing writes to it")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::host::hashing::silent;
    use shared::id::{ChunkHash, ResourceId};

    #[test]
    fn what_the_disk_cannot_read_of_a_file_that_is_to_be_replaced_is_fetched() {
        let unsure = Some(FileIdentity::unknown());
        let record = |replace, published| {
            let name = "x".parse().unwrap();
            NameRecord { replace, ..NameRecord::new(name, published, Default::default()) }
        };
        assert_eq!(How::of(&record(true, unsure)), How::ToReplace);
        assert_eq!(How::of(&record(false, unsure)), How::Strictly);
        assert_eq!(How::of(&record(true, None)), How::Strictly);
    }

    #[test]
    fn a_file_that_is_to_be_replaced_is_not_the_resource_when_it_is_longer() {
        let folder = tempfile::tempdir().unwrap();
        let (path, bytes) = (folder.path().join("x"), vec![7; 1 << 20]);
        let trackers = vec!["tt://127.0.0.1:1".parse().unwrap()];
        let hashes = vec![ChunkHash::of(&bytes)];
        let manifest = Manifest::new("x".parse().unwrap(), ResourceId::of(&bytes), trackers, hashes).unwrap();
        for (tail, whole) in [("", true), ("tail", false)] {
            std::fs::write(&path, [&bytes[..], tail.as_bytes()].concat()).unwrap();
            let checked = check_path(&path, How::ToReplace, &manifest, &silent).unwrap();
            assert_eq!((checked.whole, checked.good.len()), (whole, 1), "{tail:?}");
        }
    }
}
