//! How far other machines are: where answers take long, more chunks must be under way at once.
//!
//! Both sides of a link have to agree on it, without a word: who asks for more than is served is refused, who serves
//! more than is asked shares its uplink out too thinly. So both look at the same thing, the time that an answer takes, and
//! at the shortest of many, which says how long the way is and not how busy the machine at its end.

use super::{Machine, PeerAddr, Time};
use std::collections::VecDeque;
use std::time::Duration;

/// The shortest of so many answers counts.
const SAMPLES_MAX: usize = 32;
/// Machines that are far are near again below this part of what made them far.
const NEAR_AGAIN: f64 = 0.6;

/// The shortest time that an answer took of late.
#[derive(Default)]
pub(super) struct Shortest(VecDeque<Duration>);

impl Shortest {
    pub(super) fn add(&mut self, value: Duration) {
        if self.0.len() >= SAMPLES_MAX {
            self.0.pop_front();
        }
        self.0.push_back(value);
    }

    pub(super) fn get(&self) -> Option<Duration> {
        self.0.iter().copied().min()
    }
}

impl Machine {
    /// A peer answered a question at once that was asked at `since`.
    pub(super) fn note_round_trip(&mut self, peer: PeerAddr, since: Time) {
        if let Some(peer) = self.peers.get_mut(&peer) {
            peer.round_trips.add(self.now.since(since));
        }
    }

    /// Looks anew whether other machines are far: whether half of them take a good part of a chunk time to answer. A
    /// seeder dials nobody: it sees how soon others ask for what it granted them.
    pub(super) fn look_afar(&mut self) {
        let mut trips: Vec<Duration> = self
            .peers
            .values()
            .filter(|peer| peer.is_up())
            .filter_map(|peer| peer.round_trips.get())
            .collect();
        let (trip, chunk_time) = if trips.is_empty() {
            let slots = self.uploads.slots().max(1) as u32;
            (self.uploads.ask_times.get(), self.uploads.serve_time.get().map(|time| time / slots))
        } else {
            let middle = trips.len() / 2;
            let trip = *trips.select_nth_unstable(middle).1;
            (Some(trip), self.downlink.is_measured().then(|| self.downlink.chunk_time()))
        };
        let (Some(trip), Some(chunk_time)) = (trip, chunk_time) else { return };
        let share = trip.as_secs_f64() / chunk_time.as_secs_f64();
        self.is_far =
            share > if self.is_far { self.config.far_share * NEAR_AGAIN } else { self.config.far_share };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_spell_does_not_count() {
        let mut shortest = Shortest::default();
        assert_eq!(shortest.get(), None);
        let ms = Duration::from_millis;
        shortest.add(ms(2));
        (0..SAMPLES_MAX as u64 - 1).for_each(|at| shortest.add(ms(50 + at)));
        assert_eq!(shortest.get(), Some(ms(2)));
        shortest.add(ms(60));
        assert_eq!(shortest.get(), Some(ms(50)), "the way has become longer");
    }
}
