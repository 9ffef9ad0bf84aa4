//! Which chunks of a wanted tree can be made of what this machine has: of the files of its older version, and of other
//! files with the same content.

use super::entry::{EntryIndex, EntryKind};
use super::layout::TreeLayout;
use super::segments::{Segment, Segments};
use crate::chunk::{CHUNK_BYTES, ChunkIndex};
use crate::have::HaveMap;
use crate::id::ResourceId;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Range;

/// The donor that is the older version of the wanted tree. Others are counted from 1.
pub const OLDER: u32 = 0;

/// An entry of the wanted tree whose path is not in the older one.
const NOWHERE: u32 = u32::MAX;

/// Where the content of a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilePlace {
    /// The donor, [`OLDER`] or a number of the caller's.
    pub donor: u32,
    /// The file among those of the donor; [`EntryIndex::TOP`] of a donor that is a plain file.
    pub entry: EntryIndex,
}

/// A piece of the wanted tree's tar, and where its bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// Nowhere: [`TreeLayout::fill_synthetic`] makes them.
    Synthetic {
        /// Its length.
        bytes: u64,
    },
    /// In a file.
    File {
        /// The file.
        place: FilePlace,
        /// Where the range begins in the file.
        offset: u64,
        /// Its length.
        bytes: u64,
    },
    /// In the sums of the older tree.
    OlderSums {
        /// Where the range begins in these sums.
        offset: u64,
        /// Its length.
        bytes: u64,
    },
    /// Content of a file that is not known here.
    UnknownFile {
        /// The file of the wanted tree.
        entry: EntryIndex,
        /// Its length.
        bytes: u64,
    },
    /// Sums that are not known here.
    UnknownSums {
        /// Its length.
        bytes: u64,
    },
}

/// The files of a wanted tree whose content is probably known here. Nothing of it is certain: whoever makes a chunk from
/// these files compares its hash.
///
/// It takes 4 bytes for each entry, and about 30 for each file that was moved.
#[derive(Debug)]
pub struct KnownFiles<'a> {
    new: &'a TreeLayout,
    old: &'a TreeLayout,
    /// For each entry of the wanted tree, the file of the older one with the same path, size and time.
    by_path: Vec<u32>,
    /// Files that were found by their sums.
    by_sum: BTreeMap<EntryIndex, FilePlace>,
}

/// Which chunks can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownChunks {
    /// Those of which everything is known.
    pub known: HaveMap,
    /// Those that may be known when the sums are here: each unknown file in them has the size of one that is here.
    pub likely: HaveMap,
}

impl<'a> KnownFiles<'a> {
    /// The files of `new` that `old` has under the same path, with the same size and time. Without times, the size
    /// decides.
    pub fn by_path(new: &'a TreeLayout, old: &'a TreeLayout) -> KnownFiles<'a> {
        let (wanted, here) = (new.listing(), old.listing());
        let mut by_path = vec![NOWHERE; wanted.len()];
        let mut left = here.indices().peekable();
        for index in wanted.indices() {
            let entry = wanted.entry(index);
            let order = |other: EntryIndex| here.entry(other).place().cmp(&entry.place());
            while left.next_if(|other| order(*other) == Ordering::Less).is_some() {}
            let Some(other) = left.next_if(|other| order(*other) == Ordering::Equal) else { continue };
            let there = here.entry(other);
            let is_file = matches!(entry.kind, EntryKind::File { .. });
            if is_file && (there.kind, there.time) == (entry.kind, entry.time) {
                by_path[index.slot()] = other.0;
            }
        }
        KnownFiles { new, old, by_path, by_sum: BTreeMap::new() }
    }

    /// Where the content of a file is.
    pub fn place(&self, index: EntryIndex) -> Option<FilePlace> {
        let by_path = || self.same_path(index).map(|entry| FilePlace { donor: OLDER, entry });
        self.by_sum.get(&index).copied().or_else(by_path)
    }

    fn same_path(&self, index: EntryIndex) -> Option<EntryIndex> {
        Some(self.by_path[index.slot()]).filter(|&other| other != NOWHERE).map(EntryIndex)
    }

    /// The sizes of the files whose content is not known, ascending, each once.
    pub fn unknown_sizes(&self) -> Vec<u64> {
        let listing = self.new.listing();
        let unknown = listing.indices().filter(|&index| self.place(index).is_none());
        sorted(unknown.map(|index| listing.entry(index).content_bytes()).filter(|&bytes| bytes > 0))
    }

    /// The pieces of a range of the wanted tree's tar, in order.
    pub fn pieces(&self, range: Range<u64>) -> Pieces<'_> {
        Pieces { known: self, segments: self.new.segments(range), sums: 0..0 }
    }

    /// Which of these chunks can be made. `sizes` are those of all files that are here, ascending; none if the sums are
    /// known already.
    pub fn chunks(&self, of: &HaveMap, sizes: &[u64]) -> KnownChunks {
        let none = HaveMap::empty(of.count());
        let mut chunks = KnownChunks { known: none.clone(), likely: none };
        for index in of.iter() {
            let (mut is_known, mut is_likely) = (true, true);
            for piece in self.pieces(chunk_range(index)) {
                match piece {
                    Piece::Synthetic { .. } | Piece::File { .. } | Piece::OlderSums { .. } => {}
                    Piece::UnknownSums { .. } => (is_known, is_likely) = (false, false),
                    Piece::UnknownFile { entry, .. } => {
                        let bytes = self.new.listing().entry(entry).content_bytes();
                        (is_known, is_likely) = (false, is_likely && sizes.binary_search(&bytes).is_ok());
                    }
                }
                if !is_likely {
                    break;
                }
            }
            if is_known {
                chunks.known.insert(index);
            } else if is_likely {
                chunks.likely.insert(index);
            }
        }
        chunks
    }

    /// The sums of both trees are known: forgets the files of the older tree that have other content although path, size
    /// and time are the same, and returns the files that are to be looked for by their sums. Both functions are asked in
    /// the order of the entries.
    pub fn compare_sums(
        &mut self,
        mut new_sum: impl FnMut(EntryIndex) -> Option<ResourceId>,
        mut old_sum: impl FnMut(EntryIndex) -> Option<ResourceId>,
    ) -> Moved {
        let mut wanted = Vec::new();
        for index in self.new.listing().indices() {
            let bytes = self.new.listing().entry(index).content_bytes();
            let Some(sum) = (bytes > 0).then(|| new_sum(index)).flatten() else { continue };
            match self.same_path(index) {
                Some(other) if old_sum(other) == Some(sum) => {}
                _ => {
                    self.by_path[index.slot()] = NOWHERE;
                    wanted.push((sum, index));
                }
            }
        }
        wanted.sort_unstable();
        let sizes = wanted.iter().map(|(_, index)| self.new.listing().entry(*index).content_bytes());
        Moved { sizes: sorted(sizes), wanted }
    }

    /// Takes over where a file is. Those that were found before stay.
    fn found(&mut self, index: EntryIndex, place: FilePlace) {
        self.by_sum.entry(index).or_insert(place);
    }
}

/// Files of a wanted tree that are looked for by their sums, wherever they are.
#[derive(Debug)]
pub struct Moved {
    /// The sum of each, in order.
    wanted: Vec<(ResourceId, EntryIndex)>,
    /// Their sizes, ascending.
    sizes: Vec<u64>,
}

impl Moved {
    /// Whether one of them has this size.
    pub fn has_size(&self, bytes: u64) -> bool {
        self.sizes.binary_search(&bytes).is_ok()
    }

    /// Looks for them in the files of a tree. `sum` is asked in the order of the entries, and only about files whose size
    /// fits.
    pub fn look_in(
        &self,
        known: &mut KnownFiles<'_>,
        donor: u32,
        layout: &TreeLayout,
        mut sum: impl FnMut(EntryIndex) -> Option<ResourceId>,
    ) {
        for entry in layout.listing().indices() {
            if self.has_size(layout.listing().entry(entry).content_bytes())
                && let Some(sum) = sum(entry)
            {
                self.is_here(known, &sum, FilePlace { donor, entry });
            }
        }
    }

    /// A file with this sum is here.
    pub fn is_here(&self, known: &mut KnownFiles<'_>, sum: &ResourceId, place: FilePlace) {
        let first = self.wanted.partition_point(|(wanted, _)| wanted < sum);
        let same = self.wanted[first..].iter().take_while(|(wanted, _)| wanted == sum);
        same.for_each(|(_, index)| known.found(*index, place));
    }
}

/// The pieces of a range; see [`KnownFiles::pieces`].
#[derive(Debug)]
pub struct Pieces<'a> {
    known: &'a KnownFiles<'a>,
    segments: Segments<'a>,
    /// What is left of a segment of sums.
    sums: Range<u64>,
}

impl Pieces<'_> {
    /// The next piece of the sums: lines that follow each other here and in the older sums, or lines that are unknown.
    fn sums(&mut self) -> Piece {
        let (start, older) = (self.sums.start, self.take_line());
        while let Some(offset) = older
            && !self.sums.is_empty()
        {
            let rest = self.sums.clone();
            if self.take_line() != Some(offset + (rest.start - start)) {
                self.sums = rest;
                break;
            }
        }
        let bytes = self.sums.start - start;
        older.map_or(Piece::UnknownSums { bytes }, |offset| Piece::OlderSums { offset, bytes })
    }

    /// Takes what is left of one line. Returns where it is in the older sums.
    fn take_line(&mut self) -> Option<u64> {
        let KnownFiles { new, old, .. } = self.known;
        let at = self.sums.start;
        let index = new.sum_at(at);
        let line = new.sum_range(index);
        self.sums.start = line.end.min(self.sums.end);
        let is_same_name = new.listing().name() == old.listing().name();
        let other = self.known.same_path(index).filter(|_| is_same_name)?;
        Some(old.sum_range(other).start + (at - line.start))
    }
}

impl Iterator for Pieces<'_> {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        if !self.sums.is_empty() {
            return Some(self.sums());
        }
        Some(match self.segments.next()? {
            Segment::Synthetic { bytes } => Piece::Synthetic { bytes },
            Segment::File { entry, offset, bytes } => match self.known.place(entry) {
                Some(place) => Piece::File { place, offset, bytes },
                None => Piece::UnknownFile { entry, bytes },
            },
            Segment::Sums { offset, bytes } => {
                self.sums = offset..offset + bytes;
                self.sums()
            }
        })
    }
}

/// Where a chunk is in the tar. The last one may end before that.
fn chunk_range(index: ChunkIndex) -> Range<u64> {
    index.offset()..index.offset() + u64::from(CHUNK_BYTES)
}

/// In order, each once.
fn sorted(sizes: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut sizes: Vec<u64> = sizes.collect();
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}
