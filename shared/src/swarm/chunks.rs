//! The chunks of one swarm. Each is in exactly one state, and is moved here and nowhere else.

use super::event::{PeerAddr, RequestId};
use crate::chunk::{ChunkCount, ChunkIndex};
use crate::have::HaveMap;
use crate::window::WINDOW_CHUNKS_MAX;
use std::collections::BTreeMap;
use std::ops::Range;

/// Limits how many requests may be open for one chunk. Near the end of a download a second peer is asked for a slow
/// chunk; a third copy would only waste bandwidth.
pub(super) const COPIES_MAX: usize = 2;

/// The state of a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ChunkState {
    /// Not here, and not requested.
    Missing,
    /// Like `Missing`, but not to be requested for now: this machine expects to find it on its own disk.
    Withheld,
    /// Requested and not yet arrived. Only near the end of a download is there more than one request.
    InFlight(Vec<RequestId>),
    /// Arrived from this peer; it is being verified and written.
    Verifying(PeerAddr),
    /// Verified and written.
    Have,
}

/// All chunks of a resource.
pub(super) struct Chunks {
    have: HaveMap,
    /// The chunks in state `Missing`, as a set: it is searched at every step.
    missing: HaveMap,
    /// The chunks in state `Withheld`; `None` if there are none, as nearly always.
    withheld: Option<HaveMap>,
    in_flight: BTreeMap<ChunkIndex, Vec<RequestId>>,
    verifying: BTreeMap<ChunkIndex, PeerAddr>,
    /// The first chunk that is neither here nor withheld. It is stored because finding it means reading the whole map.
    frontier: u32,
}

impl Chunks {
    pub(super) fn new(have: HaveMap) -> Chunks {
        let count = have.count();
        let mut missing = HaveMap::empty(count);
        have.missing_from(ChunkIndex(0)).for_each(|index| _ = missing.insert(index));
        let frontier = have.first_missing().map_or(count.get(), |index| index.0);
        let (in_flight, verifying) = (BTreeMap::new(), BTreeMap::new());
        Chunks { have, missing, withheld: None, in_flight, verifying, frontier }
    }

    pub(super) fn count(&self) -> ChunkCount {
        self.have.count()
    }

    pub(super) fn have(&self) -> &HaveMap {
        &self.have
    }

    pub(super) fn missing(&self) -> &HaveMap {
        &self.missing
    }

    /// The number of chunks that are missing and not to be requested.
    pub(super) fn withheld(&self) -> u32 {
        self.withheld.as_ref().map_or(0, HaveMap::len)
    }

    pub(super) fn in_flight(&self) -> &BTreeMap<ChunkIndex, Vec<RequestId>> {
        &self.in_flight
    }

    pub(super) fn verifying(&self) -> &BTreeMap<ChunkIndex, PeerAddr> {
        &self.verifying
    }

    /// The chunks that may be requested now: at most [`WINDOW_CHUNKS_MAX`] from the first one that is neither here nor
    /// withheld.
    pub(super) fn window(&self) -> Range<u32> {
        self.window_from(self.frontier)
    }

    /// Like [`window`](Self::window), starting at another chunk.
    pub(super) fn window_from(&self, first: u32) -> Range<u32> {
        first..first.saturating_add(WINDOW_CHUNKS_MAX).min(self.count().get())
    }

    /// Whether every chunk in the window was requested or is here.
    pub(super) fn window_is_asked(&self) -> bool {
        words_within(self.missing.words(), self.window()).all(|(_, word)| word == 0)
    }

    /// Adds a request for a missing chunk, or a second one for a chunk in flight. Returns `false` if the chunk is in
    /// another state or already has [`COPIES_MAX`] requests.
    pub(super) fn ask(&mut self, index: ChunkIndex, request: RequestId) -> bool {
        match self.take_out(index) {
            Some(ChunkState::Missing) => {
                self.put(index, ChunkState::InFlight(vec![request]));
                true
            }
            Some(ChunkState::InFlight(mut requests)) if requests.len() < COPIES_MAX => {
                requests.push(request);
                self.put(index, ChunkState::InFlight(requests));
                true
            }
            other => {
                other.into_iter().for_each(|state| self.put(index, state));
                false
            }
        }
    }

    /// Removes a request that ended without the chunk.
    pub(super) fn release(&mut self, index: ChunkIndex, request: RequestId) {
        let state = match self.take_out(index) {
            Some(ChunkState::InFlight(mut requests)) => {
                requests.retain(|&other| other != request);
                if requests.is_empty() { ChunkState::Missing } else { ChunkState::InFlight(requests) }
            }
            Some(other) => other,
            None => return,
        };
        self.put(index, state);
    }

    /// The chunk's bytes arrived with this request. Returns the other requests for it, which are now superfluous.
    pub(super) fn arrive(&mut self, index: ChunkIndex, request: RequestId, from: PeerAddr) -> Vec<RequestId> {
        match self.take_out(index) {
            Some(ChunkState::InFlight(mut requests)) => {
                requests.retain(|&other| other != request);
                self.put(index, ChunkState::Verifying(from));
                requests
            }
            other => {
                other.into_iter().for_each(|state| self.put(index, state));
                Vec::new()
            }
        }
    }

    /// The chunk is verified and on disk. Returns its former state, or `None` if no such chunk exists.
    pub(super) fn store(&mut self, index: ChunkIndex) -> Option<ChunkState> {
        let before = self.take_out(index)?;
        self.put(index, ChunkState::Have);
        Some(before)
    }

    /// A chunk that was being verified is missing again. Returns `false` if it was in any other state.
    pub(super) fn spoil(&mut self, index: ChunkIndex) -> bool {
        let verifying = self.verifying.contains_key(&index);
        if verifying {
            self.take_out(index);
            self.put(index, ChunkState::Missing);
        }
        verifying
    }

    /// A chunk that we had is missing again. Returns `false` if it was in any other state.
    pub(super) fn lose(&mut self, index: ChunkIndex) -> bool {
        let had = self.have.contains(index);
        if had {
            self.take_out(index);
            self.put(index, ChunkState::Missing);
        }
        had
    }

    /// Of the missing chunks, exactly these are not to be requested from now on. Chunks in flight stay in flight, and
    /// may be requested again if they do not arrive.
    pub(super) fn withhold(&mut self, chunks: HaveMap) {
        let before = self.withheld.take();
        before.iter().flat_map(HaveMap::iter).for_each(|index| _ = self.missing.insert(index));
        let mut withheld = chunks;
        let others: Vec<ChunkIndex> =
            withheld.iter().filter(|&index| !self.missing.contains(index)).collect();
        others.into_iter().for_each(|index| _ = withheld.remove(index));
        withheld.iter().for_each(|index| _ = self.missing.remove(index));
        self.withheld = Some(withheld).filter(|withheld| !withheld.is_empty());
        self.frontier = 0;
        self.move_frontier();
    }

    fn take_out(&mut self, index: ChunkIndex) -> Option<ChunkState> {
        if self.missing.remove(index) {
            Some(ChunkState::Missing)
        } else if self.withheld.as_mut().is_some_and(|withheld| withheld.remove(index)) {
            Some(ChunkState::Withheld)
        } else if let Some(requests) = self.in_flight.remove(&index) {
            Some(ChunkState::InFlight(requests))
        } else if let Some(from) = self.verifying.remove(&index) {
            Some(ChunkState::Verifying(from))
        } else {
            self.have.remove(index).then_some(ChunkState::Have)
        }
    }

    fn put(&mut self, index: ChunkIndex, state: ChunkState) {
        match state {
            ChunkState::Missing => _ = self.missing.insert(index),
            ChunkState::Withheld => {
                let count = self.count();
                self.withheld.get_or_insert_with(|| HaveMap::empty(count)).insert(index);
            }
            ChunkState::InFlight(requests) => _ = self.in_flight.insert(index, requests),
            ChunkState::Verifying(from) => _ = self.verifying.insert(index, from),
            ChunkState::Have => _ = self.have.insert(index),
        }
        if self.is_passed(index) {
            self.move_frontier();
        } else {
            self.frontier = self.frontier.min(index.0);
        }
    }

    fn move_frontier(&mut self) {
        while self.is_passed(ChunkIndex(self.frontier)) {
            self.frontier += 1;
        }
    }

    /// Whether the frontier passes over a chunk.
    fn is_passed(&self, index: ChunkIndex) -> bool {
        let is_withheld = || self.withheld.as_ref().is_some_and(|withheld| withheld.contains(index));
        self.have.contains(index) || is_withheld()
    }

    /// Panics unless every chunk is in exactly one state. It reads all chunks, so only tests call it.
    pub(super) fn check_invariants(&self) {
        for index in self.count().indices() {
            let states = [
                self.have.contains(index),
                self.missing.contains(index),
                self.withheld.as_ref().is_some_and(|withheld| withheld.contains(index)),
                self.in_flight.contains_key(&index),
                self.verifying.contains_key(&index),
            ];
            assert_eq!(states.iter().filter(|&&is| is).count(), 1, "chunk {index}: {states:?}");
        }
        let all = self.have.len() + self.missing.len() + self.withheld();
        let under_way = self.in_flight.len() + self.verifying.len();
        assert_eq!(
            all as usize + under_way,
            self.count().get() as usize,
            "no state of a chunk beyond the last"
        );
        let frontier = self.count().indices().find(|&index| !self.is_passed(index));
        let frontier = frontier.map_or(self.count().get(), |index| index.0);
        assert_eq!(self.frontier, frontier, "the frontier is kept");
        assert!(self.in_flight.values().all(|requests| (1..=COPIES_MAX).contains(&requests.len())));
    }
}

/// The words of a set with their positions, masked to the chunks of `range`.
pub(super) fn words_within(words: &[u64], range: Range<u32>) -> impl Iterator<Item = (usize, u64)> + '_ {
    let (first, end) = ((range.start / 64) as usize, range.end.div_ceil(64) as usize);
    let end = if range.is_empty() { first } else { end.min(words.len()) };
    (first..end).map(move |at| (at, words[at] & mask(at, &range)))
}

/// The set bits of the word at position `at`, as chunk indices.
pub(super) fn indices_of(at: usize, mut word: u64) -> impl Iterator<Item = ChunkIndex> {
    std::iter::from_fn(move || {
        let bit = (word != 0).then(|| word.trailing_zeros())?;
        word &= word - 1;
        Some(ChunkIndex(at as u32 * 64 + bit))
    })
}

fn mask(at: usize, range: &Range<u32>) -> u64 {
    let base = at as u32 * 64;
    let low = range.start.saturating_sub(base);
    let high = range.end.saturating_sub(base);
    let from = if low >= 64 { 0 } else { u64::MAX << low };
    let to = if high >= 64 { u64::MAX } else { (1 << high) - 1 };
    from & to
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(n: u32) -> Chunks {
        Chunks::new(HaveMap::empty(ChunkCount::new(n).unwrap()))
    }

    #[test]
    fn a_chunk_goes_its_way() {
        let (mut chunks, peer) = (chunks(3), "[::1]:1".parse().unwrap());
        let at = ChunkIndex(0);
        assert!(chunks.ask(at, RequestId(1)) && chunks.ask(at, RequestId(2)));
        assert!(!chunks.ask(at, RequestId(3)), "two copies are enough");
        chunks.check_invariants();
        assert_eq!(chunks.arrive(at, RequestId(1), peer), [RequestId(2)]);
        assert!(!chunks.ask(at, RequestId(4)), "it is here already");
        assert!(chunks.spoil(at) && !chunks.spoil(at));
        assert_eq!(chunks.store(at), Some(ChunkState::Missing));
        assert_eq!(chunks.store(at), Some(ChunkState::Have));
        assert_eq!(chunks.window(), 1..3);
        assert!(chunks.lose(at) && !chunks.lose(at));
        assert_eq!(chunks.window(), 0..3);
        chunks.check_invariants();
    }

    #[test]
    fn what_does_not_exist_changes_nothing() {
        let mut chunks = chunks(3);
        let beyond = ChunkIndex(3);
        assert!(!chunks.ask(beyond, RequestId(1)));
        chunks.release(beyond, RequestId(1));
        assert_eq!(chunks.store(beyond), None);
        assert!(!chunks.spoil(ChunkIndex(u32::MAX)) && !chunks.lose(beyond));
        chunks.check_invariants();
    }

    #[test]
    fn a_released_chunk_is_missing_only_when_nobody_else_is_asked() {
        let mut chunks = chunks(1);
        chunks.ask(ChunkIndex(0), RequestId(1));
        chunks.ask(ChunkIndex(0), RequestId(2));
        assert!(chunks.window_is_asked());
        chunks.release(ChunkIndex(0), RequestId(1));
        assert!(chunks.window_is_asked());
        chunks.release(ChunkIndex(0), RequestId(2));
        assert!(!chunks.window_is_asked());
    }

    #[test]
    fn what_is_withheld_is_not_missing_and_the_window_passes_over_it() {
        let (mut chunks, peer) = (chunks(8), "[::1]:1".parse().unwrap());
        assert!(chunks.ask(ChunkIndex(1), RequestId(1)));
        assert!(chunks.ask(ChunkIndex(2), RequestId(2)));
        chunks.store(ChunkIndex(3));
        let of = |indices: &[u32]| {
            let mut map = HaveMap::empty(ChunkCount::new(8).unwrap());
            indices.iter().for_each(|&index| _ = map.insert(ChunkIndex(index)));
            map
        };
        chunks.withhold(of(&[0, 1, 2, 3, 5, 6]));
        chunks.check_invariants();
        assert_eq!((chunks.withheld(), chunks.window()), (3, 1..8), "only what was missing is withheld");
        assert!(!chunks.ask(ChunkIndex(0), RequestId(3)) && !chunks.window_is_asked());
        chunks.release(ChunkIndex(1), RequestId(1));
        assert!(chunks.ask(ChunkIndex(1), RequestId(4)), "it was on its way, and may be asked for again");
        assert_eq!(chunks.store(ChunkIndex(5)), Some(ChunkState::Withheld));
        chunks.arrive(ChunkIndex(1), RequestId(4), peer);
        chunks.check_invariants();
        chunks.withhold(of(&[6, 7]));
        assert_eq!((chunks.withheld(), chunks.window()), (2, 0..8), "the others may be asked for again");
        chunks.withhold(of(&[]));
        assert_eq!((chunks.withheld(), chunks.missing().len()), (0, 4));
        chunks.check_invariants();
    }

    #[test]
    fn words_are_cut_to_the_range() {
        let words = [u64::MAX; 3];
        for (range, expected) in
            [(0..0, 0), (5..9, 4), (60..70, 10), (64..128, 64), (100..192, 92), (100..999, 92)]
        {
            let found: Vec<ChunkIndex> =
                words_within(&words, range.clone()).flat_map(|(at, word)| indices_of(at, word)).collect();
            assert_eq!(found.len(), expected, "{range:?}");
            assert!(found.iter().all(|index| range.contains(&index.0)));
        }
    }
}
