//! A range of a tree's tar as a list of segments.

use super::entry::EntryIndex;
use super::layout::{Part, PartSource, TreeLayout};
use std::ops::Range;

/// A piece of the tar, and where its bytes come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Segment {
    /// Headers, the listing, padding: [`TreeLayout::fill_synthetic`] makes them.
    Synthetic {
        /// Its length.
        bytes: u64,
    },
    /// A range of a file's content.
    File {
        /// The file.
        entry: EntryIndex,
        /// Where the range begins in the file.
        offset: u64,
        /// Its length.
        bytes: u64,
    },
    /// A range of the [`Sums`](super::Sums).
    Sums {
        /// Where the range begins in the sums.
        offset: u64,
        /// Its length.
        bytes: u64,
    },
}

impl Segment {
    /// The length of the piece, at least 1.
    pub fn bytes(self) -> u64 {
        match self {
            Segment::Synthetic { bytes } | Segment::File { bytes, .. } | Segment::Sums { bytes, .. } => bytes,
        }
    }
}

impl TreeLayout {
    /// The segments of a range of the tar, in order and without gaps; none behind the end of the tar. No two synthetic
    /// ones follow each other.
    pub fn segments(&self, range: Range<u64>) -> Segments<'_> {
        let range = range.start..range.end.min(self.bytes());
        Segments { layout: self, range, hint: EntryIndex::TOP }
    }
}

/// The segments of a range; see [`TreeLayout::segments`].
#[derive(Debug, Clone)]
pub struct Segments<'a> {
    layout: &'a TreeLayout,
    /// What is left of the range.
    range: Range<u64>,
    /// An entry that is near.
    hint: EntryIndex,
}

impl Segments<'_> {
    /// The part at the beginning of what is left, cut to it, and where that begins in the part.
    fn part(&mut self) -> Option<(Part, u64)> {
        if self.range.is_empty() {
            return None;
        }
        let Part { range, source } = self.layout.part_at(self.range.start, self.hint)?;
        if let PartSource::Head(index) | PartSource::Content(index) = source {
            self.hint = index;
        }
        let offset = self.range.start - range.start;
        Some((Part { range: self.range.start..range.end.min(self.range.end), source }, offset))
    }
}

impl Iterator for Segments<'_> {
    type Item = Segment;

    fn next(&mut self) -> Option<Segment> {
        let mut synthetic = 0;
        while let Some((part, offset)) = self.part() {
            let bytes = part.range.end - part.range.start;
            let segment = match part.source {
                PartSource::Content(entry) => Segment::File { entry, offset, bytes },
                PartSource::Sums => Segment::Sums { offset, bytes },
                PartSource::ListingHead
                | PartSource::Listing
                | PartSource::Head(_)
                | PartSource::SumsHead
                | PartSource::Zeros => {
                    synthetic += bytes;
                    self.range.start = part.range.end;
                    continue;
                }
            };
            if synthetic == 0 {
                self.range.start = part.range.end;
                return Some(segment);
            }
            break;
        }
        (synthetic > 0).then_some(Segment::Synthetic { bytes: synthetic })
    }
}
