//! Tests of the newest publication of a manifest. Each announce of its swarm needs it, so it is kept instead of being
//! searched for.

use super::*;

/// Publishes one manifest under a name, with this date.
fn publish_as(world: &mut World, name: &str, shared_at_ms: u64) -> Result<(), Refusal> {
    let (what, hashes) = publication(name, 1, 3, shared_at_ms);
    world.publish(&what, &hashes)
}

fn told(world: &mut World) -> Option<u64> {
    let key = publication("any", 1, 3, 0).0.key;
    world.announce(&peer(1), seeding(key)).unwrap().shared_at_ms
}

#[test]
fn an_announce_hears_of_the_newest_publication() {
    let mut world = World::new(RegistryLimits::default());
    assert_eq!(told(&mut world), None);
    for (name, shared_at_ms) in [("b", 20), ("c", 30), ("a", 10)] {
        publish_as(&mut world, name, shared_at_ms).unwrap();
    }
    let key = publication("any", 1, 3, 0).0.key;
    let name_of = |world: &World| {
        let entries = world.registry.resources_of(world.now, peer(1).addr, None);
        entries.into_iter().find(|entry| entry.key == key).and_then(|entry| entry.name).unwrap().to_string()
    };
    assert_eq!(told(&mut world), Some(30));
    assert_eq!(name_of(&world), "c");
    publish_as(&mut world, "c", 5).unwrap();
    assert_eq!(told(&mut world), Some(20), "what was said of c before is no more");
    assert_eq!(name_of(&world), "b");
    publish_as(&mut world, "a", 20).unwrap();
    assert_eq!(name_of(&world), "a", "of two that were shared at once the one that was published last");
    let found = world.found(&Lookup::Resource(key.resource)).unwrap();
    assert_eq!((found.name.to_string(), found.shared_at_ms), ("a".to_owned(), 20));
    assert_eq!(world.registry.size().publications, 3);
}

#[test]
fn the_names_of_one_manifest_are_bounded() {
    let max = RegistryLimits::default().names_per_manifest_max;
    let mut world = World::new(RegistryLimits::default());
    for number in 0..max {
        publish_as(&mut world, &format!("name-{number}"), 5).unwrap();
    }
    let before = world.registry.size();
    let one_more = publish_as(&mut world, "one-more", 5);
    assert!(matches!(one_more, Err(Refusal::Full(_))), "{one_more:?}");
    assert_eq!(world.registry.size(), before, "what was refused left something behind");
    // the other names stay, also if it came as a second upload
    let (what, hashes) = publication("late", 9, 3, 5);
    let mut full = World::new(RegistryLimits { names_per_manifest_max: 1, ..RegistryLimits::default() });
    for (connection, name) in [(1, "late"), (2, "later")] {
        let offer = shares(&Publication { name: name.parse().unwrap(), ..what.clone() });
        let begun = full.registry.publish(full.now, WALL_MS, connection, peer(1).addr, offer);
        assert_eq!(begun, Ok(PublishReply::NeedPage(0)));
    }
    let page = page_of(&hashes, 0);
    assert_eq!(full.page(1, what.key, 0, &page), Ok(PublishReply::Published(None)));
    let refused = full.page(2, what.key, 0, &page);
    assert!(matches!(refused, Err(Refusal::Full(_))), "{refused:?}");
    assert_eq!(full.names(), ["late"]);

    publish_as(&mut world, "name-0", 6).expect("it is renewed");
    assert_eq!(world.registry.size(), before);
    world.wait(Duration::from_secs(3600));
    let size = world.registry.size();
    assert_eq!((size.publications, size.catalogue_bytes), (0, 0), "nobody was there for an hour");
}
