//! Counts the chunks of a download that were not fetched, because this machine had them already, and where it had them.

use shared::chunk::CHUNK_BYTES;
use shared::name::ResourceName;
use std::collections::BTreeMap;

/// Limits the files that are counted separately for one download. Chunks from further files are counted without a name.
/// It is for people: nobody reads a longer list.
const FILES_MAX: usize = 64;

/// Limits the files that are named to users, those with the most chunks first. Eight fit on a line.
const SHOWN_MAX: usize = 8;

/// Where a chunk that was not fetched came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReusedFrom {
    /// From a file of this name: a finished one, or an unfinished download.
    File(ResourceName),
    /// From the download itself, which has the same bytes at another position.
    Itself,
    /// From nowhere: it contains only zeros.
    Zeros,
}

/// The chunks of a download that were not fetched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reused {
    /// How many chunks.
    pub chunks: u32,
    /// Their size in bytes. Together with the fetched bytes it is the size of the file, unless some chunks came in an
    /// earlier run of the daemon.
    pub bytes: u64,
    /// How many of the chunks came from other files, and are neither zeros nor repeats.
    pub chunks_from_files: u32,
    /// The number of chunks from each file.
    pub files: BTreeMap<ResourceName, u32>,
}

impl Reused {
    /// A chunk of this size was taken from a place on this machine.
    pub fn add(&mut self, from: &ReusedFrom, bytes: u64) {
        self.chunks = self.chunks.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
        let ReusedFrom::File(name) = from else { return };
        self.chunks_from_files = self.chunks_from_files.saturating_add(1);
        if let Some(chunks) = self.files.get_mut(name) {
            *chunks += 1;
        } else if self.files.len() < FILES_MAX {
            self.files.insert(name.clone(), 1);
        }
    }

    /// Counts no more than these bytes, because the others were fetched after all.
    pub fn limit(&mut self, bytes: u64) {
        if self.bytes <= bytes {
            return;
        }
        let chunks = u32::try_from(bytes.div_ceil(CHUNK_BYTES.into())).unwrap_or(u32::MAX);
        (self.bytes, self.chunks) = (bytes, self.chunks.min(chunks));
        self.chunks_from_files = self.chunks_from_files.min(self.chunks);
    }

    /// The files that most chunks came from, eight at most, those with the most chunks first.
    pub fn largest(&self) -> Vec<ResourceName> {
        let mut files: Vec<(&ResourceName, u32)> =
            self.files.iter().map(|(name, chunks)| (name, *chunks)).collect();
        files.sort_by_key(|(name, chunks)| (std::cmp::Reverse(*chunks), *name));
        files.into_iter().take(SHOWN_MAX).map(|(name, _)| name.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_counted_by_file_and_in_all() {
        let mut reused = Reused::default();
        let file = |name: &str| ReusedFrom::File(name.parse().unwrap());
        for from in [file("a"), file("b"), file("b"), ReusedFrom::Itself, ReusedFrom::Zeros] {
            reused.add(&from, 10);
        }
        assert_eq!((reused.chunks, reused.bytes, reused.chunks_from_files), (5, 50, 3));
        assert_eq!(reused.largest(), ["b", "a"].map(|name| name.parse().unwrap()));
        (0..1000).for_each(|at| reused.add(&file(&format!("file {at}")), 1));
        assert_eq!((reused.files.len(), reused.chunks), (FILES_MAX, 1005));
        assert_eq!(reused.largest().len(), SHOWN_MAX);
    }
}
