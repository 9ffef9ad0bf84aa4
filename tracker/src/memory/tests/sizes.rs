//! Sizes in bytes, which only those know who have the last chunk, and which nobody can check.

use super::*;

const MIB: u64 = 1 << 20;

fn sized(bytes: u64) -> (Publication, Vec<ChunkHash>) {
    let (what, hashes) = publication("img", 1, 3, WALL_MS);
    (Publication { bytes: Some(bytes), ..what }, hashes)
}

fn size(world: &World) -> Option<u64> {
    world.found(&Lookup::Name("img".parse().unwrap())).expect("it is published").bytes
}

#[test]
fn the_first_size_that_is_told_is_handed_on() {
    let mut world = World::new(RegistryLimits::default());
    let (what, hashes) = sized(2 * MIB + 5);
    world.publish(&what, &hashes).unwrap();
    assert_eq!(size(&world), Some(2 * MIB + 5));
    assert_eq!(world.registry.list(world.now, None)[0].publication.bytes, Some(2 * MIB + 5));
    let answer = world.announce(&peer(2), Announce { have: 1, count: what.count, ..leeching(what.key) });
    assert_eq!(answer.unwrap().bytes, Some(2 * MIB + 5));
    // a later word is worth no more, whatever name it comes with
    let other = Publication { name: "img-2".parse().unwrap(), bytes: Some(3 * MIB), ..what.clone() };
    world.publish_as(2, &other, &hashes).unwrap();
    world.announce(&peer(3), Announce { bytes: Some(3 * MIB), ..seeding_all(&what) }).unwrap();
    assert_eq!(size(&world), Some(2 * MIB + 5));
    let listed = world.registry.list(world.now, None);
    assert!(listed.iter().all(|entry| entry.publication.bytes == Some(2 * MIB + 5)), "{listed:?}");
}

#[test]
fn a_seeder_tells_the_size_that_the_publisher_did_not_know() {
    let mut world = World::new(RegistryLimits::default());
    let (what, hashes) = sized(3 * MIB);
    world.publish(&Publication { bytes: None, ..what.clone() }, &hashes).unwrap();
    assert_eq!(size(&world), None);
    let told = world.announce(&peer(2), Announce { bytes: what.bytes, ..seeding_all(&what) }).unwrap();
    assert_eq!((told.bytes, size(&world)), (Some(3 * MIB), Some(3 * MIB)));
}

#[test]
fn a_size_that_comes_with_a_false_number_of_chunks_is_worth_nothing() {
    let mut world = World::new(RegistryLimits::default());
    let (what, hashes) = sized(2 * MIB + 5);
    world.publish(&Publication { bytes: None, ..what.clone() }, &hashes).unwrap();
    let one = ChunkCount::new(1).unwrap();
    let false_count = Announce { have: 1, count: one, bytes: Some(5), ..seeding_all(&what) };
    let told = world.announce(&peer(9), false_count).unwrap();
    assert_eq!((told.bytes, size(&world)), (None, None));
    world.announce(&peer(2), Announce { bytes: what.bytes, ..seeding_all(&what) }).unwrap();
    assert_eq!(size(&world), what.bytes);
}

#[test]
fn a_size_that_does_not_fit_the_number_of_chunks_is_refused() {
    for (bytes, fits) in [
        (0, false),
        (2 * MIB, false),
        (2 * MIB + 1, true),
        (3 * MIB, true),
        (3 * MIB + 1, false),
        (u64::MAX, false),
    ] {
        let mut world = World::new(RegistryLimits::default());
        let (what, hashes) = sized(bytes);
        let published = world.publish(&what, &hashes);
        let announced = world.announce(&peer(1), Announce { bytes: Some(bytes), ..seeding_all(&what) });
        for refused in [published.err(), announced.err()] {
            assert_eq!(matches!(refused, Some(Refusal::Malformed(_))), !fits, "{bytes}: {refused:?}");
        }
    }
    let mut world = World::new(RegistryLimits::default());
    let (empty, _) = publication("empty", 1, 0, WALL_MS);
    assert!(world.publish(&Publication { bytes: Some(1), ..empty.clone() }, &[]).is_err());
    world.publish(&Publication { bytes: Some(0), ..empty }, &[]).unwrap();
    // who does not have the last chunk cannot know
    let (what, _) = sized(3 * MIB);
    let part = Announce { have: 1, stage: Stage::Leeching, bytes: what.bytes, ..seeding_all(&what) };
    assert!(world.announce(&peer(1), part).is_err());
}
