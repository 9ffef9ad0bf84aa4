//! Where every byte of a tree's tar comes from. It follows from the listing alone.

use super::entry::EntryIndex;
use super::header::{BLOCK_BYTES, head_bytes, whole_blocks};
use super::listing::Listing;
use super::sum::sum_bytes;
use super::text::{HEAD, line_bytes};
use crate::chunk::ChunkCount;
use std::fmt;
use std::ops::Range;

/// The layout of a tree's tar: headers and padding, which are made when they are needed; the listing, which is made
/// from its entries; the files' contents; and the sums.
///
/// A million entries take 16 bytes each here, beside their listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeLayout {
    listing: Listing,
    /// Where each entry's line begins in the listing.
    lines: Vec<u32>,
    /// Where each entry's headers begin in the tar, and behind the last entry where the sums' header does.
    heads: Vec<u64>,
    /// Where each entry's sum is in the sums, or would be; behind the last entry the length of the sums.
    sums: Vec<u32>,
    count: ChunkCount,
}

/// A tree whose tar would have more than 4 TiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLarge;

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the directory's tar has more than 4 TiB")
    }
}

impl std::error::Error for TooLarge {}

/// A part of the tar that has one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// Where it is in the tar.
    pub range: Range<u64>,
    pub source: PartSource,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PartSource {
    ListingHead,
    Listing,
    Head(EntryIndex),
    Content(EntryIndex),
    SumsHead,
    Sums,
    Zeros,
}

impl TreeLayout {
    /// The layout of the tree with this listing.
    pub fn new(listing: Listing) -> Result<TreeLayout, TooLarge> {
        let entries = listing.len();
        let (mut lines, mut heads, mut sums) =
            (Vec::with_capacity(entries), Vec::with_capacity(entries + 1), Vec::with_capacity(entries + 1));
        let (mut line, mut sum) = (HEAD.len() as u64, 0);
        let mut head = BLOCK_BYTES + whole_blocks(listing.bytes());
        for entry in listing.entries() {
            lines.push(line as u32);
            heads.push(head);
            sums.push(sum as u32);
            line += line_bytes(listing.name(), &entry);
            sum += sum_bytes(listing.name(), &entry);
            // The listing allows no entry with more than 4 TiB, so a million of them do not overflow.
            head += head_bytes(listing.name(), &entry) + whole_blocks(entry.content_bytes());
        }
        heads.push(head);
        sums.push(sum as u32);
        let bytes = head + BLOCK_BYTES + whole_blocks(sum) + END_BYTES;
        let count = ChunkCount::of_bytes(bytes).ok_or(TooLarge)?;
        Ok(TreeLayout { listing, lines, heads, sums, count })
    }

    /// The listing.
    pub fn listing(&self) -> &Listing {
        &self.listing
    }

    /// The length of the tar.
    pub fn bytes(&self) -> u64 {
        whole_blocks(self.sums_range().end) + END_BYTES
    }

    /// The number of chunks of the tar.
    pub fn count(&self) -> ChunkCount {
        self.count
    }

    /// Where the listing is in the tar.
    pub fn listing_range(&self) -> Range<u64> {
        BLOCK_BYTES..BLOCK_BYTES + self.listing.bytes()
    }

    /// Where the listing ends in a tar whose listing has this length.
    pub fn listing_end(listing_bytes: u64) -> u64 {
        BLOCK_BYTES.saturating_add(listing_bytes)
    }

    /// Where the sums are in the tar.
    pub fn sums_range(&self) -> Range<u64> {
        let start = self.contents_end() + BLOCK_BYTES;
        start..start + self.sums_bytes()
    }

    /// Where the last entry ends in the tar. Behind it are the sums.
    pub fn contents_end(&self) -> u64 {
        last(&self.heads)
    }

    /// The length of the sums.
    pub fn sums_bytes(&self) -> u64 {
        last(&self.sums).into()
    }

    /// Where the content of a file is in the tar; an empty range for what is not a file.
    pub fn content_range(&self, index: EntryIndex) -> Range<u64> {
        let entry = self.listing.entry(index);
        let start = self.heads[index.slot()] + head_bytes(self.listing.name(), &entry);
        start..start + entry.content_bytes()
    }

    /// Where the sum of a file is in the sums; an empty range for what is not a file.
    pub(super) fn sum_range(&self, index: EntryIndex) -> Range<u64> {
        self.sums[index.slot()].into()..self.sums[index.slot() + 1].into()
    }

    /// Where the digits of a file's hash are in the sums; an empty range for what is not a file.
    pub fn digits_range(&self, index: EntryIndex) -> Range<u64> {
        let line = self.sum_range(index);
        if line.is_empty() {
            return line;
        }
        // A line whose path has a backslash begins with one.
        let path = self.listing.entry(index).path;
        let start = line.start + u64::from(path.as_str().contains('\\'));
        start..start + 64
    }

    /// The file whose sum has this byte of the sums.
    pub(super) fn sum_at(&self, byte: u64) -> EntryIndex {
        last_where(&self.sums, |&start| u64::from(start) <= byte)
    }

    /// Where the line of an entry begins in the listing.
    pub(super) fn line_start(&self, index: EntryIndex) -> u64 {
        self.lines[index.slot()].into()
    }

    /// The entry whose line has this byte of the listing, which is behind its head.
    pub(super) fn line_at(&self, byte: u64) -> EntryIndex {
        last_where(&self.lines, |&start| u64::from(start) <= byte)
    }

    /// The part that a byte of the tar belongs to; `None` behind the end. `hint` is the entry to look at first.
    pub(super) fn part_at(&self, byte: u64, hint: EntryIndex) -> Option<Part> {
        use PartSource::*;
        let listing = self.listing_range();
        let entries = self.heads[0]..self.contents_end();
        let sums = self.sums_range();
        let (range, source) = match byte {
            _ if byte < listing.start => (0..listing.start, ListingHead),
            _ if byte < listing.end => (listing, Listing),
            _ if byte < entries.start => (listing.end..entries.start, Zeros),
            _ if byte < entries.end => return Some(self.part_of_entry(byte, self.entry_at(byte, hint))),
            _ if byte < sums.start => (entries.end..sums.start, SumsHead),
            _ if byte < sums.end => (sums, Sums),
            _ if byte < self.bytes() => (sums.end..self.bytes(), Zeros),
            _ => return None,
        };
        Some(Part { range, source })
    }

    fn part_of_entry(&self, byte: u64, index: EntryIndex) -> Part {
        let content = self.content_range(index);
        if byte < content.start {
            Part { range: self.heads[index.slot()]..content.start, source: PartSource::Head(index) }
        } else if byte < content.end {
            Part { range: content, source: PartSource::Content(index) }
        } else {
            Part { range: content.end..self.heads[index.slot() + 1], source: PartSource::Zeros }
        }
    }

    /// The entry whose headers, content or padding a byte belongs to.
    fn entry_at(&self, byte: u64, hint: EntryIndex) -> EntryIndex {
        let is_it = |index: usize| {
            self.heads.get(index).is_some_and(|&start| start <= byte)
                && self.heads.get(index + 1).is_some_and(|&end| byte < end)
        };
        let near = [hint.slot(), hint.slot() + 1].into_iter().find(|&index| is_it(index));
        near.map_or_else(|| last_where(&self.heads, |&start| start <= byte), |near| EntryIndex(near as u32))
    }
}

/// Two zero blocks end a tar.
const END_BYTES: u64 = 2 * BLOCK_BYTES;

fn last<T: Copy>(starts: &[T]) -> T {
    *starts.last().expect("there is always one")
}

/// The last position whose start fits. The first one always does.
fn last_where<T>(starts: &[T], fits: impl Fn(&T) -> bool) -> EntryIndex {
    EntryIndex((starts.partition_point(fits) - 1) as u32)
}
