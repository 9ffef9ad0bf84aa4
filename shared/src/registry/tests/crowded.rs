//! A full registry: who was there first, or often, keeps nobody out.

use super::invented::at;
use super::*;

/// A list of chunks that somebody invents.
fn invented(number: u16) -> SwarmKey {
    let mut digest = ListDigest([0xee; 32]);
    digest.0[..2].copy_from_slice(&number.to_be_bytes());
    SwarmKey { digest, ..key(1) }
}

fn lists() -> u16 {
    Limits::default().digests_max as u16
}

/// What `announce` of one entry says, on a connection.
fn come(world: &mut World, who: &Who, entry: Announce) -> Result<AnnounceAnswer, Refusal> {
    world.registry.arrive(who);
    world.announce(who, entry)
}

#[test]
fn lists_that_one_connection_invents_keep_nobody_out() {
    for claim in [leeching, seeding] {
        for (sharer, leecher) in [(peer(1), peer(2)), (at([127, 0, 0, 1], 1), at([127, 0, 0, 1], 2))] {
            let mut world = World::new(Limits::default());
            let stranger = at([127, 0, 0, 1], 9);
            let all: Vec<Announce> = (0..lists()).map(|number| claim(invented(number))).collect();
            world.registry.arrive(&stranger);
            world.registry.announce(world.now, &stranger, &all).unwrap();
            come(&mut world, &leecher, leeching(key(1))).expect("the leecher");
            come(&mut world, &sharer, seeding(key(1))).expect("the sharer");
            for number in 100..200 {
                _ = world.announce(&stranger, claim(invented(number)));
            }
            let here = world.announce(&leecher, leeching(key(1))).unwrap();
            assert_eq!((here.seeders, here.leechers), (1, 1));
        }
    }
}

#[test]
fn lists_from_many_addresses_of_one_network_keep_no_sharer_out() {
    for network in [[10, 0], [127, 1]] {
        let mut world = World::new(Limits::default());
        let stranger = |number: u16| at([network[0], network[1], 9, number as u8], 7987);
        for number in 0..lists() {
            come(&mut world, &stranger(number), seeding(invented(number))).unwrap();
        }
        let (sharer, leecher) = (peer(1), peer(2));
        let (what, hashes) = publication("img", 1, 10, 5);
        let entry = Announce { key: SwarmKey { resource: key(1).resource, ..what.key }, ..seeding(what.key) };
        come(&mut world, &sharer, entry).expect("the sharer");
        let what = Publication { key: entry.key, ..what };
        world.publish(&what, &hashes).unwrap();
        for number in 100..200 {
            _ = come(&mut world, &stranger(number), seeding(invented(number)));
        }
        let here = come(&mut world, &leecher, leeching(entry.key)).expect("the leecher");
        assert_eq!((here.seeders, here.leechers), (1, 1), "{network:?}");
    }
}

#[test]
fn one_announce_brings_no_more_lists_than_a_resource_may_have() {
    let mut world = World::new(Limits::default());
    let all: Vec<Announce> = (0..lists() + 1).map(|number| leeching(invented(number))).collect();
    let refused = world.registry.announce(world.now, &peer(1), &all);
    assert!(matches!(refused, Err(Refusal::Full(_))), "{refused:?}");
    assert_eq!(world.registry.size().entries, 0);
}

#[test]
fn a_list_that_somebody_has_stays_beside_newcomers_that_have_less() {
    let mut world = World::new(Limits::default());
    for number in 0..lists() {
        come(&mut world, &peer(number), seeding(invented(number))).unwrap();
    }
    let refused = come(&mut world, &peer(99), Announce { have: 5, ..leeching(key(1)) });
    assert!(matches!(refused, Err(Refusal::Full(_))), "{refused:?}");
    assert_eq!(world.registry.size().swarms, usize::from(lists()));
}

/// Many entries of one peer.
fn many(world: &mut World, who: &Who, first: u32, entries: u32) -> Result<(), Refusal> {
    let all: Vec<u32> = (first..first + entries).collect();
    for numbers in all.chunks(ANNOUNCE_MAX) {
        let entry = |number: &u32| {
            let mut key = key(1);
            key.resource.0[..4].copy_from_slice(&number.to_be_bytes());
            leeching(key)
        };
        let entries: Vec<Announce> = numbers.iter().map(entry).collect();
        world.registry.announce(world.now, who, &entries)?;
    }
    Ok(())
}

#[test]
fn whoever_takes_most_of_the_entries_makes_way_for_others() {
    for honest in [at([127, 0, 0, 1], 1), peer(1), at([127, 0, 0, 2], 1)] {
        let mut world = World::new(Limits { entries_max: 60_000, ..Limits::default() });
        for port in 2..5 {
            let stranger = at([127, 0, 0, 1], port);
            world.registry.arrive(&stranger);
            many(&mut world, &stranger, 100_000 * u32::from(port), 20_000).unwrap();
        }
        world.registry.arrive(&honest);
        many(&mut world, &honest, 0, 5_000).expect("it has far less than the others");
        assert_eq!(world.registry.size().entries, 60_000);
        // and the others take nothing from it
        for port in 2..5 {
            _ = many(&mut world, &at([127, 0, 0, 1], port), 100_000 * u32::from(port), 20_000);
        }
        let mut here = 0;
        let mut after = None;
        loop {
            let page = world.registry.resources_of(world.now, honest.addr, after);
            here += page.len();
            match page.last() {
                Some(last) => after = Some(last.key),
                None => break,
            }
        }
        assert_eq!(here, 5_000, "{}", honest.addr);
    }
}

#[test]
fn peers_whose_connection_is_closed_keep_no_place_at_an_address() {
    let mut world = World::new(Limits { peers_per_address_max: 3, ..Limits::default() });
    let process = |id: u8| Who { peer_id: PeerId([id; 16]), ..peer(1) };
    for id in 1..=3 {
        come(&mut world, &process(id), seeding(key(1))).unwrap();
    }
    for id in 1..=3 {
        world.registry.depart(world.now, &process(id));
    }
    for id in 4..=6 {
        come(&mut world, &process(id), seeding(key(1))).expect("the others have gone");
    }
    let fourth = come(&mut world, &process(7), seeding(key(1)));
    assert!(matches!(fourth, Err(Refusal::Full(_))), "{fourth:?}");
    world.wait(Duration::from_secs(2));
    assert_eq!(world.registry.size().entries, 3, "each took the place of one that had gone");
}
