//! The sums: the SHA-256 of each file of a tree.

use super::entry::{EntryIndex, EntryKind};
use super::layout::TreeLayout;
use super::sum::push_sum;
use crate::id::ResourceId;
use std::fmt;

/// The content of the member `.SHA256SUMS`: the SHA-256 of each file, in the order of the listing. As text they have
/// the form of sha256sum(1), which can check them where the tar was unpacked.
///
/// A file's hash is a [`ResourceId`]: the id that the file has if it is shared by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sums {
    /// One for each entry; of no meaning for what is not a file.
    hashes: Vec<ResourceId>,
}

/// Bytes that are not the sums of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadSums {
    /// The number of the first line that is wrong, counted from 1.
    pub line: usize,
}

impl fmt::Display for BadSums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} of the sums is not the one of the file that it belongs to", self.line)
    }
}

impl std::error::Error for BadSums {}

impl Sums {
    /// Sums that are not known yet: all are 0.
    pub fn unknown(layout: &TreeLayout) -> Sums {
        Sums { hashes: vec![ResourceId([0; 32]); layout.listing().len()] }
    }

    /// Sets the hash of a file.
    pub fn set(&mut self, index: EntryIndex, hash: ResourceId) {
        self.hashes[index.slot()] = hash;
    }

    /// The hash of a file.
    pub fn hash(&self, index: EntryIndex) -> ResourceId {
        self.hashes[index.slot()]
    }

    /// Reads the bytes of [`to_bytes`](Sums::to_bytes), and nothing else.
    pub fn parse(layout: &TreeLayout, bytes: &[u8]) -> Result<Sums, BadSums> {
        let mut sums = Sums::unknown(layout);
        let mut lines = SumsCheck::new(layout);
        lines.push_to(bytes, |index, hash| sums.set(index, hash))?;
        lines.finish()?;
        Ok(sums)
    }

    /// The sums as text, which is the content of the member `.SHA256SUMS`.
    pub fn to_bytes(&self, layout: &TreeLayout) -> Vec<u8> {
        let mut bytes = vec![0; layout.sums_bytes() as usize];
        self.fill(layout, 0, &mut bytes);
        bytes
    }

    /// Makes a range of [`to_bytes`](Sums::to_bytes): its first byte is the byte `offset` of the sums.
    ///
    /// # Panics
    ///
    /// If the range goes beyond the end of the sums.
    pub fn fill(&self, layout: &TreeLayout, offset: u64, buffer: &mut [u8]) {
        let (mut filled, mut line) = (0, String::new());
        while filled < buffer.len() {
            let byte = offset + filled as u64;
            let index = layout.sum_at(byte);
            line.clear();
            push_sum(&mut line, layout.listing().name(), &layout.listing().entry(index), &self.hash(index));
            let left = &line.as_bytes()[(byte - layout.sum_range(index).start) as usize..];
            let bytes = left.len().min(buffer.len() - filled);
            buffer[filled..filled + bytes].copy_from_slice(&left[..bytes]);
            filled += bytes;
        }
    }
}

/// Checks that bytes are the sums of a tree, piece by piece: those of a million files are 100 MB of text.
#[derive(Debug)]
pub struct SumsCheck<'a> {
    layout: &'a TreeLayout,
    /// The entry to look at next.
    next: EntryIndex,
    /// The number of lines that were right.
    lines: usize,
    /// The beginning of a line whose end has not come.
    left: Vec<u8>,
    line: String,
}

impl<'a> SumsCheck<'a> {
    /// Expects the sums of this tree.
    pub fn new(layout: &'a TreeLayout) -> SumsCheck<'a> {
        SumsCheck { layout, next: EntryIndex::TOP, lines: 0, left: Vec::new(), line: String::new() }
    }

    /// Checks the next bytes.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), BadSums> {
        self.push_to(bytes, |_, _| {})
    }

    /// The same, and hands out the hash of each file.
    fn push_to(&mut self, bytes: &[u8], mut take: impl FnMut(EntryIndex, ResourceId)) -> Result<(), BadSums> {
        let joined: Vec<u8>;
        let mut rest = bytes;
        if !self.left.is_empty() {
            joined = [&self.left, bytes].concat();
            rest = &joined;
        }
        while let Some(index) = self.next_file() {
            let range = self.layout.sum_range(index);
            let Some((own, behind)) = rest.split_at_checked((range.end - range.start) as usize) else {
                break;
            };
            let hash = self.hash_of(index, own).ok_or(BadSums { line: self.lines + 1 })?;
            take(index, hash);
            (self.next, self.lines, rest) = (EntryIndex(index.0 + 1), self.lines + 1, behind);
        }
        self.left = rest.to_vec();
        match self.next_file() {
            None if !rest.is_empty() => Err(BadSums { line: self.lines + 1 }),
            _ => Ok(()),
        }
    }

    /// Checks that nothing is missing.
    pub fn finish(mut self) -> Result<(), BadSums> {
        match self.next_file() {
            None => Ok(()),
            Some(_) => Err(BadSums { line: self.lines + 1 }),
        }
    }

    /// The file whose line comes next.
    fn next_file(&mut self) -> Option<EntryIndex> {
        let listing = self.layout.listing();
        while self.next.slot() < listing.len() {
            if let EntryKind::File { .. } = listing.entry(self.next).kind {
                return Some(self.next);
            }
            self.next = EntryIndex(self.next.0 + 1);
        }
        None
    }

    /// The hash in the line of a file, if it is that.
    fn hash_of(&mut self, index: EntryIndex, line: &[u8]) -> Option<ResourceId> {
        let hex = line.strip_prefix(b"\\").unwrap_or(line).get(..64)?;
        let hash = std::str::from_utf8(hex).ok()?.parse().ok()?;
        self.line.clear();
        push_sum(&mut self.line, self.layout.listing().name(), &self.layout.listing().entry(index), &hash);
        (self.line.as_bytes() == line).then_some(hash)
    }
}
