//! Tests of the catalogue.

use super::*;
use shared::manifest::TRACKERS_MAX;

fn world() -> World {
    World::new(RegistryLimits::default())
}

#[test]
fn a_manifest_comes_out_as_it_went_in() {
    let mut world = world();
    for (name, count) in [("none", 0), ("one", 1), ("page", PAGE_HASHES), ("more", PAGE_HASHES * 2 + 5)] {
        let (what, hashes) = publication(name, count as u8 + 1, count, 7);
        world.publish(&what, &hashes).unwrap();
        assert_eq!(world.found(&Lookup::Name(what.name.clone())), Some(what.clone()));
        assert_eq!(world.found(&Lookup::Resource(what.key.resource)), Some(what.clone()));
        for page in 0..count.div_ceil(PAGE_HASHES).max(1) {
            assert_eq!(world.registry.manifest(what.key, page).unwrap(), page_of(&hashes, page));
        }
        let beyond = count.div_ceil(PAGE_HASHES).max(1);
        assert_eq!(world.registry.manifest(what.key, beyond), Err(Refusal::Unknown));
        assert_eq!(world.registry.manifest(what.key, u32::MAX), Err(Refusal::Unknown));
    }
    assert_eq!(world.names(), ["more", "none", "one", "page"]);
    assert_eq!(world.registry.manifest(key(200), 0), Err(Refusal::Unknown));
}

/// A tracker that restarted empty ends with the right publication, whoever speaks first.
#[test]
fn the_newest_of_a_name_wins_whoever_speaks_first() {
    let (old, old_hashes) = publication("model.grib2", 1, 3, 1000);
    let (new, new_hashes) = publication("model.grib2", 2, 3, 2000);
    for old_first in [true, false] {
        let mut world = world();
        let mut both = [(&old, &old_hashes), (&new, &new_hashes)];
        if !old_first {
            both.reverse();
        }
        both.iter().for_each(|(what, hashes)| world.publish(what, hashes).unwrap());
        assert_eq!(world.find("model.grib2"), Some(new.key));
        let by_id = world.found(&Lookup::Resource(old.key.resource));
        assert_eq!(by_id.map(|found| found.key), Some(old.key), "the older one is still reachable");
        assert_eq!(world.registry.list(world.now, None).len(), 1);
    }
}

#[test]
fn of_two_that_were_shared_at_once_the_later_publish_wins() {
    let mut world = world();
    let (a, a_hashes) = publication("x", 1, 2, 5);
    let (b, b_hashes) = publication("x", 2, 2, 5);
    world.publish(&a, &a_hashes).unwrap();
    world.publish(&b, &b_hashes).unwrap();
    assert_eq!(world.find("x"), Some(b.key));
    world.publish(&a, &a_hashes).unwrap();
    assert_eq!(world.find("x"), Some(a.key));
}

#[test]
fn a_clock_that_is_ahead_does_not_win_for_ever() {
    let mut world = world();
    let (ahead, ahead_hashes) = publication("x", 1, 2, u64::MAX);
    let (new, new_hashes) = publication("x", 2, 2, WALL_MS + 1);
    world.publish(&ahead, &ahead_hashes).unwrap();
    world.publish(&new, &new_hashes).unwrap();
    assert_eq!(world.find("x"), Some(new.key));
}

#[test]
fn one_content_under_two_names_is_two_publications_of_one_manifest() {
    let mut world = world();
    let (what, hashes) = publication("a", 1, 1000, 5);
    world.publish(&what, &hashes).unwrap();
    let once = world.registry.size().catalogue_bytes;
    let other = Publication { name: "b".parse().unwrap(), shared_at_ms: 6, ..what.clone() };
    let reply = world.begin(1, &other);
    assert_eq!(reply, Ok(PublishReply::Published(None)), "the manifest is here already");
    assert!(world.registry.size().catalogue_bytes < once + 32_000);
    assert_eq!(world.names(), ["a", "b"]);
    assert_eq!(world.found(&Lookup::Resource(what.key.resource)), Some(other));
    assert_eq!(world.announce(&peer(1), seeding(what.key)).unwrap().shared_at_ms, Some(6));
}

#[test]
fn hashes_that_do_not_fit_are_refused() {
    let mut world = world();
    let malformed = |result: Result<(), Refusal>| matches!(result, Err(Refusal::Malformed(_)));
    let (what, mut hashes) = publication("a", 1, 3, 5);
    hashes[1].0[0] ^= 1;
    assert!(malformed(world.publish(&what, &hashes)), "another list than the digest's");
    let (mut what, hashes) = publication("a", 1, 1, 5);
    what.key.resource.0[0] ^= 1;
    assert!(malformed(world.publish(&what, &hashes)), "one chunk that is not the resource");
    let (mut what, hashes) = publication("a", 1, 0, 5);
    what.key.resource.0[0] ^= 1;
    assert!(malformed(world.publish(&what, &hashes)), "nothing that is not nothing");
    assert_eq!(world.names(), [] as [&str; 0]);
    assert_eq!(world.registry.size().catalogue_bytes, 0);
}

#[test]
fn the_trackers_of_a_manifest_are_bounded() {
    for (trackers, is_accepted) in
        [(TRACKERS_MAX, true), (TRACKERS_MAX + 1, false), (TRACKERS_MAX + 2, false)]
    {
        let mut world = world();
        let (mut what, hashes) = publication("a", 1, 3, 5);
        let tracker = |number| format!("tt://tracker-{number}.example").parse().unwrap();
        what.trackers = (0..trackers).map(tracker).collect();
        let published = world.publish(&what, &hashes);
        assert_eq!(published.is_ok(), is_accepted, "{trackers} trackers: {published:?}");
    }
}

#[test]
fn pages_come_in_order_and_whole() {
    let mut world = world();
    let (what, hashes) = publication("a", 1, PAGE_HASHES + 5, 5);
    let page = page_of(&hashes, 0);
    let cases: [(u32, &[u8]); 4] = [(1, &page), (0, &page[..page.len() - 32]), (0, &[]), (0, &page[..31])];
    for (number, bytes) in cases {
        world.begin(1, &what).unwrap();
        let reply = world.page(1, what.key, number, bytes);
        assert!(matches!(reply, Err(Refusal::Malformed(_))), "{reply:?}");
        // it has ended: no further page is accepted
        let reply = world.page(1, what.key, 0, &page);
        assert!(matches!(reply, Err(Refusal::Malformed(_))), "{reply:?}");
    }
    world.begin(1, &what).unwrap();
    let stranger = world.page(2, what.key, 0, &page);
    assert!(matches!(stranger, Err(Refusal::Malformed(_))), "{stranger:?}");
    let reply = world.page(1, what.key, 0, &page);
    assert_eq!(reply, Ok(PublishReply::NeedPage(1)));
    world.registry.forget_upload(1);
    assert_eq!(world.registry.size().catalogue_bytes, 0);
}

#[test]
fn an_upload_that_does_not_go_on_is_forgotten() {
    let mut world = world();
    let (what, hashes) = publication("a", 1, PAGE_HASHES * 3, 5);
    world.begin(1, &what).unwrap();
    world.wait(Duration::from_secs(29));
    world.page(1, what.key, 0, &page_of(&hashes, 0)).unwrap();
    world.wait(Duration::from_secs(29));
    world.page(1, what.key, 1, &page_of(&hashes, 1)).unwrap();
    world.wait(Duration::from_secs(31));
    let late = world.page(1, what.key, 2, &page_of(&hashes, 2));
    assert!(matches!(late, Err(Refusal::Malformed(_))), "{late:?}");
    assert_eq!(world.registry.size().catalogue_bytes, 0);
}

#[test]
fn a_publication_outlives_its_last_peer_for_a_while() {
    let hour = Duration::from_secs(3600);
    let mut world = world();
    let (what, hashes) = publication("a", 1, 3, 5);
    let entry = Announce { have: 3, count: what.count, ..seeding(what.key) };
    world.publish(&what, &hashes).unwrap();
    for _ in 0..1000 {
        world.announce(&peer(1), entry.clone()).unwrap();
        world.wait(Duration::from_secs(5));
    }
    assert_eq!(world.names(), ["a"], "forgotten while it had a peer");
    world.registry.withdraw(world.now, &peer(1), &[what.key]).unwrap();
    world.wait(hour - Duration::from_secs(61));
    assert_eq!(world.names(), ["a"]);
    world.wait(Duration::from_secs(61));
    assert_eq!(world.names(), [] as [&str; 0]);
    assert_eq!(world.registry.size(), Size { entries: 0, swarms: 0, publications: 0, catalogue_bytes: 0 });
}

#[test]
fn one_holder_at_a_time_is_asked_for_a_manifest() {
    let mut world = world();
    let (what, hashes) = publication("a", 1, 10, 5);
    let entry = seeding(what.key);
    assert!(world.announce(&peer(1), entry.clone()).unwrap().want_manifest);
    assert!(!world.announce(&peer(2), entry.clone()).unwrap().want_manifest);
    assert!(!world.announce(&peer(1), entry.clone()).unwrap().want_manifest);
    world.now = world.now + Duration::from_secs(10);
    assert!(world.announce(&peer(2), entry.clone()).unwrap().want_manifest, "the first did not answer");
    world.publish(&what, &hashes).unwrap();
    world.now = world.now + Duration::from_secs(11);
    assert!(!world.announce(&peer(1), entry.clone()).unwrap().want_manifest);
}

#[test]
fn the_catalogue_is_bounded() {
    let full = |result: Result<(), Refusal>| matches!(result, Err(Refusal::Full(_)));
    let limits = RegistryLimits {
        catalogue_bytes_max: 100_000,
        publications_max: 4,
        publications_per_name_max: 2,
        uploads_max: 2,
        ..RegistryLimits::default()
    };
    let mut world = World::new(limits);
    let (large, _) = publication("large", 1, 4000, 5);
    assert!(full(world.begin(1, &large).map(drop)), "128,000 bytes");
    for seed in 1..=2 {
        let (what, hashes) = publication("x", seed, 10, 5);
        world.seed(1, &what);
        world.publish(&what, &hashes).unwrap();
    }
    let (third, hashes) = publication("x", 3, 10, 5);
    world.seed(1, &third);
    world.publish(&third, &hashes).expect("an older one of the name makes way");
    assert_eq!(world.registry.size().publications, 2);
    for (name, seed) in [("y", 4), ("z", 5)] {
        let (what, hashes) = publication(name, seed, 10, 5);
        world.seed(1, &what);
        world.publish(&what, &hashes).unwrap();
        world.publish(&what, &hashes).unwrap();
    }
    let before = world.registry.size();
    let (fifth, hashes) = publication("w", 6, 10, 5);
    assert!(full(world.publish(&fifth, &hashes)), "five publications");
    assert_eq!(world.registry.size(), before, "what was refused left something behind");
    for id in 0..2 {
        let (what, _) = publication("u", 7 + id as u8, 10, 5);
        world.begin(id, &what).unwrap();
    }
    let (what, _) = publication("u", 9, 10, 5);
    assert!(full(world.begin(2, &what).map(drop)), "three uploads");
    world.begin(1, &what).expect("it takes the place of its own connection's");
}

#[test]
fn what_just_fits_is_accepted() {
    let (what, hashes) = publication("a", 1, 1000, 5);
    let mut world = world();
    world.publish(&what, &hashes).unwrap();
    let bytes = world.registry.size().catalogue_bytes;
    for (catalogue_bytes_max, fits) in [(bytes, true), (bytes - 1, false)] {
        let mut world = World::new(RegistryLimits { catalogue_bytes_max, ..RegistryLimits::default() });
        let published = world.publish(&what, &hashes);
        assert_eq!(published.is_ok(), fits, "{catalogue_bytes_max} of {bytes} bytes: {published:?}");
    }
}

/// Announced pages do not count before they arrive: many who announce a large manifest do not fill the catalogue.
#[test]
fn room_is_taken_by_what_has_come() {
    let mut world =
        World::new(RegistryLimits { catalogue_bytes_max: 1_000_000, ..RegistryLimits::default() });
    for id in 0..10 {
        let (what, _) = publication("x", id as u8, 30_000, 5);
        world.begin(id, &what).unwrap();
    }
    let (what, hashes) = publication("true", 99, 20_000, 5);
    world.seed(99, &what);
    world.publish_as(99, &what, &hashes).unwrap();
    // Those that do not fit any more are refused at a page.
    let (late, hashes) = publication("x", 0, 30_000, 5);
    let page = page_of(&hashes, 0);
    let reply = world.page(0, late.key, 0, &page);
    assert_eq!(reply, Ok(PublishReply::NeedPage(1)));
    let reply = world.page(0, late.key, 1, &page_of(&hashes, 1));
    assert!(matches!(reply, Err(Refusal::Full(_))), "{reply:?}");
}

#[test]
fn a_listing_comes_in_pages() {
    let mut world = world();
    for number in 0..300 {
        let (mut what, hashes) = publication("x", 0, 2, 5);
        what.name = format!("{number:03}").parse().unwrap();
        world.publish(&what, &hashes).unwrap();
    }
    let first = world.registry.list(world.now, None);
    assert_eq!(first.len(), LIST_MAX);
    let rest = world.registry.list(world.now, Some(&first[LIST_MAX - 1].publication.name));
    let names: Vec<String> =
        first.iter().chain(&rest).map(|entry| entry.publication.name.to_string()).collect();
    assert_eq!(names, (0..300).map(|number| format!("{number:03}")).collect::<Vec<_>>());
}
