//! Swarms in zones with slow links between them: few chunks cross, and nobody waits for ever.

use shared::id::SwarmKey;
use sim::{Fault, Link, NodeId, Setup, Sharing, World, bound_between};
use std::time::Duration;

const GIGABIT: Link = Link { up: 125_000_000, down: 125_000_000 };
const MINUTE: Duration = Duration::from_secs(60);

/// Machines in zones. The first one is a seeder, and all links are alike, including those of the zones.
fn zones(seed: u64, counts: &[(&str, usize)], chunks: u32) -> (World, SwarmKey) {
    let mut world = World::new(Setup { seed, sharing: Sharing::MaxMin, ..Setup::default() });
    let key = world.add_resource(chunks);
    for (at, zone) in counts.iter().flat_map(|&(zone, count)| vec![zone; count]).enumerate() {
        world.zone_link(zone, GIGABIT);
        let node = world.add_node_in(GIGABIT, zone);
        match at {
            0 => world.seed(node, key),
            _ => world.leech(node, key, Duration::ZERO),
        }
    }
    (world, key)
}

/// Copies of the file that came into a zone.
fn crossed(world: &World, zone: &str, chunks: u32) -> f64 {
    world.crossed_into(zone) as f64 / (f64::from(chunks) * f64::from(1 << 20))
}

/// Runs until a condition holds, and returns when it did, to within 5 ms.
fn time_of(world: &mut World, done: impl Fn(&World) -> bool) -> Duration {
    let (step, mut steps) = (Duration::from_millis(5), 0);
    while !done(world) {
        world.run_for(step);
        steps += 1;
        assert!(steps < 20_000, "it never came to pass");
    }
    step * steps
}

#[test]
fn one_copy_crosses_and_time_is_near_the_bound() {
    for (seed, machines, chunks, hold_to) in [(1, 8, 256, 1.45), (2, 16, 128, 1.45), (3, 16, 256, 1.35)] {
        let (mut world, _) = zones(seed, &[("a", machines), ("b", machines)], chunks);
        world.run_to_end(MINUTE);
        let leechers = vec![GIGABIT; machines * 2 - 1];
        let least = bound_between(u64::from(chunks) << 20, GIGABIT, &leechers, GIGABIT, &[GIGABIT]);
        let ratio = world.last_finished().as_secs_f64() / least.as_secs_f64();
        assert!(ratio <= hold_to, "2 x {machines} x {chunks}, seed {seed}: {ratio} of the bound");
        let copies = crossed(&world, "b", chunks);
        assert!(copies <= 1.05, "2 x {machines} x {chunks}, seed {seed}: {copies} copies crossed");
        assert_eq!(world.crossed_into("a"), 0, "what is near is not fetched from afar");
    }
}

#[test]
fn without_the_rule_many_copies_cross() {
    // Shows that the test before can fail: the links are the same, but no machine says where it is.
    let (mut world, key) = zones(1, &[("a", 1)], 64);
    for _ in 0..7 {
        let near = world.add_node_in(GIGABIT, "a");
        world.leech(near, key, Duration::ZERO);
    }
    for _ in 0..8 {
        let nowhere = world.add_node_in(GIGABIT, "");
        world.leech(nowhere, key, Duration::ZERO);
    }
    world.zone_link("", GIGABIT);
    world.run_to_end(MINUTE);
    assert!(crossed(&world, "", 64) > 1.5, "{}", crossed(&world, "", 64));
}

#[test]
fn three_zones_get_a_copy_each() {
    for seed in 1..=3 {
        let (mut world, _) = zones(seed, &[("a", 5), ("b", 5), ("c", 5)], 64);
        world.run_to_end(MINUTE);
        for zone in ["b", "c"] {
            let copies = crossed(&world, zone, 64);
            assert!(copies <= 1.1, "seed {seed}: {copies} copies into {zone}");
        }
    }
}

#[test]
fn a_machine_alone_in_its_zone_takes_a_copy() {
    for seed in 1..=3 {
        let (mut world, _) = zones(seed, &[("a", 8), ("b", 1)], 64);
        world.run_to_end(Duration::from_secs(3));
        assert!(crossed(&world, "b", 64) <= 1.1, "seed {seed}: {}", crossed(&world, "b", 64));
        let (mut world, _) = zones(seed, &[("a", 1), ("b", 8)], 64);
        world.run_to_end(Duration::from_secs(3));
        assert!(crossed(&world, "b", 64) <= 1.1, "seed {seed}: {}", crossed(&world, "b", 64));
    }
}

#[test]
fn others_take_over_when_homes_die() {
    for seed in 1..=5 {
        let (mut world, key) = zones(seed, &[("a", 4), ("b", 6)], 64);
        for (node, at_ms) in [(5, 150), (6, 250), (7, 350)] {
            world.fault(NodeId(node), Fault::Die, Duration::from_millis(at_ms));
        }
        world.run_to_end(Duration::from_secs(5));
        let has_finished = |node| world.finished(NodeId(node), key).is_some();
        assert!((5..8).all(|node| !has_finished(node)), "seed {seed}: they die while they fetch");
        assert!((8..10).all(has_finished), "seed {seed}");
    }
}

#[test]
fn others_take_over_when_a_home_cannot_fetch() {
    for seed in 1..=5 {
        // Machine 5 is up and knows what all have, but reaches nobody in the other zone.
        let (mut world, key) = zones(seed, &[("a", 4), ("b", 6)], 64);
        (0..4).for_each(|far| world.forbid(NodeId(5), NodeId(far)));
        world.run_to_end(Duration::from_secs(12));
        assert!(world.finished(NodeId(5), key).is_some(), "seed {seed}");
        assert!(crossed(&world, "b", 64) <= 1.2, "seed {seed}: {}", crossed(&world, "b", 64));
    }
}

#[test]
fn leechers_near_the_seeder_that_get_nothing_hold_nobody_up() {
    // The seeder serves only its own zone, whose machines cannot reach it.
    let (mut world, key) = zones(1, &[("a", 4), ("b", 4)], 32);
    (1..4).for_each(|near| world.forbid(NodeId(near), NodeId(0)));
    world.run_to_end(Duration::from_secs(20));
    assert!((1..8).all(|node| world.finished(NodeId(node), key).is_some()));
}

#[test]
fn one_copy_is_enough_for_a_zone_to_go_on_alone() {
    for seed in 1..=3 {
        let bytes = 64 << 20;
        let begun = |world: &World| world.crossed_into("b") >= bytes;
        let at = time_of(&mut zones(seed, &[("a", 4), ("b", 6)], 64).0, begun) + Duration::from_millis(5);
        let (mut world, key) = zones(seed, &[("a", 4), ("b", 6)], 64);
        (0..4).for_each(|node| world.fault(NodeId(node), Fault::Die, at));
        world.run_to_end(Duration::from_secs(10));
        assert!((4..10).all(|node| world.finished(NodeId(node), key).is_some()), "seed {seed}");
    }
}

#[test]
fn a_thin_link_that_stalls_goes_on_where_it_was() {
    let (mut world, _) = zones(1, &[("a", 4), ("b", 6)], 64);
    world.run_for(Duration::from_millis(300));
    world.zone_link("b", Link { up: 0, down: 0 });
    world.run_for(Duration::from_secs(10));
    world.zone_link("b", GIGABIT);
    world.run_to_end(Duration::from_secs(60));
    assert!(crossed(&world, "b", 64) <= 1.3, "{}", crossed(&world, "b", 64));
}

#[test]
fn machines_without_a_zone_fit_in() {
    for seed in 1..=3 {
        let (mut world, _) = zones(seed, &[("", 2), ("a", 4), ("b", 4)], 64);
        world.run_to_end(MINUTE);
        for zone in ["a", "b"] {
            let copies = crossed(&world, zone, 64);
            assert!(copies <= 1.2, "seed {seed}: {copies} copies into {zone}");
        }
    }
}
