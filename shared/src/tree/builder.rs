//! Makes a listing of entries: checks each one, puts them in order, and checks that together they are a tree.

use super::entry::{Entry, EntryIndex, EntryKind, MODE_MAX, Place, is_target};
use super::listing::{ENTRIES_MAX, LISTING_BYTES_MAX, Listing};
use super::name::TreeName;
use super::path::{BadPath, PATH_BYTES_MAX, TreePath};
use super::refused::{BadTree, Refused};
use super::rows::Rows;
use super::text;
use crate::chunk::{CHUNK_BYTES, CHUNKS_MAX};
use std::cmp::Ordering;

/// Collects the entries of a listing, in any order.
#[derive(Debug)]
pub struct ListingBuilder {
    name: TreeName,
    rows: Rows,
    /// `None` until the first entry.
    has_times: Option<bool>,
    /// The length of the text so far.
    bytes: u64,
}

impl ListingBuilder {
    /// Without entries.
    pub fn new(name: TreeName) -> ListingBuilder {
        ListingBuilder { name, rows: Rows::default(), has_times: None, bytes: text::HEAD.len() as u64 }
    }

    /// Reserves memory for this many entries in all.
    pub(super) fn reserve(&mut self, entries: usize) {
        self.rows.reserve(entries.min(ENTRIES_MAX));
    }

    /// Adds an entry.
    pub fn push(&mut self, entry: &Entry<'_>) -> Result<(), Refused> {
        if self.name.as_str().len() + 1 + entry.path.as_str().len() > PATH_BYTES_MAX {
            return Err(Refused::Path(BadPath::TooLong));
        }
        if entry.mode & !MODE_MAX != 0 {
            return Err(Refused::Mode);
        }
        match entry.kind {
            EntryKind::File { bytes } if bytes > u64::from(CHUNKS_MAX) * u64::from(CHUNK_BYTES) => {
                return Err(Refused::Size);
            }
            EntryKind::Symlink { .. } if entry.mode != MODE_MAX => return Err(Refused::Mode),
            EntryKind::Symlink { target } if !is_target(target) => return Err(Refused::Target),
            EntryKind::Directory | EntryKind::File { .. } | EntryKind::Symlink { .. } => {}
        }
        if *self.has_times.get_or_insert(entry.time.is_some()) != entry.time.is_some() {
            return Err(Refused::Times);
        }
        if self.rows.len() == ENTRIES_MAX {
            return Err(Refused::TooMany);
        }
        self.bytes += text::line_bytes(&self.name, entry);
        if self.bytes > LISTING_BYTES_MAX {
            return Err(Refused::TooLong);
        }
        self.rows.push(entry).ok_or(Refused::TooLong)
    }

    /// Puts the entries in order and checks that they are a tree.
    pub fn finish(self) -> Result<Listing, BadTree> {
        self.finish_with_order().map(|(listing, _)| listing)
    }

    /// The same, with the number of entries that were added before each entry of the listing.
    pub fn finish_with_order(mut self) -> Result<(Listing, Vec<u32>), BadTree> {
        let order = self.rows.sort();
        let listing = self.finish_in_order().map_err(|(path, _, why)| BadTree { path, why })?;
        Ok((listing, order))
    }

    /// Checks that the entries were added in order and are a tree. The error has the path and the index of the first
    /// that is not allowed.
    pub(super) fn finish_in_order(mut self) -> Result<Listing, (String, EntryIndex, Refused)> {
        if self.rows.len() == 0 {
            return Err((String::new(), EntryIndex::TOP, Refused::Top));
        }
        let mut directory = TreePath::TOP;
        for index in (0..self.rows.len() as u32).map(EntryIndex) {
            let path = self.rows.entry(index).path;
            directory = self.check_place(index, directory).map_err(|why| (path.to_string(), index, why))?;
        }
        self.rows.shrink();
        Ok(Listing::of_checked(self.name, self.rows, self.has_times.unwrap_or_default(), self.bytes))
    }

    /// Checks an entry against those before it. `directory` is known to be a directory. Returns the one that the entry
    /// is in, because most entries are in the same one as the entry before.
    fn check_place<'a>(
        &'a self,
        index: EntryIndex,
        directory: TreePath<'a>,
    ) -> Result<TreePath<'a>, Refused> {
        let entry = self.rows.entry(index);
        let Some(before) = index.0.checked_sub(1) else {
            let is_top = entry.path.is_top() && entry.is_directory();
            return if is_top { Ok(TreePath::TOP) } else { Err(Refused::Top) };
        };
        match self.rows.entry(EntryIndex(before)).place().cmp(&entry.place()) {
            Ordering::Less => {}
            Ordering::Equal => return Err(Refused::Twice),
            Ordering::Greater => return Err(Refused::Order),
        }
        let is_before =
            |path, is_directory| self.rows.find(Place { path, is_directory }, index.slot()).is_some();
        // A file of the same name has a place of its own, before the directory's.
        if entry.is_directory() && is_before(entry.path, false) {
            return Err(Refused::Twice);
        }
        let parent = entry.path.parent().ok_or(Refused::Twice)?;
        match parent == directory || is_before(parent, true) {
            true => Ok(parent),
            false if is_before(parent, false) => Err(Refused::ParentNotDirectory),
            false => Err(Refused::NoParent),
        }
    }
}

impl Listing {
    /// The same entries below a top directory of another name, and with or without times; without, if they have none.
    pub fn in_form(&self, name: TreeName, has_times: bool) -> Result<Listing, BadTree> {
        let time = |time: Option<i64>| time.filter(|_| has_times);
        Listing::new(name, self.entries().map(|entry| Entry { time: time(entry.time), ..entry }))
    }

    /// Makes a listing of entries in any order. The error names an entry that is not allowed.
    pub fn new<'a>(name: TreeName, entries: impl IntoIterator<Item = Entry<'a>>) -> Result<Listing, BadTree> {
        let mut builder = ListingBuilder::new(name);
        for entry in entries {
            builder.push(&entry).map_err(|why| BadTree { path: entry.path.to_string(), why })?;
        }
        builder.finish()
    }
}
