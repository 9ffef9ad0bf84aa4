//! Which machines have a former version of a name.

use super::*;

type Made = (Publication, Vec<ChunkHash>);

fn world() -> World {
    World::new(RegistryLimits::default())
}

/// The first version of a name, and one that was shared a minute later.
fn versions(name: &str) -> (Made, Made) {
    (publication(name, 1, 3, WALL_MS - 60_000), publication(name, 2, 5, WALL_MS))
}

/// The same content under another name.
fn under(made: &Made, name: &str) -> Made {
    (Publication { name: name.parse().unwrap(), ..made.0.clone() }, made.1.clone())
}

impl World {
    /// A machine shares something that it has.
    fn share(&mut self, number: u16, made: &Made) {
        self.seed(number, &made.0);
        self.publish_as(number.into(), &made.0, &made.1).unwrap();
        self.seed(number, &made.0); // from now on it is known under which name
    }

    fn rollout(&self, name: &str) -> Fleet {
        self.registry.fleet(self.now, &Lookup::Name(name.parse().unwrap()), None, FLEET_MAX)
    }

    /// Lets time pass in which these machines renew their entries.
    fn go_on(&mut self, span: Duration, here: &[(u16, &Publication)]) {
        for _ in 0..span.as_secs() / 2 {
            self.wait(Duration::from_secs(2));
            here.iter().for_each(|(number, what)| drop(self.seed(*number, what)));
        }
    }
}

/// The numbers of the machines that have another resource than the one that is rolled out.
fn outdated(fleet: &Fleet) -> Vec<u16> {
    let former = fleet.machines.iter().filter(|machine| Some(machine.key.resource) != fleet.resource);
    former.map(|machine| u16::from_be_bytes([0, machine.peer_id.0[0]])).collect()
}

#[test]
fn the_date_of_a_resource_is_that_of_its_oldest_name() {
    let (mut world, (old, _)) = (world(), versions("img"));
    let date = |world: &World| {
        let what = Lookup::Resource(old.0.key.resource);
        world.registry.fleet(world.now, &what, None, FLEET_MAX).shared_ago_ms
    };
    world.seed(1, &old.0);
    assert_eq!(date(&world), None, "nobody has published it");
    let mut undated = under(&old, "undated");
    undated.0.shared_at_ms = 0;
    world.share(3, &undated);
    assert_eq!(date(&world), None, "nobody has said when");
    world.share(1, &old);
    assert_eq!(date(&world), Some(60_000));
    let mut later = under(&old, "copy");
    later.0.shared_at_ms = WALL_MS;
    world.share(2, &later);
    world.wait(Duration::from_secs(5));
    assert_eq!(date(&world), Some(65_000));
}

#[test]
fn machines_with_a_former_version_are_listed_beside_those_with_the_newest() {
    let (mut world, (old, new)) = (world(), versions("img"));
    world.share(1, &old);
    world.seed(2, &old.0);
    world.seed(3, &old.0);
    let fleet = world.rollout("img");
    assert_eq!((fleet.resource, fleet.seeders, fleet.outdated), (Some(old.0.key.resource), 3, 0));

    // the one that shared it puts other content in its place, and another one gets that
    world.share(1, &new);
    world.registry.withdraw(world.now, &peer(1), &[old.0.key]).unwrap();
    world.registry.withdraw(world.now, &peer(2), &[old.0.key]).unwrap();
    world.seed(2, &new.0);
    world.wait(Duration::from_secs(5));
    let fleet = world.rollout("img");
    assert_eq!((fleet.resource, fleet.seeders, fleet.outdated), (Some(new.0.key.resource), 2, 1));
    assert_eq!((fleet.shared_ago_ms, fleet.up_ms), (Some(5_000), 5_000));
    assert_eq!(outdated(&fleet), [3], "it has not said a word since");
    assert_eq!(fleet.some_outdated.len(), 1);
    assert_eq!(fleet.some_outdated[0].host, "pc-3");
    // who asks for the resource itself hears of no name
    let only = world.registry.fleet(world.now, &Lookup::Resource(new.0.key.resource), None, FLEET_MAX);
    assert_eq!((only.seeders, only.outdated, only.machines.len()), (2, 0, 2));
    assert_eq!(only.shared_ago_ms, Some(5_000), "but of when it was shared");

    // a leecher of the former version is as outdated
    let part = Announce { have: 1, stage: Stage::Leeching, ..seeding_all(&old.0) };
    world.announce(&peer(4), part).unwrap();
    assert_eq!(outdated(&world.rollout("img")), [3, 4]);
    // and one that goes is outdated no more: it may have anything when it is back
    world.registry.withdraw(world.now, &peer(3), &[old.0.key]).unwrap();
    assert_eq!(outdated(&world.rollout("img")), [4]);
    assert_eq!(world.rollout("nothing"), Fleet { up_ms: 5_000, ..Fleet::default() });
}

#[test]
fn what_a_machine_has_under_another_name_is_no_former_version() {
    let (mut world, (old, new)) = (world(), versions("img"));
    world.share(1, &old);
    let mine = under(&old, "mine");
    world.share(2, &mine);
    world.seed(3, &under(&old, "never-published").0);
    world.share(4, &new);
    assert_eq!(outdated(&world.rollout("img")), [1]);
    assert_eq!(world.seed(1, &old.0).newer.len(), 1);
    assert_eq!(world.seed(2, &mine.0).newer, []);
    assert_eq!(world.seed(3, &under(&old, "never-published").0).newer, []);
    let fleet = world.rollout("mine");
    assert_eq!((fleet.resource, fleet.outdated), (Some(old.0.key.resource), 0));
    // of several names it is told which one it is
    let both = Announce { names: vec![mine.0.name.clone(), old.0.name.clone()], ..seeding_all(&old.0) };
    let told = world.announce(&peer(2), both).unwrap().newer;
    assert_eq!(told.iter().map(|other| other.name.as_str()).collect::<Vec<_>>(), ["img"]);
    assert_eq!(outdated(&world.rollout("img")), [1, 2]);
    // a name that it gives up is not its own any more
    world.seed(2, &mine.0);
    assert_eq!(outdated(&world.rollout("img")), [1]);
    // and a swarm in which nobody has it under the name is not looked at
    let members_looked_at = |world: &World| {
        let img = Lookup::Name("img".parse().unwrap());
        world.registry.breadth_of_fleet(world.now, &img).1
    };
    assert_eq!(members_looked_at(&world), 3);
    world.registry.withdraw(world.now, &peer(1), &[old.0.key]).unwrap();
    assert_eq!(members_looked_at(&world), 0);
}

#[test]
fn other_content_that_somebody_happens_to_have_under_the_name_is_no_former_version() {
    let mut world = world();
    let (theirs, own) = (publication("img", 1, 3, WALL_MS), publication("img", 9, 3, WALL_MS - 1000));
    world.share(1, &theirs);
    // it was never published under this name here
    assert_eq!(world.seed(2, &own.0).newer, []);
    assert_eq!(world.rollout("img").outdated, 0);
}

#[test]
fn nobody_is_outdated_any_more_when_the_newer_version_is_gone() {
    let (mut world, (old, new)) = (world(), versions("img"));
    world.share(1, &old);
    world.share(2, &new);
    assert_eq!(world.rollout("img").outdated, 1);
    world.registry.withdraw(world.now, &peer(2), &[new.0.key]).unwrap();
    assert_eq!(world.seed(1, &old.0).newer.len(), 1, "its machine may be starting again");
    world.go_on(Duration::from_secs(122), &[(1, &old.0)]);
    assert_eq!(world.seed(1, &old.0).newer, []);
    let fleet = world.rollout("img");
    assert_eq!((fleet.resource, fleet.seeders, fleet.outdated), (Some(old.0.key.resource), 1, 0));
    // and the whole publication is forgotten after its time
    world.go_on(RegistryLimits::default().publication_ttl, &[(1, &old.0)]);
    assert!(!world.registry_has(&new.0));
    assert_eq!(world.seed(1, &old.0).newer, []);
}

/// A tracker that was restarted knows nothing. Whoever has something announces it, and is asked for manifests.
#[test]
fn a_tracker_that_comes_back_finds_out_who_is_outdated() {
    let (mut world, (old, new)) = (world(), versions("img"));
    world.share(2, &new);
    assert!(world.seed(3, &old.0).want_manifest);
    assert_eq!(world.rollout("img").outdated, 0);
    let holds = Offer { publication: old.0.clone(), role: Role::Holds };
    world.offer(3, &holds, &old.1).unwrap();
    assert_eq!(world.seed(3, &old.0).newer.len(), 1);
    assert_eq!(outdated(&world.rollout("img")), [3]);
}

/// A bad version is unpublished, and a good one is shared.
#[test]
fn what_was_unpublished_is_a_former_version() {
    for announces_in_between in [false, true] {
        let (mut world, (old, new)) = (world(), versions("img"));
        world.share(1, &old);
        for number in [2, 3] {
            world.seed(number, &old.0);
        }
        let (name, key) = (&old.0.name, old.0.key);
        world.registry.unpublish(world.now, &peer(1), name, key, Unpublish::TakeBack).unwrap();
        world.registry.withdraw(world.now, &peer(1), &[key]).unwrap();
        assert_eq!(world.rollout("img").resource, None);
        if announces_in_between {
            for number in [2, 3] {
                assert_eq!(world.seed(number, &old.0).newer, []);
            }
        }
        world.share(4, &new);
        let fleet = world.rollout("img");
        assert_eq!((fleet.seeders, fleet.outdated, outdated(&fleet)), (1, 2, vec![2, 3]));
        let told = world.seed(2, &old.0).newer;
        assert_eq!(told.iter().map(|other| other.resource).collect::<Vec<_>>(), [new.0.key.resource]);
        assert_eq!(world.seed(1, &old.0).newer, [], "it took the name back itself");
        world.registry.withdraw(world.now, &peer(1), &[key]).unwrap();
        assert_eq!(world.seed(3, &under(&old, "other").0).newer, [], "it has it under another name");
        assert_eq!(outdated(&world.rollout("img")), [2]);
        // sharing it again makes it the newest
        world.now = world.now + Duration::from_secs(1);
        world.share(1, &(Publication { shared_at_ms: WALL_MS + 900, ..old.0.clone() }, old.1.clone()));
        assert_eq!(outdated(&world.rollout("img")), [4]);
    }
}

#[test]
fn a_version_that_is_shared_again_leaves_nobody_out() {
    let (mut world, (old, new)) = (world(), versions("img"));
    world.share(1, &old);
    for number in [2, 3] {
        world.seed(number, &old.0);
    }
    world.publish_as(1, &old.0, &old.1).unwrap();
    world.publish_as(2, &old.0, &old.1).unwrap();
    let (name, key) = (&old.0.name, old.0.key);
    let kept = world.registry.unpublish(world.now, &peer(1), name, key, Unpublish::TakeBack);
    assert_eq!(kept, Ok(UnpublishReply::SharedBy(peer(2).addr)));
    world.share(20, &new);
    assert_eq!(outdated(&world.rollout("img")), [1, 2, 3], "before they announce again");
}

#[test]
fn a_name_that_is_told_several_times_counts_once() {
    let (mut world, (old, new)) = (world(), versions("img"));
    world.share(1, &old);
    world.share(20, &new);
    let names = vec![old.0.name.clone(); ANNOUNCE_NAMES_MAX];
    let told = world.announce(&peer(1), Announce { names, ..seeding_all(&old.0) }).unwrap();
    assert_eq!((told.newer.len(), world.rollout("img").outdated), (1, 1));
}

#[test]
fn former_versions_come_in_pages_with_the_others() {
    let (mut world, (old, new)) = (world(), versions("img"));
    let newest = publication("img", 3, 4, WALL_MS + 500);
    world.share(1, &old);
    (2..20).for_each(|number| drop(world.seed(number, &old.0)));
    world.share(20, &new);
    (21..30).for_each(|number| drop(world.seed(number, &new.0)));
    world.now = world.now + Duration::from_secs(1);
    world.share(30, &newest);
    let what = Lookup::Name("img".parse().unwrap());
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = world.registry.fleet(world.now, &what, after, 4);
        assert_eq!((page.seeders, page.outdated), (1, 29));
        assert_eq!(page.some_outdated.len(), OUTDATED_SHOWN_MAX);
        seen.extend(page.machines.iter().map(|machine| (machine.key, machine.addr)));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let mut sorted = seen.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!((seen.len(), &seen), (30, &sorted));
    let counted = world.registry.fleet(world.now, &what, None, 0);
    assert_eq!((counted.outdated, counted.machines.len()), (29, 0));
}

#[test]
fn more_names_than_there_may_be_are_refused() {
    let mut world = world();
    let (old, _) = versions("img");
    let names = (0..=ANNOUNCE_NAMES_MAX).map(|number| format!("n-{number}").parse().unwrap()).collect();
    let refused = world.announce(&peer(1), Announce { names, ..seeding_all(&old.0) });
    assert!(matches!(refused, Err(Refusal::Malformed(_))), "{refused:?}");
}
