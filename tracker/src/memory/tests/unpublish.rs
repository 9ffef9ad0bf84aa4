//! Tests of names that are unpublished by those who shared them.

use super::*;

type Made = (Publication, Vec<ChunkHash>);

fn world() -> World {
    World::new(RegistryLimits::default())
}

fn unpublish(world: &mut World, number: u16, what: &Made, how: Unpublish) -> Result<UnpublishReply, Refusal> {
    world.registry.unpublish(world.now, &peer(number), &what.0.name, what.0.key, how)
}

/// A seeder offers its resource.
fn offer(world: &mut World, number: u16, what: &Made, role: Role) {
    world.seed(number, &what.0);
    world.offer(number.into(), &Offer { publication: what.0.clone(), role }, &what.1).unwrap();
}

fn old() -> Made {
    publication("img", 1, 3, WALL_MS - 60_000)
}

fn new() -> Made {
    publication("img", 2, 3, WALL_MS - 1_000)
}

#[test]
fn the_former_version_has_its_name_again() {
    let mut world = world();
    offer(&mut world, 1, &old(), Role::Shares);
    offer(&mut world, 1, &new(), Role::Shares);
    assert_eq!(world.find("img"), Some(new().0.key));
    assert_eq!(unpublish(&mut world, 1, &new(), Unpublish::TakeBack), Ok(UnpublishReply::Unpublished));
    assert_eq!(world.find("img"), Some(old().0.key));
    assert!(!world.registry_has(&new().0));
    assert_eq!(unpublish(&mut world, 1, &old(), Unpublish::TakeBack), Ok(UnpublishReply::Unpublished));
    assert_eq!((world.find("img"), world.names().len()), (None, 0));
    assert_eq!(world.registry.size().catalogue_bytes, 0);
}

#[test]
fn what_was_taken_back_does_not_come_back_by_those_who_fetched_it() {
    let mut world = world();
    offer(&mut world, 1, &new(), Role::Shares);
    world.seed(2, &new().0);
    assert_eq!(unpublish(&mut world, 1, &new(), Unpublish::TakeBack), Ok(UnpublishReply::Unpublished));
    for hours in 0..5 {
        assert!(!world.seed(2, &new().0).want_manifest, "asked after {hours} h");
        let holds = Offer { publication: new().0, role: Role::Holds };
        assert_eq!(world.offer(2, &holds, &new().1), Ok(None));
        let hashes = page_of(&new().1, 0);
        let (now, by) = (world.now, peer(2).addr);
        let whole = world.registry.publish_whole(now, WALL_MS, by, holds, &hashes);
        assert_eq!(whole, Ok(PublishReply::Published(None)));
        assert_eq!(world.find("img"), None, "after {hours} h");
        for _ in 0..720 {
            world.wait(Duration::from_secs(5));
            world.seed(2, &new().0);
        }
    }
    // sharing it again publishes the name again
    offer(&mut world, 2, &new(), Role::Claims);
    assert_eq!(world.find("img"), Some(new().0.key));
}

/// Its file may be paused or damaged, or its directory may be away.
#[test]
fn a_sharer_that_takes_no_part_takes_its_name_back_as_well() {
    let mut world = world();
    offer(&mut world, 1, &new(), Role::Shares);
    world.seed(2, &new().0);
    world.registry.withdraw(world.now, &peer(1), &[new().0.key]).unwrap();
    assert_eq!(unpublish(&mut world, 1, &new(), Unpublish::TakeBack), Ok(UnpublishReply::Unpublished));
    assert!(!world.seed(2, &new().0).want_manifest);
    world.offer(2, &Offer { publication: new().0, role: Role::Holds }, &new().1).unwrap();
    assert_eq!(world.find("img"), None);
}

#[test]
fn a_manifest_that_is_being_uploaded_does_not_bring_its_name_back() {
    let mut world = world();
    for number in [1, 2] {
        world.seed(number, &new().0);
    }
    let holds = Offer { publication: new().0, role: Role::Holds };
    let reply = world.registry.publish(world.now, WALL_MS, 2, peer(2).addr, holds);
    assert_eq!(reply, Ok(PublishReply::NeedPage(0)));
    assert_eq!(unpublish(&mut world, 1, &new(), Unpublish::TakeBack), Ok(UnpublishReply::Unpublished));
    let reply = world.page(2, new().0.key, 0, &page_of(&new().1, 0));
    assert_eq!(reply, Ok(PublishReply::Published(None)));
    assert_eq!((world.find("img"), world.registry_has(&new().0)), (None, false));
    assert_eq!(world.registry.size().catalogue_bytes, 0);
}

#[test]
fn a_name_that_a_stranger_takes_back_keeps_no_other_name_away() {
    let mut world = world();
    world.announce(&peer(3), Announce { count: new().0.count, ..leeching(new().0.key) }).unwrap();
    let invented = (Publication { name: "zzz".parse().unwrap(), ..new().0 }, new().1);
    unpublish(&mut world, 3, &invented, Unpublish::TakeBack).unwrap();
    world.wait(Duration::from_secs(11)); // the next one is asked
    assert!(world.seed(2, &new().0).want_manifest, "it has it under another name");
    offer(&mut world, 2, &new(), Role::Holds);
    assert_eq!(world.find("img"), Some(new().0.key));
}

#[test]
fn nothing_is_remembered_of_what_nobody_has_any_more() {
    let mut world = world();
    offer(&mut world, 1, &new(), Role::Shares);
    unpublish(&mut world, 1, &new(), Unpublish::TakeBack).unwrap();
    world.registry.withdraw(world.now, &peer(1), &[new().0.key]).unwrap();
    world.wait(RegistryLimits::default().publication_ttl + Duration::from_secs(1));
    world.seed(2, &new().0);
    let holds = Offer { publication: new().0, role: Role::Holds };
    world.offer(2, &holds, &new().1).unwrap();
    assert_eq!(world.find("img"), Some(new().0.key));
}

#[test]
fn only_a_machine_that_shared_it_takes_it_back() {
    let mut world = world();
    offer(&mut world, 1, &new(), Role::Shares);
    world.seed(2, &new().0);
    for how in [Unpublish::TakeBack, Unpublish::IfUnused] {
        for stranger in [2, 3] {
            let refused = unpublish(&mut world, stranger, &new(), how);
            assert_eq!(refused, Err(Refusal::NotYours(peer(1).addr)), "{stranger} {how:?}");
        }
    }
    assert_eq!(world.find("img"), Some(new().0.key));
}

#[test]
fn a_name_that_two_share_stays_with_the_other() {
    let mut world = world();
    offer(&mut world, 1, &new(), Role::Shares);
    offer(&mut world, 2, &new(), Role::Shares);
    let kept = unpublish(&mut world, 1, &new(), Unpublish::TakeBack);
    assert_eq!(kept, Ok(UnpublishReply::SharedBy(peer(2).addr)));
    assert_eq!(world.find("img"), Some(new().0.key));
    assert_eq!(
        unpublish(&mut world, 1, &new(), Unpublish::TakeBack),
        Err(Refusal::NotYours(peer(2).addr)),
        "it has given it up"
    );
    assert_eq!(unpublish(&mut world, 2, &new(), Unpublish::TakeBack), Ok(UnpublishReply::Unpublished));
    assert_eq!(world.find("img"), None);
}

#[test]
fn a_sharer_that_takes_no_part_makes_way_for_the_fifth() {
    let mut world = world();
    for number in 1..=4 {
        offer(&mut world, number, &new(), Role::Shares);
    }
    world.registry.withdraw(world.now, &peer(2), &[new().0.key]).unwrap();
    offer(&mut world, 5, &new(), Role::Shares);
    let kept = |number: u16| Ok(UnpublishReply::SharedBy(peer(number).addr));
    assert_eq!(
        unpublish(&mut world, 2, &new(), Unpublish::TakeBack),
        Err(Refusal::NotYours(peer(1).addr)),
        "it is not remembered"
    );
    assert_eq!(unpublish(&mut world, 5, &new(), Unpublish::TakeBack), kept(1));
}

#[test]
fn what_is_removed_goes_when_nobody_else_has_it() {
    let mut world = world();
    offer(&mut world, 1, &new(), Role::Shares);
    world.announce(&peer(2), Announce { count: new().0.count, ..leeching(new().0.key) }).unwrap();
    assert_eq!(unpublish(&mut world, 1, &new(), Unpublish::IfUnused), Ok(UnpublishReply::InUse));
    assert_eq!(world.find("img"), Some(new().0.key));
    world.registry.withdraw(world.now, &peer(2), &[new().0.key]).unwrap();
    assert_eq!(unpublish(&mut world, 1, &new(), Unpublish::IfUnused), Ok(UnpublishReply::Unpublished));
    assert_eq!((world.find("img"), world.registry_has(&new().0)), (None, false));
    // it was not unpublished, so anybody may publish it again
    offer(&mut world, 2, &new(), Role::Holds);
    assert_eq!(world.find("img"), Some(new().0.key));
}

/// A restarted tracker does not know who shared what.
#[test]
fn a_tracker_that_has_forgotten_who_shared_it_believes_those_who_have_it() {
    let mut world = world();
    offer(&mut world, 2, &new(), Role::Holds);
    assert_eq!(unpublish(&mut world, 3, &new(), Unpublish::TakeBack), Err(Refusal::NotYours(peer(2).addr)));
    world.seed(1, &new().0);
    assert_eq!(unpublish(&mut world, 1, &new(), Unpublish::TakeBack), Ok(UnpublishReply::Unpublished));
    assert_eq!(world.find("img"), None);
    // also if it is told before a peer that has it is asked
    let mut world = self::world();
    world.seed(1, &new().0);
    assert_eq!(unpublish(&mut world, 1, &new(), Unpublish::TakeBack), Ok(UnpublishReply::Unpublished));
    assert!(!world.seed(2, &new().0).want_manifest);
    // a machine outside the swarm cannot unpublish it
    let mut world = self::world();
    unpublish(&mut world, 3, &new(), Unpublish::TakeBack).unwrap();
    assert!(world.seed(2, &new().0).want_manifest);
}

#[test]
fn names_that_were_taken_back_are_looked_at_as_well() {
    let mut world = world();
    let what = Lookup::Name(new().0.name);
    offer(&mut world, 1, &old(), Role::Shares);
    offer(&mut world, 1, &new(), Role::Shares);
    assert_eq!(world.registry.breadth(&what), 2);
    unpublish(&mut world, 1, &new(), Unpublish::TakeBack).unwrap();
    assert_eq!(world.registry.breadth(&what), 2);
}

#[test]
fn no_more_is_remembered_than_there_is_room_for() {
    let mut world = world();
    take_back(&mut world, MANY, |_| 1);
    world.now = world.now + Duration::from_secs(11); // the next one is asked
    assert!(world.seed(2, &one_of_many(0).0).want_manifest, "the oldest is forgotten");
    assert!(!world.seed(2, &one_of_many(MANY - 1).0).want_manifest);
}

#[test]
fn names_that_strangers_take_back_displace_only_their_own() {
    let one_stranger = |_: u32| 9_u16;
    let thousands = |number: u32| number as u16 + 100;
    for by in [&one_stranger as &dyn Fn(u32) -> u16, &thousands] {
        let mut world = world();
        offer(&mut world, 1, &new(), Role::Shares);
        world.seed(2, &new().0);
        unpublish(&mut world, 1, &new(), Unpublish::TakeBack).unwrap();
        // a stranger that takes the same name back does not make it its own
        world.seed(9, &new().0);
        unpublish(&mut world, 9, &new(), Unpublish::TakeBack).unwrap();
        take_back(&mut world, MANY, by);
        world.now = world.now + Duration::from_secs(11);
        assert!(!world.seed(2, &new().0).want_manifest);
    }
}

#[test]
fn names_that_were_taken_back_are_forgotten_in_parts() {
    let mut world = world();
    take_back(&mut world, 1100, |_| 1);
    world.wait(Duration::from_secs(300)); // the machine goes without a word
    world.now = Time(0) + RegistryLimits::default().publication_ttl + Duration::from_secs(2);
    assert_eq!(world.registry.expire(world.now), Sweep { more: true, work: 1024 });
    assert_eq!(world.registry.expire(world.now), Sweep { more: false, work: 1100 - 1024 });
}

/// More names than are remembered.
const MANY: u32 = 5_000;

fn one_of_many(number: u32) -> Made {
    let mut made = publication(&format!("file-{number}"), 1, 3, WALL_MS);
    made.0.key.resource.0[..4].copy_from_slice(&number.to_be_bytes());
    made
}

/// Some of the names are taken back, each by a machine that takes part in its swarm.
fn take_back(world: &mut World, names: u32, by: impl Fn(u32) -> u16) {
    for number in 0..names {
        let what = one_of_many(number);
        world.seed(by(number), &what.0);
        world.now = world.now + Duration::from_millis(1);
        unpublish(world, by(number), &what, Unpublish::TakeBack).unwrap();
    }
}
