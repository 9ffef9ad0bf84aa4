//! Finds the files of a published tree that are not what was hashed any more.

use super::root::Root;
use super::{At, FileIdentity, PublishedFile, StoreError};
use rustix::fs::{Mode, OFlags};
use shared::chunk::{CHUNK_BYTES, ChunkIndex};
use shared::have::HaveMap;
use shared::tree::EntryKind;
use std::io;
use std::ops::Range;

/// What somebody has edited in a published tree: files that were written to, replaced or removed. Their chunks are not
/// served; all others are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// The chunks that contain bytes of these files.
    pub chunks: HaveMap,
    /// The number of the files, at least 1 if it is known.
    pub files: u64,
    /// The path of one of them, below the tree's top directory.
    pub first: String,
}

impl PublishedFile {
    /// What was edited in it since it was hashed, if it is a tree; `None` if nothing was. Every file is looked at and none
    /// is read. Blocks.
    ///
    /// # Errors
    /// When it is not there any more, or its listing cannot be read.
    pub fn edited(&self) -> Result<Option<Edited>, StoreError> {
        let Some(tree) = &self.tree else { return Ok(None) };
        if !self.is_unchanged() {
            return Err(io::Error::from(io::ErrorKind::NotFound)).at("access", &self.path);
        }
        let root = Root::open(&self.path).at("open", &self.path)?;
        let layout = tree.form().load()?;
        let identities = tree.form().read_identities(layout.listing().len())?;
        let mut edited = Edited { chunks: HaveMap::empty(layout.count()), files: 0, first: String::new() };
        for index in layout.listing().indices() {
            let entry = layout.listing().entry(index);
            let EntryKind::File { bytes } = entry.kind else { continue };
            let path = entry.path.as_str();
            let now = root.open_below(path, OFlags::PATH, Mode::empty()).and_then(|file| file.metadata());
            let is_same = now.is_ok_and(|now| {
                now.is_file() && identities.of(index, bytes).is_same(&FileIdentity::of_metadata(&now))
            });
            if !is_same {
                for chunk in chunks_of(layout.content_range(index)) {
                    edited.chunks.insert(chunk);
                }
                edited.files += 1;
                if edited.first.is_empty() {
                    edited.first = path.to_owned();
                }
            }
        }
        Ok((edited.files > 0).then_some(edited))
    }
}

impl Edited {
    /// What a check found: the chunks that are right.
    pub fn by_check(good: &HaveMap) -> Edited {
        let mut chunks = HaveMap::empty(good.count());
        for chunk in good.missing_from(ChunkIndex(0)) {
            chunks.insert(chunk);
        }
        Edited { chunks, files: 0, first: String::new() }
    }
}

/// The chunks that a range of bytes is in.
fn chunks_of(range: Range<u64>) -> impl Iterator<Item = ChunkIndex> {
    let chunk = u64::from(CHUNK_BYTES);
    let end = if range.is_empty() { range.start / chunk } else { range.end.div_ceil(chunk) };
    (range.start / chunk..end).map(|index| ChunkIndex(index as u32))
}
