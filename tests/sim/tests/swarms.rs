//! Swarms in which nothing goes wrong.

use shared::id::SwarmKey;
use shared::window::WINDOW_CHUNKS_MAX;
use sim::{Link, Log, NodeId, Setup, Sharing, World, bound};
use std::time::Duration;

const GIGABIT: Link = Link { up: 125_000_000, down: 125_000_000 };
const MINUTE: Duration = Duration::from_secs(60);

fn setup(seed: u64) -> Setup {
    Setup { seed, ..Setup::default() }
}

fn fleet(seed: u64, leechers: usize, chunks: u32) -> (World, SwarmKey) {
    World::fleet(setup(seed), leechers, chunks, GIGABIT)
}

/// The time as a multiple of the bound.
fn ratio(world: &World, leechers: usize, chunks: u32) -> f64 {
    let least = bound(u64::from(chunks) << 20, GIGABIT, &vec![GIGABIT; leechers]);
    world.last_finished().as_secs_f64() / least.as_secs_f64()
}

#[test]
fn everybody_ends() {
    for (seed, leechers, chunks) in [(1, 2, 1), (2, 3, 9), (3, 8, 40), (4, 16, 24), (5, 31, 12), (6, 5, 130)]
    {
        let (mut world, key) = fleet(seed, leechers, chunks);
        world.run_to_end(MINUTE);
        for leecher in 1..=leechers {
            assert!(world.finished(NodeId(leecher), key).is_some(), "seed {seed}: machine {leecher}");
        }
        assert!(world.dropped().is_empty(), "seed {seed}: nobody misbehaved: {:?}", world.dropped());
    }
}

#[test]
fn one_to_one_keeps_the_link_full() {
    let (mut world, _) = fleet(1, 1, 64);
    world.run_to_end(MINUTE);
    assert!(ratio(&world, 1, 64) < 1.02, "{}", ratio(&world, 1, 64));
    assert_eq!(world.sent(NodeId(0)), 64 << 20, "nothing is sent twice");
}

#[test]
fn one_to_one_keeps_a_long_link_full() {
    let setup = Setup { latency: Duration::from_millis(40), ..setup(1) };
    let (mut world, _) = World::fleet(setup, 1, 64, Link::symmetric(200_000_000));
    world.run_to_end(MINUTE);
    let least = bound(64 << 20, Link::symmetric(200_000_000), &[Link::symmetric(200_000_000)]);
    // One chunk at a time would take twice the bound.
    assert!(world.last_finished() < least.mul_f64(1.4), "{:?} of {least:?}", world.last_finished());
}

#[test]
fn sixteen_machines_come_near_the_bound() {
    for seed in 1..=2 {
        let setup = Setup { sharing: Sharing::MaxMin, check: false, ..setup(seed) };
        let (mut world, _) = World::fleet(setup, 16, 128, GIGABIT);
        world.run_to_end(MINUTE);
        let (ratio, sent) = (ratio(&world, 16, 128), world.sent(NodeId(0)) as f64 / (128 << 20) as f64);
        assert!(ratio <= 1.25, "seed {seed}: {ratio} of the bound");
        assert!(sent <= 1.35, "seed {seed}: the seeder sent {sent} copies");
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    let log = |seed| {
        let setup = Setup { log: Log::Text, ..setup(seed) };
        let (mut world, _) = World::fleet(setup, 6, 24, GIGABIT);
        world.run_to_end(MINUTE);
        world.log().to_string()
    };
    let first = log(1);
    assert!(first.contains("Complete"));
    assert_eq!(first, log(1));
    assert_ne!(first, log(2));
}

#[test]
fn a_late_joiner_is_served_by_all() {
    let (mut world, key) = fleet(1, 6, 48);
    world.run_to_end(MINUTE);
    let late = world.add_node(GIGABIT);
    let start = Duration::from_secs(20);
    world.leech(late, key, start);
    world.run_to_end(MINUTE);
    let took = world.finished(late, key).unwrap() - start;
    let least = bound(48 << 20, GIGABIT, &[GIGABIT]);
    assert!(took < least.mul_f64(1.3), "{took:?} of {least:?}");
    let servers = (0..=6).filter(|&node| world.sent(NodeId(node)) > 0).count();
    assert!(servers > 3, "it asks seeders at random: {servers}");
}

#[test]
fn a_leecher_serves_a_leecher() {
    // The tracker names the seeder, but that is dead for the second machine, which therefore gets everything from the
    // first.
    let (mut world, key) = fleet(1, 1, 16);
    world.run_until(MINUTE, |world| {
        world.machine(NodeId(1)).status(key).is_some_and(|status| status.have == 4)
    });
    let second = world.add_node(GIGABIT);
    world.forbid(second, NodeId(0));
    world.leech(second, key, Duration::ZERO);
    world.run_until(MINUTE, |world| world.sent(NodeId(1)) > 0);
    assert!(!world.status(NodeId(1), key).have.eq(&16), "it serves before it has everything");
    world.run_to_end(MINUTE);
    assert_eq!(world.status(second, key).have, 16);
}

#[test]
fn two_resources_at_once() {
    let (mut world, one) = fleet(1, 4, 32);
    let two = world.add_resource(20);
    world.seed(NodeId(1), two);
    for leecher in [0, 2, 3, 4] {
        world.leech(NodeId(leecher), two, Duration::ZERO);
    }
    world.run_to_end(MINUTE);
    assert!(world.finished(NodeId(4), one).is_some() && world.finished(NodeId(4), two).is_some());
}

#[test]
fn an_empty_resource_is_had_by_whoever_joins() {
    let (mut world, key) = fleet(1, 1, 0);
    world.run_for(Duration::from_secs(1));
    assert_eq!(world.status(NodeId(1), key).waiting, None);
    assert_eq!(world.finished(NodeId(1), key), None, "joined as a seeder: there is nothing to complete");
}

#[test]
fn more_chunks_than_the_window_spans() {
    let fast = Link::symmetric(10_000_000_000);
    let (mut world, _) = World::fleet(Setup { check: false, ..setup(1) }, 2, 2500, fast);
    const { assert!(2500 > WINDOW_CHUNKS_MAX) };
    world.run_to_end(MINUTE);
    let last = world.window_begin_max().0;
    assert!(last > 2500 - WINDOW_CHUNKS_MAX, "the last window began at chunk {last}");
}

#[test]
fn a_slow_machine_holds_nobody_back() {
    // In equal shares a fast uplink would wait for the slow downlink, which no real one does.
    let mut world = World::new(Setup { sharing: Sharing::MaxMin, check: false, ..setup(3) });
    let key = world.add_resource(128);
    let seeder = world.add_node(GIGABIT);
    world.seed(seeder, key);
    for leecher in 0..16 {
        let slow = if leecher == 15 { 10 } else { 1 };
        let node = world.add_node(Link { up: GIGABIT.up / slow, down: GIGABIT.down / slow });
        world.leech(node, key, Duration::ZERO);
    }
    world.run_to_end(MINUTE);
    let least = bound(128 << 20, GIGABIT, &[GIGABIT; 15]);
    let others = (1..=15).map(|node| world.finished(NodeId(node), key).unwrap()).max().unwrap();
    assert!(others < least.mul_f64(1.35), "the fast ones: {others:?} of {least:?}");
    let slow = world.finished(NodeId(16), key).unwrap();
    assert!(slow < least.mul_f64(11.0), "the slow one: {slow:?}, the fast ones' bound is {least:?}");
}

#[test]
fn all_that_crosses_shares_the_thin_link() {
    let thin = Link::symmetric(100_000_000);
    for sharing in [Sharing::Equal, Sharing::MaxMin] {
        let mut world = World::new(Setup { sharing, ..setup(1) });
        let key = world.add_resource(24);
        world.zone_link("A", thin);
        let seeder = world.add_node_in(GIGABIT, "A");
        world.seed(seeder, key);
        let near = world.add_node_in(GIGABIT, "A");
        let far = [world.add_node_in(GIGABIT, "B"), world.add_node_in(GIGABIT, "B")];
        for node in [near, far[0], far[1]] {
            world.leech(node, key, Duration::ZERO);
        }
        world.run_to_end(MINUTE);
        let crossed = world.crossed();
        assert!(crossed >= 24 << 20, "{sharing:?}: the other zone got everything over the link: {crossed}");
        assert_eq!(world.crossed_into("A") + world.crossed_into("B"), crossed);
        let ended = far.map(|node| world.finished(node, key).unwrap()).into_iter().max().unwrap();
        let least = Duration::from_secs_f64(world.crossed_into("B") as f64 / thin.up as f64);
        assert!(ended >= least, "{sharing:?}: {crossed} bytes in {ended:?}, no less than {least:?}");
        assert!(ended < least.mul_f64(1.2), "{sharing:?}: {ended:?}: the link was busy, {least:?}");
        let zones = (0..4).map(|node| world.zone(NodeId(node))).collect::<Vec<_>>();
        assert_eq!(zones, ["A", "A", "B", "B"]);
    }
}
