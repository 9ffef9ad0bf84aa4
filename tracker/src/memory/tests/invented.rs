//! Tests that many invented peers do not keep honest ones apart.

use super::*;

/// A client at an address, with an id of its own.
pub(super) fn at(ip: [u8; 4], port: u16) -> Who {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&ip);
    id[4..6].copy_from_slice(&port.to_be_bytes());
    Who {
        addr: SocketAddr::new(Ipv4Addr::from(ip).into(), port),
        peer_id: PeerId(id),
        zone: "".into(),
        host: "".into(),
        node: None,
    }
}

fn invent(world: &mut World, number: u16, of: impl Fn(u16) -> Who) {
    for number in 0..number {
        let who = of(number);
        world.registry.arrive(&who);
        world.announce(&who, seeding(key(1))).unwrap();
    }
}

/// A different peer for each number, in sixteen networks of 24 bits.
fn many_addresses(number: u16) -> Who {
    let [high, low] = number.to_be_bytes();
    at([127, 1, high, low], 7987)
}

/// How many answers a lonely asker needs until one of them names `wanted`.
fn answers_until(world: &mut World, asker: &Who, wanted: SocketAddr) -> u32 {
    let asks = Announce { peers_wanted: PEERS_MAX as u8, ..leeching(key(1)) };
    (1..100)
        .find(|_| world.announce(asker, asks.clone()).unwrap().peers.iter().any(|peer| peer.addr == wanted))
        .unwrap_or(100)
}

#[test]
fn whoever_finds_nobody_is_told_of_those_that_were_there_first() {
    for honest in [[127, 0, 0, 1], [127, 1, 3, 3], [10, 0, 0, 1]] {
        let mut world = World::new(RegistryLimits::default());
        let seeder = at(honest, 1);
        world.registry.arrive(&seeder);
        world.announce(&seeder, seeding(key(1))).unwrap();
        invent(&mut world, 3000, many_addresses);
        world.announce(&seeder, seeding(key(1))).unwrap();
        let leecher = at([127, 0, 0, 2], 2);
        assert_eq!(answers_until(&mut world, &leecher, seeder.addr), 1, "{honest:?}");
    }
}

/// A tracker restarted, and the hostile peers returned first.
#[test]
fn whoever_finds_nobody_is_told_of_each_network() {
    for seed in 0..20 {
        let mut world =
            World { registry: Registry::new(RegistryLimits::default(), [seed; 32]), now: Time(0) };
        invent(&mut world, 3000, many_addresses);
        let seeder = at([127, 0, 0, 1], 1);
        world.announce(&seeder, seeding(key(1))).unwrap();
        let leecher = at([127, 0, 0, 2], 2);
        let answers = answers_until(&mut world, &leecher, seeder.addr);
        assert!(answers <= 2, "{answers} answers with seed {seed}");
    }
}

#[test]
fn seeders_hear_of_those_that_found_nobody() {
    let mut world = World::new(RegistryLimits::default());
    let asks = Announce { peers_wanted: LONELY as u8, ..seeding(key(1)) };
    for number in 10..20 {
        world.announce(&peer(number), leeching(key(1))).unwrap();
    }
    assert_eq!(world.announce(&peer(1), asks.clone()).unwrap().peers, [], "they have found somebody");
    let lonely = Announce { peers_wanted: PEERS_MAX as u8, ..leeching(key(1)) };
    for number in 12..14 {
        world.announce(&peer(number), lonely.clone()).unwrap();
    }
    let told = |world: &mut World| {
        let peers = world.announce(&peer(1), asks.clone()).unwrap().peers;
        peers.iter().map(|entry| entry.addr).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(told(&mut world), [peer(12).addr, peer(13).addr].into());
    world.announce(&peer(12), leeching(key(1))).unwrap();
    world.registry.withdraw(world.now, &peer(13), &[key(1)]).unwrap();
    assert_eq!(told(&mut world), [].into());
    for number in 0..1000 {
        world.announce(&peer(number), lonely.clone()).unwrap();
    }
    assert_eq!(told(&mut world).len(), LONELY);
}

#[test]
fn many_ports_of_one_address_count_as_one() {
    let mut world = World::new(RegistryLimits::default());
    invent(&mut world, 3000, |number| at([10, 9, 9, 9], number + 1));
    for number in 0..10 {
        world.announce(&peer(number), leeching(key(1))).unwrap();
    }
    for _ in 0..20 {
        let told = world.announce(&peer(0), leeching(key(1))).unwrap().peers;
        let honest = told.iter().filter(|entry| entry.addr.ip() != Ipv4Addr::new(10, 9, 9, 9));
        assert_eq!((honest.count(), told.len()), (9, NEIGHBOURS));
    }
}

#[test]
fn those_behind_one_address_are_told_in_turn() {
    let mut world = World::new(RegistryLimits::default());
    let fleet = |number: u16| at([127, 0, 0, 1], 1000 + number);
    let mut told = std::collections::BTreeMap::<SocketAddr, u32>::new();
    for round in 0..20 {
        for number in 0..100 {
            let answer = world.announce(&fleet(number), leeching(key(1))).unwrap();
            let expected = if round == 0 { usize::from(number).min(NEIGHBOURS) } else { NEIGHBOURS };
            assert_eq!(answer.peers.len(), expected);
            answer.peers.iter().for_each(|peer| *told.entry(peer.addr).or_default() += 1);
        }
    }
    assert_eq!(told.len(), 100);
    assert!(told.values().all(|times| (200..800).contains(times)), "{told:?}");
}

#[test]
fn entries_whose_connection_is_closed_come_last() {
    let mut world = World::new(RegistryLimits::default());
    invent(&mut world, 3000, many_addresses);
    for number in 0..3000 {
        world.registry.depart(world.now, &many_addresses(number));
    }
    world.wait(Duration::ZERO);
    for number in 0..5 {
        world.announce(&peer(number), leeching(key(1))).unwrap();
    }
    let told = world.announce(&peer(0), leeching(key(1))).unwrap().peers;
    let open = told.iter().filter(|entry| entry.addr.ip() < Ipv4Addr::new(127, 0, 0, 0)).count();
    assert_eq!((open, told.len()), (4, NEIGHBOURS));
    // peers that return are named as before
    let back = many_addresses(7);
    world.registry.arrive(&back);
    world.announce(&back, seeding(key(1))).unwrap();
    let told = world.announce(&peer(0), leeching(key(1))).unwrap().peers;
    assert!(told.iter().any(|entry| entry.addr == back.addr));
}

/// Ranks, speakers, zones and places stay in order while peers come and go.
#[test]
fn a_swarm_that_changes_all_the_time_tells_of_everybody_once() {
    let mut world = World::new(RegistryLimits::default());
    let mut number = 1_u64;
    let mut next = |end: u64| {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (number >> 33) % end
    };
    let mut here = std::collections::BTreeMap::new();
    for _ in 0..20_000 {
        let mut who = at([10, 0, 0, next(4) as u8], 1 + next(6) as u16);
        who.zone = ["", "north", "south"][next(3) as usize].into();
        who.peer_id = PeerId([who.zone.len() as u8; 16]);
        let id = (who.addr, who.peer_id);
        match next(4) {
            0 => {
                world.registry.withdraw(world.now, &who, &[key(1)]).unwrap();
                here.remove(&id);
            }
            1 => {
                world.registry.depart(world.now, &who);
                world.wait(Duration::ZERO);
            }
            _ => {
                world.registry.arrive(&who);
                let wanted = if next(2) == 0 { NEIGHBOURS } else { PEERS_MAX };
                let answer = world
                    .announce(&who, Announce { peers_wanted: wanted as u8, ..leeching(key(1)) })
                    .unwrap();
                here.insert(id, ());
                let told: std::collections::BTreeSet<SocketAddr> =
                    answer.peers.iter().map(|peer| peer.addr).collect();
                assert_eq!(told.len(), answer.peers.len());
                assert!(!told.contains(&who.addr));
            }
        }
        assert!(world.registry.size().entries <= 4 * 6 * 3);
    }
    let last = at([10, 0, 0, 99], 1);
    let asks = Announce { peers_wanted: PEERS_MAX as u8, ..leeching(key(1)) };
    let told = world.announce(&last, asks.clone()).unwrap();
    let entries = world.registry.size().entries;
    assert_eq!(told.seeders + told.leechers, entries as u32);
    let addresses: std::collections::BTreeSet<SocketAddr> = world
        .registry
        .fleet(world.now, &Lookup::Resource(key(1).resource), None, FLEET_MAX)
        .machines
        .iter()
        .filter(|machine| machine.presence == Presence::Here && machine.addr != last.addr)
        .map(|machine| machine.addr)
        .collect();
    assert_eq!(told.peers.len(), addresses.len());
}
