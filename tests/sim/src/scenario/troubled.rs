//! Fleets in which something goes wrong.

use super::definition::{GIGABIT, Staged};
use super::even::{even, fleet};
use crate::{Fault, Link, NodeId, Setup, World, bound, bound_late};
use shared::chunk::ChunkIndex;
use std::time::Duration;

pub(super) const SEEDER: NodeId = NodeId(0);
const HUNDRED_MEGABIT: Link = Link { up: 12_500_000, down: 12_500_000 };

/// The n-th number of a seed.
pub(super) fn chance(seed: u64, n: u64) -> u64 {
    (seed ^ n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40
}

pub(super) fn bytes(chunks: u32) -> u64 {
    u64::from(chunks) << 20
}

/// The seeder dies after it has sent `percent` of a copy.
fn seeder_killed_after(percent: u64, setup: Setup, machines: usize, chunks: u32) -> Staged {
    let mut staged = even(setup, machines, chunks);
    staged.world.fault(SEEDER, Fault::DieAfterSending(bytes(chunks) * percent / 100), Duration::ZERO);
    staged
}

pub(super) fn seeder_killed(setup: Setup, machines: usize, chunks: u32) -> Staged {
    seeder_killed_after(105, setup, machines, chunks)
}

pub(super) fn seeder_lost(setup: Setup, machines: usize, chunks: u32) -> Staged {
    seeder_killed_after(50, setup, machines, chunks)
}

/// The last machine's link is ten times slower. The others are judged.
pub(super) fn slow_peer(setup: Setup, machines: usize, chunks: u32) -> Staged {
    let mut staged = even(setup, machines, chunks);
    let slow = Link { up: GIGABIT.up / 10, down: GIGABIT.down / 10 };
    staged.world.fault(NodeId(machines), Fault::Link(slow), Duration::ZERO);
    staged.judged.pop();
    staged.bound = bound(bytes(chunks), GIGABIT, &vec![GIGABIT; machines - 1]);
    staged
}

/// Half of the leechers come late, by a quarter of the bound.
pub(super) fn late(setup: Setup, machines: usize, chunks: u32) -> Staged {
    let links = vec![HUNDRED_MEGABIT; machines];
    let delay = bound(bytes(chunks), HUNDRED_MEGABIT, &links) / 4;
    half_come_at(delay, delay, setup, &links, chunks)
}

/// The same while the tracker is away until the bound, so that they cannot begin before.
pub(super) fn tracker_away(setup: Setup, machines: usize, chunks: u32) -> Staged {
    let links = vec![HUNDRED_MEGABIT; machines];
    let back = bound(bytes(chunks), HUNDRED_MEGABIT, &links);
    let mut staged = half_come_at(back / 4, back, setup, &links, chunks);
    staged.world.tracker_away(back / 8, back);
    staged
}

/// The second half of the leechers joins at one time and can begin at another.
fn half_come_at(join: Duration, begin: Duration, setup: Setup, links: &[Link], chunks: u32) -> Staged {
    let (early, late) = links.split_at(links.len() / 2);
    let mut world = World::new(setup);
    let key = world.add_resource(chunks);
    let seeder = world.add_node(HUNDRED_MEGABIT);
    world.seed(seeder, key);
    for (at, &link) in links.iter().enumerate() {
        let node = world.add_node(link);
        world.leech(node, key, if at < early.len() { Duration::ZERO } else { join });
    }
    let bound = bound_late(bytes(chunks), HUNDRED_MEGABIT, early, late, begin);
    Staged { world, key, bound, judged: (1..=links.len()).map(NodeId).collect() }
}

/// This happens at half of the bound to a sixteenth of the leechers, at least one. They are not judged.
fn struck(setup: Setup, machines: usize, chunks: u32, fault: Fault) -> Staged {
    let mut staged = even(setup, machines, chunks);
    let first = machines + 1 - machines.div_ceil(16);
    for node in first..=machines {
        staged.world.fault(NodeId(node), fault.clone(), staged.bound / 2);
    }
    staged.judged.truncate(first - 1);
    staged
}

pub(super) fn crash(setup: Setup, machines: usize, chunks: u32) -> Staged {
    struck(setup, machines, chunks, Fault::Die)
}

pub(super) fn crash_unseen(setup: Setup, machines: usize, chunks: u32) -> Staged {
    struck(setup, machines, chunks, Fault::Vanish(Duration::from_secs(1)))
}

pub(super) fn silent(setup: Setup, machines: usize, chunks: u32) -> Staged {
    struck(setup, machines, chunks, Fault::Silent)
}

pub(super) fn leavers(setup: Setup, machines: usize, chunks: u32) -> Staged {
    let mut staged = even(setup, machines, chunks);
    let gone = machines / 4;
    for node in 1..=gone {
        staged.world.fault(NodeId(node), Fault::Leave(staged.key), staged.bound / 2);
    }
    staged.judged.drain(..gone);
    staged
}

/// After a third of the bound, every second leecher is cut off from the rest for half of the bound.
pub(super) fn parted(setup: Setup, machines: usize, chunks: u32) -> Staged {
    let mut staged = even(setup, machines, chunks);
    let (from, until) = (staged.bound / 3, staged.bound / 3 + staged.bound / 2);
    for node in (1..=machines).step_by(2).map(NodeId) {
        staged.world.fault(node, Fault::Side(1), from);
        staged.world.fault(node, Fault::Side(0), until);
    }
    staged
}

/// One seeder lies once, another always; the first one is honest. The leechers are judged.
pub(super) fn liars(setup: Setup, machines: usize, chunks: u32) -> Staged {
    let mut staged = even(setup, machines, chunks);
    for lies in [1, u64::MAX] {
        let liar = staged.world.add_node(GIGABIT);
        staged.world.seed(liar, staged.key);
        staged.world.fault(liar, Fault::CorruptNext(lies), Duration::ZERO);
    }
    staged
}

/// Nobody ever has what only a liar claims, and all say so.
pub(super) fn only_a_liar(setup: Setup, machines: usize, chunks: u32) -> Staged {
    let mut staged = even(setup, machines, chunks);
    let fault = Fault::Corrupt(staged.key, ChunkIndex(chunks / 2));
    staged.world.fault(SEEDER, fault, Duration::ZERO);
    staged
}

/// The tracker answers nobody, ever.
pub(super) fn no_tracker(setup: Setup, machines: usize, chunks: u32) -> Staged {
    let mut staged = even(setup, machines, chunks);
    staged.world.tracker_away(Duration::ZERO, Duration::from_secs(1_000_000));
    staged
}

pub(super) fn queued_setup() -> Setup {
    Setup { control_wait_max: Duration::from_millis(5), ..Setup::default() }
}

/// The seed decides which machines die, fall silent, lie, slow down, leave, are cut off for a while or come late. A
/// second seeder is honest and stays. The half of the leechers without trouble is judged.
pub(super) fn mix(setup: Setup, machines: usize, chunks: u32) -> Staged {
    let seed = setup.seed;
    let mut staged = fleet(setup, GIGABIT, machines, chunks, |_| GIGABIT);
    let second = staged.world.add_node(GIGABIT);
    staged.world.seed(second, staged.key);
    let (key, bound) = (staged.key, staged.bound);
    for node in machines / 2 + 1..=machines {
        let at = bound * (chance(seed, node as u64) % 100) as u32 / 100;
        let fault = match chance(seed, node as u64 + 1_000_000) % 7 {
            0 => Fault::Die,
            1 => Fault::Vanish(Duration::from_secs(1)),
            2 => Fault::Silent,
            3 => Fault::CorruptNext(2),
            4 => Fault::Link(Link { up: GIGABIT.up / 10, down: GIGABIT.down / 10 }),
            5 => Fault::Leave(key),
            _ => Fault::Side(1),
        };
        if matches!(fault, Fault::Side(_)) {
            staged.world.fault(NodeId(node), Fault::Side(0), at + Duration::from_secs(1));
        }
        staged.world.fault(NodeId(node), fault, at);
    }
    if seed.is_multiple_of(2) {
        staged.world.fault(SEEDER, Fault::Die, bound / 3);
    }
    staged.judged.truncate(machines / 2);
    staged
}
