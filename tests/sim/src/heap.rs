//! What is going to happen, in order of time; at the same time, in order of being planned.

use shared::swarm::Time;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// A heap of plans.
pub(crate) struct Heap<T> {
    plans: BinaryHeap<Reverse<Plan<T>>>,
    planned: u64,
}

struct Plan<T> {
    time: Time,
    number: u64,
    what: T,
}

impl<T> Heap<T> {
    pub(crate) fn new() -> Heap<T> {
        Heap { plans: BinaryHeap::new(), planned: 0 }
    }

    pub(crate) fn push(&mut self, time: Time, what: T) {
        self.planned += 1;
        self.plans.push(Reverse(Plan { time, number: self.planned, what }));
    }

    pub(crate) fn pop(&mut self) -> Option<(Time, T)> {
        self.plans.pop().map(|Reverse(plan)| (plan.time, plan.what))
    }
}

impl<T> Ord for Plan<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.time, self.number).cmp(&(other.time, other.number))
    }
}

impl<T> PartialOrd for Plan<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Plan<T> {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl<T> Eq for Plan<T> {}
