//! Swarms in which machines die, lie or fall silent.

use shared::chunk::ChunkIndex;
use shared::id::SwarmKey;
use shared::swarm::{DropReason, SwarmConfig, Waiting};
use sim::{Fault, Link, NodeId, Setup, World};
use std::time::Duration;

const GIGABIT: Link = Link { up: 125_000_000, down: 125_000_000 };
const MINUTE: Duration = Duration::from_secs(60);
const SEEDER: NodeId = NodeId(0);

fn fleet(seed: u64, leechers: usize, chunks: u32) -> (World, SwarmKey) {
    World::fleet(Setup { seed, ..Setup::default() }, leechers, chunks, GIGABIT)
}

#[test]
fn a_seeder_that_dies_after_one_copy_loses_nothing() {
    for seed in 1..=5 {
        let (mut world, key) = fleet(seed, 8, 64);
        let one_copy = (64 << 20) * 105 / 100;
        world.fault(SEEDER, Fault::DieAfterSending(one_copy), Duration::ZERO);
        world.run_to_end(MINUTE);
        assert!(
            (one_copy..one_copy * 2).contains(&world.sent(SEEDER)),
            "seed {seed}: it died before the end"
        );
        assert!((1..=8).all(|node| world.finished(NodeId(node), key).is_some()), "seed {seed}");
    }
}

#[test]
fn a_seeder_that_dies_too_early_is_missed_by_name() {
    let (mut world, key) = fleet(1, 3, 40);
    world.fault(SEEDER, Fault::DieAfterSending(20 << 20), Duration::ZERO);
    world.run_for(Duration::from_secs(8));
    for node in 1..=3 {
        let status = world.status(NodeId(node), key);
        let Some(Waiting::NoSource { chunks, total }) = status.waiting else { panic!("{status:?}") };
        assert!(!chunks.is_empty() && total == 40 - status.have, "{chunks:?} {total}");
    }
    let saviour = world.add_node(GIGABIT);
    world.seed(saviour, key);
    world.run_to_end(MINUTE);
}

#[test]
fn leechers_that_die_are_not_missed() {
    let (mut world, key) = fleet(2, 8, 64);
    world.fault(NodeId(3), Fault::Die, Duration::from_millis(300));
    world.fault(NodeId(5), Fault::Die, Duration::from_millis(350));
    world.run_to_end(Duration::from_secs(2));
    assert!(world.finished(NodeId(3), key).is_none());
}

#[test]
fn alone_it_waits_for_peers() {
    let mut world = World::new(Setup::default());
    let key = world.add_resource(4);
    let lonely = world.add_node(GIGABIT);
    world.leech(lonely, key, Duration::ZERO);
    world.run_for(Duration::from_secs(5));
    assert_eq!(world.status(lonely, key).waiting, Some(Waiting::NoPeers { known: 0 }));
}

#[test]
fn a_corrupt_chunk_is_fetched_elsewhere() {
    let (mut world, key) = fleet(1, 4, 24);
    let liar = world.add_node(GIGABIT);
    world.seed(liar, key);
    for chunk in [3, 7] {
        world.fault(liar, Fault::Corrupt(key, ChunkIndex(chunk)), Duration::ZERO);
    }
    world.run_to_end(Duration::from_secs(10));
    let corrupted = world.corrupted();
    assert!(!corrupted.is_empty(), "nobody asked the liar for what it sends corrupt");
    assert!(corrupted.iter().all(|&(_, from, chunk)| from == liar && [3, 7].contains(&chunk.0)));
    assert!((1..=4).all(|node| world.finished(NodeId(node), key).is_some()));
}

#[test]
fn a_liar_is_dropped() {
    let (mut world, key) = fleet(1, 4, 48);
    let liar = world.add_node(GIGABIT);
    world.seed(liar, key);
    for chunk in 0..48 {
        world.fault(liar, Fault::Corrupt(key, ChunkIndex(chunk)), Duration::ZERO);
    }
    world.run_to_end(Duration::from_secs(10));
    assert!(world.dropped().iter().any(|&(_, who, why)| who == liar && why == DropReason::Corrupt));
    assert!(world.dropped().iter().all(|&(_, who, _)| who == liar), "{:?}", world.dropped());
}

#[test]
fn what_only_a_liar_has_is_named() {
    let (mut world, key) = fleet(1, 2, 12);
    world.fault(SEEDER, Fault::Corrupt(key, ChunkIndex(5)), Duration::ZERO);
    world.run_for(Duration::from_secs(5));
    for node in 1..=2 {
        let status = world.status(NodeId(node), key);
        assert_eq!(status.have, 11);
        let only = Waiting::OnlyCorrupt { chunks: vec![ChunkIndex(5)], peers: vec![SEEDER.addr()] };
        assert_eq!(status.waiting, Some(only));
    }
    // It is finally tried again, because the seeder's disk may have been repaired.
    world.fault(SEEDER, Fault::Repaired, Duration::from_secs(20));
    world.run_to_end(MINUTE * 3);
}

#[test]
fn a_silent_machine_is_passed_over() {
    for silent in [SEEDER, NodeId(2)] {
        let (mut world, key) = fleet(3, 5, 48);
        let second = world.add_node(GIGABIT);
        world.seed(second, key);
        world.fault(silent, Fault::Silent, Duration::from_millis(100));
        world.run_until(Duration::from_secs(10), |world| {
            (1..=5).all(|node| world.finished(NodeId(node), key).is_some())
        });
        assert!(world.broken_off(silent) > 0, "nobody waited for a chunk of machine {}", silent.0);
    }
}

#[test]
fn a_silent_only_seeder_is_dropped_in_the_end() {
    let (mut world, key) = fleet(1, 1, 8);
    world.fault(SEEDER, Fault::Silent, Duration::ZERO);
    world.run_until(MINUTE * 10, |world| !world.dropped().is_empty());
    assert_eq!(world.dropped().first(), Some(&(NodeId(1), SEEDER, DropReason::Stalled)));
    assert_eq!(world.status(NodeId(1), key).have, 0);
}

#[test]
fn a_slow_seeder_is_never_passed_over() {
    // 100 KB/s, shared by several chunks: minutes for each of them.
    let mut world = World::new(Setup::default());
    let key = world.add_resource(12);
    let seeder = world.add_node(Link { up: 100_000, down: 100_000 });
    world.seed(seeder, key);
    for _ in 0..3 {
        let node = world.add_node(GIGABIT);
        world.leech(node, key, Duration::ZERO);
    }
    world.run_to_end(MINUTE * 10);
    assert!(world.dropped().is_empty());
    assert!(world.sent(seeder) < 20 << 20, "{}", world.sent(seeder));
}

#[test]
fn a_seeder_that_is_slow_in_a_fast_swarm_is_not_dropped() {
    let (mut world, key) = fleet(1, 3, 200);
    let slow = world.add_node(Link { up: 300_000, down: 300_000 });
    world.seed(slow, key);
    world.run_to_end(MINUTE);
    assert!(world.dropped().is_empty());
}

#[test]
fn everything_stays_bounded_when_many_resources_are_fetched() {
    let config = SwarmConfig { requests_max: 12, ..SwarmConfig::default() };
    let mut world = World::new(Setup { config, ..Setup::default() });
    let (seeder, leecher) = (world.add_node(GIGABIT), world.add_node(GIGABIT));
    for _ in 0..30 {
        let key = world.add_resource(10);
        world.seed(seeder, key);
        world.leech(leecher, key, Duration::ZERO);
    }
    world.run_to_end(Duration::from_secs(10));
    assert_eq!(world.requests_peak(leecher), 12, "the limit was reached and held");
}

#[test]
fn whatever_befalls_the_others_those_who_live_end() {
    for seed in 1..=6 {
        let (mut world, key) = fleet(seed, 7, 24);
        let at = |n: u64| Duration::from_millis(seed * 37 * n % 400);
        world.fault(NodeId(1), Fault::Die, at(1));
        world.fault(NodeId(2), Fault::Silent, at(2));
        world.fault(NodeId(3), Fault::Corrupt(key, ChunkIndex(seed as u32)), at(3));
        let second = world.add_node(Link { up: 20_000_000, down: 20_000_000 });
        world.seed(second, key);
        if seed % 2 == 0 {
            world.fault(SEEDER, Fault::Die, at(4));
        }
        let late = world.add_node(GIGABIT);
        world.leech(late, key, at(5));
        world.run_to_end(MINUTE);
        assert!(world.finished(late, key).is_some(), "seed {seed}");
    }
}
