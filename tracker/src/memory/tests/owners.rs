//! Tests that an id and an address belong to the node whose certificate came with them.

use super::*;

fn node(name: &str, number: u16) -> Who {
    Who { node: Some(name.parse().unwrap()), ..peer(number) }
}

fn in_the_way(world: &World, who: &Who) -> Option<String> {
    world.registry.owner_in_the_way(who).map(ToString::to_string)
}

#[test]
fn an_id_belongs_to_its_node_for_as_long_as_that_takes_part() {
    let mut world = World::new(RegistryLimits::default());
    let (owner, thief, anonymous) = (node("web-1", 1), node("web-2", 1), peer(1));
    // at another address as well
    let far = Who { peer_id: owner.peer_id, ..node("web-2", 2) };
    let own = Who { peer_id: owner.peer_id, ..node("web-1", 2) };
    world.registry.arrive(&anonymous);
    assert_eq!(in_the_way(&world, &owner), None, "a certificate counts more");
    world.registry.arrive(&owner);
    for other in [&thief, &far, &anonymous] {
        assert_eq!(in_the_way(&world, other).as_deref(), Some("web-1"), "{other:?}");
    }
    assert_eq!(in_the_way(&world, &own), None, "a machine may have two addresses");
    world.announce(&owner, seeding(key(1))).unwrap();
    world.registry.depart(world.now, &owner);
    assert_eq!(in_the_way(&world, &thief).as_deref(), Some("web-1"), "its entry is still there");
    assert_eq!(in_the_way(&world, &anonymous), None, "it may have turned TLS off");
    world.registry.arrive(&owner);
    world.registry.withdraw(world.now, &owner, &[key(1)]).unwrap();
    world.registry.depart(world.now, &owner);
    world.registry.depart(world.now, &anonymous);
    assert_eq!(in_the_way(&world, &thief), None);
}

#[test]
fn peers_and_machines_are_told_with_their_node() {
    let mut world = World::new(RegistryLimits::default());
    let (one, other) = (node("web-1", 1), peer(2));
    for who in [&one, &other] {
        world.registry.arrive(who);
        world.announce(who, seeding(key(1))).unwrap();
    }
    let answer = world.announce(&peer(3), leeching(key(1))).unwrap();
    let mut told: Vec<_> = answer.peers.iter().map(|peer| (peer.addr, peer.node.clone())).collect();
    told.sort();
    assert_eq!(told, [(one.addr, one.node.clone()), (other.addr, None)]);
    world.registry.withdraw(world.now, &one, &[key(1)]).unwrap();
    let fleet = world.registry.fleet(world.now, &Lookup::Resource(key(1).resource), None, 10);
    let nodes: Vec<_> =
        fleet.machines.iter().map(|machine| (machine.presence, machine.node.clone())).collect();
    assert_eq!(nodes, [(Presence::Left, one.node), (Presence::Here, None), (Presence::Here, None)]);
}

/// A member may advertise any address. That must not end the entries of the machine that is there.
#[test]
fn a_node_does_not_take_the_place_of_another_one_at_its_address() {
    for (newcomer, stays) in [(Some("web-1"), false), (Some("web-2"), true), (None, false)] {
        let mut world = World::new(RegistryLimits::default());
        let before = node("web-1", 1);
        world.registry.arrive(&before);
        world.announce(&before, seeding(key(1))).unwrap();
        world.registry.depart(world.now, &before);
        let node = newcomer.map(|name| name.parse().unwrap());
        let after = Who { peer_id: PeerId([99; 16]), node, ..before.clone() };
        world.registry.arrive(&after);
        world.announce(&after, seeding(key(1))).unwrap();
        world.registry.expire(world.now);
        let ids: Vec<_> =
            world.registry.peers_of(world.now, key(1).resource).iter().map(|peer| peer.peer_id).collect();
        assert_eq!(ids.contains(&before.peer_id), stays, "{newcomer:?}");
        assert!(ids.contains(&after.peer_id), "{newcomer:?}");
    }
}
