//! Signatures, which come with publications and which nobody here can check.

use super::*;
use crate::memory::upload::text_bytes;
use shared::signature::SignatureText;

/// A signature that says it was made then.
fn signature(timestamp: u64) -> SignatureText {
    format!(
        "untrusted comment: x\n\
         RUTnOD6m9zm632ME3utFThhTQXKmv7BIo0BRsjrnnYuL0TYCb8Ycn0KKqmeKEN42gOxmq0MacRKwxtAcxdEbuIbpVKhC4xMEAA0=\n\
         trusted comment: timestamp:{timestamp}\n\
         jyQNybLAKIi4twM/vmuODN+ZlDdkYb5g0x+SIaX3h+yvWhTJNMzsZ6sogJY6IiBb8IOgaLACEeati9FZRUsECQ==\n"
    )
    .parse()
    .unwrap()
}

fn signed(what: &Publication, timestamp: u64) -> Publication {
    Publication { signature: Some(signature(timestamp)), ..what.clone() }
}

fn found(world: &World) -> Option<u64> {
    world.found(&Lookup::Name("img".parse().unwrap())).expect("it is published").signature?.timestamp()
}

#[test]
fn a_signature_is_handed_on_with_its_publication() {
    let mut world = World::new(RegistryLimits::default());
    let (what, hashes) = publication("img", 1, 3, WALL_MS);
    world.publish(&signed(&what, 5), &hashes).unwrap();
    assert_eq!(found(&world), Some(5));
    let listed = world.registry.list(world.now, None);
    assert_eq!(listed[0].publication.signature, Some(signature(5)));
}

#[test]
fn only_a_newer_signature_takes_the_place_of_one() {
    let mut world = World::new(RegistryLimits::default());
    let (what, hashes) = publication("img", 1, 3, WALL_MS);
    world.publish(&what, &hashes).unwrap();
    assert_eq!(found(&world), None);
    for (timestamp, expected) in [(Some(5), 5), (Some(4), 5), (None, 5), (Some(7), 7)] {
        let next = timestamp.map_or(what.clone(), |timestamp| signed(&what, timestamp));
        world.publish(&next, &hashes).unwrap();
        assert_eq!(found(&world), Some(expected), "{timestamp:?}");
    }
    // who only fetched it changes nothing
    let holds = Offer { publication: signed(&what, 9), role: Role::Holds };
    world.offer(2, &holds, &hashes).unwrap();
    assert_eq!(found(&world), Some(7));
    // a signature is one of the trackers, too
    let moved = Publication { trackers: vec!["tt://other.example".parse().unwrap()], ..what };
    world.publish(&moved, &hashes).unwrap();
    assert_eq!(found(&world), None);
}

#[test]
fn signatures_count_as_bytes_of_the_catalogue() {
    let mut world = World::new(RegistryLimits::default());
    let (what, hashes) = publication("img", 1, 3, WALL_MS);
    world.publish(&what, &hashes).unwrap();
    let before = world.registry.size().catalogue_bytes;
    world.publish(&signed(&what, 5), &hashes).unwrap();
    let added = world.registry.size().catalogue_bytes - before;
    assert_eq!(added, text_bytes(&signed(&what, 5)) - text_bytes(&what));
    assert!(added >= signature(5).as_str().len());
    world.publish(&what, &hashes).unwrap();
    assert_eq!(world.registry.size().catalogue_bytes - before, added, "it is kept, and counted once");
}
