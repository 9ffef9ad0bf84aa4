//! Tests of names that are unpublished by those who shared them.

use super::*;

type Made = (Publication, Vec<ChunkHash>);

fn world() -> World {
    World::new(Limits::default())
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

#[test]
fn nothing_is_remembered_of_what_nobody_has_any_more() {
    let mut world = world();
    offer(&mut world, 1, &new(), Role::Shares);
    unpublish(&mut world, 1, &new(), Unpublish::TakeBack).unwrap();
    world.registry.withdraw(world.now, &peer(1), &[new().0.key]).unwrap();
    world.wait(Limits::default().publication_ttl + Duration::from_secs(1));
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
fn no_more_is_remembered_than_there_is_room_for() {
    let mut world = world();
    let many = 5_000_u32;
    let made = |number: u32| {
        let name = format!("file-{number}");
        let mut made = publication(&name, 1, 3, WALL_MS);
        made.0.key.resource.0[..4].copy_from_slice(&number.to_be_bytes());
        made
    };
    for number in 0..many {
        let what = made(number);
        world.seed(1, &what.0);
        world.now = world.now + Duration::from_millis(1);
        unpublish(&mut world, 1, &what, Unpublish::TakeBack).unwrap();
    }
    world.now = world.now + Duration::from_secs(11); // the next one is asked
    assert!(world.seed(2, &made(0).0).want_manifest, "the oldest is forgotten");
    assert!(!world.seed(2, &made(many - 1).0).want_manifest);
}
