//! A machine in a zone leaves chunks in other zones to their homes, but not for ever.

use super::place::Place;
use super::*;

const OWN: u8 = 1;

fn place(at: u8) -> Place {
    Place::new(PeerId([at; 16]), "a")
}

/// The first chunk that this many of the machines rank before us for.
fn chunk_behind(machines: &[u8], before: usize) -> ChunkIndex {
    let own = place(OWN);
    let are_before =
        |index: ChunkIndex| machines.iter().filter(|&&at| place(at).rank(index) > own.rank(index)).count();
    (0..256).map(ChunkIndex).find(|&index| are_before(index) == before).expect("one of 256 chunks")
}

/// A machine in zone a that knows these others there, which have nothing.
fn bench(near: &[u8]) -> Bench {
    let machine = Machine::new(SwarmConfig::default(), [1; 32]).in_zone(PeerId([OWN; 16]), "a");
    let mut bench = Bench { machine, ..Bench::new() };
    bench.join(1, 256, false);
    near.iter().for_each(|&at| _ = meet(&mut bench, at, "a", vec![]));
    bench
}

fn meet(bench: &mut Bench, at: u8, zone: &str, has: Vec<ChunkIndex>) -> Vec<Action> {
    bench.on(Event::PeersFound { key: key(1), peers: vec![peer(at)] });
    let (id, zone) = (PeerId([at; 16]), zone.to_owned());
    bench.on(Event::Connected { peer: peer(at), id, zone, round_trip: MILLISECOND });
    bench.on(Event::News { peer: peer(at), key: key(1), news: News::Add(has) })
}

fn gets(actions: &[Action]) -> usize {
    actions.iter().filter(|action| matches!(action, Action::Get { .. })).count()
}

fn level(bench: &Bench) -> u32 {
    bench.machine.swarms[&key(1)].zone.level()
}

/// Waits until a chunk is requested. Returns how long that took, and the highest level before.
fn wait_for_get(bench: &mut Bench) -> (Duration, u32) {
    let (start, mut highest) = (bench.now, 0);
    while gets(&bench.wait(MILLISECOND * 10)) == 0 {
        highest = highest.max(level(bench));
        assert!(bench.now.since(start) < SECOND * 100, "it waits for ever");
    }
    (bench.now.since(start), highest)
}

/// At level n, 2^n machines may fetch a chunk.
#[test]
fn a_chunk_is_left_to_those_that_rank_before_us_for_a_while() {
    let near: Vec<u8> = (2..=9).collect();
    for (before, levels) in [(0, None), (1, Some(0)), (2, Some(1)), (3, Some(1)), (4, Some(2)), (7, Some(2))]
    {
        let mut bench = bench(&near);
        let index = chunk_behind(&near, before);
        let at_once = meet(&mut bench, 50, "b", vec![index]);
        let Some(expected) = levels else {
            assert_eq!(gets(&at_once), 1, "it is our own task");
            continue;
        };
        assert_eq!((gets(&at_once), bench.waiting()), (0, Some(Waiting::Zone)));
        let (took, highest) = wait_for_get(&mut bench);
        assert_eq!(highest, expected, "{before} before us");
        let waits = expected + 1;
        assert!(
            (SECOND * 5 / 2 * waits..SECOND * 15 / 2 * waits).contains(&took),
            "{took:?} for {waits} waits"
        );
        let passed_over =
            bench.machine.swarms[&key(1)].members.iter().filter(|(_, member)| member.passed_over);
        assert_eq!(passed_over.count(), before, "those that did not bring it");
    }
}

#[test]
fn the_wait_is_three_times_as_long_as_a_chunk_takes() {
    for (took, least, most) in [(1000, 1500, 4500), (10, 150, 450), (60_000, 30_000, 90_000)] {
        let mut bench = bench(&[2]);
        let swarm = bench.machine.swarms.get_mut(&key(1)).unwrap();
        swarm.zone.came(MILLISECOND * took);
        meet(&mut bench, 50, "b", vec![chunk_behind(&[2], 1)]);
        let (waited, _) = wait_for_get(&mut bench);
        let expected = MILLISECOND * least..MILLISECOND * (most + 10);
        assert!(expected.contains(&waited), "{waited:?} where a chunk takes {took} ms");
    }
}

#[test]
fn what_comes_to_the_zone_begins_the_wait_anew() {
    let near: Vec<u8> = (2..=9).collect();
    let mut bench = bench(&near);
    let index = chunk_behind(&near, 7);
    meet(&mut bench, 50, "b", vec![index]);
    while level(&bench) < 2 {
        bench.wait(MILLISECOND * 10);
    }
    let other = ChunkIndex(if index == ChunkIndex(0) { 1 } else { 0 });
    bench.on(Event::News { peer: peer(2), key: key(1), news: News::Add(vec![other]) });
    assert_eq!(level(&bench), 0);
}

/// One that brings something is waited for again.
#[test]
fn a_home_that_was_passed_over_has_its_task_again_when_it_brings_something() {
    let mut bench = bench(&[2]);
    meet(&mut bench, 50, "b", vec![chunk_behind(&[2], 1)]);
    wait_for_get(&mut bench);
    let is_passed_over =
        |bench: &Bench| bench.machine.swarms[&key(1)].members.get(peer(2)).unwrap().passed_over;
    assert!(is_passed_over(&bench));
    let own = chunk_behind(&[2], 0);
    bench.on(Event::News { peer: peer(2), key: key(1), news: News::Add(vec![own]) });
    assert!(!is_passed_over(&bench));
}

/// A seeder of another zone chooses the chunk, after the wait has ended.
#[test]
fn a_home_is_passed_over_for_a_chunk_that_a_seeder_chose() {
    let mut bench = bench(&[2]);
    let others = (0..256).map(ChunkIndex).filter(|&index| place(2).rank(index) < place(OWN).rank(index));
    let have = others.collect::<Vec<_>>();
    have.into_iter().for_each(|index| _ = bench.on(Event::Stored { key: key(1), index }));
    bench.on(Event::PeersFound { key: key(1), peers: vec![peer(50)] });
    let (id, zone) = (PeerId([50; 16]), "b".to_owned());
    bench.on(Event::Connected { peer: peer(50), id, zone, round_trip: MILLISECOND });
    assert_eq!(requests(&bench.on(Event::News { peer: peer(50), key: key(1), news: News::All })), []);
    let asked = std::iter::repeat_with(|| bench.wait(MILLISECOND * 10)).take(1000);
    let pick = asked.flatten().find_map(|action| match action {
        Action::Pick { request, wanted, .. } => Some((request, wanted.iter().next().unwrap())),
        _ => None,
    });
    let (request, index) = pick.expect("it does not wait for ever");
    bench.on(Event::Picked { request, index });
    assert!(bench.machine.swarms[&key(1)].members.get(peer(2)).unwrap().passed_over);
}

#[test]
fn nobody_is_passed_over_for_a_chunk_that_is_in_the_zone() {
    let mut bench = bench(&[2, 3]);
    let index = chunk_behind(&[3], 1);
    let news = News::Add(vec![index]);
    assert_eq!(gets(&bench.on(Event::News { peer: peer(2), key: key(1), news })), 1);
    assert!(bench.machine.swarms[&key(1)].members.iter().all(|(_, member)| !member.passed_over));
}
