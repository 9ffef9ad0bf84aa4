//! What those are told who follow the catalogue, and how often they may ask. Pure.

use crate::memory::Registry;
use crate::rights::Granted;
use shared::rpc::tracker::{CHANGES_MAX, CataloguePlace, Change, Changes, Right};
use shared::swarm::Time;

/// The shortest time between two questions of a machine, in milliseconds.
const POLL_MS_MIN: u64 = 2_000;
/// The longest time between two questions of a machine, in milliseconds.
const POLL_MS_MAX: u64 = 60_000;
/// The time between two questions grows with the machines, so that all of them together ask 667 times in a second.
const POLL_US_PER_MACHINE: u64 = 1_500;

/// When a machine asks again, in milliseconds, if this many machines are connected.
pub fn poll_ms(machines: usize) -> u32 {
    let ms = (machines as u64).saturating_mul(POLL_US_PER_MACHINE) / 1_000;
    ms.clamp(POLL_MS_MIN, POLL_MS_MAX) as u32
}

/// The changes for one caller, while they are collected page by page.
#[derive(Debug)]
pub struct Following {
    /// The last change that was looked at.
    place: CataloguePlace,
    /// Those that the caller may see.
    changes: Vec<Change>,
    /// Whether there may be more of them.
    more: bool,
    changes_max: usize,
}

impl Following {
    /// The changes since a moment, at most `changes_max`, at a tracker of this epoch. A moment of another epoch is the beginning.
    pub fn new(epoch: u64, since: CataloguePlace, changes_max: u32) -> Following {
        let sequence = if since.epoch == epoch { since.sequence } else { 0 };
        let changes_max = (changes_max as usize).clamp(1, CHANGES_MAX);
        Following { place: CataloguePlace { epoch, sequence }, changes: Vec::new(), more: true, changes_max }
    }

    /// Whether the answer is complete.
    pub fn is_complete(&self) -> bool {
        !self.more || self.changes.len() >= self.changes_max
    }

    /// Looks at the next page.
    pub fn look(&mut self, registry: &Registry, granted: &Granted, now: Time) {
        let last = registry.sequence();
        if self.place.sequence >= last {
            (self.place.sequence, self.more) = (last, false);
            return;
        }
        let page = registry.changes(now, self.place.sequence);
        let is_last = page.len() < CHANGES_MAX;
        for (sequence, change) in page {
            if self.changes.len() >= self.changes_max {
                return;
            }
            self.place.sequence = sequence;
            if granted.may(Right::Fetch, &change.name).is_ok() {
                self.changes.push(change);
            }
        }
        if is_last {
            self.place.sequence = last; // the names that changed last may mean nothing any more
        }
        self.more = self.place.sequence < last;
    }

    /// The answer, if this many machines are connected.
    pub fn answer(self, machines: usize, now_ms: u64) -> Changes {
        let Following { place, changes, more, .. } = self;
        Changes { place, changes, more, poll_ms: poll_ms(machines), now_ms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_machines_there_are_the_less_often_each_asks() {
        for (machines, expected) in [
            (0, 2_000),
            (1_000, 2_000),
            (2_000, 3_000),
            (10_000, 15_000),
            (40_000, 60_000),
            (1_000_000, 60_000),
        ] {
            assert_eq!(poll_ms(machines), expected, "{machines} machines");
        }
    }
}
