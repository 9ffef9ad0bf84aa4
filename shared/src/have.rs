//! The have map: which chunks of a resource are verified and written.

use crate::chunk::{ChunkCount, ChunkIndex};
use std::fmt;

/// A set of chunks of one resource. Its size is kept, not counted.
///
/// As bytes, on the wire and on disk, chunk `i` is bit `i % 8` of byte `i / 8`, counted from the lowest bit. Bits
/// beyond the last chunk are 0.
///
/// ```
/// use shared::chunk::{ChunkCount, ChunkIndex};
/// use shared::have::HaveMap;
///
/// let mut have = HaveMap::empty(ChunkCount::new(10).unwrap());
/// assert!(have.insert(ChunkIndex(9)));
/// assert!(!have.insert(ChunkIndex(9)), "it was there");
/// assert_eq!(have.to_bytes(), [0b0000_0000, 0b0000_0010]);
/// assert_eq!((have.len(), have.is_full(), have.first_missing()), (1, false, Some(ChunkIndex(0))));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct HaveMap {
    words: Vec<u64>,
    count: ChunkCount,
    len: u32,
}

impl HaveMap {
    /// An empty set for a resource of `count` chunks.
    pub fn empty(count: ChunkCount) -> HaveMap {
        HaveMap { words: vec![0; count.get().div_ceil(64) as usize], count, len: 0 }
    }

    /// The set of all `count` chunks.
    pub fn full(count: ChunkCount) -> HaveMap {
        let mut have =
            HaveMap { words: vec![u64::MAX; count.get().div_ceil(64) as usize], count, len: count.get() };
        have.clear_tail();
        have
    }

    /// The number of chunks of the resource.
    pub fn count(&self) -> ChunkCount {
        self.count
    }

    /// The number of chunks in the set.
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Whether no chunk is in the set.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether every chunk is in the set. This is true for an empty resource.
    pub fn is_full(&self) -> bool {
        self.len == self.count.get()
    }

    /// Whether the chunk is in the set; `false` for an index beyond the resource.
    pub fn contains(&self, index: ChunkIndex) -> bool {
        self.count.contains(index) && self.words[index.slot() / 64] >> (index.0 % 64) & 1 == 1
    }

    /// Adds a chunk. Returns `false` if it was in the set already, or if no such chunk exists.
    pub fn insert(&mut self, index: ChunkIndex) -> bool {
        let new = self.count.contains(index) && !self.contains(index);
        if new {
            self.words[index.slot() / 64] |= 1 << (index.0 % 64);
            self.len += 1;
        }
        new
    }

    /// Removes a chunk. Returns `false` if it was not in the set.
    pub fn remove(&mut self, index: ChunkIndex) -> bool {
        let had = self.contains(index);
        if had {
            self.words[index.slot() / 64] &= !(1 << (index.0 % 64));
            self.len -= 1;
        }
        had
    }

    /// The first chunk that is not in the set.
    pub fn first_missing(&self) -> Option<ChunkIndex> {
        self.missing_from(ChunkIndex(0)).next()
    }

    /// The chunks that are in the set, in order.
    pub fn iter(&self) -> impl Iterator<Item = ChunkIndex> + '_ {
        ones(&self.words, 0, self.count, |word| word)
    }

    /// The chunks from `first` on that are not in the set, in order.
    pub fn missing_from(&self, first: ChunkIndex) -> impl Iterator<Item = ChunkIndex> + '_ {
        ones(&self.words, first.0, self.count, |word| !word)
    }

    /// The set as words, so that sets can be compared 64 chunks at a time: chunk `i` is bit `i % 64` of word `i / 64`,
    /// counted from the lowest bit.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// The set as bytes, in the order that the type describes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> = self.words.iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes.truncate(self.count.get().div_ceil(8) as usize);
        bytes
    }

    /// Reads the bytes of [`to_bytes`](HaveMap::to_bytes). Returns `None` if their number does not fit the count or a
    /// bit beyond the last chunk is set.
    pub fn from_bytes(count: ChunkCount, bytes: &[u8]) -> Option<HaveMap> {
        if bytes.len() != count.get().div_ceil(8) as usize {
            return None;
        }
        let word = |eight: &[u8]| {
            let mut le = [0; 8];
            le[..eight.len()].copy_from_slice(eight);
            u64::from_le_bytes(le)
        };
        let words: Vec<u64> = bytes.chunks(8).map(word).collect();
        let len = words.iter().map(|word| word.count_ones()).sum();
        let have = HaveMap { words, count, len };
        let mut tidy = have.clone();
        tidy.clear_tail();
        (tidy.words == have.words).then_some(have)
    }

    fn clear_tail(&mut self) {
        let used = self.count.get() % 64;
        if let (Some(last), true) = (self.words.last_mut(), used != 0) {
            *last &= (1 << used) - 1;
        }
    }
}

/// The set bits of `words`, each word first passed through `map`, from chunk `first` up to `count`.
fn ones(
    words: &[u64],
    first: u32,
    count: ChunkCount,
    map: impl Fn(u64) -> u64 + 'static,
) -> impl Iterator<Item = ChunkIndex> + '_ {
    let start = (first / 64) as usize;
    words.iter().enumerate().skip(start).flat_map(move |(at, &word)| {
        let mut bits = map(word);
        if at == start {
            bits &= u64::MAX << (first % 64);
        }
        std::iter::from_fn(move || {
            let bit = (bits != 0).then(|| bits.trailing_zeros())?;
            bits &= bits - 1;
            Some(ChunkIndex(at as u32 * 64 + bit))
        })
        .take_while(move |&index| count.contains(index))
    })
}

impl fmt::Debug for HaveMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HaveMap({} of {})", self.len, self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn count(n: u32) -> ChunkCount {
        ChunkCount::new(n).unwrap()
    }

    proptest! {
        #[test]
        fn it_behaves_as_a_set(n in 0u32..300, steps in prop::collection::vec((any::<bool>(), 0u32..320), 0..400), from in 0u32..320) {
            let (mut have, mut model) = (HaveMap::empty(count(n)), BTreeSet::new());
            for (insert, at) in steps {
                let index = ChunkIndex(at);
                if insert {
                    prop_assert_eq!(have.insert(index), at < n && model.insert(at));
                } else {
                    prop_assert_eq!(have.remove(index), model.remove(&at));
                }
            }
            prop_assert_eq!(have.len() as usize, model.len());
            prop_assert_eq!(have.iter().map(|i| i.0).collect::<Vec<_>>(), model.iter().copied().collect::<Vec<_>>());
            let missing: Vec<u32> = (from..n).filter(|i| !model.contains(i)).collect();
            prop_assert_eq!(have.missing_from(ChunkIndex(from)).map(|i| i.0).collect::<Vec<_>>(), missing);
            prop_assert_eq!(HaveMap::from_bytes(count(n), &have.to_bytes()), Some(have));
        }

        #[test]
        fn no_bytes_make_it_panic(n in 0u32..300, bytes in prop::collection::vec(any::<u8>(), 0..50)) {
            if let Some(have) = HaveMap::from_bytes(count(n), &bytes) {
                prop_assert_eq!(have.to_bytes(), bytes);
            }
        }
    }

    #[test]
    fn full_has_everything_and_no_more() {
        for n in [0, 1, 63, 64, 65, 128] {
            let have = HaveMap::full(count(n));
            assert!(have.is_full());
            assert_eq!(have.iter().count() as u32, n);
            assert_eq!(have.first_missing(), None);
        }
    }

    #[test]
    fn stray_bits_are_refused() {
        assert_eq!(HaveMap::from_bytes(count(3), &[0b1000]), None);
        assert_eq!(HaveMap::from_bytes(count(3), &[0, 0]), None);
    }
}
