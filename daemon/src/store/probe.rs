//! An older file or tree in which content of a download is searched. Nothing that is read from it is believed: the caller hashes
//! it and compares the hash.

use super::layout::{Layout, Place};
use super::{At, OpenTree, StoreError, open_regular};
use bytes::BytesMut;
use memchr::memmem::Finder;
use shared::chunk::CHUNK_BYTES;
use shared::reuse::samples::{SAMPLE_BYTES, samples};
use shared::reuse::shift::{SHIFTS_MAX, Search, Side};
use shared::rpc::wire::buffers;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// The bytes that are read at once while the search is near the likely place, and compared at once.
const BLOCK_BYTES: u64 = 1 << 20;

/// How far from a likely place the search goes in small blocks, in bytes to each side. Most insertions are smaller.
const NEAR_BYTES: u64 = 8 << 20;

/// The bytes that the search goes on to one side, further away, before it turns to the other side. It is long, so that a
/// disk with heads moves them rarely.
const STRIDE_BYTES: u64 = 16 << 20;

/// Limits the bytes that one search reads. Beyond this the content counts as not found. A file of 1 GiB is searched
/// whole, of a larger one the part around the likely place.
const READ_MAX: u64 = (1 << 30) + 2 * NEAR_BYTES;

/// Limits the places where a sample occurs that are compared in one search. Each may cost reading a chunk. A sample that
/// occurs at more places says little.
const PLACES_MAX: u32 = 64;

/// In a tree, files with fewer bytes are not searched: opening a million of them takes minutes, and small files are
/// seldom changed within. Their bytes count as zeros.
const SEARCHED_FILE_BYTES_MIN: u64 = 256 << 10;

/// An older file, or the bytes of an older tree. It stays open while it is read from, so it may lose its name meanwhile.
#[derive(Debug)]
pub struct OldFile {
    content: Content,
    /// Its size in bytes when it was opened.
    bytes: u64,
}

#[derive(Debug)]
enum Content {
    File(File),
    Tree(Arc<OpenTree>),
}

/// What a search found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The shifts at which the chunk's content lies in the old file, at most [`SHIFTS_MAX`].
    pub shifts: Vec<i64>,
    /// The bytes that were read.
    pub bytes: u64,
}

impl OldFile {
    /// Opens the file at a path.
    ///
    /// # Errors
    /// When there is no regular file, or it cannot be read.
    pub fn open(path: &Path) -> Result<OldFile, StoreError> {
        let file = open_regular(path)?;
        let bytes = file.metadata().at("access", path)?.len();
        Ok(OldFile { content: Content::File(file), bytes })
    }

    /// The first `bytes` bytes of a tree.
    pub fn of_tree(tree: Arc<OpenTree>, bytes: u64) -> OldFile {
        let bytes = bytes.min(tree.layout().bytes());
        OldFile { content: Content::Tree(tree), bytes }
    }

    /// Its size in bytes when it was opened.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Reads a range. What cannot be read of a tree, because a file was edited, is zeros.
    ///
    /// # Errors
    /// When the file is shorter, or the disk fails.
    pub fn read(&self, offset: u64, bytes: u32) -> io::Result<BytesMut> {
        self.read_files(offset, bytes, 0)
    }

    /// Reads a range without opening files of a tree that have fewer than `file_bytes_min` bytes.
    fn read_files(&self, offset: u64, bytes: u32, file_bytes_min: u64) -> io::Result<BytesMut> {
        let mut buffer = buffers::take(bytes as usize);
        let tree = match &self.content {
            Content::File(file) => {
                file.read_exact_at(&mut buffer, offset)?;
                return Ok(buffer);
            }
            Content::Tree(tree) => tree,
        };
        if offset.checked_add(bytes.into()).is_none_or(|end| end > self.bytes) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let layout = tree.layout();
        let is_small = |place| match place {
            Place::File { entry, .. } => layout.listing().entry(entry).content_bytes() < file_bytes_min,
            Place::Sums(_) => false,
        };
        let read = |place, part: &mut [u8]| {
            if is_small(place) || tree.read_place(place, part).is_none() {
                part.fill(0);
            }
            Ok::<(), io::Error>(())
        };
        Layout::Tree(layout).read(offset, &mut buffer, read)?;
        Ok(buffer)
    }

    /// Searches the samples of a chunk: first near the likely places, then further and further away. A place counts if
    /// the chunk's content between the sample and the chunk's border, on the wanted side, is the same there. Ends early
    /// when `goes_on` returns `false`.
    pub fn search(&self, chunk: &[u8], search: &Search, goes_on: &dyn Fn() -> bool) -> Found {
        let samples = samples(chunk, search.side);
        let finders = samples.iter().map(|&at| (at, Finder::new(&chunk[at..at + SAMPLE_BYTES]))).collect();
        let mut hunt = Hunt {
            old: self,
            chunk,
            search,
            finders,
            found: Vec::new(),
            left: search.side == Side::Right,
            right: search.side == Side::Left,
            places: 0,
            read: 0,
        };
        if !hunt.finders.is_empty() {
            hunt.go(goes_on);
        }
        Found { shifts: hunt.found, bytes: hunt.read }
    }
}

/// A search that runs.
struct Hunt<'a> {
    old: &'a OldFile,
    chunk: &'a [u8],
    search: &'a Search,
    /// The samples, with their positions in the chunk.
    finders: Vec<(usize, Finder<'a>)>,
    found: Vec<i64>,
    /// Whether the shift of the content to the left is known, or not wanted.
    left: bool,
    /// The same of the content to the right.
    right: bool,
    places: u32,
    read: u64,
}

impl Hunt<'_> {
    fn go(&mut self, goes_on: &dyn Fn() -> bool) {
        let near = &self.search.near;
        for &shift in near {
            for (from, to) in around(self.base(shift), self.old.bytes, NEAR_BYTES, BLOCK_BYTES) {
                if self.is_over() || !goes_on() {
                    return;
                }
                self.look_into(from, to);
            }
        }
        let Some(&shift) = near.first().filter(|_| self.found.is_empty()) else { return };
        for (from, to) in around(self.base(shift), self.old.bytes, u64::MAX, STRIDE_BYTES) {
            let mut at = from;
            while at < to {
                if !self.found.is_empty() || self.is_over() || !goes_on() {
                    return;
                }
                let end = to.min(at + BLOCK_BYTES);
                self.look_into(at, end);
                at = end;
            }
        }
    }

    /// Where the chunk begins in the old file at a shift.
    fn base(&self, shift: i64) -> u64 {
        self.search.index.offset().saturating_add_signed(shift).min(self.old.bytes)
    }

    fn is_over(&self) -> bool {
        let is_known = self.left && self.right;
        is_known || self.found.len() >= SHIFTS_MAX || self.places >= PLACES_MAX || self.read >= READ_MAX
    }

    /// Searches the samples that begin in a range of the old file. What cannot be read has none.
    fn look_into(&mut self, from: u64, to: u64) {
        let end = self.old.bytes.min(to + SAMPLE_BYTES as u64 - 1);
        self.read += end - from;
        let Ok(block) = self.old.read_files(from, (end - from) as u32, SEARCHED_FILE_BYTES_MIN) else {
            return;
        };
        let finders = std::mem::take(&mut self.finders);
        for (sample, finder) in &finders {
            for at in finder.find_iter(&block) {
                if self.is_over() {
                    break;
                }
                self.compare(*sample, from + at as u64);
            }
        }
        self.finders = finders;
    }

    /// Compares the chunk with the place where one of its samples occurs.
    fn compare(&mut self, sample: usize, at: u64) {
        let shift = (at as i64).wrapping_sub(self.search.index.offset() as i64 + sample as i64);
        if self.found.contains(&shift) {
            return;
        }
        self.places += 1;
        let is_right = !self.right && self.find_same(sample, self.chunk.len(), at);
        let begin = at.checked_sub(sample as u64).filter(|_| !self.left);
        let is_left = begin.is_some_and(|begin| self.find_same(0, sample + SAMPLE_BYTES, begin));
        if is_right || is_left {
            self.found.push(shift);
            self.right |= is_right;
            self.left |= is_left;
        }
    }

    /// Reads the old file at this offset. Returns whether the bytes `from..to` of the chunk are there.
    fn find_same(&mut self, from: usize, to: usize, mut offset: u64) -> bool {
        for part in self.chunk[from..to].chunks(BLOCK_BYTES as usize / 16) {
            self.read += part.len() as u64;
            match self.old.read(offset, part.len() as u32) {
                Ok(bytes) if bytes == part => offset += part.len() as u64,
                _ => return false,
            }
        }
        true
    }
}

/// The ranges of a file of `total` bytes around a place, in parts of `part` bytes, alternately after and before it, up to
/// `reach` bytes away.
fn around(place: u64, total: u64, reach: u64, part: u64) -> impl Iterator<Item = (u64, u64)> {
    let (least, most) = (place.saturating_sub(reach), place.saturating_add(reach).min(total));
    let (mut before, mut after, mut turn) = (place, place, false);
    std::iter::from_fn(move || {
        turn = !turn;
        if (turn || before <= least) && after < most {
            let from = after;
            after = after.saturating_add(part).min(most);
            Some((from, after))
        } else if before > least {
            let to = before;
            before = before.saturating_sub(part).max(least);
            Some((before, to))
        } else {
            None
        }
    })
}

const _: () = assert!(BLOCK_BYTES == CHUNK_BYTES as u64, "one size of buffers is kept");

#[cfg(test)]
mod tests {
    use super::*;
    use shared::chance::splitmix;
    use shared::chunk::ChunkIndex;
    use std::cell::Cell;

    const MIB: usize = 1 << 20;

    fn random(bytes: usize, mut seed: u64) -> Vec<u8> {
        let mut random = vec![0; bytes.next_multiple_of(8)];
        for eight in random.chunks_exact_mut(8) {
            eight.copy_from_slice(&splitmix(&mut seed).to_le_bytes());
        }
        random.truncate(bytes);
        random
    }

    fn old(bytes: &[u8]) -> (tempfile::TempDir, OldFile) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("old");
        std::fs::write(&path, bytes).unwrap();
        let old = OldFile::open(&path).unwrap();
        (folder, old)
    }

    fn search(index: u32, side: Side, near: &[i64]) -> Search {
        Search { index: ChunkIndex(index), side, near: near.to_vec() }
    }

    #[test]
    fn content_is_found_wherever_it_lies() {
        let bytes = random(12 * MIB, 1);
        let (_folder, old) = old(&bytes);
        for (index, place) in [(3, 3 * MIB - 13), (0, 11 * MIB), (30, 0), (0, 17), (99, 5 * MIB + 1)] {
            for side in [Side::Left, Side::Right, Side::Both] {
                let shift = place as i64 - index as i64 * MIB as i64;
                let found = old.search(&bytes[place..place + MIB], &search(index, side, &[0]), &|| true);
                assert_eq!(found.shifts, [shift], "{index} at {place}, {side:?}");
                assert!(found.bytes < 40 << 20, "{found:?}");
            }
        }
        let near =
            old.search(&bytes[9 * MIB - 9..10 * MIB - 9], &search(9, Side::Both, &[1 << 22, 0]), &|| true);
        assert_eq!(near.shifts, [-9]);
        assert!(old.search(&random(MIB, 2), &search(3, Side::Both, &[0]), &|| true).shifts.is_empty());
    }

    #[test]
    fn both_halves_of_a_chunk_with_an_insertion_are_found() {
        let bytes = random(8 * MIB, 1);
        let (_folder, old) = old(&bytes);
        let (at, cut) = (4 * MIB - 100, 4 * MIB + 400_000);
        let mut chunk = bytes[at..cut].to_vec();
        chunk.extend(b"thirteen more");
        chunk.extend(&bytes[cut..]);
        chunk.truncate(MIB);
        let of = |side| {
            let mut shifts = old.search(&chunk, &search(4, side, &[0]), &|| true).shifts;
            shifts.sort_unstable();
            shifts
        };
        assert_eq!(of(Side::Both), [-113, -100]);
        assert_eq!((of(Side::Left), of(Side::Right)), (vec![-100], vec![-113]));
    }

    #[test]
    fn hostile_content_costs_a_bounded_amount_of_work() {
        let zeros = vec![0; 9 * MIB];
        let (_folder, empty) = old(&zeros);
        assert_eq!(
            empty.search(&zeros[..MIB], &search(2, Side::Both, &[0]), &|| true).bytes,
            0,
            "no samples"
        );
        let rich = random(64, 3);
        for period in [64, 1000, MIB / 4, MIB + 1] {
            let pattern: Vec<u8> = random(period, 4).into_iter().cycle().take(5 * MIB).collect();
            let (_folder, old) = old(&pattern);
            let found = old.search(&pattern[..MIB], &search(2, Side::Both, &[0]), &|| true);
            assert!(found.bytes <= 200 << 20, "a period of {period}: {} bytes", found.bytes);
        }
        // The sample occurs at each block, and nothing else of the chunk does.
        let everywhere: Vec<u8> = rich.iter().copied().chain([0; 64]).cycle().take(5 * MIB).collect();
        let (_folder, old) = old(&everywhere);
        let mut chunk = vec![7; MIB];
        chunk[20_000..20_064].copy_from_slice(&rich);
        let found = old.search(&chunk, &search(2, Side::Left, &[0]), &|| true);
        assert!(found.shifts.is_empty() && found.bytes <= 100 << 20, "{found:?}");
    }

    #[test]
    fn a_file_that_became_shorter_has_nothing_and_a_search_can_be_ended() {
        let bytes = random(11 * MIB, 1);
        let (folder, old) = old(&bytes);
        let file = std::fs::File::options().write(true).open(folder.path().join("old")).unwrap();
        file.set_len(MIB as u64).unwrap();
        let chunk = &bytes[9 * MIB + 5..10 * MIB + 5];
        assert!(old.search(chunk, &search(9, Side::Both, &[0]), &|| true).shifts.is_empty());
        assert!(old.read(9 << 20, 10).is_err());
        let steps = Cell::new(0);
        let three = || {
            steps.set(steps.get() + 1);
            steps.get() <= 3
        };
        assert!(old.search(chunk, &search(9, Side::Both, &[0]), &three).bytes <= 4 << 20);
        assert!(OldFile::open(folder.path()).is_err(), "a directory");
    }

    #[test]
    fn every_byte_around_a_place_is_covered_once() {
        for (place, total, reach, part) in
            [(0, 100, 1000, 7), (100, 100, 1000, 7), (40, 100, 13, 5), (3, 100, 50, 60)]
        {
            let mut seen = vec![0; total as usize];
            around(place, total, reach, part).for_each(|(from, to)| {
                assert!(from < to);
                seen[from as usize..to as usize].iter_mut().for_each(|times| *times += 1);
            });
            let within = |at: u64| at >= place.saturating_sub(reach) && at < (place + reach).min(total);
            assert!(
                (0..total).all(|at| seen[at as usize] == u32::from(within(at))),
                "{place} {reach}: {seen:?}"
            );
        }
    }
}
