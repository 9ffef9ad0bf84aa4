//! Tests of a full registry: nobody keeps others out by being first or by coming often.

use super::invented::at;
use super::*;

/// An invented list of chunks.
fn invented(number: u16) -> SwarmKey {
    let mut digest = ListDigest([0xee; 32]);
    digest.0[..2].copy_from_slice(&number.to_be_bytes());
    SwarmKey { digest, ..key(1) }
}

fn lists() -> u16 {
    RegistryLimits::default().digests_max as u16
}

/// The answer to an announce of one entry on a connection.
fn come(world: &mut World, who: &Who, entry: Announce) -> Result<AnnounceAnswer, Refusal> {
    world.registry.arrive(who);
    world.announce(who, entry)
}

#[test]
fn lists_that_one_connection_invents_keep_nobody_out() {
    for claim in [leeching, seeding] {
        for (sharer, leecher) in [(peer(1), peer(2)), (at([127, 0, 0, 1], 1), at([127, 0, 0, 1], 2))] {
            let mut world = World::new(RegistryLimits::default());
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
            assert_eq!(world.registry.size().swarms, usize::from(lists()));
        }
    }
}

#[test]
fn lists_from_many_addresses_of_one_network_keep_no_sharer_out() {
    for network in [[10, 0], [127, 1]] {
        let mut world = World::new(RegistryLimits::default());
        let stranger = |number: u16| at([network[0], network[1], 9, number as u8], 7987);
        for number in 0..lists() {
            come(&mut world, &stranger(number), seeding(invented(number))).unwrap();
        }
        let (sharer, leecher) = (peer(1), peer(2));
        let (what, hashes) = publication("img", 1, 10, 5);
        let entry = Announce { key: SwarmKey { resource: key(1).resource, ..what.key }, ..seeding(what.key) };
        come(&mut world, &sharer, entry.clone()).expect("the sharer");
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
    let mut world = World::new(RegistryLimits::default());
    let all: Vec<Announce> = (0..lists() + 1).map(|number| leeching(invented(number))).collect();
    let refused = world.registry.announce(world.now, &peer(1), &all);
    assert!(matches!(refused, Err(Refusal::Full(_))), "{refused:?}");
    assert_eq!(world.registry.size().entries, 0);
}

#[test]
fn a_list_that_somebody_has_stays_beside_newcomers_that_have_less() {
    let mut world = World::new(RegistryLimits::default());
    for number in 0..lists() {
        come(&mut world, &peer(number), seeding(invented(number))).unwrap();
    }
    let refused = come(&mut world, &peer(99), Announce { have: 5, ..leeching(key(1)) });
    assert!(matches!(refused, Err(Refusal::Full(_))), "{refused:?}");
    assert_eq!(world.registry.size().swarms, usize::from(lists()));
}

#[test]
fn a_list_of_which_somebody_has_a_part_is_worth_more_than_one_of_which_nobody_has_anything() {
    for (theirs, ours, is_accepted) in [(0, 0, false), (0, 5, true), (5, 0, false), (5, 5, false)] {
        let mut world = World::new(RegistryLimits::default());
        for number in 0..lists() {
            let entry = Announce { have: theirs, ..leeching(invented(number)) };
            come(&mut world, &peer(number), entry).unwrap();
        }
        let came = come(&mut world, &peer(99), Announce { have: ours, ..leeching(key(1)) });
        assert_eq!(came.is_ok(), is_accepted, "{ours} chunks beside lists with {theirs}: {came:?}");
    }
}

/// As many lists as there may be, each seeded by one machine of another network. One of them, and the list of the
/// publication, are published.
fn lists_of_many_networks(published: u16) -> (World, Publication) {
    let mut world = World::new(RegistryLimits::default());
    let (what, hashes) = publication("img", 1, 10, 5);
    let (other, other_hashes) = publication("other", 2, 10, 5);
    for (of, hashes) in [(&what, &hashes), (&other, &other_hashes)] {
        let key = SwarmKey { resource: key(1).resource, ..of.key };
        world.publish(&Publication { key, ..of.clone() }, hashes).unwrap();
    }
    let in_resource = |key_of: SwarmKey| SwarmKey { resource: key(1).resource, ..key_of };
    for number in 0..lists() {
        world.now = world.now + Duration::from_millis(1);
        let key = if number == published { in_resource(other.key) } else { invented(number) };
        come(&mut world, &at([10, number as u8 + 1, 0, 1], 7987), seeding(key)).unwrap();
    }
    (world, Publication { key: in_resource(what.key), ..what })
}

#[test]
fn a_published_list_makes_way_for_none_that_is_not() {
    let last = lists() - 1;
    let (mut world, _) = lists_of_many_networks(last);
    come(&mut world, &at([10, 99, 0, 1], 7987), seeding(invented(99)))
        .expect("one that is not published makes way");
    let entries = world.registry.resources_of(world.now, at([10, last as u8 + 1, 0, 1], 7987).addr, None);
    assert_eq!(entries.len(), 1, "the published one stays");
}

#[test]
fn who_takes_part_in_a_list_is_told_of_the_published_one_as_well() {
    let (mut world, what) = lists_of_many_networks(0);
    let member = at([10, 5, 0, 1], 7987);
    let refused = world.announce(&member, seeding(invented(99)));
    assert!(
        matches!(refused, Err(Refusal::Full(_))),
        "it takes part in more lists than the others: {refused:?}"
    );
    world.announce(&member, seeding(what.key)).unwrap();
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
        let mut world = World::new(RegistryLimits { entries_max: 60_000, ..RegistryLimits::default() });
        for port in 2..5 {
            let stranger = at([127, 0, 0, 1], port);
            world.registry.arrive(&stranger);
            many(&mut world, &stranger, 100_000 * u32::from(port), 20_000).unwrap();
        }
        world.registry.arrive(&honest);
        many(&mut world, &honest, 0, 5_000).expect("it has far less than the others");
        assert_eq!(world.registry.size().entries, 60_000);
        // and the others do not take its place
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
    let mut world = World::new(RegistryLimits { peers_per_address_max: 3, ..RegistryLimits::default() });
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

/// A peer that has a resource publishes it.
fn share(world: &mut World, who: &Who, made: &(Publication, Vec<ChunkHash>)) -> Result<(), Refusal> {
    let have = made.0.count.get();
    come(world, who, Announce { have, count: made.0.count, ..seeding(made.0.key) })?;
    let (now, wall_ms, bytes) = (world.now, world.wall_ms(), page_of(&made.1, 0));
    world.registry.publish_whole(now, wall_ms, who.addr, shares(&made.0), &bytes).map(drop)
}

#[test]
fn published_lists_of_many_addresses_do_not_push_the_first_one_out() {
    for honest in [at([127, 1, 3, 3], 1), peer(1)] {
        let mut world = World::new(RegistryLimits::default());
        let first = publication("img", 0, 3, WALL_MS - 1000);
        share(&mut world, &honest, &first).unwrap();
        for round in 0..3 {
            for number in 1..60 {
                let mut lie = publication(&format!("lie-{number}"), number, 3, WALL_MS);
                lie.0.key.resource = first.0.key.resource;
                world.now = world.now + Duration::from_millis(1);
                // also if its announce is refused
                let stranger = at([127, 1, 9, number], 7987);
                _ = come(
                    &mut world,
                    &stranger,
                    Announce { have: 3, count: lie.0.count, ..seeding(lie.0.key) },
                );
                let (now, wall_ms, bytes) = (world.now, world.wall_ms(), page_of(&lie.1, 0));
                _ = world.registry.publish_whole(now, wall_ms, stranger.addr, shares(&lie.0), &bytes);
            }
            assert!(world.registry_has(&first.0), "{} in round {round}", honest.addr);
        }
    }
}

#[test]
fn whose_name_made_way_is_asked_for_it_again() {
    let mut world = World::new(RegistryLimits { names_per_manifest_max: 3, ..RegistryLimits::default() });
    let named = |name: &str, shared_at_ms| publication(name, 1, 3, shared_at_ms);
    let sharers = [peer(1), peer(2), peer(3), peer(4)];
    for (number, sharer) in (1..).zip(&sharers[..3]) {
        world.now = world.now + Duration::from_secs(1);
        share(&mut world, sharer, &named(&format!("name-{number}"), number)).unwrap();
    }
    let wants = |world: &mut World, who: &Who| {
        let (what, _) = named("any", 0);
        let entry = Announce { have: 3, count: what.count, ..seeding(what.key) };
        world.announce(who, entry).unwrap().want_manifest
    };
    assert!(!sharers[..3].iter().any(|sharer| wants(&mut world, sharer)));
    share(&mut world, &sharers[3], &named("name-4", 4)).unwrap();
    assert_eq!(world.names(), ["name-1", "name-2", "name-4"], "the last of those with as many made way");
    let asked: Vec<bool> = sharers.iter().map(|sharer| wants(&mut world, sharer)).collect();
    assert_eq!(asked, [false, false, true, false]);
    assert!(wants(&mut world, &sharers[2]), "it has not answered yet");
    _ = share(&mut world, &sharers[2], &named("name-3", 3));
    assert!(!wants(&mut world, &sharers[2]));
}

#[test]
fn what_a_name_means_takes_few_looks_and_all_of_it_is_found() {
    let mut world = World::new(RegistryLimits::default());
    let honest = publication("img", 0, 3, WALL_MS - 1000);
    share(&mut world, &peer(1), &honest).unwrap();
    for at in 0..200_u32 {
        let hashes: Vec<ChunkHash> =
            (0..2).map(|number| ChunkHash::of(&[at, number].map(u32::to_be_bytes).concat())).collect();
        let mut made = (publication("img", 1, 2, WALL_MS - 900 + u64::from(at)).0, hashes);
        made.0.key = SwarmKey { resource: ResourceId(made.1[0].0), digest: ListDigest::of(&made.1) };
        world.publish_as(2, &made.0, &made.1).unwrap();
    }
    for _ in 0..70 {
        world.seed(1, &honest.0);
        world.wait(Duration::from_secs(2));
    }
    assert_eq!(world.registry.breadth(&Lookup::Name(honest.0.name.clone())), 201);
    assert_eq!(world.find("img"), Some(honest.0.key), "nobody has the newer ones");
    assert_eq!(world.registry.list(world.now, None).len(), 1);

    // an announce looks at no more, and its connection pays for it
    let breadth = |names: &[&str]| {
        let names = names.iter().map(|name| name.parse().unwrap()).collect();
        world.registry.breadth_of_announce(&peer(1), &[Announce { names, ..seeding_all(&honest.0) }])
    };
    assert_eq!(breadth(&["img", "img", "other", "img"]), 64);
    assert_eq!(breadth(&["other"]), 0);
    // and so does a question for the machines of a name
    share(&mut world, &peer(3), &publication("img", 9, 3, WALL_MS)).unwrap();
    assert_eq!(world.registry.breadth_of_fleet(world.now, &Lookup::Name(honest.0.name.clone())), (202, 1));
}

#[test]
fn names_that_others_gave_do_not_hide_that_a_sharer_is_overtaken() {
    let mut world = World::new(RegistryLimits::default());
    let first = publication("img", 1, 3, WALL_MS);
    for number in 0..10 {
        let name = format!("a-{number}");
        let theirs = (Publication { name: name.parse().unwrap(), ..first.0.clone() }, first.1.clone());
        share(&mut world, &peer(9), &theirs).unwrap();
        share(&mut world, &peer(8), &publication(&name, 2, 3, WALL_MS + 1)).unwrap();
    }
    share(&mut world, &peer(1), &first).unwrap();
    world.now = world.now + Duration::from_secs(1);
    share(&mut world, &peer(2), &publication("img", 3, 3, WALL_MS + 900)).unwrap();
    let told = world.seed(1, &first.0).newer;
    let [told] = &told[..] else { panic!("{told:?}") };
    assert_eq!((&told.name, told.by), (&first.0.name, peer(2).addr));
}

#[test]
fn many_ports_of_a_stranger_do_not_keep_a_sharer_from_being_known() {
    let mut world = World::new(RegistryLimits::default());
    let first = publication("img", 1, 3, WALL_MS);
    for port in 1..9 {
        share(&mut world, &at([127, 0, 0, 1], port), &first).unwrap();
    }
    share(&mut world, &peer(1), &first).unwrap();
    for port in 9..20 {
        share(&mut world, &at([127, 0, 0, 1], port), &first).unwrap();
    }
    world.now = world.now + Duration::from_secs(1);
    share(&mut world, &peer(2), &publication("img", 2, 3, WALL_MS + 900)).unwrap();
    assert_eq!(world.seed(1, &first.0).newer.len(), 1);
}

#[test]
fn invented_lonely_leechers_do_not_hide_an_honest_one() {
    for honest in [peer(7), at([127, 1, 3, 3], 1)] {
        let mut world = World::new(RegistryLimits::default());
        let lonely = Announce { peers_wanted: PEERS_MAX as u8, ..leeching(key(1)) };
        come(&mut world, &honest, lonely.clone()).unwrap();
        for number in 0..300_u16 {
            come(&mut world, &at([10, 200, 0, 1], number + 1), lonely.clone()).unwrap();
            if honest == peer(7) {
                let [high, low] = number.to_be_bytes();
                come(&mut world, &at([127, 1, high, low], 7987), lonely.clone()).unwrap();
            }
        }
        let asks = Announce { peers_wanted: LONELY as u8, ..seeding(key(1)) };
        let hears = |world: &mut World| {
            let told = world.announce(&peer(1), asks.clone()).unwrap().peers;
            told.iter().any(|entry| entry.addr == honest.addr)
        };
        let times = (0..20).filter(|_| hears(&mut world)).count();
        assert!(times > 0, "{} was never told of", honest.addr);
    }
}
