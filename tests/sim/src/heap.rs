//! The planned happenings, in order of time and then of planning.

use shared::swarm::Time;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A heap of plans. Only their times and places are sorted, because the plans themselves are large.
pub(crate) struct Heap<T> {
    order: BinaryHeap<Reverse<(Time, u64, u32)>>,
    planned: u64,
    plans: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Heap<T> {
    pub(crate) fn new() -> Heap<T> {
        Heap { order: BinaryHeap::new(), planned: 0, plans: Vec::new(), free: Vec::new() }
    }

    pub(crate) fn push(&mut self, time: Time, plan: T) {
        self.planned += 1;
        let place = self.free.pop().unwrap_or_else(|| {
            self.plans.push(None);
            self.plans.len() as u32 - 1
        });
        self.plans[place as usize] = Some(plan);
        self.order.push(Reverse((time, self.planned, place)));
    }

    /// When the next plan is due.
    pub(crate) fn next(&self) -> Option<Time> {
        self.order.peek().map(|&Reverse((time, ..))| time)
    }

    pub(crate) fn pop(&mut self) -> Option<(Time, T)> {
        let Reverse((time, _, place)) = self.order.pop()?;
        self.free.push(place);
        self.plans[place as usize].take().map(|plan| (time, plan))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_planned_first_comes_first() {
        let mut heap = Heap::new();
        for (time, plan) in [(5, "d"), (1, "a"), (1, "b"), (3, "c")] {
            heap.push(Time(time), plan);
        }
        assert_eq!(heap.pop(), Some((Time(1), "a")));
        heap.push(Time(2), "b2");
        let rest: Vec<&str> = std::iter::from_fn(|| heap.pop()).map(|(_, plan)| plan).collect();
        assert_eq!(rest, ["b", "b2", "c", "d"]);
        assert_eq!(heap.next(), None);
    }
}
