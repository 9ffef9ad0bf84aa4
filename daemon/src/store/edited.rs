//! Finds the files of a published tree that are not what was hashed any more.

use super::published_tree::Loaded;
use super::root::Root;
use super::tree_form::TreeIdentities;
use super::{At, Edited, FileIdentity, PublishedFile, StoreError};
use rustix::fs::{Mode, OFlags};
use shared::chunk::{CHUNK_BYTES, ChunkIndex};
use shared::tree::{EntryIndex, EntryKind, Segment, TreeLayout};
use std::io;

impl PublishedFile {
    /// What was edited in it since it was hashed, if it is a tree; `None` if nothing was. Every file is looked at and none
    /// is read. Blocks.
    ///
    /// # Errors
    /// When it is not there any more, or its listing cannot be read.
    pub fn edited(&self) -> Result<Option<Edited>, StoreError> {
        let Some(tree) = &self.tree else { return Ok(None) };
        let root = self.root()?;
        let loaded = tree.load_once()?;
        let Loaded { layout, identities, .. } = &*loaded;
        Ok(look(&root, layout, identities, layout.listing().indices()))
    }

    /// The same of some files, which are looked at in any case.
    ///
    /// # Errors
    /// Those of [`edited`](PublishedFile::edited).
    pub(super) fn edited_of(&self, files: &[EntryIndex]) -> Result<Option<Edited>, StoreError> {
        let Some(tree) = &self.tree else { return Ok(None) };
        let root = self.root()?;
        let loaded = tree.load_once()?;
        let Loaded { layout, identities, .. } = &*loaded;
        let entries = layout.listing().len();
        let files = files.iter().copied().filter(|file| file.slot() < entries);
        Ok(look(&root, layout, identities, files))
    }

    /// The same of the files that a chunk has bytes of.
    ///
    /// # Errors
    /// Those of [`edited`](PublishedFile::edited).
    pub fn edited_in(&self, chunk: ChunkIndex) -> Result<Option<Edited>, StoreError> {
        let Some(tree) = &self.tree else { return Ok(None) };
        let root = self.root()?;
        let loaded = tree.load()?;
        let Loaded { layout, identities, .. } = &*loaded;
        let end = layout.bytes().min(chunk.offset() + u64::from(CHUNK_BYTES));
        let files = layout.segments(chunk.offset()..end).filter_map(|segment| match segment {
            Segment::File { entry, .. } => Some(entry),
            _ => None,
        });
        Ok(look(&root, layout, identities, files))
    }

    fn root(&self) -> Result<Root, StoreError> {
        match self.is_unchanged() {
            true => Root::open(&self.path).at("open", &self.path),
            false => Err(io::Error::from(io::ErrorKind::NotFound)).at("access", &self.path),
        }
    }
}

/// Looks at some files of a tree.
fn look(
    root: &Root,
    layout: &TreeLayout,
    identities: &TreeIdentities,
    files: impl Iterator<Item = EntryIndex>,
) -> Option<Edited> {
    let is_edited = |index: &EntryIndex| {
        let entry = layout.listing().entry(*index);
        let EntryKind::File { bytes } = entry.kind else { return false };
        !is_same(root, entry.path.as_str(), &identities.of(*index, bytes))
    };
    Edited::of(layout, files.filter(is_edited))
}

/// Whether a file is still the one that was hashed.
pub(super) fn is_same(root: &Root, path: &str, identity: &FileIdentity) -> bool {
    let now = root.open_below(path, OFlags::PATH, Mode::empty()).and_then(|file| file.metadata());
    now.is_ok_and(|now| now.is_file() && identity.is_same(&FileIdentity::of_metadata(&now)))
}
