//! Compares a directory that ttd does not know with the manifest of a resource that may be a tree. Only the same
//! entries, with the same names, permissions and times, have the same chunks.

use super::compare::{How, check_path, content_of, still_there};
use crate::inbox::CheckedFile;
use crate::store::{Edited, Home, PublishedTree, Slot, StoreError, open_directory};
use shared::have::HaveMap;
use shared::host::tree::{HashedTree, TreeError, hash_tree, hash_tree_for};
use shared::manifest::Manifest;
use shared::tree::{Symlinks, TreeName, TreeOptions};
use std::io;
use std::ops::ControlFlow;
use std::path::Path;

type Progress<'a> = dyn Fn(u64) -> ControlFlow<()> + Sync + 'a;

/// Compares what lies under the name of a manifest with it: a file, or, where no file is, a directory. If a directory is
/// right, the slot has everything afterwards that is needed to serve it. If a download may replace a different one,
/// the slot has what is needed to take chunks from it.
pub(super) fn check_lying(
    home: &Home,
    slot: &Slot,
    how: How,
    manifest: &Manifest,
    progress: &Progress<'_>,
) -> io::Result<CheckedFile> {
    let path = home.file(manifest.name());
    match home.directory(manifest.name()).filter(|_| is_missing(&path)) {
        Some(directory) => check_directory(&directory, slot, how, manifest, progress),
        None => {
            let checked = check_path(&path, how, manifest, progress);
            checked.and_then(|checked| still_there(&path, checked))
        }
    }
}

/// The size in bytes of what [`check_lying`] reads, as far as it is known before.
pub(super) fn lying_bytes(home: &Home, manifest: &Manifest) -> u64 {
    match std::fs::symlink_metadata(home.file(manifest.name())) {
        Ok(metadata) => metadata.len(),
        Err(_) => manifest.count().bytes_max(),
    }
}

fn is_missing(path: &Path) -> bool {
    matches!(std::fs::symlink_metadata(path), Err(error) if error.kind() == io::ErrorKind::NotFound)
}

fn check_directory(
    path: &Path,
    slot: &Slot,
    how: How,
    manifest: &Manifest,
    progress: &Progress<'_>,
) -> io::Result<CheckedFile> {
    let name = TreeName::of_resource(manifest.name()).ok_or(io::ErrorKind::NotFound)?;
    let found = match hash_wanted(path, &name, manifest, progress)? {
        Some(found) => Some(found),
        None if how == How::ToReplace => hash_any(path, &name, progress)?,
        None => None,
    };
    let Some(found) = found else { return nothing_fits(path, slot, manifest) };
    let (good, is_right) = compare(&found, manifest);
    let content = match how {
        How::ToReplace if !is_right => content_of(manifest, found.hashed.clone()),
        _ => None,
    };
    let tree = match &content {
        Some(content) => slot.keep_unknown(&found, content).map_err(of_store)?,
        None => {
            if is_right {
                slot.keep_tree(&found).map_err(of_store)?;
            }
            PublishedTree::new(slot.tree())
        }
    };
    let bytes = found.hashed.bytes;
    let identity = PublishedTree::identity_at(path, bytes)?;
    let (content, tree) = (content.map(Box::new), Some(tree));
    let edited = (!is_right).then(|| Edited::unknown(&good));
    let unreadable = Vec::new();
    Ok(CheckedFile { good, whole: is_right, bytes, unreadable, identity, content, tree, edited })
}

/// The result for a directory of which not even the first chunk is right: the resource may be a file, for example the
/// archive from which the directory was unpacked.
fn nothing_fits(path: &Path, slot: &Slot, manifest: &Manifest) -> io::Result<CheckedFile> {
    let bytes = manifest.count().bytes_max();
    let good = HaveMap::empty(manifest.count());
    Ok(CheckedFile {
        edited: Some(Edited::unknown(&good)),
        good,
        whole: false,
        bytes,
        unreadable: Vec::new(),
        identity: PublishedTree::identity_at(path, bytes)?,
        content: None,
        tree: Some(PublishedTree::new(slot.tree())),
    })
}

/// Hashes a directory if its first chunk is that of the manifest. Its symbolic links that lead outside may have been
/// left out when it was shared.
fn hash_wanted(
    path: &Path,
    name: &TreeName,
    manifest: &Manifest,
    progress: &Progress<'_>,
) -> io::Result<Option<HashedTree>> {
    for symlinks in [Symlinks::Any, Symlinks::Skip] {
        let top = open_directory(path).map_err(of_store)?;
        let (names, options) = (std::slice::from_ref(name), options(symlinks));
        match hash_tree_for(manifest, top, names, options, &|done, _| progress(done)) {
            Ok(None) | Err(TreeError::Refused { .. }) => {}
            Ok(found) => return Ok(found),
            Err(error) => return Err(of_tree(path, &error)),
        }
    }
    Ok(None)
}

/// Hashes a directory as it is; `None` if it cannot be a tree.
fn hash_any(path: &Path, name: &TreeName, progress: &Progress<'_>) -> io::Result<Option<HashedTree>> {
    let top = open_directory(path).map_err(of_store)?;
    match hash_tree(top, name, options(Symlinks::Any), &|done, _| progress(done)) {
        Ok(found) => Ok(Some(found)),
        Err(TreeError::Refused { .. }) => Ok(None),
        Err(error) => Err(of_tree(path, &error)),
    }
}

fn options(symlinks: Symlinks) -> TreeOptions {
    TreeOptions { symlinks, skip_special: true, has_times: true }
}

/// The chunks of a directory that are right, and whether all of it is.
fn compare(found: &HashedTree, manifest: &Manifest) -> (HaveMap, bool) {
    let mut good = HaveMap::empty(manifest.count());
    let wanted = manifest.count().indices().zip(manifest.hashes());
    for ((index, wanted), found) in wanted.zip(&found.hashed.hashes) {
        if found == wanted {
            good.insert(index);
        }
    }
    let is_right = found.hashed.resource == manifest.resource() && found.hashed.hashes == manifest.hashes();
    (good, is_right)
}

fn of_store(error: StoreError) -> io::Error {
    io::Error::new(error.source.kind(), error)
}

fn of_tree(path: &Path, error: &TreeError) -> io::Error {
    let place = error.place().map_or_else(|| path.to_owned(), |below| path.join(below));
    io::Error::new(error.kind(), format!("{}: {}", place.display(), error.why()))
}
