//! The planner against a model: a new file that was made from an old one by random edits. Both files are only lists of
//! pieces; no byte of them exists.

use super::*;
use crate::chance::{mix, splitmix};
use crate::chunk::{CHUNK_BYTES, ChunkCount, ChunkIndex};
use crate::have::HaveMap;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

const CHUNK: u64 = CHUNK_BYTES as u64;

/// A piece of the new file: `bytes` bytes, from this offset of the old file or new.
#[derive(Debug, Clone, Copy)]
struct Piece {
    old: Option<u64>,
    bytes: u64,
}

/// An edit of a file, at a place given in millionths of the file.
#[derive(Debug, Clone, Copy)]
enum Edit {
    Insert { at: u64, bytes: u64 },
    Delete { at: u64, bytes: u64 },
    Replace { at: u64, bytes: u64, with: u64 },
    Move { at: u64, bytes: u64, to: u64 },
}

/// The two files.
#[derive(Debug)]
struct Model {
    pieces: Vec<Piece>,
    old_bytes: u64,
}

impl Model {
    fn new(old_bytes: u64, edits: &[Edit]) -> Model {
        let mut model = Model { pieces: vec![Piece { old: Some(0), bytes: old_bytes }], old_bytes };
        edits.iter().for_each(|&edit| model.edit(edit));
        model
    }

    fn edit(&mut self, edit: Edit) {
        let place = |at: u64, within: u64| (u128::from(within) * u128::from(at) / 1_000_000) as u64;
        let total = self.bytes();
        let new = |bytes: u64| Piece { old: None, bytes };
        match edit {
            Edit::Insert { at, bytes } => self.insert(place(at, total), [new(bytes)]),
            Edit::Delete { at, bytes } => _ = self.cut(place(at, total), bytes),
            Edit::Replace { at, bytes, with } => {
                let at = place(at, total);
                self.cut(at, bytes);
                self.insert(at, [new(with)]);
            }
            Edit::Move { at, bytes, to } => {
                let moved = self.cut(place(at, total), bytes);
                self.insert(place(to, self.bytes()), moved);
            }
        }
    }

    fn bytes(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.bytes).sum()
    }

    /// The first piece that begins at or after `at`, which is made a border.
    fn border(&mut self, at: u64) -> usize {
        let mut start = 0;
        for slot in 0..self.pieces.len() {
            let Piece { old, bytes } = self.pieces[slot];
            if at <= start {
                return slot;
            }
            if at < start + bytes {
                let left = at - start;
                self.pieces[slot].bytes = left;
                let rest = Piece { old: old.map(|old| old + left), bytes: bytes - left };
                self.pieces.insert(slot + 1, rest);
                return slot + 1;
            }
            start += bytes;
        }
        self.pieces.len()
    }

    fn insert(&mut self, at: u64, pieces: impl IntoIterator<Item = Piece>) {
        let slot = self.border(at);
        self.pieces.splice(slot..slot, pieces);
    }

    fn cut(&mut self, at: u64, bytes: u64) -> Vec<Piece> {
        let (from, to) = (self.border(at), self.border(at.saturating_add(bytes)));
        let from = from.min(to);
        self.pieces.drain(from..to).collect()
    }

    /// Where a range of the new file lies in the old one, if it lies there in one piece.
    fn in_old(&self, from: u64, bytes: u64) -> Option<u64> {
        let (mut start, mut found, mut until): (u64, Option<u64>, u64) = (0, None, from);
        for &Piece { old, bytes: len } in &self.pieces {
            let end = start + len;
            if end > from && start < from + bytes {
                let old = old? + from.max(start) - start;
                match found {
                    None => found = Some(old),
                    Some(first) if old == first + (until - from) => {}
                    Some(_) => return None,
                }
                until = end.min(from + bytes);
            }
            start = end;
        }
        found.filter(|_| until == from + bytes)
    }

    fn count(&self) -> ChunkCount {
        ChunkCount::of_bytes(self.bytes()).unwrap()
    }

    fn chunk_bytes(&self, index: ChunkIndex) -> u64 {
        (self.bytes() - index.offset()).min(CHUNK)
    }

    /// What is found without the plan: chunks that are chunks of the old file, too.
    fn exact(&self) -> HaveMap {
        let mut have = HaveMap::empty(self.count());
        for index in self.count().indices() {
            let bytes = self.chunk_bytes(index);
            let old = self.in_old(index.offset(), bytes);
            if old.is_some_and(|old| old % CHUNK == 0 && (bytes == CHUNK || old + bytes == self.old_bytes)) {
                have.insert(index);
            }
        }
        have
    }

    /// The chunks that lie in the old file at no offset.
    fn new_chunks(&self) -> u32 {
        let is_new = |index: &ChunkIndex| self.in_old(index.offset(), self.chunk_bytes(*index)).is_none();
        self.count().indices().filter(is_new).count() as u32
    }

    /// The shifts at which a search finds samples of a chunk, with the bytes that it has to read.
    fn search(&self, search: &Search) -> (Vec<i64>, u64) {
        let sixteenths: &[u64] = match search.side {
            Side::Right => &[15, 13, 10],
            Side::Left => &[0, 2, 5],
            Side::Both => &[0, 15, 8],
        };
        let (from, bytes) = (search.index.offset(), self.chunk_bytes(search.index));
        let mut shifts = Vec::new();
        for sixteenth in sixteenths {
            let at = from + bytes * sixteenth / 16 + 7;
            let (to_left, to_right) = (self.in_old(from, at + 64 - from), self.in_old(at, from + bytes - at));
            let left = to_left.filter(|_| search.side != Side::Right).map(|old| old as i64 - from as i64);
            let right = to_right.filter(|_| search.side != Side::Left).map(|old| old as i64 - at as i64);
            shifts.extend(left.into_iter().chain(right));
        }
        shifts.dedup();
        let is_near = |shift: &i64| search.near.iter().any(|near| near.abs_diff(*shift) < 8 << 20);
        let bytes = if shifts.iter().any(is_near) { 16 << 20 } else { self.old_bytes };
        (shifts, bytes)
    }

    fn is_equal(&self, guess: Guess) -> bool {
        assert!(guess.offset + u64::from(guess.bytes) <= self.old_bytes, "within the old file: {guess:?}");
        let bytes = self.chunk_bytes(guess.index);
        u64::from(guess.bytes) == bytes && self.in_old(guess.index.offset(), bytes) == Some(guess.offset)
    }
}

/// How a download went.
#[derive(Debug)]
struct Outcome {
    /// The chunks that came from peers.
    fetched: u32,
    searches: u32,
    compared: u32,
    searched_bytes: u64,
}

/// Plays a download: peers bring one chunk after the other, at random among those that are not held.
fn play(model: &Model, seed: u8) -> Outcome {
    let mut have = model.exact();
    let mut plan = ShiftPlan::new(have.clone(), model.old_bytes, [seed; 32]);
    let mut state = mix(seed.into());
    let mut held = plan.held();
    let mut outcome = Outcome { fetched: 0, searches: 0, compared: 0, searched_bytes: 0 };
    loop {
        if plan.take_news() {
            held = plan.held();
        }
        assert!(plan.regions_len() <= 1024);
        assert!(outcome.compared <= 20 * model.count().get() + 100, "the work is bounded: {outcome:?}");
        match plan.step() {
            Step::Search(search) => {
                assert!(have.contains(search.index));
                let (shifts, bytes) = model.search(&search);
                outcome.searches += 1;
                outcome.searched_bytes += bytes;
                plan.searched(search.index, &shifts, bytes);
            }
            Step::Compare(guess) => {
                assert!(!have.contains(guess.index));
                let is_equal = model.is_equal(guess);
                outcome.compared += 1;
                if is_equal {
                    have.insert(guess.index);
                }
                plan.compared(guess, is_equal);
            }
            Step::Wait => {
                let free: Vec<ChunkIndex> =
                    have.missing_from(ChunkIndex(0)).filter(|&index| !held.contains(index)).collect();
                assert!(!free.is_empty(), "it waits for a chunk that may be fetched: {plan:?}");
                let index = free[splitmix(&mut state) as usize % free.len()];
                have.insert(index);
                outcome.fetched += 1;
                plan.arrived(index);
            }
            Step::Over => {
                assert!(plan.held().is_empty());
                outcome.fetched += have.count().get() - have.len();
                return outcome;
            }
        }
    }
}

fn any_place() -> impl Strategy<Value = u64> {
    0u64..1_000_000
}

fn small_edit() -> impl Strategy<Value = Edit> {
    let bytes = || prop_oneof![1u64..100, 100u64..100_000];
    prop_oneof![
        (any_place(), bytes()).prop_map(|(at, bytes)| Edit::Insert { at, bytes }),
        (any_place(), bytes()).prop_map(|(at, bytes)| Edit::Delete { at, bytes }),
        (any_place(), bytes(), bytes()).prop_map(|(at, bytes, with)| Edit::Replace { at, bytes, with }),
    ]
}

fn large_edit() -> impl Strategy<Value = Edit> {
    let bytes = || 100_000u64..40_000_000;
    prop_oneof![
        (any_place(), bytes()).prop_map(|(at, bytes)| Edit::Insert { at, bytes }),
        (any_place(), bytes()).prop_map(|(at, bytes)| Edit::Delete { at, bytes }),
        (any_place(), bytes(), bytes()).prop_map(|(at, bytes, with)| Edit::Replace { at, bytes, with }),
        (any_place(), bytes(), any_place()).prop_map(|(at, bytes, to)| Edit::Move { at, bytes, to }),
    ]
}

#[test]
fn thirteen_bytes_in_the_middle_cost_a_few_chunks() {
    for seed in 0..20 {
        let edit = Edit::Insert { at: 100_000, bytes: 13 };
        let outcome = play(&Model::new(1 << 30, &[edit]), seed);
        assert!(outcome.fetched <= 2, "{outcome:?}");
        let outcome = play(&Model::new(1 << 30, &[Edit::Insert { at: 0, bytes: 13 }]), seed);
        assert!(outcome.fetched <= 4, "at the very beginning: {outcome:?}");
    }
}

#[test]
fn files_that_have_nothing_in_common_cost_three_searches() {
    for seed in 0..20 {
        let model = Model { pieces: vec![Piece { old: None, bytes: 1 << 30 }], old_bytes: 1 << 30 };
        let outcome = play(&model, seed);
        assert_eq!((outcome.fetched, outcome.searches, outcome.compared), (1024, 3, 0));
    }
}

/// Pieces of up to 40 MiB that are new, gone or moved, several of them. Some files are too mixed to be followed; most
/// cost little more than what is new in them.
#[test]
fn most_files_with_large_edits_cost_little_more_than_what_is_new() {
    let mut runner = TestRunner::deterministic();
    let edits = prop::collection::vec(large_edit(), 0..8);
    let costs_little = |seed: u8| {
        let edits = edits.new_tree(&mut runner).unwrap().current();
        let model = Model::new(1 << 30, &edits);
        play(&model, seed).fetched <= model.new_chunks() + 3 * edits.len() as u32 + 3
    };
    let few = (0..200).map(costs_little).filter(|&costs_little| costs_little).count();
    assert!(few >= 170, "{few} of 200");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn few_chunks_are_fetched_for_each_small_edit(edits in prop::collection::vec(small_edit(), 0..20), seed: u8) {
        let outcome = play(&Model::new(1 << 30, &edits), seed);
        let edits = edits.len() as u32;
        prop_assert!(outcome.fetched <= 3 * edits + 4, "{} edits, {:?}", edits, outcome);
    }

    #[test]
    fn every_chunk_that_is_new_is_fetched(edits in prop::collection::vec(large_edit(), 0..8), seed: u8) {
        let model = Model::new(300 << 20, &edits);
        prop_assert!(play(&model, seed).fetched >= model.new_chunks());
    }

    /// Whatever the old file seems to contain, and whatever arrives, the plan ends.
    #[test]
    fn no_answers_break_it(
        chunks in 0u32..200,
        had in prop::collection::vec(0u32..200, 0..60),
        old_bytes in prop_oneof![Just(0), Just(u64::MAX), 0u64..300 << 20],
        answers in prop::collection::vec((any::<bool>(), any::<u32>(), prop::collection::vec(any_shift(), 0..9)), 1..60),
        seed: u8,
    ) {
        let mut have = HaveMap::empty(ChunkCount::new(chunks).unwrap());
        had.into_iter().for_each(|index| _ = have.insert(ChunkIndex(index)));
        let mut plan = ShiftPlan::new(have, old_bytes, [seed; 32]);
        let mut steps = 0;
        for (yes, index, shifts) in answers.iter().cycle() {
            steps += 1;
            prop_assert!(steps <= 200 * (chunks as usize + 1), "it ends");
            if index % 16 == 0 {
                plan.arrived(ChunkIndex(index / 16 % 210));
            }
            match plan.step() {
                Step::Search(search) => plan.searched(search.index, shifts, (*index).into()),
                Step::Compare(guess) => {
                    prop_assert!(guess.offset + u64::from(guess.bytes) <= old_bytes && guess.bytes > 0);
                    plan.compared(guess, *yes);
                }
                Step::Wait => {
                    let held = plan.held();
                    let free = (0..chunks).map(ChunkIndex).find(|&index| !held.contains(index) && !plan.has(index));
                    prop_assert!(free.is_some(), "{plan:?}");
                    plan.arrived(free.unwrap());
                }
                Step::Over => break,
            }
        }
    }
}

fn any_shift() -> impl Strategy<Value = i64> {
    prop_oneof![any::<i64>(), -(1i64 << 28)..1 << 28, Just(0)]
}
