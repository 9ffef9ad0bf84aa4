//! The regions: runs of chunks that are missing and may lie in the old file.

use super::probe::{Probe, ProbeState};
use super::step::Side;
use crate::chance::Chance;
use crate::chunk::ChunkIndex;
use crate::have::HaveMap;
use std::cmp::Reverse;
use std::ops::Range;

/// Limits the regions that are looked at. The chunks of further ones, the shortest, are fetched from peers. It bounds
/// the memory, and the time to choose the next probe.
const REGIONS_MAX: usize = 1024;

/// A region has at least this many chunks. A probe costs one chunk, so it must be able to explain another one.
const CHUNKS_MIN: u32 = 2;

/// Each failed probe makes a region count as 2 to the power of this shorter. With 2, a region of 100 chunks in which one
/// probe has failed comes after another one of 26.
const MISS_SHIFT: u32 = 2;

/// A run of missing chunks.
#[derive(Debug, Clone)]
pub(super) struct Region {
    chunks: Range<u32>,
    left: Edge,
    right: Edge,
    /// The probes in it that led to nothing.
    misses: u32,
}

/// One end of a region.
#[derive(Debug, Clone, Copy, Default)]
struct Edge {
    /// The shift of what lies beyond it, if that is known.
    shift: Option<i64>,
    /// Whether the outermost chunk is a good probe: content that is here ends in it.
    is_open: bool,
}

impl Region {
    fn len(&self) -> u32 {
        self.chunks.end - self.chunks.start
    }

    /// How much the next probe may lead to.
    fn promise(&self) -> u32 {
        self.len() >> (MISS_SHIFT * self.misses).min(u32::BITS - 1)
    }

    pub(super) fn has(&self, index: u32) -> bool {
        self.chunks.contains(&index)
    }

    /// Whether a chunk is the last one before the region or the first one after it.
    fn is_beside(&self, index: u32) -> bool {
        self.chunks.end == index || self.chunks.start.checked_sub(1) == Some(index)
    }

    /// The chunk to fetch next, and the side to which its search goes.
    pub(super) fn probe(&self, chance: &mut Chance) -> (u32, Side) {
        if self.left.is_open {
            return (self.chunks.start, Side::Right);
        }
        if self.right.is_open {
            return (self.chunks.end - 1, Side::Left);
        }
        // Anywhere in the middle half: the machines of a fleet fetch different chunks, which they can exchange.
        let half = (self.len() / 2).max(1);
        (self.chunks.start + self.len() / 4 + chance.below(half as usize) as u32, Side::Both)
    }

    /// The likely shifts of its content.
    pub(super) fn near(&self) -> Vec<i64> {
        let mut near: Vec<i64> = self.left.shift.into_iter().chain(self.right.shift).collect();
        if self.right.is_open && !self.left.is_open {
            near.reverse();
        }
        near.dedup();
        if near.is_empty() {
            near.push(0);
        }
        near
    }
}

/// All regions, in order.
#[derive(Debug)]
pub(super) struct Regions(Vec<Region>);

impl Regions {
    /// The regions of what is missing.
    pub(super) fn of(have: &HaveMap) -> Regions {
        let count = have.count().get();
        let mut regions: Vec<Region> = Vec::new();
        for ChunkIndex(index) in have.missing_from(ChunkIndex(0)) {
            match regions.last_mut().filter(|region| region.chunks.end == index) {
                Some(region) => region.chunks.end += 1,
                None => {
                    let edge = Edge { shift: None, is_open: true };
                    let chunks = index..index + 1;
                    if regions.len() >= 2 * REGIONS_MAX {
                        keep_long(&mut regions, REGIONS_MAX);
                    }
                    regions.push(Region { chunks, left: edge, right: edge, misses: 0 });
                }
            }
        }
        keep_long(&mut regions, REGIONS_MAX);
        // Nothing lies before the beginning and after the end.
        for region in &mut regions {
            region.left.is_open = region.chunks.start > 0;
            region.right.is_open = region.chunks.end < count;
        }
        Regions(regions)
    }

    /// The region of a chunk.
    pub(super) fn at(&self, index: u32) -> Option<&Region> {
        self.slot(index).map(|slot| &self.0[slot])
    }

    fn slot(&self, index: u32) -> Option<usize> {
        let slot = self.0.partition_point(|region| region.chunks.end <= index);
        self.0.get(slot).is_some_and(|region| region.has(index)).then_some(slot)
    }

    /// Takes a chunk out of its region, which may become two.
    pub(super) fn take_out(&mut self, index: u32) {
        let Some(slot) = self.slot(index) else { return };
        let region = self.0.remove(slot);
        let cut = Edge::default();
        let before = Region { chunks: region.chunks.start..index, right: cut, ..region.clone() };
        let after = Region { chunks: index + 1..region.chunks.end, left: cut, ..region };
        let parts = [before, after].into_iter().filter(|part| part.len() > 0);
        self.0.splice(slot..slot, parts);
    }

    /// A walk at this shift has ended at a chunk: a probe there is likely to tell what follows.
    pub(super) fn open_edge(&mut self, index: u32, shift: i64, side: Side) {
        let Some(slot) = self.slot(index) else { return };
        let region = &mut self.0[slot];
        region.misses = 0;
        let edge = Edge { shift: Some(shift), is_open: true };
        if side == Side::Right && region.chunks.start == index {
            region.left = edge;
        } else if side == Side::Left && region.chunks.end == index + 1 {
            region.right = edge;
        }
    }

    /// A probe led to chunks that were found, or to none.
    pub(super) fn note(&mut self, probe: u32, has_found: bool) {
        for region in self.0.iter_mut().filter(|region| region.is_beside(probe)) {
            region.misses = if has_found { 0 } else { region.misses + 1 };
        }
    }

    /// Drops the regions that are too short, or too many, unless a probe beside them has yet to be used. Returns
    /// whether there were any.
    pub(super) fn drop_single(&mut self, probes: &[Probe]) -> bool {
        let before = self.0.len();
        let in_use = |region: &Region| {
            let is_used =
                |probe: &Probe| probe.state != ProbeState::Awaited && region.is_beside(probe.index.0);
            probes.iter().any(is_used)
        };
        self.0.retain(|region| region.len() >= CHUNKS_MIN || in_use(region));
        keep_long(&mut self.0, REGIONS_MAX);
        self.0.len() < before
    }

    /// The region that is probed next: a long one. Each probe in it that has failed makes it count as shorter.
    pub(super) fn best(&self, probes: &[Probe]) -> Option<&Region> {
        let is_free = |region: &&Region| {
            !probes.iter().any(|probe| region.has(probe.index.0) || region.is_beside(probe.index.0))
        };
        let free = self.0.iter().filter(is_free).filter(|region| region.len() >= CHUNKS_MIN);
        free.max_by_key(|region| (region.promise(), Reverse(region.chunks.start)))
    }

    /// All chunks of all regions, in order.
    pub(super) fn chunks(&self) -> impl Iterator<Item = ChunkIndex> + '_ {
        self.0.iter().flat_map(|region| region.chunks.clone()).map(ChunkIndex)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Keeps the `max` longest regions; of equally long ones, the first.
fn keep_long(regions: &mut Vec<Region>, max: usize) {
    if regions.len() <= max {
        return;
    }
    let mut lengths: Vec<u32> = regions.iter().map(Region::len).collect();
    lengths.sort_unstable_by_key(|&len| Reverse(len));
    let least = lengths[max - 1];
    let mut equal = lengths[..max].iter().filter(|&&len| len == least).count();
    regions.retain(|region| {
        let is_kept = region.len() > least || (region.len() == least && equal > 0);
        equal -= usize::from(is_kept && region.len() == least);
        is_kept
    });
}
