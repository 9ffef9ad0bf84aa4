//! Which chunks are requested: some are withheld, and the first ones may be preferred where that costs nobody anything.

use super::*;

fn of(indices: impl IntoIterator<Item = u32>) -> HaveMap {
    let mut chunks = HaveMap::empty(ChunkCount::new(8).unwrap());
    indices.into_iter().for_each(|index| _ = chunks.insert(ChunkIndex(index)));
    chunks
}

fn wanted(actions: &[Action]) -> Vec<u32> {
    let wanted = actions.iter().filter_map(|action| match action {
        Action::Pick { wanted, .. } => Some(wanted.iter().map(|index| index.0)),
        _ => None,
    });
    wanted.flatten().collect()
}

#[test]
fn a_seeder_is_asked_only_for_the_others() {
    let mut bench = Bench::new();
    bench.join(1, 8, false);
    bench.on(Event::Withhold { key: key(1), chunks: of((0..8).filter(|&index| index != 5)) });
    let asked = bench.meet(1, News::All);
    assert_eq!(wanted(&asked), [5]);
    let (request, peer) = the_request(&asked);
    bench.on(Event::Picked { request, index: ChunkIndex(5) });
    bench.on(Event::Received { request });
    bench.on(Event::Stored { key: key(1), index: ChunkIndex(5) });
    assert_eq!(bench.waiting(), Some(Waiting::Withheld { chunks: 7 }));
    assert_eq!(bench.wait(SECOND * 10), [], "no peer is looked for while none is needed");
    let found = bench.on(Event::Stored { key: key(1), index: ChunkIndex(6) });
    assert_eq!(found, [Action::TellHave { key: key(1), index: ChunkIndex(6) }]);
    let freed = bench.on(Event::Withhold { key: key(1), chunks: of([]) });
    assert_eq!(wanted(&freed)[..6], [0, 1, 2, 3, 4, 7]);
    assert!(requests(&freed).iter().all(|&(_, to)| to == peer));
}

#[test]
fn what_was_found_is_not_fetched_any_more_and_the_last_one_completes_it() {
    let mut bench = Bench::new();
    bench.join(1, 8, false);
    let (request, peer) = the_request(&bench.meet(1, News::Add(vec![ChunkIndex(3)])));
    bench.on(Event::Withhold { key: key(1), chunks: of(0..8) });
    let found = bench.on(Event::Stored { key: key(1), index: ChunkIndex(3) });
    assert!(found.contains(&Action::Cancel { request, peer }), "{found:?}");
    for index in [0, 1, 2, 4, 5, 6] {
        bench.on(Event::Stored { key: key(1), index: ChunkIndex(index) });
    }
    let last = bench.on(Event::Stored { key: key(1), index: ChunkIndex(7) });
    assert!(last.contains(&Action::Complete { key: key(1) }), "{last:?}");
}

#[test]
fn a_pick_that_is_open_brings_nothing_that_is_withheld_since() {
    let mut bench = Bench::new();
    bench.join(1, 8, false);
    let (request, peer) = requests(&bench.meet(1, News::All))[0];
    let canceled = bench.on(Event::Withhold { key: key(1), chunks: of(0..8) });
    assert!(canceled.contains(&Action::Cancel { request, peer }), "{canceled:?}");
    assert_eq!(bench.on(Event::Picked { request, index: ChunkIndex(2) }), []);
}

#[test]
fn maps_that_do_not_fit_and_swarms_that_are_complete_change_nothing() {
    let mut bench = Bench::new();
    bench.join(1, 9, false);
    bench.join(2, 8, true);
    bench.on(Event::Withhold { key: key(1), chunks: of(0..8) });
    bench.on(Event::Withhold { key: key(2), chunks: of(0..8) });
    bench.on(Event::Withhold { key: key(3), chunks: of(0..8) });
    assert_eq!(bench.machine.swarms[&key(1)].chunks.withheld(), 0);
    assert_eq!(bench.machine.swarms[&key(2)].chunks.withheld(), 0);
}

/// The chunks that a request is for: those that a seeder may choose from, or the one that a leecher is asked for.
fn asked_for(actions: &[Action]) -> Vec<Vec<u32>> {
    let wanted = actions.iter().filter_map(|action| match action {
        Action::Pick { wanted, .. } => Some(wanted.iter().map(|index| index.0).collect()),
        Action::Get { index, .. } => Some(vec![index.0]),
        _ => None,
    });
    wanted.collect()
}

#[test]
fn a_leecher_that_is_alone_begins_with_the_preferred_chunks() {
    let mut bench = Bench::new();
    bench.join(1, 100, false);
    bench.on(Event::Prefer { key: key(1), chunks: 3 });
    assert_eq!(asked_for(&bench.meet(1, News::All))[0], [0, 1, 2]);
}

#[test]
fn the_beginning_is_asked_of_a_leecher_that_has_it() {
    let mut bench = Bench::new();
    bench.join(1, 100, false);
    bench.on(Event::Prefer { key: key(1), chunks: 1 });
    let has: Vec<ChunkIndex> = [0, 7, 8, 9, 10].map(ChunkIndex).into();
    assert_eq!(asked_for(&bench.meet(1, News::Add(has)))[0], [0]);
}

#[test]
fn among_many_leechers_few_ask_a_seeder_for_the_beginning() {
    let mut eager = 0;
    for seed in 0..200u8 {
        let mut bench = Bench { machine: Machine::new(SwarmConfig::default(), [seed; 32]), ..Bench::new() };
        bench.join(1, 100, false);
        bench.on(Event::Prefer { key: key(1), chunks: 1 });
        (2..=16).for_each(|at| _ = bench.meet(at, News::Add(Vec::new())));
        let picks = asked_for(&bench.meet(1, News::All));
        eager += usize::from(picks[0] == [0]);
    }
    // one in 16, give or take four standard deviations
    assert!((1..=27).contains(&eager), "{eager} of 200");
}

#[test]
fn without_a_preference_the_whole_window_is_asked_for() {
    let mut bench = Bench::new();
    bench.join(1, 100, false);
    assert_eq!(asked_for(&bench.meet(1, News::All))[0].len(), 100);
}
