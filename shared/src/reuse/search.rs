//! Looks for the chunks of a wanted resource in other resources: exact matches at any position.

use super::sorted::{Sorted, prefix};
use crate::chunk::ChunkIndex;
use crate::have::HaveMap;
use crate::id::ChunkHash;
use crate::manifest::Manifest;

/// A search for the missing chunks of one resource. The lists of known chunks are shown to it one after the other; the
/// first one that has a chunk counts, so the order is the caller's preference.
///
/// It needs at most 26 bytes for each missing chunk, beside the manifests themselves: 416 KiB for a resource of 16 GiB,
/// and 104 MiB for the largest one, whatever it is compared with.
///
/// ```
/// use shared::chunk::ChunkIndex;
/// use shared::have::HaveMap;
/// use shared::id::{ChunkHash, ResourceId};
/// use shared::manifest::Manifest;
/// use shared::reuse::search::{Hit, Search};
///
/// let hashes = [b"a", b"b", b"c"].map(|bytes| ChunkHash::of(bytes)).to_vec();
/// let trackers = vec!["tt://h".parse().unwrap()];
/// let wanted = Manifest::new("abc".parse().unwrap(), ResourceId::of(b"?"), trackers, hashes.clone()).unwrap();
/// let mut search = Search::new(&wanted, &HaveMap::empty(wanted.count()));
/// search.look_in(7, &[hashes[2], ChunkHash::of(b"d"), hashes[0]], |_| true);
/// assert_eq!(search.left(), 1, "the second chunk was not found");
/// let hit = |wanted, at| Hit { wanted: ChunkIndex(wanted), list: 7, at: ChunkIndex(at) };
/// assert_eq!(search.hits(), [hit(0, 2), hit(2, 0)]);
/// ```
#[derive(Debug)]
pub struct Search {
    wanted: Sorted,
    filter: Filter,
    /// The wanted chunks that were found.
    found: HaveMap,
    hits: Vec<Hit>,
}

/// A wanted chunk that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hit {
    /// The number that the caller has given to the list in which it was found.
    pub list: u32,
    /// The wanted chunk.
    pub wanted: ChunkIndex,
    /// Its position in the list.
    pub at: ChunkIndex,
}

impl Search {
    /// A search for all chunks that are not in `have`, except those of zeros, which are made from nothing.
    pub fn new(manifest: &Manifest, have: &HaveMap) -> Search {
        let is_wanted = |index: &ChunkIndex| !manifest.is_zeros(*index);
        let missing: Vec<ChunkIndex> = have.missing_from(ChunkIndex(0)).filter(is_wanted).collect();
        let filter = Filter::new(missing.iter().filter_map(|index| manifest.hash(*index)), missing.len());
        let wanted = Sorted::new(manifest.clone(), missing);
        Search { wanted, filter, found: HaveMap::empty(manifest.count()), hits: Vec::new() }
    }

    /// Looks in a list of chunk hashes. `has` says of each position whether the chunk is there.
    pub fn look_in(&mut self, list: u32, hashes: &[ChunkHash], has: impl Fn(ChunkIndex) -> bool) {
        for (at, hash) in (0..).map(ChunkIndex).zip(hashes) {
            if !self.filter.may_have(hash) {
                continue;
            }
            let wanted = self.wanted.with(hash);
            // All chunks with one hash are found at the same time.
            let is_new = wanted.first().is_some_and(|first| !self.found.contains(*first));
            if !is_new || !has(at) {
                continue;
            }
            for index in wanted {
                self.found.insert(*index);
                self.hits.push(Hit { list, wanted: *index, at });
            }
        }
    }

    /// How many chunks were not found yet.
    pub fn left(&self) -> usize {
        self.wanted.chunks().len() - self.hits.len()
    }

    /// What was found, by list and then in the order of the wanted chunks.
    pub fn hits(mut self) -> Vec<Hit> {
        self.hits.sort_unstable();
        self.hits
    }
}

/// A set of hashes that says of most other hashes at once that they are not in it. It has 16 to 32 bits for each of its
/// hashes, so it lets 1 in 16 of the others through. A stranger who chooses hashes that it lets through gains nothing
/// but the lookups that it saves.
#[derive(Debug)]
struct Filter {
    words: Vec<u64>,
    /// By how many bits to shift a prefix, so that what is left is the number of a bit.
    shift: u32,
}

impl Filter {
    fn new<'a>(hashes: impl Iterator<Item = &'a ChunkHash>, count: usize) -> Filter {
        let bits = (count.max(4) as u64 * 16).next_power_of_two();
        let mut filter = Filter { words: vec![0; (bits / 64) as usize], shift: 64 - bits.trailing_zeros() };
        for hash in hashes {
            let bit = prefix(hash) >> filter.shift;
            filter.words[(bit / 64) as usize] |= 1 << (bit % 64);
        }
        filter
    }

    fn may_have(&self, hash: &ChunkHash) -> bool {
        let bit = prefix(hash) >> self.shift;
        self.words[(bit / 64) as usize] >> (bit % 64) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::ChunkCount;
    use crate::id::ResourceId;
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};
    use std::time::{Duration, Instant};

    fn manifest(hashes: Vec<ChunkHash>) -> Manifest {
        let trackers = vec!["tt://h".parse().unwrap()];
        let hash = hashes.first().map_or(ChunkHash::of(b""), |first| *first);
        let resource = if hashes.len() < 2 { ResourceId(hash.0) } else { ResourceId([9; 32]) };
        Manifest::new("x".parse().unwrap(), resource, trackers, hashes).unwrap()
    }

    /// One of few hashes, some of which begin alike.
    fn hash(of: u8) -> ChunkHash {
        let mut hash = [of / 4; 32];
        hash[31] = of;
        ChunkHash(hash)
    }

    proptest! {
        #[test]
        fn it_finds_each_chunk_at_the_first_place_that_has_it(
            wanted in prop::collection::vec(0u8..24, 0..40),
            missing in prop::collection::vec(any::<bool>(), 40),
            lists in prop::collection::vec(prop::collection::vec((0u8..24, any::<bool>()), 0..20), 0..5),
        ) {
            let manifest = manifest(wanted.iter().map(|of| hash(*of)).collect());
            let mut have = HaveMap::empty(manifest.count());
            manifest.count().indices().filter(|index| !missing[index.slot()]).for_each(|index| _ = have.insert(index));
            let mut search = Search::new(&manifest, &have);
            for (number, list) in (0..).zip(&lists) {
                let hashes: Vec<ChunkHash> = list.iter().map(|(of, _)| hash(*of)).collect();
                search.look_in(number, &hashes, |at| list[at.slot()].1);
            }
            let left = search.left();
            let hits = search.hits();
            prop_assert!(hits.is_sorted());
            let first = |of: u8| (0u32..).zip(&lists).find_map(|(number, list)| {
                let at = list.iter().position(|(other, is_there)| *other == of && *is_there)?;
                Some((number, ChunkIndex(at as u32)))
            });
            for index in have.missing_from(ChunkIndex(0)) {
                let hit = hits.iter().find(|hit| hit.wanted == index).map(|hit| (hit.list, hit.at));
                prop_assert_eq!(hit, first(wanted[index.slot()]), "chunk {}", index);
            }
            prop_assert_eq!(hits.len() + left, (have.count().get() - have.len()) as usize);
        }
    }

    /// A resource of 16 GiB, and lists of 4 TiB together with nothing in common.
    #[test]
    #[ignore = "measures; run it alone, in release: cargo test -p shared --release --lib reuse::search -- --ignored --nocapture"]
    fn measure_a_search_that_finds_nothing() {
        let hash = |of: u32| ChunkHash(Sha256::digest(of.to_le_bytes()).into());
        let known: Vec<Vec<ChunkHash>> =
            (0..256).map(|list| (0..16_384).map(|at| hash(list << 16 | at)).collect()).collect();
        for chunks in [1u32, 1_000, 16_384, 1 << 20] {
            let wanted = manifest((0..chunks).map(|at| hash(1 << 31 | at)).collect());
            let mut times: Vec<(Duration, Duration)> = (0..5)
                .map(|_| {
                    let begin = Instant::now();
                    let count = ChunkCount::new(chunks).unwrap();
                    let mut search = Search::new(&wanted, &HaveMap::empty(count));
                    let prepared = begin.elapsed();
                    for (number, list) in (0..).zip(&known) {
                        search.look_in(number, list, |_| true);
                    }
                    assert_eq!(search.left(), chunks as usize);
                    (prepared, begin.elapsed())
                })
                .collect();
            times.sort();
            let (prepared, all) = times[2];
            eprintln!(
                "{chunks} chunks wanted, 4 Mi known: {prepared:?} to prepare, {all:?} in all, {:?} for 1,000 known",
                (all - prepared) / 4194
            );
        }
    }
}
