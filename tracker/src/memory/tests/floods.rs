//! Tests of clients that want to make the registry large, slow or wrong.

use super::*;

/// The swarm of one resource with an invented list.
fn invented(resource: ResourceId, digest: u8) -> SwarmKey {
    SwarmKey { resource, digest: ListDigest([digest; 32]) }
}

#[test]
fn the_more_there_is_the_longer_are_the_intervals() {
    let mut world = World::new(RegistryLimits::default());
    let key_of = |number: u32| {
        let mut key = key(1);
        key.resource.0[..4].copy_from_slice(&number.to_be_bytes());
        key
    };
    let mut renewals_per_s = 0.0;
    for at in 0..200_u32 {
        let entries: Vec<Announce> = (0..1000).map(|number| leeching(key_of(at * 1000 + number))).collect();
        let answers = world.registry.announce(world.now, &peer(at as u16), &entries).unwrap();
        let mean_ms = answers.iter().map(|answer| u64::from(answer.interval_ms)).sum::<u64>() / 1000;
        renewals_per_s = f64::from((at + 1) * 1000) / (mean_ms as f64 / 1000.0);
    }
    assert_eq!(world.registry.size().entries, 200_000);
    assert!(renewals_per_s < 21_000.0, "{renewals_per_s} entries are renewed each second");
}

#[test]
fn the_last_of_many_resources_hears_of_peers_too() {
    let mut world = World::new(RegistryLimits::default());
    let key_of = |number: u16| {
        let mut key = key(0);
        key.resource.0[..2].copy_from_slice(&number.to_be_bytes());
        key
    };
    let entries: Vec<Announce> = (0..1024).map(|number| leeching(key_of(number))).collect();
    for number in 0..30 {
        world.registry.announce(world.now, &peer(number), &entries).unwrap();
    }
    let answers = world.registry.announce(world.now, &peer(99), &entries).unwrap();
    assert_eq!(answers.len(), 1024);
    assert!(answers.iter().all(|answer| answer.peers.len() == REPLY_PEERS_MAX / ANNOUNCE_MAX));
    let few = world.registry.announce(world.now, &peer(99), &entries[..10]).unwrap();
    assert_eq!(few.len(), 10);
    assert!(few.iter().all(|answer| answer.peers.len() == NEIGHBOURS));
}

#[test]
fn invented_lists_do_not_keep_the_published_one_out() {
    let mut world = World::new(RegistryLimits::default());
    let (publication, hashes) = publication("image", 1, 10, 1);
    world.publish(&publication, &hashes).unwrap();
    for digest in 0..16 {
        world.announce(&peer(digest), leeching(invented(publication.key.resource, digest as u8))).unwrap();
    }
    let one_more = world.announce(&peer(99), leeching(invented(publication.key.resource, 99)));
    assert!(matches!(one_more, Err(Refusal::Full(_))), "{one_more:?}");
    let answer = world.announce(&peer(1000), seeding(publication.key)).unwrap();
    assert!(answer.conflict, "and yet everybody hears that something is wrong");
}

#[test]
fn false_counts_are_refused_or_harm_nobody() {
    let mut world = World::new(RegistryLimits::default());
    // Its false size does not change what others are told about their swarms.
    let huge = ChunkCount::new(shared::chunk::CHUNKS_MAX).unwrap();
    world.announce(&peer(1), Announce { count: huge, have: huge.get(), ..seeding(key(1)) }).unwrap();
    world.announce(&peer(2), seeding(key(1))).unwrap();
    let peers = world.announce(&peer(3), leeching(key(1))).unwrap().peers;
    let of_2 = peers.iter().find(|entry| entry.addr == peer(2).addr).unwrap();
    assert_eq!((of_2.have, of_2.count.get()), (10, 10));
    // An answer is small, regardless of the number of peers that are wanted.
    for number in 10..300 {
        world.announce(&peer(number), leeching(key(1))).unwrap();
    }
    let greedy = Announce { peers_wanted: u8::MAX, ..leeching(key(1)) };
    assert_eq!(world.announce(&peer(3), greedy).unwrap().peers.len(), PEERS_MAX);
}

#[test]
fn a_spoofed_port_is_only_ever_at_the_callers_own_address() {
    let mut world = World::new(RegistryLimits::default());
    let mine = Who { peer_id: PeerId([1; 16]), ..peer(1) };
    world.announce(&mine, seeding(key(1))).unwrap();
    // Another machine behind the same address uses the same port: both are known, and neither replaces the other.
    let thief = Who { peer_id: PeerId([2; 16]), ..peer(1) };
    world.announce(&thief, leeching(key(2))).unwrap();
    world.registry.withdraw(world.now, &thief, &[key(1)]).unwrap();
    let known = |world: &mut World, key: SwarmKey| {
        let peers = world.registry.peers_of(world.now, key.resource);
        peers.iter().map(|entry| (entry.addr, entry.peer_id)).collect::<Vec<_>>()
    };
    assert_eq!(known(&mut world, key(1)), [(mine.addr, mine.peer_id)]);
    assert_eq!(known(&mut world, key(2)), [(mine.addr, thief.peer_id)]);
    world.announce(&mine, seeding(key(1))).unwrap();
    assert_eq!(known(&mut world, key(2)), [(mine.addr, thief.peer_id)]);
}
