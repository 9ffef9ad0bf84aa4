//! Tests of who takes part in which swarm.

use super::*;
use crate::memory::swarms::Swarms;

fn small() -> World {
    World::new(RegistryLimits {
        entries_max: 6,
        entries_per_peer_max: 3,
        digests_max: 2,
        ..RegistryLimits::default()
    })
}

#[test]
fn entries_last_as_long_as_announces_come() {
    let mut world = World::new(RegistryLimits::default());
    let interval = world.announce(&peer(1), leeching(key(1))).unwrap().interval_ms;
    let interval = Duration::from_millis(interval.into());
    world.wait(interval * 3 - Duration::from_millis(1));
    assert_eq!(world.registry.peers_of(world.now, key(1).resource).len(), 1);
    world.announce(&peer(1), leeching(key(1))).unwrap();
    world.wait(interval * 2);
    assert_eq!(world.registry.peers_of(world.now, key(1).resource).len(), 1);
    world.wait(interval * 4);
    assert_eq!(world.registry.peers_of(world.now, key(1).resource), []);
    let size = world.registry.size();
    assert_eq!((size.entries, size.swarms), (0, 0));
}

/// Even between two sweeps.
#[test]
fn what_has_expired_is_not_told() {
    let mut world = World::new(RegistryLimits::default());
    world.announce(&peer(1), leeching(key(1))).unwrap();
    world.now = world.now + Duration::from_secs(60);
    assert_eq!(world.registry.peers_of(world.now, key(1).resource), []);
    assert_eq!(world.registry.resources_of(world.now, peer(1).addr, None), []);
    assert_eq!(world.announce(&peer(2), leeching(key(1))).unwrap().peers, []);
}

#[test]
fn young_swarms_announce_often_and_settled_ones_seldom() {
    let mut world = World::new(RegistryLimits::default());
    let check = |world: &mut World, entry: Announce, expected_ms: std::ops::RangeInclusive<u32>| {
        let intervals: Vec<u32> =
            (0..20).map(|_| world.announce(&peer(1), entry.clone()).unwrap().interval_ms).collect();
        assert!(intervals.iter().all(|ms| expected_ms.contains(ms)), "{intervals:?}");
        assert!(intervals.iter().any(|ms| *ms != intervals[0]), "no jitter: {intervals:?}");
    };
    check(&mut world, seeding(key(1)), 2000..=5000); // it has just grown
    world.now = world.now + Duration::from_secs(61);
    check(&mut world, seeding(key(1)), 48_000..=72_000);
    world.announce(&peer(2), leeching(key(1))).unwrap();
    world.announce(&peer(2), seeding(key(1))).unwrap();
    check(&mut world, seeding(key(1)), 2000..=5000);
    world.now = world.now + Duration::from_secs(100);
    check(&mut world, leeching(key(1)), 2000..=5000);
    for number in 100..1200 {
        world.announce(&peer(number), leeching(key(1))).unwrap();
    }
    check(&mut world, leeching(key(1)), 3000..=5000);
}

#[test]
fn counts_follow_the_stages() {
    let mut world = World::new(RegistryLimits::default());
    world.announce(&peer(1), seeding(key(1))).unwrap();
    let answer = world.announce(&peer(2), leeching(key(1))).unwrap();
    assert_eq!((answer.seeders, answer.leechers), (1, 1));
    let answer = world.announce(&peer(2), seeding(key(1))).unwrap();
    assert_eq!((answer.seeders, answer.leechers), (2, 0));
    world.registry.withdraw(world.now, &peer(1), &[key(1), key(9)]).unwrap();
    let answer = world.announce(&peer(2), seeding(key(1))).unwrap();
    assert_eq!((answer.seeders, answer.leechers), (1, 0));
}

#[test]
fn the_asker_is_not_among_those_it_is_told() {
    let mut world = World::new(RegistryLimits::default());
    for number in 0..30 {
        world.announce(&peer(number), leeching(key(1))).unwrap();
    }
    for number in 0..30 {
        let answer = world.announce(&peer(number), leeching(key(1))).unwrap();
        assert_eq!(answer.peers.len(), NEIGHBOURS);
        let mut addrs: Vec<SocketAddr> = answer.peers.iter().map(|peer| peer.addr).collect();
        assert!(!addrs.contains(&peer(number).addr));
        addrs.sort();
        addrs.dedup();
        assert_eq!(addrs.len(), NEIGHBOURS);
    }
    assert_eq!(world.registry.peers_of(world.now, key(1).resource).len(), 30);
}

#[test]
fn ten_thousand_peers_are_drawn_from_evenly_and_fast() {
    let mut world = World::new(RegistryLimits::default());
    for number in 0..10_000 {
        world.announce(&peer(number), Announce { peers_wanted: 0, ..leeching(key(1)) }).unwrap();
    }
    let mut told = std::collections::BTreeMap::<SocketAddr, u32>::new();
    for number in 0..10_000 {
        for entry in world.announce(&peer(number), leeching(key(1))).unwrap().peers {
            *told.entry(entry.addr).or_default() += 1;
        }
    }
    assert_eq!(told.len(), 10_000, "some peer is told to nobody");
    assert!(told.values().all(|times| (2..60).contains(times)), "{:?}", told.values().max());
}

#[test]
fn a_machine_in_a_zone_hears_mostly_of_those_near_it() {
    let mut world = World::new(RegistryLimits::default());
    let zones = ["north", "south", ""];
    let who = |number: u16| Who { zone: zones[usize::from(number) % 3].into(), ..peer(number) };
    for number in 0..300 {
        world.announce(&who(number), leeching(key(1))).unwrap();
    }
    for number in 150..270 {
        world.registry.withdraw(world.now, &who(number), &[key(1)]).unwrap();
    }
    for number in 0..150 {
        let (asker, peers) = (who(number), world.announce(&who(number), leeching(key(1))).unwrap().peers);
        let near = peers.iter().filter(|peer| peer.zone == *asker.zone).count();
        assert_eq!(peers.len(), NEIGHBOURS);
        assert!(peers.iter().all(|peer| peer.addr != asker.addr), "{number} was told of itself");
        let distinct: std::collections::BTreeSet<SocketAddr> = peers.iter().map(|peer| peer.addr).collect();
        assert_eq!(distinct.len(), NEIGHBOURS, "a peer was told twice");
        if !asker.zone.is_empty() {
            assert!(near >= NEIGHBOURS * 3 / 4, "{near} near ones for {number}");
        }
    }
    let told = world.announce(&who(0), leeching(key(1))).unwrap().peers;
    assert!(told.iter().any(|peer| peer.zone != "north"), "some are elsewhere");
    // A zone of one is told of the others.
    let lonely = Who { zone: "east".into(), ..peer(999) };
    assert_eq!(world.announce(&lonely, leeching(key(1))).unwrap().peers.len(), NEIGHBOURS);
}

#[test]
fn a_peer_that_comes_back_as_another_takes_its_place() {
    let mut world = World::new(RegistryLimits::default());
    world.announce(&peer(1), seeding(key(1))).unwrap();
    world.announce(&peer(1), seeding(key(2))).unwrap();
    let reborn = Who { peer_id: PeerId([99; 16]), ..peer(1) };
    world.registry.depart(world.now, &peer(1));
    world.announce(&reborn, leeching(key(1))).unwrap();
    let peers = world.registry.peers_of(world.now, key(1).resource);
    assert_eq!(peers.iter().map(|peer| peer.peer_id).collect::<Vec<_>>(), [reborn.peer_id]);
    world.wait(Duration::ZERO); // entries that it does not have any more go with the next sweep
    assert_eq!(world.registry.peers_of(world.now, key(2).resource), []);
    // a late withdraw of the former process does not affect the new one
    world.registry.withdraw(world.now, &peer(1), &[key(1)]).unwrap();
    assert_eq!(world.registry.peers_of(world.now, key(1).resource).len(), 1);
}

#[test]
fn one_address_with_many_ports_is_many_peers() {
    let mut world = World::new(RegistryLimits::default());
    for port in 1..=100 {
        let mut who = peer(1);
        who.addr.set_port(port);
        world.announce(&who, leeching(key(1))).unwrap();
    }
    assert_eq!(world.registry.size().entries, 100);
}

#[test]
fn limits_refuse_newcomers_and_keep_what_is_there() {
    let full = |result: Result<AnnounceAnswer, Refusal>| matches!(result, Err(Refusal::Full(_)));
    let mut world = small();
    for number in 1..=3 {
        world.announce(&peer(1), seeding(key(number))).unwrap();
    }
    assert!(full(world.announce(&peer(1), seeding(key(4)))), "more entries than one peer may have");
    world.announce(&peer(1), seeding(key(3))).unwrap();
    for number in 2..=4 {
        world.announce(&peer(number), seeding(key(1))).unwrap();
    }
    assert!(full(world.announce(&peer(9), leeching(key(1)))), "more entries than there may be");
    assert_eq!(world.registry.size().entries, 6);
    // expired entries make room even before the next sweep
    world.now = world.now + Duration::from_secs(3600);
    world.announce(&peer(9), leeching(key(1))).unwrap();
    assert_eq!(world.registry.size().entries, 1);
}

#[test]
fn an_announce_is_taken_as_a_whole_or_not_at_all() {
    let mut world = small();
    let entries = [1, 2, 3, 4].map(|number| seeding(key(number)));
    assert!(world.registry.announce(world.now, &peer(1), &entries).is_err());
    assert_eq!(world.registry.size().entries, 0);
}

#[test]
fn another_list_of_the_same_resource_is_a_conflict() {
    let mut world = small();
    let with = |digest: u8| SwarmKey { digest: ListDigest([digest; 32]), ..key(1) };
    assert!(!world.announce(&peer(1), seeding(with(1))).unwrap().conflict);
    assert!(!world.announce(&peer(2), seeding(key(2))).unwrap().conflict);
    assert!(world.announce(&peer(3), leeching(with(2))).unwrap().conflict);
    let answer = world.announce(&peer(1), leeching(with(1))).unwrap();
    assert!(answer.conflict);
    assert_eq!(answer.peers, [], "the swarms are not mixed");
    assert_eq!(world.registry.peers_of(world.now, key(1).resource).len(), 2);
    let third = world.announce(&peer(4), leeching(with(3)));
    assert!(matches!(third, Err(Refusal::Full(_))), "{third:?}");
}

/// The places that a small list leaves go to the others.
#[test]
fn the_peers_of_a_resource_come_from_all_its_lists() {
    let mut world = World::new(RegistryLimits::default());
    let with = |digest: u8| SwarmKey { digest: ListDigest([digest; 32]), ..key(1) };
    for (digest, peers) in [(1, 0..100), (2, 100..102), (3, 102..202)] {
        peers.for_each(|number| _ = world.announce(&peer(number), leeching(with(digest))).unwrap());
    }
    let told = world.registry.peers_of(world.now, key(1).resource);
    let of = |digest: u8| told.iter().filter(|entry| entry.key == with(digest)).count();
    assert_eq!([of(1), of(2), of(3)], [(PEERS_MAX - 2) / 2, 2, (PEERS_MAX - 2) / 2]);
}

#[test]
fn a_peer_without_entries_and_connections_leaves_nothing_behind() {
    let mut swarms = Swarms::new(RegistryLimits::default(), [1; 32]);
    let (one, other) = (peer(1), peer(2));
    swarms.arrive(&other);
    for who in [&one, &other] {
        swarms.announce(Time(0), who, &[seeding(key(1)), seeding(key(2))], |_| false).unwrap();
        swarms.withdraw(Time(0), who, &[key(1), key(2)]).unwrap();
    }
    assert_eq!(swarms.peers.keys().collect::<Vec<_>>(), [&(other.addr, other.peer_id)]);
    assert_eq!(swarms.shares.largest((one.addr, one.peer_id)), None);
}

#[test]
fn resources_come_in_order_and_in_pages() {
    let mut world = World::new(RegistryLimits { entries_per_peer_max: 3000, ..RegistryLimits::default() });
    let key_of = |number: u16| {
        let mut key = key(0);
        key.resource.0[..2].copy_from_slice(&number.to_be_bytes());
        key
    };
    let entries: Vec<Announce> = (0..1500).rev().map(|number| seeding(key_of(number))).collect();
    for batch in entries.chunks(ANNOUNCE_MAX) {
        world.registry.announce(world.now, &peer(1), batch).unwrap();
    }
    let first = world.registry.resources_of(world.now, peer(1).addr, None);
    let rest = world.registry.resources_of(world.now, peer(1).addr, Some(first[ANNOUNCE_MAX - 1].key));
    let keys: Vec<SwarmKey> = first.iter().chain(&rest).map(|entry| entry.key).collect();
    assert_eq!(keys, (0..1500).map(key_of).collect::<Vec<_>>());
}

#[test]
fn malformed_announces_are_refused() {
    let mut world = World::new(RegistryLimits::default());
    let malformed = |result: Result<_, Refusal>| matches!(result, Err(Refusal::Malformed(_)));
    assert!(malformed(world.announce(&peer(1), Announce { have: 11, ..leeching(key(1)) }).map(drop)));
    assert!(malformed(world.announce(&peer(1), Announce { have: 9, ..seeding(key(1)) }).map(drop)));
    let many = vec![leeching(key(1)); ANNOUNCE_MAX + 1];
    assert!(malformed(world.registry.announce(world.now, &peer(1), &many).map(drop)));
    assert!(malformed(world.registry.withdraw(world.now, &peer(1), &vec![key(1); ANNOUNCE_MAX + 1])));
    assert_eq!(world.registry.withdraw(world.now, &peer(1), &vec![key(1); ANNOUNCE_MAX]), Ok(()));
    assert_eq!(world.registry.size().entries, 0);
}

#[test]
fn one_reply_has_a_bounded_number_of_peers() {
    let mut world = World::new(RegistryLimits::default());
    for number in 0..60 {
        world.announce(&peer(number), leeching(key(1))).unwrap();
    }
    let greedy = vec![Announce { peers_wanted: 255, ..leeching(key(1)) }; ANNOUNCE_MAX];
    let answers = world.registry.announce(world.now, &peer(99), &greedy).unwrap();
    assert!(answers.iter().all(|answer| answer.peers.len() == 4), "each gets its share");
    assert_eq!(answers.iter().map(|answer| answer.peers.len()).sum::<usize>(), REPLY_PEERS_MAX);
    assert_eq!(answers.len(), ANNOUNCE_MAX);
}

#[test]
fn the_same_seed_draws_the_same() {
    let run = || {
        let mut world = World::new(RegistryLimits::default());
        for number in 0..100 {
            world.announce(&peer(number), leeching(key(1))).unwrap();
        }
        world.registry.peers_of(world.now, key(1).resource)
    };
    assert_eq!(run(), run());
}
