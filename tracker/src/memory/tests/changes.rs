//! Tests of what those are told who follow the catalogue.

use super::*;
use crate::follow::Following;
use crate::rights::{Granted, Rights};
use proptest::prelude::*;
use shared::host::config::AllowRule;
use std::collections::BTreeMap;

/// A machine that follows the catalogue.
#[derive(Debug, Default)]
struct Follower {
    place: CataloguePlace,
    /// What it was told last of each name.
    told: BTreeMap<String, (SwarmKey, u64)>,
}

impl Follower {
    /// Asks once, for at most `max` changes. Returns the names that it was told, and whether there are more.
    fn ask(&mut self, world: &World, epoch: u64, granted: &Granted, max: u32) -> (Vec<String>, bool) {
        let mut following = Following::new(epoch, self.place, max);
        while !following.is_complete() {
            following.look(&world.registry, granted, world.now);
        }
        let Changes { place, changes, more, .. } = following.answer(1, 0);
        self.place = place;
        let mut names = Vec::new();
        for Change { name, key, shared_at_ms, .. } in changes {
            self.told.insert(name.to_string(), (key, shared_at_ms));
            names.push(name.to_string());
        }
        (names, more)
    }

    fn ask_all(&mut self, world: &World) -> Vec<String> {
        let (mut names, granted) = (Vec::new(), Rights::default().of(None));
        loop {
            let (some, more) = self.ask(world, 1, &granted, 2);
            names.extend(some);
            if !more {
                return names;
            }
        }
    }
}

fn publish(world: &mut World, name: &str, seed: u8, shared_at_ms: u64) -> Publication {
    let (what, hashes) = publication(name, seed, 2, shared_at_ms);
    world.publish(&what, &hashes).unwrap();
    what
}

#[test]
fn each_change_is_told_once_and_a_repetition_is_none() {
    let (mut world, mut follower) = (World::new(RegistryLimits::default()), Follower::default());
    assert!(follower.ask_all(&world).is_empty());
    for (name, seed) in [("a", 1), ("b", 2), ("c", 3)] {
        publish(&mut world, name, seed, 10);
    }
    assert_eq!(follower.ask_all(&world), ["a", "b", "c"]);
    assert!(follower.ask_all(&world).is_empty());
    publish(&mut world, "b", 2, 10); // its sharer came back
    publish(&mut world, "a", 9, 5); // older than what the name means
    assert!(follower.ask_all(&world).is_empty());
    publish(&mut world, "a", 4, 20);
    let newest = publish(&mut world, "a", 5, 30);
    assert_eq!(follower.ask_all(&world), ["a"], "only with what it means now");
    assert_eq!(follower.told["a"], (newest.key, 30));
    publish(&mut world, "b", 2, 40);
    assert_eq!(follower.ask_all(&world), ["b"], "shared anew");
}

#[test]
fn what_a_name_means_once_its_newest_is_taken_back_is_told() {
    let (mut world, mut follower) = (World::new(RegistryLimits::default()), Follower::default());
    let old = publish(&mut world, "a", 1, 10);
    let new = publish(&mut world, "a", 2, 20);
    follower.ask_all(&world);
    let take_back = |world: &mut World, what: &Publication| {
        let how = Unpublish::IfUnused;
        world.registry.unpublish(world.now, &peer(1), &what.name, what.key, how).unwrap();
    };
    take_back(&mut world, &new);
    assert_eq!(follower.ask_all(&world), ["a"]);
    assert_eq!(follower.told["a"], (old.key, 10));
    take_back(&mut world, &old);
    assert!(follower.ask_all(&world).is_empty(), "it means nothing, and that is not told");
    assert_eq!(world.registry.changes(world.now, 0), []);
    let other = publish(&mut world, "b", 3, 30);
    take_back(&mut world, &other);
    assert!(follower.ask_all(&world).is_empty(), "the last change is of a name that means nothing");
    assert_eq!(follower.place.sequence, world.registry.sequence());
}

#[test]
fn a_version_whose_machine_comes_back_is_told_again() {
    let (mut world, mut follower) = (World::new(RegistryLimits::default()), Follower::default());
    let old = publish(&mut world, "a", 1, 10);
    world.seed(1, &old);
    let new = publish(&mut world, "a", 2, 20);
    for _ in 0..10 {
        world.wait(Duration::from_secs(30));
        world.seed(1, &old);
    }
    follower.ask_all(&world);
    assert_eq!(follower.told["a"].0, old.key, "nobody has the newest");
    world.seed(2, &new);
    assert_eq!(follower.ask_all(&world), ["a"]);
    assert_eq!(follower.told["a"].0, new.key);
    world.seed(3, &new);
    assert!(follower.ask_all(&world).is_empty());
}

#[test]
fn a_place_of_another_start_is_the_beginning_and_one_in_the_future_the_end() {
    let (mut world, granted) = (World::new(RegistryLimits::default()), Rights::default().of(None));
    publish(&mut world, "a", 1, 10);
    for (place, expected) in [((1, 0), 1), ((2, 0), 1), ((2, 7), 1), ((1, 1), 0), ((1, u64::MAX), 0)] {
        let place = CataloguePlace { epoch: place.0, sequence: place.1 };
        let mut follower = Follower { place, ..Follower::default() };
        let (names, more) = follower.ask(&world, 1, &granted, u32::MAX);
        assert_eq!((names.len(), more), (expected, false), "{place:?}");
        assert_eq!(follower.place, CataloguePlace { epoch: 1, sequence: 1 });
    }
}

#[derive(Debug, Clone)]
enum Step {
    Publish(u8, u8),
    TakeBack(u8, u8),
    Wait(u16),
    Ask(u32),
    Restart,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..5u8, 1..20u8).prop_map(|(name, version)| Step::Publish(name, version)),
        2 => (0..5u8, 1..20u8).prop_map(|(name, version)| Step::TakeBack(name, version)),
        1 => (1..4000u16).prop_map(Step::Wait),
        4 => (0..5u32).prop_map(Step::Ask),
        1 => Just(Step::Restart),
    ]
}

/// Version `version` of a name.
fn version(name: u8, version: u8) -> (Publication, Vec<ChunkHash>) {
    publication(&format!("name-{name}"), name * 20 + version, 2, u64::from(version))
}

proptest! {
    /// Whatever happens in between, whoever asks until there is no more was told what each name means that it may fetch, and of
    /// no other name. A small catalogue has some evicted.
    #[test]
    fn a_follower_ends_with_what_each_name_means(steps in proptest::collection::vec(any_step(), 1..80)) {
        let limits = RegistryLimits { catalogue_bytes_max: 12_000, ..RegistryLimits::default() };
        let rule = AllowRule {
            who: vec!["*".parse().unwrap()],
            fetch: vec!["name-[0-3]".parse().unwrap()],
            publish: Vec::new(),
            watch: Vec::new(),
        };
        let granted = Rights::new(vec![rule]).of(None);
        let (mut world, mut epoch) = (World::new(limits.clone()), 1);
        let mut follower = Follower::default();
        for step in steps {
            match step {
                Step::Publish(name, number) => {
                    let (what, hashes) = version(name, number);
                    if world.publish(&what, &hashes).is_ok() {
                        world.seed(u16::from(number), &what);
                    } // otherwise there was no room
                }
                Step::TakeBack(name, number) => {
                    let (what, _) = version(name, number);
                    let how = Unpublish::IfUnused;
                    let _ = world.registry.unpublish(world.now, &peer(1), &what.name, what.key, how);
                }
                Step::Wait(seconds) => world.wait(Duration::from_secs(seconds.into())),
                Step::Ask(max) => _ = follower.ask(&world, epoch, &granted, max),
                Step::Restart => (world, epoch) = (World::new(limits.clone()), epoch + 1),
            }
            let size = world.registry.changes(world.now, 0).len();
            prop_assert_eq!(size, world.names().len(), "one change for each name");
        }
        // whoever has something is there again
        for (name, number) in (0..5).flat_map(|name| (1..20).map(move |number| (name, number))) {
            let (what, _) = version(name, number);
            if world.registry.is_published(&what.name, what.key) {
                world.seed(u16::from(number), &what);
            }
        }
        while follower.ask(&world, epoch, &granted, 2).1 {}
        for entry in world.registry.list(world.now, None) {
            let Publication { name, key, shared_at_ms, .. } = entry.publication;
            let told = follower.told.get(name.as_str());
            let expected = (name.as_str() != "name-4").then_some((key, shared_at_ms));
            prop_assert_eq!(told.copied(), expected, "{}", name);
        }
        prop_assert!(follower.told.keys().all(|name| name != "name-4"));
    }
}
