//! Tests of what a name means and who has it, and that nobody keeps others out.

use super::*;

/// A seeder offers its resource.
fn offer(world: &mut World, number: u16, what: &Made, role: Role) -> Result<Option<Namesake>, Refusal> {
    world.seed(number, &what.0);
    world.offer(number.into(), &Offer { publication: what.0.clone(), role }, &what.1)
}

type Made = (Publication, Vec<ChunkHash>);

fn world() -> World {
    World::new(RegistryLimits::default())
}

/// Another list of chunks for the same resource.
fn other_list(of: &Made, name: &str, seed: u8) -> Made {
    let mut other = publication(name, seed, of.0.count.get(), WALL_MS);
    other.0.key.resource = of.0.key.resource;
    other
}

fn candidates(world: &World, what: &Lookup) -> Vec<SwarmKey> {
    world.registry.find(world.now, what).iter().map(|entry| entry.publication.key).collect()
}

#[test]
fn a_date_that_is_still_to_come_is_worth_nothing() {
    for ahead_ms in [5_000, 299_000, 24 * 3600 * 1000, u64::MAX - WALL_MS] {
        let mut world = world();
        let (false_date, hashes) = publication("img", 1, 3, WALL_MS + ahead_ms);
        world.publish_as(1, &false_date, &hashes).unwrap();
        let next = publication("img", 2, 3, WALL_MS - 1000);
        world.publish_as(2, &next.0, &next.1).unwrap();
        assert_eq!(world.find("img"), Some(next.0.key), "{ahead_ms} ms ahead");
        // repeated
        world.wait(Duration::from_secs(1));
        world.publish_as(1, &false_date, &hashes).unwrap();
        assert_eq!(world.find("img"), Some(next.0.key), "{ahead_ms} ms ahead");
    }
}

#[test]
fn clocks_need_not_agree_to_the_millisecond() {
    let mut world = world();
    let (old, old_hashes) = publication("img", 1, 3, WALL_MS - 10);
    let (new, new_hashes) = publication("img", 2, 3, WALL_MS + 700);
    world.publish(&new, &new_hashes).unwrap();
    world.publish(&old, &old_hashes).unwrap();
    assert_eq!(world.find("img"), Some(new.key));
}

#[test]
fn a_publisher_that_does_not_know_the_date_does_not_take_it_away() {
    let mut world = world();
    let what = publication("img", 1, 3, WALL_MS - 1000);
    world.publish(&what.0, &what.1).unwrap();
    let undated = Publication { shared_at_ms: 0, ..what.0.clone() };
    world.publish(&undated, &what.1).unwrap();
    assert_eq!(world.found(&Lookup::Name(what.0.name.clone())).unwrap().shared_at_ms, WALL_MS - 1000);
}

#[test]
fn two_lists_of_one_resource_stand_side_by_side() {
    let mut world = world();
    let honest = publication("img", 1, 3, WALL_MS - 60_000);
    let lie = other_list(&honest, "img", 2);
    // the liar comes first and is newer
    offer(&mut world, 2, &lie, Role::Shares).unwrap();
    offer(&mut world, 1, &honest, Role::Claims).expect("a list that may be false stands in nobody's way");
    for what in [Lookup::Name("img".parse().unwrap()), Lookup::Resource(honest.0.key.resource)] {
        let found = candidates(&world, &what);
        assert_eq!(found.len(), 2, "{what:?}");
        assert!(found.contains(&honest.0.key) && found.contains(&lie.0.key));
    }
    for (what, hashes) in [&honest, &lie] {
        assert_eq!(world.registry.manifest(what.key, 0).unwrap(), page_of(hashes, 0));
    }
    // also if both were being published at the same time
    let late = other_list(&honest, "late", 3);
    world.begin(9, &late.0).unwrap();
    offer(&mut world, 1, &honest, Role::Shares).unwrap();
    assert_eq!(world.page(9, late.0.key, 0, &page_of(&late.1, 0)), Ok(PublishReply::Published(None)));
}

#[test]
fn invented_lists_do_not_keep_the_true_one_out() {
    let mut world = world();
    let honest = publication("img", 0, 3, WALL_MS - 1000);
    for seed in 1..=40 {
        let lie = other_list(&honest, &format!("lie-{seed}"), seed);
        world.publish_as(2, &lie.0, &lie.1).unwrap();
    }
    offer(&mut world, 1, &honest, Role::Claims).unwrap();
    for seed in 41..=80 {
        let lie = other_list(&honest, &format!("lie-{seed}"), seed);
        world.publish_as(2, &lie.0, &lie.1).unwrap();
    }
    let found = candidates(&world, &Lookup::Resource(honest.0.key.resource));
    assert_eq!(found.first(), Some(&honest.0.key), "the one that somebody has goes first");
    assert_eq!(world.registry.size().publications, RegistryLimits::default().digests_max);
}

#[test]
fn a_name_that_another_machine_shares_is_not_taken_in_passing() {
    let mut world = world();
    let first = publication("img", 1, 3, WALL_MS);
    let second = publication("img", 2, 3, WALL_MS + 720_000);
    offer(&mut world, 1, &first, Role::Claims).unwrap();
    world.now = world.now + Duration::from_secs(720);
    world.seed(1, &first.0);
    let refused = offer(&mut world, 2, &second, Role::Claims).unwrap_err();
    let expected = Namesake {
        name: first.0.name.clone(),
        resource: first.0.key.resource,
        by: peer(1).addr,
        shared_ago_ms: Some(720_000),
    };
    assert_eq!(refused, Refusal::Taken(Box::new(expected)));
    assert_eq!(world.find("img"), Some(first.0.key));
    let in_the_way = |world: &World, number, key| {
        world.registry.in_the_way(world.now, peer(number).addr, &first.0.name, key).is_some()
    };
    assert!(in_the_way(&world, 2, second.0.key));
    assert!(!in_the_way(&world, 1, second.0.key), "a machine is not in its own way");
    assert!(!in_the_way(&world, 2, first.0.key), "the same content is no conflict");
    // whoever claims the name has it
    assert_eq!(offer(&mut world, 2, &second, Role::Shares), Ok(None));
    assert_eq!(world.find("img"), Some(second.0.key));
    assert!(in_the_way(&world, 1, first.0.key), "and then it is the other way round");
}

#[test]
fn who_only_fetched_something_holds_no_name() {
    let mut world = world();
    let first = publication("img", 1, 3, WALL_MS);
    let second = publication("img", 2, 3, WALL_MS);
    // the tracker restarted empty and asked a peer that fetched it
    offer(&mut world, 7, &first, Role::Holds).unwrap();
    assert_eq!(offer(&mut world, 1, &second, Role::Claims), Ok(None));
    // nor does one that is gone
    let third = publication("img", 3, 3, WALL_MS + 1);
    world.registry.withdraw(world.now, &peer(1), &[second.0.key]).unwrap();
    assert_eq!(offer(&mut world, 3, &third, Role::Claims), Ok(None));
}

#[test]
fn who_has_a_former_version_under_its_name_hears_of_the_newer_one() {
    let mut world = world();
    let first = publication("img", 1, 3, WALL_MS);
    let second = publication("img", 2, 3, WALL_MS + 1000);
    offer(&mut world, 1, &first, Role::Claims).unwrap();
    world.now = world.now + Duration::from_secs(1);
    offer(&mut world, 2, &second, Role::Shares).unwrap();
    let told = world.seed(1, &first.0).newer;
    let [told] = &told[..] else { panic!("{told:?}") };
    assert_eq!((told.resource, told.by), (second.0.key.resource, peer(2).addr));
    assert_eq!(world.seed(5, &first.0).newer, std::slice::from_ref(told), "it only fetched the older one");
    assert_eq!(world.seed(2, &second.0).newer, []);
    // a repeated publication with its old date is reported at once
    let again = offer(&mut world, 1, &first, Role::Shares).unwrap().expect("it is told");
    assert_eq!(again.resource, second.0.key.resource);
    // and it ends when the name is unpublished
    world.now = world.now + Duration::from_secs(1);
    let newer = (Publication { shared_at_ms: WALL_MS + 2000, ..first.0.clone() }, first.1.clone());
    assert_eq!(offer(&mut world, 1, &newer, Role::Shares), Ok(None));
    assert_eq!(world.seed(1, &first.0).newer, []);
    assert_eq!(world.seed(2, &second.0).newer.len(), 1);
    // or when the other one is gone
    for _ in 0..200 {
        world.seed(2, &second.0);
        world.wait(Duration::from_secs(2));
    }
    assert_eq!(world.seed(2, &second.0).newer, []);
    assert_eq!(world.find("img"), Some(second.0.key));
}

#[test]
fn a_full_name_drops_what_nobody_has_and_then_the_oldest_of_whoever_has_most() {
    let max = RegistryLimits::default().publications_per_name_max;
    let mut world = world();
    let many: Vec<Made> = (0..max as u32)
        .map(|at| {
            let mut made = publication("img", 1, 2, WALL_MS - 1_000_000 + u64::from(at));
            made.1[0] = ChunkHash::of(&at.to_be_bytes());
            made.0.key = SwarmKey { resource: ResourceId(made.1[0].0), digest: ListDigest::of(&made.1) };
            made
        })
        .collect();
    let (dead, living) = many.split_at(10);
    dead.iter().for_each(|(what, hashes)| world.publish_as(2, what, hashes).unwrap());
    for made in living {
        offer(&mut world, 2, made, Role::Shares).unwrap();
    }
    let honest = publication("img", 200, 3, WALL_MS);
    assert_eq!(offer(&mut world, 1, &honest, Role::Shares), Ok(None));
    assert_eq!(world.find("img"), Some(honest.0.key));
    assert_eq!(world.registry.size().publications, max);
    assert!(!world.registry_has(&dead[0].0), "the oldest that nobody has");
    assert!(world.registry_has(&dead[1].0) && world.registry_has(&living[0].0));
    // the flood continues and only replaces its own entries
    for seed in 0..50 {
        let made = publication("img", seed, 5, WALL_MS + 1);
        offer(&mut world, 2, &made, Role::Shares).unwrap();
    }
    assert!(world.registry_has(&honest.0));
    assert!(!world.registry_has(&living[0].0));
}

#[test]
fn what_nobody_has_any_more_makes_way_when_the_catalogue_is_full() {
    let limits =
        RegistryLimits { publications_max: 100, catalogue_bytes_max: 400_000, ..RegistryLimits::default() };
    let mut world = World::new(limits);
    for at in 0..100 {
        let (mut what, hashes) = publication("x", 1 + at, 3, WALL_MS);
        what.name = format!("x-{at}").parse().unwrap();
        world.publish_as(2, &what, &hashes).unwrap();
    }
    let honest = publication("img", 200, 3, WALL_MS);
    assert_eq!(offer(&mut world, 1, &honest, Role::Claims), Ok(None), "too many publications");
    let large = publication("large", 201, 12_000, WALL_MS);
    assert_eq!(offer(&mut world, 1, &large, Role::Claims), Ok(None), "too many bytes");
    assert!(world.registry_has(&honest.0) && world.registry_has(&large.0), "what somebody has stays");
}

#[test]
fn what_nobody_has_had_for_a_while_is_offered_last() {
    let mut world = world();
    let old = publication("img", 1, 3, WALL_MS - 2000);
    let new = publication("img", 2, 3, WALL_MS - 1000);
    offer(&mut world, 1, &old, Role::Shares).unwrap();
    world.publish_as(2, &new.0, &new.1).unwrap();
    assert_eq!(world.find("img"), Some(new.0.key), "its machine may be starting again");
    for _ in 0..60 {
        world.seed(1, &old.0);
        world.wait(Duration::from_secs(2));
    }
    assert_eq!(world.find("img"), Some(old.0.key));
    assert_eq!(candidates(&world, &Lookup::Name("img".parse().unwrap())), [old.0.key, new.0.key]);
    let listed = world.registry.list(world.now, None);
    assert_eq!(listed[0].publication.key, old.0.key);
}

#[test]
fn one_machine_does_not_take_all_the_places_of_a_name() {
    let mut world = world();
    let honest = publication("img", 0, 3, WALL_MS - 1000);
    offer(&mut world, 1, &honest, Role::Shares).unwrap();
    for seed in 1..=12 {
        let lie = other_list(&honest, "img", seed);
        offer(&mut world, 2, &lie, Role::Shares).unwrap();
    }
    let found = candidates(&world, &Lookup::Name("img".parse().unwrap()));
    assert_eq!(found.len(), CANDIDATES_MAX);
    assert_eq!(found.iter().position(|key| *key == honest.0.key), Some(1), "after the newest");
}

#[test]
fn other_lists_of_what_a_name_means_come_before_other_content() {
    let mut world = world();
    let meant = publication("img", 1, 3, WALL_MS - 1000);
    let mut other = other_list(&meant, "img", 2);
    other.0.shared_at_ms = WALL_MS - 9000;
    let content = publication("img", 3, 3, WALL_MS - 5000);
    for (number, what) in [(1, &meant), (2, &other), (3, &content)] {
        offer(&mut world, number, what, Role::Shares).unwrap();
    }
    let found = candidates(&world, &Lookup::Name("img".parse().unwrap()));
    assert_eq!(found, [meant.0.key, other.0.key, content.0.key]);
}

#[test]
fn small_manifests_may_come_whole() {
    let mut world = world();
    let what = publication("img", 1, 3, WALL_MS);
    world.seed(1, &what.0);
    let bytes = page_of(&what.1, 0);
    let mut whole = |bytes: &[u8]| {
        let (now, by) = (world.now, peer(1).addr);
        world.registry.publish_whole(now, WALL_MS, by, shares(&what.0), bytes)
    };
    assert!(matches!(whole(&bytes[32..]), Err(Refusal::Malformed(_))));
    assert!(matches!(whole(&[7; 96]), Err(Refusal::Malformed(_))));
    assert_eq!(whole(&bytes), Ok(PublishReply::Published(None)));
    assert_eq!(whole(&bytes), Ok(PublishReply::Published(None)), "once more");
    assert_eq!(world.find("img"), Some(what.0.key));
}

/// A tracker restarts empty, and hears first of the peer that shared while it was away.
#[test]
fn a_claim_that_comes_first_does_not_take_the_name_from_who_had_it_before() {
    let mut world = world();
    let first = publication("img", 1, 3, WALL_MS - 60_000);
    let claim = publication("img", 2, 3, WALL_MS - 10_000);
    assert_eq!(offer(&mut world, 2, &claim, Role::Claims), Ok(None));
    assert_eq!(offer(&mut world, 1, &first, Role::Shares), Ok(None));
    assert_eq!(world.find("img"), Some(first.0.key));
    assert_eq!(world.seed(2, &claim.0).newer.len(), 1);
    // one that does not know when it shared has no better claim
    let mut world = self::world();
    let undated = publication("img", 1, 3, 0);
    offer(&mut world, 2, &claim, Role::Claims).unwrap();
    offer(&mut world, 1, &undated, Role::Shares).unwrap();
    assert_eq!(world.find("img"), Some(claim.0.key));
    // but the content that was shared later does not have it
    let mut world = self::world();
    let later = publication("img", 1, 3, WALL_MS - 5_000);
    let asked = publication("img", 3, 3, WALL_MS - 1_000);
    offer(&mut world, 2, &claim, Role::Claims).unwrap();
    offer(&mut world, 3, &asked, Role::Shares).unwrap();
    offer(&mut world, 1, &later, Role::Shares).unwrap();
    assert_eq!(world.find("img"), Some(asked.0.key));
}
