//! Tests of the scenarios themselves: they judge what they claim to, and a seed always gives the same run.

use sim::scenario::{Order, Report, find, run, scenarios, size};
use sim::{Fault, Link, Log, NodeId, Setup, World, bound, bound_late};
use std::time::Duration;

const GIGABIT: Link = Link { up: 125_000_000, down: 125_000_000 };

fn report(name: &str, seed: u64, machines: usize, chunks: u32) -> Report {
    let order = Order { seed, size: size(machines, chunks), change: |_| {} };
    run(find(name).expect("it is a scenario"), &order)
}

#[test]
fn the_same_seed_is_the_same_run_whatever_happens() {
    for name in ["mix", "parted", "queued", "tracker-away"] {
        let [first, again, other] = [3, 3, 4].map(|seed| report(name, seed, 8, 24));
        assert_ne!(first.digest, 0, "{name}");
        assert_eq!(first.digest, again.digest, "{name}");
        assert_eq!(first.times, again.times, "{name}");
        assert_ne!(first.digest, other.digest, "{name}");
    }
}

#[test]
fn names_are_unique_and_found() {
    for scenario in scenarios() {
        assert!(std::ptr::eq(find(scenario.name).unwrap(), scenario), "{}", scenario.name);
    }
    assert!(find("nothing").is_none());
}

#[test]
fn what_exceeds_a_limit_fails_and_says_how_to_repeat_it() {
    let order = Order { seed: 9, size: size(4, 12).ratio(1.0), change: |_| {} };
    let report = run(find("even").unwrap(), &order);
    assert!(report.failures[0].contains("time / bound"), "{:?}", report.failures);
    assert!(report.again().ends_with("run even --seed 9 --machines 4 --chunks 12"), "{}", report.again());
    let order = Order { size: size(4, 12), ..order };
    assert!(run(find("even").unwrap(), &order).failures.is_empty());
}

#[test]
fn a_run_that_does_not_end_fails() {
    // Nobody learns of anybody, so nobody ever ends.
    let order = Order { seed: 1, size: size(2, 4), change: |setup| setup.tracker_peers = 0 };
    let report = run(find("even").unwrap(), &order);
    assert!(report.failures[0].contains("not everybody ends"), "{:?}", report.failures);
    assert!(report.times.is_empty());
}

#[test]
fn late_leechers_have_a_bound_of_their_own() {
    let second = Duration::from_secs(1);
    let four = [GIGABIT; 4];
    let bytes = 125_000_000;
    assert_eq!(bound_late(bytes, GIGABIT, &four, &[], Duration::ZERO), bound(bytes, GIGABIT, &four));
    assert_eq!(bound_late(bytes, GIGABIT, &four, &[GIGABIT], second * 9), second * 10);
    // Seven copies over eight links that are there, less what half of them missed in a second.
    let bound = bound_late(bytes, GIGABIT, &[GIGABIT; 3], &four, second / 8);
    assert_eq!(bound, second * 9 / 8);
}

#[test]
fn messages_that_wait_behind_chunks_come_later() {
    let time = |control_wait_max| {
        let setup = Setup { control_wait_max, log: Log::Digest, ..Setup::default() };
        let (mut world, _) = World::fleet(setup, 4, 24, GIGABIT);
        world.run_to_end(Duration::from_secs(60));
        world.last_finished()
    };
    assert!(time(Duration::from_millis(20)) > time(Duration::ZERO));
}

#[test]
fn a_link_that_becomes_slow_slows_what_is_on_its_way() {
    let time = |fault: bool| {
        let (mut world, _) = World::fleet(Setup::default(), 1, 16, GIGABIT);
        if fault {
            let slow = Link { up: GIGABIT.up / 10, down: GIGABIT.down / 10 };
            world.fault(NodeId(1), Fault::Link(slow), Duration::from_millis(65));
        }
        world.run_to_end(Duration::from_secs(60));
        world.last_finished()
    };
    let (usual, slowed) = (time(false), time(true));
    assert!(slowed > usual * 4 && slowed < usual * 7, "half of it at a tenth: {slowed:?} of {usual:?}");
}

#[test]
fn whoever_leaves_is_not_waited_for() {
    let (mut world, key) = World::fleet(Setup::default(), 4, 24, GIGABIT);
    world.fault(NodeId(2), Fault::Leave(key), Duration::from_millis(80));
    world.run_to_end(Duration::from_secs(60));
    assert!(world.machine(NodeId(2)).status(key).is_none() && world.finished(NodeId(2), key).is_none());
    assert!(world.dropped().is_empty(), "leaving is no offence: {:?}", world.dropped());
}

#[test]
fn the_two_sides_of_a_cut_find_each_other_again() {
    let (mut world, key) = World::fleet(Setup::default(), 6, 48, GIGABIT);
    for node in [4, 5, 6].map(NodeId) {
        world.fault(node, Fault::Side(1), Duration::from_millis(150));
        world.fault(node, Fault::Side(0), Duration::from_secs(8));
    }
    world.run_for(Duration::from_secs(7));
    assert!((1..=3).all(|node| world.finished(NodeId(node), key).is_some()), "the seeder's side goes on");
    assert!((4..=6).all(|node| world.finished(NodeId(node), key).is_none()), "nothing comes through");
    assert!(world.unexplained().is_empty(), "those who wait say why");
    world.run_to_end(Duration::from_secs(60));
}

#[test]
fn whoever_comes_while_the_tracker_is_away_is_served_when_it_is_back() {
    let (mut world, key) = World::fleet(Setup::default(), 3, 12, GIGABIT);
    world.tracker_away(Duration::from_millis(100), Duration::from_secs(20));
    let late = world.add_node(GIGABIT);
    world.leech(late, key, Duration::from_secs(1));
    world.run_for(Duration::from_secs(19));
    assert!(world.unexplained().is_empty() && world.finished(late, key).is_none());
    assert!((1..=3).all(|node| world.finished(NodeId(node), key).is_some()), "the others need it no more");
    world.run_to_end(Duration::from_secs(60));
    assert!(world.finished(late, key).unwrap() > Duration::from_secs(20));
}

#[test]
fn who_lies_always_is_dropped_and_who_lies_once_is_not() {
    let (mut world, key) = World::fleet(Setup::default(), 4, 48, GIGABIT);
    let liars = [1, u64::MAX].map(|lies| {
        let liar = world.add_node(GIGABIT);
        world.seed(liar, key);
        world.fault(liar, Fault::CorruptNext(lies), Duration::ZERO);
        liar
    });
    world.run_to_end(Duration::from_secs(60));
    let dropped: Vec<NodeId> = world.dropped().iter().map(|&(_, who, _)| who).collect();
    assert!(dropped.contains(&liars[1]) && !dropped.contains(&liars[0]), "{dropped:?}");
}
