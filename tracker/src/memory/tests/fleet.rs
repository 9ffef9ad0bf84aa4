//! Tests of `fleet`, which shows a rollout.

use super::*;

const MIB: u64 = 1 << 20;

fn has(have: u32) -> Announce {
    let count = ChunkCount::new(100).unwrap();
    let stage = if have == 100 { Stage::Seeding } else { Stage::Leeching };
    Announce { stage, have, count, peers_wanted: 0, ..leeching(key(1)) }
}

impl World {
    fn fleet(&self) -> Fleet {
        self.registry.fleet(self.now, &Lookup::Resource(key(1).resource), None, FLEET_MAX)
    }

    fn announce_to_fleet(&mut self, number: u16, have: u32) {
        self.announce(&peer(number), has(have)).unwrap();
    }

    /// The machine of this peer.
    fn machine(&self, number: u16) -> FleetMachine {
        let found = self.fleet().machines.into_iter().find(|machine| machine.addr == peer(number).addr);
        found.unwrap_or_else(|| panic!("machine {number} is not there"))
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_rate_is_what_came_in_the_last_seconds() {
    let mut world = World::new(RegistryLimits::default());
    world.announce_to_fleet(1, 10);
    assert_eq!(world.machine(1).bytes_per_s, None, "one announce tells no rate");
    for step in 1..=10 {
        world.wait(seconds(2));
        world.announce_to_fleet(1, 10 + step * 4);
        assert_eq!(world.machine(1).bytes_per_s, Some(2 * MIB));
    }
    world.wait(seconds(1));
    let machine = world.machine(1);
    assert_eq!((machine.seen_ms, machine.still_ms, machine.have), (1000, 1000, 50));
    for _ in 0..10 {
        world.wait(seconds(2));
        world.announce_to_fleet(1, 50);
    }
    let machine = world.machine(1);
    assert_eq!((machine.bytes_per_s, machine.seen_ms, machine.still_ms), (Some(0), 0, 21_000));
    world.wait(seconds(2));
    world.announce_to_fleet(1, 54);
    let rate = world.machine(1).bytes_per_s.unwrap();
    assert!((4 * MIB / 10..=4 * MIB / 5).contains(&rate), "{rate} is not over 5 to 10 seconds");
    world.announce_to_fleet(1, 100);
    assert_eq!(world.machine(1).bytes_per_s, None, "who has all has no rate");
}

#[test]
fn chunks_that_turn_out_to_be_bad_begin_a_new_count() {
    let mut world = World::new(RegistryLimits::default());
    world.announce_to_fleet(1, 90);
    world.wait(seconds(2));
    world.announce_to_fleet(1, 10);
    assert_eq!(world.machine(1).bytes_per_s, None);
}

#[test]
fn who_is_gone_is_remembered_for_an_hour() {
    let mut world = World::new(RegistryLimits::default());
    for (number, have) in [(1, 100), (2, 40), (3, 60), (4, 100)] {
        world.announce_to_fleet(number, 0);
        world.now = world.now + seconds(1);
        world.announce_to_fleet(number, have);
    }
    world.registry.withdraw(world.now, &peer(2), &[key(1)]).unwrap();
    world.registry.withdraw(world.now, &peer(4), &[key(1)]).unwrap();
    for _ in 0..10 {
        world.wait(seconds(2));
        world.announce_to_fleet(1, 100);
    }
    let fleet = world.fleet();
    assert_eq!((fleet.seeders, fleet.leechers, fleet.gone_unfinished), (1, 0, 2));
    let seen: Vec<_> = fleet.machines.iter().map(|machine| (machine.presence, machine.have)).collect();
    let expected = [(Presence::Here, 100), (Presence::Left, 40), (Presence::Lost, 60), (Presence::Left, 100)];
    assert_eq!(seen, expected);
    assert!(
        fleet.machines.iter().all(|machine| machine.bytes_per_s.is_none()),
        "a machine that is gone has no rate, and the seeder fetches nothing"
    );

    world.announce_to_fleet(2, 50);
    assert_eq!(world.machine(2).presence, Presence::Here);
    let fleet = world.fleet();
    assert_eq!((fleet.machines.len(), fleet.leechers, fleet.gone_unfinished), (4, 1, 1));
    world.wait(seconds(3600));
    assert_eq!(world.fleet().machines.len(), 2, "1 and 2 went just now");
    world.wait(seconds(3600));
    assert_eq!(world.fleet().machines, []);
}

#[test]
fn a_machine_that_went_twice_is_remembered_from_the_second_time() {
    let mut world = World::new(RegistryLimits::default());
    for have in [10, 20] {
        world.announce_to_fleet(1, have);
        world.registry.withdraw(world.now, &peer(1), &[key(1)]).unwrap();
        world.wait(seconds(1800));
    }
    world.wait(seconds(10));
    assert_eq!(world.machine(1).have, 20);
}

#[test]
fn a_large_fleet_comes_in_pages_that_miss_nobody() {
    let mut world = World::new(RegistryLimits::default());
    let other = SwarmKey { digest: ListDigest([9; 32]), ..key(1) };
    for number in 0..50 {
        world.announce_to_fleet(number, 1);
        world.announce(&peer(number), Announce { key: other, ..has(2) }).unwrap();
        if number % 3 == 0 {
            world.registry.withdraw(world.now, &peer(number), &[key(1)]).unwrap();
        }
    }
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = world.registry.fleet(world.now, &Lookup::Resource(key(1).resource), after, 7);
        assert_eq!((page.leechers, page.gone_unfinished), (83, 17));
        assert!(page.machines.len() <= 7);
        seen.extend(page.machines.iter().map(|machine| (machine.key, machine.addr)));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let mut sorted = seen.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!((seen.len(), &seen), (100, &sorted));
    let page = |after, machines_max| {
        world.registry.fleet(world.now, &Lookup::Resource(key(1).resource), after, machines_max)
    };
    let first = page(None, 50);
    let second = page(first.next, 50);
    assert_eq!((second.machines.len(), second.next), (50, None), "no empty page follows");
    let counted = page(None, 0);
    assert_eq!((counted.leechers, counted.machines.len()), (83, 0));
}
