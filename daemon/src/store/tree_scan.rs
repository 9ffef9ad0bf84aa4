//! Looks at the files of a published tree, some at a time, and reads what it must know of each from the slot: the listing
//! is never in memory as a whole, however many files the tree has.

use super::edited::is_same;
use super::root::Root;
use super::{At, Edited, PublishedFile, StoreError};
use shared::tree::{EntryIndex, file_of_line};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Limits the bytes of a line of the listing: a path of 4,096 bytes, each escaped as four, and a link's target of as many.
/// What follows in a longer line, which no listing has, is passed over.
const LINE_BYTES_MAX: u64 = 40 << 10;

/// A look at all files of a tree, and how far it is.
#[derive(Debug)]
pub struct TreeScan {
    published: Arc<PublishedFile>,
    root: Root,
    listing: BufReader<File>,
    identities: File,
    /// The next entry.
    next: EntryIndex,
    /// The files that seem to be edited.
    found: Vec<EntryIndex>,
    line: Vec<u8>,
    path: Vec<u8>,
}

impl TreeScan {
    /// A look at this tree; `None` if it is a file.
    ///
    /// # Errors
    /// When it is not there any more, or its slot lacks what is known of it.
    pub fn begin(published: &Arc<PublishedFile>) -> Result<Option<TreeScan>, StoreError> {
        let Some(tree) = &published.tree else { return Ok(None) };
        let root = Root::open(&published.path).at("open", &published.path)?;
        let (listing, identities) = tree.form().open()?;
        Ok(Some(TreeScan {
            published: published.clone(),
            root,
            listing: BufReader::new(listing),
            identities,
            next: EntryIndex::TOP,
            found: Vec::new(),
            line: Vec::new(),
            path: Vec::new(),
        }))
    }

    /// The tree.
    pub fn published(&self) -> &Arc<PublishedFile> {
        &self.published
    }

    /// Whether an edited file seems to have been found.
    pub fn has_found(&self) -> bool {
        !self.found.is_empty()
    }

    /// Looks at the next entries: at most this many, and for at most this long. Returns whether these were the last ones.
    /// Blocks.
    ///
    /// # Errors
    /// When what is known of the tree cannot be read.
    pub fn look(&mut self, entries_max: usize, longest: Duration) -> Result<bool, StoreError> {
        let begin = Instant::now();
        for _ in 0..entries_max {
            if begin.elapsed() >= longest {
                return Ok(false);
            }
            if !self.look_at_next()? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Returns whether there was a line.
    fn look_at_next(&mut self) -> Result<bool, StoreError> {
        let path = &self.published.path;
        self.line.clear();
        let mut listing = self.listing.by_ref().take(LINE_BYTES_MAX);
        if listing.read_until(b'\n', &mut self.line).at("read the listing of", path)? == 0 {
            return Ok(false);
        }
        if !self.line.starts_with(b"./") {
            return Ok(true); // the beginning, or the checksum at the end
        }
        let index = self.next;
        self.next = EntryIndex(index.0.saturating_add(1));
        let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        if let Some((below, bytes)) = file_of_line(line, &mut self.path) {
            let form = self.published.tree.as_ref().map(super::PublishedTree::form);
            let identity = form.map(|form| form.identity_in(&self.identities, index, bytes)).transpose()?;
            if !identity.is_some_and(|identity| is_same(&self.root, below, &identity)) {
                self.found.push(index);
            }
        }
        Ok(true)
    }

    /// What was edited of what was looked at. Each file that seemed to be is looked at again.
    ///
    /// # Errors
    /// When the tree is not there any more, or what is known of it cannot be read.
    pub fn edited(&self) -> Result<Option<Edited>, StoreError> {
        match self.found.is_empty() {
            true => Ok(None),
            false => self.published.edited_of(&self.found),
        }
    }
}
