//! Tests of several machines behind one address, and of a machine that restarted.

use super::*;

/// A process at the address of `peer(number)`.
fn process(number: u16, id: u8) -> Who {
    Who { peer_id: PeerId([id; 16]), ..peer(number) }
}

fn fleet(world: &World) -> Vec<(PeerId, Presence)> {
    let fleet = world.registry.fleet(world.now, &Lookup::Resource(key(1).resource), None, FLEET_MAX);
    fleet.machines.iter().map(|machine| (machine.peer_id, machine.presence)).collect()
}

#[test]
fn machines_behind_one_address_and_port_are_all_known() {
    let mut world = World::new(RegistryLimits::default());
    let (one, other) = (process(1, 1), process(1, 2));
    [&one, &other].iter().for_each(|who| world.registry.arrive(who));
    for round in 0..50 {
        for who in [&one, &other] {
            let told = world.announce(who, leeching(key(1))).unwrap().peers;
            assert!(told.iter().all(|peer| peer.addr != one.addr), "its own address is of no use to it");
        }
        world.announce(&peer(9), seeding(key(1))).unwrap();
        let answer = world.announce(&peer(8), leeching(key(1))).unwrap();
        assert_eq!((answer.seeders, answer.leechers), (1, 3), "round {round}");
        let at_one = answer.peers.iter().filter(|peer| peer.addr == one.addr);
        assert_eq!(at_one.count(), 1, "an address is worth one dial");
        world.wait(Duration::from_secs(2));
    }
    let here = fleet(&world);
    assert!(here.iter().all(|(_, presence)| *presence == Presence::Here), "{here:?}");
    assert_eq!(here.len(), 4);
    assert_eq!(world.registry.resources_of(world.now, one.addr, None).len(), 1);
}

#[test]
fn a_machine_that_was_started_again_is_not_lost_as_well() {
    let mut world = World::new(RegistryLimits::default());
    let (before, after) = (process(1, 1), process(1, 2));
    world.registry.arrive(&before);
    world.announce(&before, leeching(key(1))).unwrap();
    world.announce(&before, leeching(key(2))).unwrap();
    world.registry.depart(world.now, &before);
    world.wait(Duration::from_secs(2));
    world.registry.arrive(&after);
    world.announce(&after, leeching(key(1))).unwrap();
    assert_eq!(fleet(&world), [(after.peer_id, Presence::Here)]);
    for _ in 0..200 {
        world.wait(Duration::from_secs(2));
        world.announce(&after, leeching(key(1))).unwrap();
        assert_eq!(fleet(&world), [(after.peer_id, Presence::Here)]);
    }
    let other = world.registry.fleet(world.now, &Lookup::Resource(key(2).resource), None, FLEET_MAX);
    assert_eq!(other.gone_unfinished, 1, "it does not have the other one any more");
}

/// How many machines take part in this swarm.
fn here(world: &World, key: SwarmKey) -> u32 {
    let fleet = world.registry.fleet(world.now, &Lookup::Resource(key.resource), None, 0);
    fleet.seeders + fleet.leechers
}

#[test]
fn a_new_process_ends_what_the_former_one_had() {
    let mut world = World::new(RegistryLimits::default());
    let (before, after) = (process(1, 1), process(1, 2));
    world.registry.arrive(&before);
    world.announce(&before, seeding(key(2))).unwrap();
    world.registry.depart(world.now, &before);
    world.registry.arrive(&after);
    world.wait(Duration::ZERO);
    assert_eq!(here(&world, key(2)), 1, "it has said nothing yet, so it may be another machine");
    world.announce(&after, seeding(key(1))).unwrap();
    world.wait(Duration::ZERO);
    assert_eq!((here(&world, key(1)), here(&world, key(2))), (1, 0));
}

#[test]
fn a_machine_ends_nothing_of_another_one_behind_its_address() {
    let mut world = World::new(RegistryLimits::default());
    let (one, other) = (process(1, 1), process(1, 2));
    for who in [&one, &other] {
        world.registry.arrive(who);
        world.announce(who, seeding(key(1))).unwrap();
    }
    world.registry.depart(world.now, &one);
    for _ in 0..2 {
        world.wait(Duration::ZERO);
        assert_eq!(here(&world, key(1)), 2, "it may come back");
        world.announce(&other, seeding(key(1))).unwrap();
    }
}

/// Its power failed, so nobody closed its connection.
#[test]
fn a_machine_whose_connection_was_never_closed_is_not_lost_as_well() {
    let mut world = World::new(RegistryLimits::default());
    let (before, after) = (process(1, 1), process(1, 2));
    world.registry.arrive(&before);
    world.announce(&before, leeching(key(1))).unwrap();
    world.wait(Duration::from_secs(2));
    world.registry.arrive(&after);
    for _ in 0..200 {
        world.announce(&after, leeching(key(1))).unwrap();
        world.wait(Duration::from_secs(2));
    }
    assert_eq!(fleet(&world), [(after.peer_id, Presence::Here)]);
    world.registry.depart(world.now, &before);
    assert_eq!(fleet(&world), [(after.peer_id, Presence::Here)]);
}

#[test]
fn a_machine_that_said_goodbye_and_came_back_as_another_process_is_here() {
    let mut world = World::new(RegistryLimits::default());
    world.announce(&process(1, 1), leeching(key(1))).unwrap();
    world.registry.withdraw(world.now, &process(1, 1), &[key(1)]).unwrap();
    assert_eq!(fleet(&world), [(PeerId([1; 16]), Presence::Left)]);
    world.announce(&process(1, 2), leeching(key(1))).unwrap();
    assert_eq!(fleet(&world), [(PeerId([2; 16]), Presence::Here)]);
    // another machine behind the address stays gone
    world.announce(&process(1, 3), leeching(key(1))).unwrap();
    world.registry.withdraw(world.now, &process(1, 3), &[key(1)]).unwrap();
    world.announce(&process(1, 2), leeching(key(1))).unwrap();
    assert_eq!(fleet(&world), [(PeerId([2; 16]), Presence::Here), (PeerId([3; 16]), Presence::Left)]);
}

/// The tracker may notice the end of a lost connection after the new one was opened.
#[test]
fn an_old_connection_that_ends_late_closes_nothing() {
    let mut world = World::new(RegistryLimits::default());
    let who = process(1, 1);
    world.registry.arrive(&who);
    world.announce(&who, seeding(key(1))).unwrap();
    world.registry.arrive(&who);
    world.registry.depart(world.now, &who);
    world.announce(&process(1, 2), seeding(key(1))).unwrap();
    assert_eq!(world.announce(&peer(9), leeching(key(1))).unwrap().seeders, 2);
    world.registry.depart(world.now, &who);
    world.announce(&process(1, 3), seeding(key(1))).unwrap();
    assert_eq!(world.announce(&peer(9), leeching(key(1))).unwrap().seeders, 2, "3 took the place of 1");
}

#[test]
fn the_peers_behind_one_address_and_port_are_bounded() {
    let mut world = World::new(RegistryLimits { peers_per_address_max: 3, ..RegistryLimits::default() });
    for id in 1..=3 {
        world.announce(&process(1, id), seeding(key(1))).unwrap();
    }
    let fourth = world.announce(&process(1, 4), seeding(key(1)));
    assert!(matches!(fourth, Err(Refusal::Full(_))), "{fourth:?}");
    world.announce(&process(1, 3), seeding(key(2))).unwrap();
    world.announce(&process(2, 4), seeding(key(1))).unwrap();
}
