//! How far other machines are: where answers take long, more chunks must be under way at once.
//!
//! Both sides of a link have to agree on it, without a word: who asks for more than is served is refused, who serves
//! more than is asked shares its uplink out too thinly. So both look at the same thing: how long an answer takes, as a
//! rule. Whether the way is long, or the queues at its ends are, makes no difference: in either case a chunk has to be
//! asked for that much earlier.

use super::machine::Machine;
use super::state::Swarm;
use super::time::Time;

/// Machines that are far are near again below this part of what made them far.
const NEAR_AGAIN: f64 = 0.6;

impl Machine {
    /// A peer answered a question at once that was asked at `since`.
    pub(super) fn note_answer(&mut self, since: Time) {
        self.answers.add(self.now.since(since));
        self.look_afar();
    }

    /// Somebody asked for the chunk that was granted to it at `since`.
    pub(super) fn note_grant_used(&mut self, since: Time) {
        self.uploads.grants_used.add(self.now.since(since));
        self.look_afar();
    }

    /// How many chunks of a swarm are uploaded at once, and how many requests kept open, at least: none while other
    /// machines are near. Among few machines fewer do: each of them has to have something that the others lack.
    pub(super) fn far_slots(&self, swarm: &Swarm) -> u32 {
        let are_few = swarm.leeching && swarm.members.len() < self.config.far_many;
        match (self.is_far, are_few) {
            (false, _) => 0,
            (true, false) => self.config.far_slots,
            (true, true) => self.config.far_slots_few,
        }
    }

    /// Looks anew whether other machines are far: whether they take a good part of a chunk time to answer. A seeder
    /// asks nobody: it sees how soon others ask for what it granted them.
    fn look_afar(&mut self) {
        let (usual, chunk_time) = match self.answers.usual() {
            Some(usual) => (Some(usual), self.downlink.is_measured().then(|| self.downlink.chunk_time())),
            None => {
                let slots = self.uploads.slots().max(1) as u32;
                (self.uploads.grants_used.usual(), self.uploads.serve_time.get().map(|time| time / slots))
            }
        };
        let (Some(usual), Some(chunk_time)) = (usual, chunk_time) else { return };
        let share = usual.as_secs_f64() / chunk_time.as_secs_f64();
        let limit = self.config.far_share * if self.is_far { NEAR_AGAIN } else { 1.0 };
        self.is_far = share > limit;
    }
}
