//! The entries of a listing in memory: 24 bytes for each, and all texts in one allocation, so that a million entries
//! are two allocations.

use super::entry::{Entry, EntryIndex, EntryKind, MODE_MAX, Place};
use super::path::TreePath;

/// Entries, each of which was checked by itself. Their order is the caller's.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    rows: Vec<Row>,
    /// Paths and targets, one behind the other.
    texts: String,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    time: i64,
    /// A file's size. For a link, where the target is: the start above 16 bits for the length.
    value: u64,
    path_start: u32,
    path_bytes: u16,
    /// The mode, with [`FILE`] or [`LINK`] for what is not a directory.
    mode: u16,
}

const FILE: u16 = 1 << 14;
const LINK: u16 = 1 << 15;

impl Rows {
    /// The number of entries.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Adds an entry. `None` if it does not fit: texts of 64 KiB and more, or 4 GiB in all.
    pub(super) fn push(&mut self, entry: &Entry<'_>) -> Option<()> {
        let (path_start, path_bytes) = self.push_text(entry.path.as_str())?;
        let (value, kind) = match entry.kind {
            EntryKind::Directory => (0, 0),
            EntryKind::File { bytes } => (bytes, FILE),
            EntryKind::Symlink { target } => {
                let (start, bytes) = self.push_text(target)?;
                (u64::from(start) << 16 | u64::from(bytes), LINK)
            }
        };
        let (time, mode) = (entry.time.unwrap_or_default(), entry.mode | kind);
        self.rows.push(Row { time, value, path_start, path_bytes, mode });
        Some(())
    }

    /// The entry at an index. Whether entries have times is not known here: without, the time is 0.
    pub(super) fn entry(&self, index: EntryIndex) -> Entry<'_> {
        let row = &self.rows[index.slot()];
        let kind = match row.mode & (FILE | LINK) {
            FILE => EntryKind::File { bytes: row.value },
            LINK => EntryKind::Symlink { target: self.text((row.value >> 16) as u32, row.value as u16) },
            _ => EntryKind::Directory,
        };
        Entry { path: self.path(row), mode: row.mode & MODE_MAX, time: Some(row.time), kind }
    }

    /// Puts the entries in order. Returns where each one was before.
    pub(super) fn sort(&mut self) -> Vec<u32> {
        let mut order: Vec<u32> = (0..self.rows.len() as u32).collect();
        let place = |before: &u32| self.place(&self.rows[*before as usize]);
        order.sort_unstable_by(|a, b| place(a).cmp(&place(b)));
        self.rows = order.iter().map(|&place| self.rows[place as usize]).collect();
        order
    }

    /// The entry at this place among the first `count`, which are sorted.
    pub(super) fn find(&self, place: Place<'_>, count: usize) -> Option<EntryIndex> {
        let found = self.rows[..count].binary_search_by(|row| self.place(row).cmp(&place)).ok()?;
        Some(EntryIndex(found as u32))
    }

    /// Reserves memory for this many entries in all.
    pub(super) fn reserve(&mut self, entries: usize) {
        self.rows.reserve_exact(entries);
    }

    /// Gives back the memory that is reserved for more entries.
    pub(super) fn shrink(&mut self) {
        self.rows.shrink_to_fit();
        self.texts.shrink_to_fit();
    }

    #[cfg(test)]
    pub(super) fn memory_bytes(&self) -> usize {
        self.rows.capacity() * size_of::<Row>() + self.texts.capacity()
    }

    fn push_text(&mut self, text: &str) -> Option<(u32, u16)> {
        let start = u32::try_from(self.texts.len()).ok()?;
        let bytes = u16::try_from(text.len()).ok()?;
        self.texts.push_str(text);
        Some((start, bytes))
    }

    fn place(&self, row: &Row) -> Place<'_> {
        Place { path: self.path(row), is_directory: row.mode & (FILE | LINK) == 0 }
    }

    fn path(&self, row: &Row) -> TreePath<'_> {
        TreePath::known(self.text(row.path_start, row.path_bytes))
    }

    fn text(&self, start: u32, bytes: u16) -> &str {
        &self.texts[start as usize..][..usize::from(bytes)]
    }
}
