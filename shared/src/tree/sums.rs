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
        let listing = layout.listing();
        let mut sums = Sums::unknown(layout);
        let (mut rest, mut number, mut line) = (bytes, 0, String::new());
        for index in listing.indices() {
            let entry = listing.entry(index);
            let EntryKind::File { .. } = entry.kind else { continue };
            number += 1;
            let bad = BadSums { line: number };
            let range = layout.sum_range(index);
            let (own, behind) = rest.split_at_checked((range.end - range.start) as usize).ok_or(bad)?;
            let hex = own.strip_prefix(b"\\").unwrap_or(own).get(..64).ok_or(bad)?;
            let hash = std::str::from_utf8(hex).ok().and_then(|hex| hex.parse().ok()).ok_or(bad)?;
            line.clear();
            push_sum(&mut line, listing.name(), &entry, &hash);
            if line.as_bytes() != own {
                return Err(bad);
            }
            sums.set(index, hash);
            rest = behind;
        }
        match rest.is_empty() {
            true => Ok(sums),
            false => Err(BadSums { line: number + 1 }),
        }
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
