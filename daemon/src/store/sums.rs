//! Reads the hashes of a tree's files one after the other from its sums, which for a million files are 100 MB of text.

use shared::id::ResourceId;
use shared::tree::{EntryIndex, TreeLayout};
use std::fs::File;
use std::os::unix::fs::FileExt;

/// The bytes that are read at once: the lines of some thousand files.
const BLOCK_BYTES: usize = 256 << 10;

/// Reads the hash of each file of a tree. It is fast where they are asked for in the order of the entries.
#[derive(Debug)]
pub struct SumsReader<'a> {
    file: &'a File,
    layout: &'a TreeLayout,
    /// What was read last, and where it is in the sums.
    block: Vec<u8>,
    start: u64,
}

impl<'a> SumsReader<'a> {
    pub(super) fn new(file: &'a File, layout: &'a TreeLayout) -> SumsReader<'a> {
        SumsReader { file, layout, block: Vec::new(), start: 0 }
    }

    /// The hash of a file; `None` if it cannot be read or is none.
    pub fn hash(&mut self, index: EntryIndex) -> Option<ResourceId> {
        let digits = self.layout.digits_range(index);
        if digits.is_empty() {
            return None;
        }
        if digits.start < self.start || digits.end > self.start + self.block.len() as u64 {
            let bytes = (self.layout.sums_bytes() - digits.start).min(BLOCK_BYTES as u64);
            self.block.resize(bytes as usize, 0);
            self.start = digits.start;
            if self.file.read_exact_at(&mut self.block, self.start).is_err() {
                self.block.clear();
                return None;
            }
        }
        let from = (digits.start - self.start) as usize;
        std::str::from_utf8(self.block.get(from..from + 64)?).ok()?.parse().ok()
    }
}
