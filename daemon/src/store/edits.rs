//! What was edited in a published tree.

use shared::chunk::{CHUNK_BYTES, ChunkIndex};
use shared::have::HaveMap;
use shared::tree::{EntryIndex, TreeLayout};
use std::collections::BTreeSet;
use std::ops::Range;

/// How many of the edited files are named, the first ones. More would not fit a line.
const NAMED_MAX: usize = 3;

/// What somebody has edited in a published tree: files that were written to, replaced or removed. Their chunks are not
/// served; all others are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// The chunks that contain bytes of these files.
    pub chunks: HaveMap,
    /// The paths of the first of them, below the tree's top directory.
    pub first: Vec<String>,
    files: BTreeSet<EntryIndex>,
    /// Whether a check found it, which read every byte: a look at the files alone does not take any of it back.
    is_checked: bool,
}

impl Edited {
    /// These files with all their chunks; `None` if there are none.
    pub(super) fn of(layout: &TreeLayout, files: impl Iterator<Item = EntryIndex>) -> Option<Edited> {
        let files: BTreeSet<EntryIndex> = files.collect();
        if files.is_empty() {
            return None;
        }
        let all_right = HaveMap::full(layout.count());
        Some(Edited { is_checked: false, ..Edited::checked(layout, &all_right, files) })
    }

    /// What a check found: the chunks that are right, and the files that somebody wrote to. No chunk of these is served,
    /// since nobody knows when they are written to again.
    pub(super) fn checked(layout: &TreeLayout, good: &HaveMap, files: BTreeSet<EntryIndex>) -> Edited {
        let mut edited = Edited { first: named(layout, &files), ..Edited::unknown(good) };
        for file in &files {
            chunks_of(layout.content_range(*file)).for_each(|chunk| _ = edited.chunks.insert(chunk));
        }
        edited.files = files;
        edited
    }

    /// What is wrong with a directory of which it is not known what was in it: the chunks that are not right.
    pub fn unknown(good: &HaveMap) -> Edited {
        let mut chunks = HaveMap::empty(good.count());
        good.missing_from(ChunkIndex(0)).for_each(|chunk| _ = chunks.insert(chunk));
        Edited { chunks, first: Vec::new(), files: BTreeSet::new(), is_checked: true }
    }

    /// The number of the files.
    pub fn files(&self) -> usize {
        self.files.len()
    }

    /// This and more that was found.
    #[must_use]
    pub fn with(mut self, more: Edited) -> Edited {
        more.chunks.iter().for_each(|chunk| _ = self.chunks.insert(chunk));
        let names = more.first.into_iter().filter(|name| !self.first.contains(name));
        let names: Vec<String> = names.take(NAMED_MAX.saturating_sub(self.first.len())).collect();
        self.first.extend(names);
        self.files.extend(more.files);
        self
    }

    /// What holds after a look at all files found this, or nothing: what a check found stays.
    pub fn after_look(before: Option<&Edited>, found: Option<Edited>) -> Option<Edited> {
        match before.filter(|before| before.is_checked) {
            None => found,
            Some(checked) => Some(found.into_iter().fold(checked.clone(), Edited::with)),
        }
    }
}

fn named(layout: &TreeLayout, files: &BTreeSet<EntryIndex>) -> Vec<String> {
    let path = |index: &EntryIndex| layout.listing().entry(*index).path.as_str().to_owned();
    files.iter().take(NAMED_MAX).map(path).collect()
}

/// The chunks that a range of bytes is in.
pub(super) fn chunks_of(range: Range<u64>) -> impl Iterator<Item = ChunkIndex> {
    let chunk = u64::from(CHUNK_BYTES);
    let end = if range.is_empty() { range.start / chunk } else { range.end.div_ceil(chunk) };
    (range.start / chunk..end).map(|index| ChunkIndex(index as u32))
}
