//! Fleets with hostile machines. Only the honest machines are judged.

use super::definition::{GIGABIT, Staged};
use super::even::even;
use super::troubled::{bytes, chance};
use crate::{Fault, Link, NodeId, Setup, World, bound};
use std::time::Duration;

/// When the leechers join, so that the tracker knows the seeders by then.
const ALL_ARE_THERE: Duration = Duration::from_millis(1);
/// When hostile machines that never end are removed: a run ends when all have ended.
const GONE_AT: Duration = Duration::from_secs(300);
/// A rate that is nearly nothing, in bytes per second.
const DRIP: u64 = 1_000;

/// Two false seeders: one falls silent, by the seed at the beginning or in the middle, and the other sends only corrupt
/// chunks. The tracker names all machines once and then never answers again.
pub(super) fn beset(setup: Setup, machines: usize, chunks: u32) -> Staged {
    let links = vec![GIGABIT; machines];
    let bound = bound(bytes(chunks), GIGABIT, &links);
    let moment = |n: u64| bound * (chance(setup.seed, n) % 100) as u32 / 100;
    let (silent_at, tracker_dies_at) = (moment(1).saturating_sub(bound / 2), moment(2) / 2);
    let mut world = World::new(setup);
    let key = world.add_resource(chunks);
    let seeders = [(); 3].map(|()| world.add_node(GIGABIT));
    seeders.iter().for_each(|&seeder| world.seed(seeder, key));
    let [_, silent, liar] = seeders;
    world.fault(silent, Fault::Silent, silent_at);
    world.fault(liar, Fault::CorruptNext(u64::MAX), Duration::ZERO);
    let judged: Vec<NodeId> = links.iter().map(|&link| world.add_node(link)).collect();
    judged.iter().for_each(|&node| world.leech(node, key, ALL_ARE_THERE));
    world.tracker_away(ALL_ARE_THERE * 2 + tracker_dies_at, Duration::from_secs(1_000_000));
    Staged { world, key, bound, judged }
}

/// As many hostile machines as honest ones, including the seeder.
fn among(hostile: fn(&mut Staged, u64), setup: Setup, machines: usize, chunks: u32) -> Staged {
    let mut staged = even(setup, machines, chunks);
    (0..=machines as u64).for_each(|at| hostile(&mut staged, at));
    staged
}

/// They claim everything, and send nothing, wrong bytes or next to nothing, or deny having the chunk.
pub(super) fn false_seeders(setup: Setup, machines: usize, chunks: u32) -> Staged {
    among(false_seeder, setup, machines, chunks)
}

fn false_seeder(staged: &mut Staged, at: u64) {
    let node = staged.world.add_node(GIGABIT);
    staged.world.seed(node, staged.key);
    let fault = match (chance(staged.world.setup().seed, 0) + at) % 4 {
        0 => Fault::Silent,
        1 => Fault::CorruptNext(u64::MAX),
        2 => Fault::Link(Link { up: DRIP, ..GIGABIT }),
        _ => Fault::Hollow,
    };
    staged.world.fault(node, fault, Duration::ZERO);
}

/// They ask for everything and take next to nothing.
pub(super) fn slow_takers(setup: Setup, machines: usize, chunks: u32) -> Staged {
    among(slow_taker, setup, machines, chunks)
}

fn slow_taker(staged: &mut Staged, _: u64) {
    let node = staged.world.add_node(Link { down: DRIP, ..GIGABIT });
    staged.world.leech(node, staged.key, Duration::ZERO);
    staged.world.fault(node, Fault::Die, GONE_AT);
}
