//! The plan itself.

use super::probe::{Probe, ProbeState};
use super::regions::{Region, Regions};
use super::step::{Guess, SHIFTS_MAX, Search, Side, Step};
use super::walk::Walk;
use crate::chance::Chance;
use crate::chunk::ChunkIndex;
use crate::have::HaveMap;

/// The plan ends when its first probes, as many as this, have led to no chunk of the old file: the files have nothing in
/// common.
const MISSES_FIRST_MAX: u32 = 3;

/// Once something was found, the plan ends when this many probes in a row have led to nothing. It is more than
/// [`MISSES_FIRST_MAX`], since a long piece of new content alone takes three probes: one at each end, and one in the
/// middle.
const MISSES_MAX: u32 = 8;

/// Limits the probes that are on their way at once. More would be fetched in vain where the first one explains all.
const PROBES_MAX: usize = 3;

/// Limits the bytes of the old file that are searched, all searches together, beyond [`SEARCHED_PER_CHUNK`] for each
/// chunk found. Beyond this the plan ends. It is enough to search a file of 1 GiB for each of the first probes.
const SEARCHED_MAX: u64 = 4 << 30;

/// The bytes that may be searched for each chunk that was found. Searching them takes about as long as fetching a chunk
/// over a link of 100 Mbit/s.
const SEARCHED_PER_CHUNK: u64 = 256 << 20;

/// The plan for one download and one old file.
#[derive(Debug)]
pub struct ShiftPlan {
    have: HaveMap,
    /// The size of the old file in bytes.
    old_bytes: u64,
    regions: Regions,
    probes: Vec<Probe>,
    /// The walks that begin at the probe in use. The last one runs.
    walks: Vec<Walk>,
    /// The chunks that were found from the probe in use.
    found_from_probe: u32,
    /// The chunks that were found in the old file.
    found: u32,
    /// The bytes that were searched.
    searched: u64,
    /// The probes in a row that led to nothing.
    misses: u32,
    /// Whether [`held`](ShiftPlan::held) has changed in another way than by chunks that are had.
    is_news: bool,
    is_over: bool,
    chance: Chance,
}

impl ShiftPlan {
    /// A plan for a download that has the chunks of `have`, and an old file of `old_bytes` bytes. Which of many equal
    /// chunks are fetched as probes follows from `seed`, so that the machines of a fleet choose different ones.
    pub fn new(have: HaveMap, old_bytes: u64, seed: [u8; 32]) -> ShiftPlan {
        let regions = Regions::of(&have);
        let mut plan = ShiftPlan {
            have,
            old_bytes,
            regions,
            probes: Vec::new(),
            walks: Vec::new(),
            found_from_probe: 0,
            found: 0,
            searched: 0,
            misses: 0,
            is_news: true,
            is_over: false,
            chance: Chance::new(seed),
        };
        plan.choose_probes();
        plan
    }

    /// What to do now. The same step is returned until its result is known.
    pub fn step(&self) -> Step {
        if self.is_over {
            return Step::Over;
        }
        if let Some(guess) = self.walks.last().and_then(|walk| walk.guess(&self.have, self.old_bytes)) {
            return Step::Compare(guess);
        }
        let at_hand = self.probes.iter().find(|probe| probe.state == ProbeState::Arrived);
        at_hand.map_or(Step::Wait, |probe| {
            let Probe { index, side, near, .. } = probe;
            Step::Search(Search { index: *index, side: *side, near: near.clone() })
        })
    }

    /// A chunk has arrived, or is here for another reason.
    pub fn arrived(&mut self, index: ChunkIndex) {
        if self.is_over || !self.have.insert(index) {
            return;
        }
        let region = self.regions.at(index.0).cloned();
        self.regions.take_out(index.0);
        let Some(probe) = self.probes.iter_mut().find(|probe| probe.index == index) else {
            if let Some(region) = region {
                self.use_instead(index, &region);
            }
            return self.go_on();
        };
        if probe.state == ProbeState::Awaited {
            probe.state = ProbeState::Arrived;
        }
        self.go_on();
    }

    /// The samples of the probe `index` were found at these shifts, of which [`SHIFTS_MAX`] are tried; `bytes` bytes of
    /// the old file were searched.
    pub fn searched(&mut self, index: ChunkIndex, shifts: &[i64], bytes: u64) {
        self.searched = self.searched.saturating_add(bytes);
        let is_it = |probe: &&mut Probe| probe.index == index && probe.state == ProbeState::Arrived;
        let Some(probe) = self.probes.iter_mut().find(is_it) else { return };
        probe.state = ProbeState::InUse;
        let shifts = &shifts[..shifts.len().min(SHIFTS_MAX)];
        let (left, right) = match probe.side {
            Side::Left => (true, false),
            Side::Right => (false, true),
            Side::Both => (true, true),
        };
        self.found_from_probe = 0;
        // The last one runs first: to the right, because the hash of the whole file goes that way.
        self.walks.extend(left.then(|| Walk::to_left(index, shifts)));
        self.walks.extend(right.then(|| Walk::to_right(index, shifts)));
        self.go_on();
    }

    /// A guess was compared with the hash of its chunk: `is_equal` says whether it is the chunk, and is in the download
    /// now.
    pub fn compared(&mut self, guess: Guess, is_equal: bool) {
        let Some(walk) = self.walks.last_mut() else { return };
        if is_equal {
            self.found += 1;
            self.found_from_probe += 1;
            self.have.insert(guess.index);
            self.regions.take_out(guess.index.0);
            self.probes.retain(|probe| probe.index != guess.index || probe.state != ProbeState::Awaited);
        }
        walk.compared(guess.index, is_equal);
        self.go_on();
    }

    /// The chunks that should not be fetched from peers now: those that may be found in the old file, without the
    /// probes.
    pub fn held(&self) -> HaveMap {
        let mut held = HaveMap::empty(self.have.count());
        if !self.is_over {
            self.regions.chunks().for_each(|index| _ = held.insert(index));
            self.probes.iter().for_each(|probe| _ = held.remove(probe.index));
        }
        held
    }

    /// Whether [`held`](ShiftPlan::held) has changed since the last call, other than by chunks that arrived or were
    /// found.
    pub fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.is_news)
    }

    /// The number of chunks that were found in the old file.
    pub fn found(&self) -> u32 {
        self.found
    }

    #[cfg(test)]
    pub(super) fn regions_len(&self) -> usize {
        self.regions.len()
    }

    #[cfg(test)]
    pub(super) fn has(&self, index: ChunkIndex) -> bool {
        self.have.contains(index)
    }

    // -- going on

    /// Ends walks and probes that are done, and chooses new probes.
    fn go_on(&mut self) {
        while let Some(walk) = self.walks.last_mut()
            && !walk.settle(&self.have, self.old_bytes)
        {
            let end = walk.end();
            self.walks.pop();
            if let Some((index, shift, side)) = end {
                self.regions.open_edge(index.0, shift, side);
            }
        }
        if !self.walks.is_empty() {
            return;
        }
        if let Some(at) = self.probes.iter().position(|probe| probe.state == ProbeState::InUse) {
            let probe = self.probes.swap_remove(at);
            self.misses = if self.found_from_probe > 0 { 0 } else { self.misses + 1 };
            self.regions.note(probe.index.0, self.found_from_probe > 0);
        }
        self.choose_probes();
    }

    fn choose_probes(&mut self) {
        let allowed = u64::from(self.found).saturating_mul(SEARCHED_PER_CHUNK).saturating_add(SEARCHED_MAX);
        let misses_max = if self.found == 0 { MISSES_FIRST_MAX } else { MISSES_MAX };
        self.is_over |= self.misses >= misses_max || self.searched > allowed;
        self.is_news |= self.regions.drop_single(&self.probes);
        while !self.is_over && self.probes.len() < PROBES_MAX {
            let Some(region) = self.regions.best(&self.probes) else { break };
            let (index, side) = region.probe(&mut self.chance);
            let near = region.near();
            self.probes.push(Probe { index: ChunkIndex(index), side, near, state: ProbeState::Awaited });
            self.is_news = true;
        }
        if self.probes.is_empty() || self.is_over {
            (self.is_over, self.is_news) = (true, true);
            self.probes.clear();
        }
    }

    /// A chunk that nobody asked for has arrived in a region. It serves as the region's probe if that has not arrived.
    fn use_instead(&mut self, index: ChunkIndex, region: &Region) {
        let awaited = |probe: &&mut Probe| probe.state == ProbeState::Awaited && region.has(probe.index.0);
        if let Some(probe) = self.probes.iter_mut().find(awaited) {
            (probe.index, probe.side, probe.state) = (index, Side::Both, ProbeState::Arrived);
        }
    }
}
