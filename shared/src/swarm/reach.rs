//! Whether other machines are far. If answers take long, more chunks must be in flight at once.
//!
//! Both sides of a link must agree on this without exchanging a message: a machine that asks for more than is served is
//! refused, and a machine that serves more than is asked for splits its uplink into too many parts. So both look at the
//! usual time of an answer. It does not matter whether the link is long or the queues at its ends are: either way a
//! chunk must be requested earlier.

use super::machine::Machine;
use super::state::Swarm;
use super::time::Time;

/// Far machines count as near again when answers take less than this fraction of the limit that made them far. The gap
/// keeps the state from flapping.
const NEAR_AGAIN: f64 = 0.6;

impl Machine {
    /// Notes the time of an answer that needed no waiting. The question was asked at `since`.
    pub(super) fn note_answer(&mut self, since: Time) {
        self.answers.add(self.now.since(since));
        self.look_afar();
    }

    /// Notes how long a peer took to ask for the chunk that was granted to it at `since`.
    pub(super) fn note_grant_used(&mut self, since: Time) {
        self.uploads.grants_used.add(self.now.since(since));
        self.look_afar();
    }

    /// The minimum number of upload slots and open requests of a swarm: 0 while other machines are near. A leecher
    /// among few machines uses fewer, since each machine must have something that the others lack.
    pub(super) fn far_slots(&self, swarm: &Swarm) -> u32 {
        let are_few = swarm.leeching && swarm.members.len() < self.config.far_many;
        match (self.is_far, are_few) {
            (false, _) => 0,
            (true, false) => self.config.far_slots,
            (true, true) => self.config.far_slots_few,
        }
    }

    /// Decides again whether other machines are far: whether their answers take a large part of a chunk time. A seeder
    /// asks nobody, so it looks at how soon peers ask for what it granted.
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
