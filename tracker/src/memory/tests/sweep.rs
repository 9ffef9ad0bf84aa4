//! Tests of the sweep: expired entries are removed in parts, and swarms without expired entries are not looked at.

use super::*;

fn key_of(number: u32) -> SwarmKey {
    let mut key = key(0);
    key.resource.0[..4].copy_from_slice(&number.to_be_bytes());
    key
}

/// A machine that seeds many resources.
fn large(world: &mut World, who: &Who, from: u32, resources: u32) {
    let entries: Vec<Announce> = (from..from + resources).map(|number| seeding(key_of(number))).collect();
    for batch in entries.chunks(ANNOUNCE_MAX) {
        world.registry.announce(world.now, who, batch).unwrap();
    }
}

#[test]
fn where_nothing_ends_nothing_is_looked_at() {
    let mut world = World::new(RegistryLimits::default());
    for _ in 0..14 {
        large(&mut world, &peer(1), 0, 3_000); // an entry finally lasts for two minutes and more
        world.wait(Duration::from_secs(5));
    }
    assert_eq!(world.registry.size().entries, 3_000);
    for number in 0..100 {
        let (what, hashes) = publication(&format!("name-{number}"), number, 2, 5);
        world.publish(&what, &hashes).unwrap();
    }
    for _ in 0..10 {
        world.now = world.now + Duration::from_secs(2);
        assert_eq!(world.registry.expire(world.now), Sweep { more: false, work: 0 });
    }
}

#[test]
fn all_that_ends_at_once_ends_in_parts() {
    let mut world = World::new(RegistryLimits::default());
    (1..=20).for_each(|number| large(&mut world, &peer(number), u32::from(number % 7) * 500, 1000));
    let mut left = world.registry.size().entries;
    assert_eq!(left, 20_000);
    world.now = world.now + Duration::from_secs(3600);
    let mut sweeps = 0;
    loop {
        let sweep = world.registry.expire(world.now);
        let now_left = world.registry.size().entries;
        assert!(left - now_left <= 1024 && sweep.work < 1200, "{sweep:?}");
        (left, sweeps) = (now_left, sweeps + 1);
        if !sweep.more {
            break;
        }
    }
    assert_eq!((left, world.registry.size().swarms), (0, 0));
    assert!(sweeps < 40, "{sweeps} sweeps");
}

#[test]
fn two_large_swarms_that_end_at_once_end_in_parts() {
    let mut world = World::new(RegistryLimits::default());
    for number in 0..900 {
        world.registry.announce(world.now, &peer(number), &[seeding(key(1)), seeding(key(2))]).unwrap();
    }
    world.now = world.now + Duration::from_secs(3600);
    let first = world.registry.expire(world.now);
    assert!(first.more && first.work < 1100, "{first:?}");
    world.wait(Duration::ZERO);
    assert_eq!(world.registry.size().entries, 0);
}

/// A machine with very many resources goes. Its swarms are told in parts, too.
#[test]
fn a_connection_that_ends_is_noted_in_parts() {
    let mut world = World::new(RegistryLimits::default());
    world.registry.arrive(&peer(1));
    large(&mut world, &peer(1), 0, 5_000);
    world.registry.depart(world.now, &peer(1));
    let mut sweeps = 1;
    while world.registry.expire(world.now).more {
        sweeps += 1;
    }
    assert!((5..8).contains(&sweeps), "{sweeps} sweeps");
    assert_eq!(world.registry.size().entries, 5_000, "it may come back");
}

/// A publication is kept for an hour after the last peer has gone, not after it was last looked at.
#[test]
fn publications_end_in_parts_too_and_when_they_should() {
    let mut world = World::new(RegistryLimits::default());
    for number in 0..=200 {
        let (what, hashes) = publication(&format!("name-{number}"), number, 2, 5);
        world.publish(&what, &hashes).unwrap();
        world.announce(&peer(1), seeding(what.key)).unwrap();
    }
    let publications = |world: &World| world.registry.size().publications;
    assert_eq!(publications(&world), 201);
    for _ in 0..400 {
        world.now = world.now + Duration::from_secs(10);
        while world.registry.expire(world.now).more {}
        for number in 100..=200 {
            let (what, _) = publication("x", number, 2, 5);
            world.announce(&peer(1), seeding(what.key)).unwrap();
        }
    }
    assert_eq!(publications(&world), 101, "the others lost their peer more than an hour ago");
    let last: Vec<SwarmKey> = (100..=200).map(|number| publication("x", number, 2, 5).0.key).collect();
    world.registry.withdraw(world.now, &peer(1), &last).unwrap();
    world.wait(Duration::from_secs(3599));
    assert_eq!(publications(&world), 101);
    world.wait(Duration::from_secs(1));
    assert_eq!(publications(&world), 0);
}

/// A manifest and each of its names cost one. A step takes about a thousand of them.
#[test]
fn many_publications_end_in_parts() {
    let mut world = World::new(RegistryLimits::default());
    for number in 0..700 {
        let (seed, chunks) = ((number % 100) as u8, 2 + number / 100);
        let (what, hashes) = publication(&format!("name-{number}"), seed, chunks, 5);
        world.publish(&what, &hashes).unwrap();
    }
    world.now = world.now + Duration::from_secs(3600);
    assert_eq!(world.registry.expire(world.now), Sweep { more: true, work: 1024 });
    assert_eq!(world.registry.size().publications, 700 - 512);
    assert_eq!(world.registry.expire(world.now), Sweep { more: false, work: 2 * (700 - 512) });
    assert_eq!(world.registry.size().publications, 0);
}

/// A peer that comes and goes all the time is remembered once.
#[test]
fn who_comes_and_goes_keeps_no_place_from_others() {
    let mut world = World::new(RegistryLimits::default());
    world.announce(&peer(1), leeching(key(1))).unwrap();
    world.registry.withdraw(world.now, &peer(1), &[key(1)]).unwrap();
    for _ in 0..70_000 {
        world.announce(&peer(2), leeching(key(2))).unwrap();
        world.registry.withdraw(world.now, &peer(2), &[key(2)]).unwrap();
    }
    let fleet = world.registry.fleet(world.now, &Lookup::Resource(key(1).resource), None, FLEET_MAX);
    assert_eq!(fleet.machines.len(), 1, "the other one is remembered");
}

#[test]
fn the_unfinished_that_are_gone_are_counted_as_they_go_and_come() {
    let mut world = World::new(RegistryLimits::default());
    let gone = |world: &World| {
        world.registry.fleet(world.now, &Lookup::Resource(key(1).resource), None, 0).gone_unfinished
    };
    for number in 1..=5 {
        world.announce(&peer(number), leeching(key(1))).unwrap();
        world.registry.withdraw(world.now, &peer(number), &[key(1)]).unwrap();
    }
    world.announce(&peer(6), seeding(key(1))).unwrap();
    world.registry.withdraw(world.now, &peer(6), &[key(1)]).unwrap();
    assert_eq!(gone(&world), 5);
    world.announce(&peer(2), leeching(key(1))).unwrap();
    assert_eq!(gone(&world), 4);
    world.wait(Duration::from_secs(3599));
    assert_eq!(gone(&world), 5, "2 was lost");
    world.wait(Duration::from_secs(1));
    assert_eq!(gone(&world), 1);
    world.wait(Duration::from_secs(3600));
    assert_eq!(gone(&world), 0);
}

#[test]
fn entries_whose_connection_is_closed_make_way_for_others() {
    let mut world = World::new(RegistryLimits { entries_max: 2_000, ..RegistryLimits::default() });
    world.registry.arrive(&peer(1));
    large(&mut world, &peer(1), 0, 2_000);
    let refused = world.announce(&peer(2), seeding(key(2)));
    assert!(matches!(refused, Err(Refusal::Full(_))), "whoever is there keeps its place: {refused:?}");
    world.registry.depart(world.now, &peer(1));
    world.announce(&peer(3), seeding(key(3))).unwrap();
    assert_eq!(world.registry.size().entries, 2_000, "one has made way for one");
    large(&mut world, &peer(2), 10_000, 1_000);
    assert_eq!(world.registry.size().entries, 2_000);
    // it comes back, and has what is left
    world.registry.arrive(&peer(1));
    assert!(world.announce(&peer(1), seeding(key(4))).is_err(), "it is full again");
    world.registry.announce(world.now, &peer(1), &[seeding(key_of(1_999))]).unwrap();
}
