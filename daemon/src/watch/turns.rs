//! Decides whose turn it is when only a few things can be done at once. This is a pure decision: it starts nothing and
//! has no clock.
//!
//! Small and large files have separate places, so that a small one never waits for hours of hashing. Within each kind,
//! files that somebody waits for go first, and then in order of arrival, except that a file moves back one place per 64
//! MiB of its size. So small files go before large ones, but nobody waits forever: only that number of later files can
//! overtake a file.

use std::collections::BTreeMap;

/// A file with more bytes than this is large: hashing one takes a second or more.
const SMALL_BYTES_MAX: u64 = 64 << 20;

/// A turn. Its place is free again after [`Turns::ended`].
#[derive(Debug, PartialEq, Eq)]
pub struct Turn {
    is_large: bool,
}

/// The items that wait for their turn, and the number that have theirs.
#[derive(Debug)]
pub struct Turns<T> {
    small: TurnLane<T>,
    large: TurnLane<T>,
    /// The lane and the order of each waiting item.
    waiting: BTreeMap<T, (Turn, Order)>,
    /// The number of items so far.
    came: u64,
}

#[derive(Debug)]
struct TurnLane<T> {
    places_max: u32,
    taken: u32,
    waiting: BTreeMap<Order, T>,
}

/// The order within a lane; lower goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Order {
    /// Whether nobody waits for it; `false` goes first.
    unasked: bool,
    place: u64,
    number: u64,
}

impl<T: Ord + Copy> Turns<T> {
    /// Turns for `small_max` small and `large_max` large files at once.
    pub fn new(small_max: u32, large_max: u32) -> Turns<T> {
        let lane = |places_max| TurnLane { places_max, taken: 0, waiting: BTreeMap::new() };
        Turns { small: lane(small_max), large: lane(large_max), waiting: BTreeMap::new(), came: 0 }
    }

    /// Queues an item. An item that waits already is moved, but keeps its priority.
    pub fn wait(&mut self, what: T, bytes: u64, is_asked: bool) {
        let was_asked = self.forget(what).is_some_and(|order| !order.unasked);
        self.came += 1;
        let (number, place) = (self.came, self.came.saturating_add(bytes / SMALL_BYTES_MAX));
        let order = Order { unasked: !(is_asked || was_asked), place, number };
        let is_large = bytes > SMALL_BYTES_MAX;
        self.lane(is_large).waiting.insert(order, what);
        self.waiting.insert(what, (Turn { is_large }, order));
    }

    /// Gives a waiting item priority, because somebody waits for it.
    pub fn hurry(&mut self, what: T) {
        if let Some((turn, order)) = self.waiting.get_mut(&what) {
            let (is_large, before) = (turn.is_large, *order);
            order.unasked = false;
            let after = *order;
            let lane = self.lane(is_large);
            lane.waiting.remove(&before);
            lane.waiting.insert(after, what);
        }
    }

    /// Removes a waiting item.
    pub fn give_up(&mut self, what: T) {
        self.forget(what);
    }

    fn forget(&mut self, what: T) -> Option<Order> {
        let (turn, order) = self.waiting.remove(&what)?;
        self.lane(turn.is_large).waiting.remove(&order);
        Some(order)
    }

    /// Gives the next item its turn, if a place is free.
    pub fn next(&mut self) -> Option<(T, Turn)> {
        for is_large in [false, true] {
            let lane = self.lane(is_large);
            if lane.taken >= lane.places_max {
                continue;
            }
            if let Some((_, what)) = lane.waiting.pop_first() {
                lane.taken += 1;
                self.waiting.remove(&what);
                return Some((what, Turn { is_large }));
            }
        }
        None
    }

    /// Ends a turn.
    #[expect(clippy::needless_pass_by_value, reason = "a turn ends once")]
    pub fn ended(&mut self, turn: Turn) {
        let lane = self.lane(turn.is_large);
        lane.taken =
            lane.taken.checked_sub(1).expect("each turn was given by `next`, and is given back once");
    }

    /// The number of turns in use.
    pub fn taken(&self) -> u32 {
        self.small.taken + self.large.taken
    }

    /// For each waiting item, the number of items before it.
    pub fn before(&self) -> BTreeMap<T, u32> {
        let lanes = [&self.small, &self.large].map(|lane| lane.waiting.values());
        lanes.into_iter().flat_map(|lane| (0..).zip(lane)).map(|(before, what)| (*what, before)).collect()
    }

    fn lane(&mut self, is_large: bool) -> &mut TurnLane<T> {
        if is_large { &mut self.large } else { &mut self.small }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn no_more_have_their_turn_than_there_are_places() {
        let mut turns = Turns::new(2, 1);
        (0..100).for_each(|at| turns.wait(at, 5, false));
        let (_, first) = turns.next().unwrap();
        turns.next().unwrap();
        assert_eq!((turns.next(), turns.taken()), (None, 2));
        turns.wait(100, 5 * GIB, false);
        let (what, large) = turns.next().unwrap();
        assert_eq!((what, turns.next()), (100, None), "large ones have a place of their own");
        turns.ended(large);
        assert_eq!(turns.next(), None, "which is none for small ones");
        turns.ended(first);
        assert_eq!(turns.next().unwrap().0, 2);
    }

    #[test]
    fn what_somebody_waits_for_goes_first() {
        let mut turns = Turns::new(1, 1);
        (0..5).for_each(|at| turns.wait(at, 5, false));
        turns.hurry(3);
        turns.wait(9, 5, true);
        turns.hurry(77); // nobody of that name waits
        assert_eq!(turns.before(), BTreeMap::from([(3, 0), (9, 1), (0, 2), (1, 3), (2, 4), (4, 5)]));
        turns.wait(3, 5, false);
        assert_eq!(turns.before()[&3], 1, "it is still asked for, though it came anew");
        turns.give_up(9);
        assert_eq!(turns.next().unwrap().0, 3);
        assert_eq!(turns.before().len(), 4);
    }

    #[test]
    fn a_large_one_is_overtaken_by_smaller_ones_and_not_for_ever() {
        let mut turns = Turns::new(1, 1);
        turns.wait(0, 1024 * GIB, false);
        let mut overtaken = 0;
        for at in 1.. {
            turns.wait(at, GIB, false);
            let (what, turn) = turns.next().unwrap();
            turns.ended(turn);
            if what == 0 {
                break;
            }
            overtaken += 1;
        }
        assert_eq!(overtaken, 1024 * 16 - 16 - 1, "one place for each 64 MiB more that it has");
    }
}
