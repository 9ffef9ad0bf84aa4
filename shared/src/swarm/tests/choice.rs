//! Which chunks are requested, from whom, and how many at once.

use super::*;
use crate::window::WINDOW_CHUNKS_MAX;

/// The chunks that peers are asked for.
fn gets(actions: &[Action]) -> Vec<u32> {
    let gets = actions.iter().filter_map(|action| match action {
        Action::Get { index, .. } => Some(index.0),
        _ => None,
    });
    gets.collect()
}

fn add(indices: impl IntoIterator<Item = u32>) -> News {
    News::Add(indices.into_iter().map(ChunkIndex).collect())
}

#[test]
fn the_rarest_chunk_goes_first_and_ties_are_broken_by_chance() {
    let mut asked = Vec::new();
    for seed in 0..20 {
        let mut bench = Bench { machine: Machine::new(SwarmConfig::default(), [seed; 32]), ..Bench::new() };
        bench.join(1, 20, false);
        for (at, has) in [(2, 5), (3, 9)] {
            let (request, _) = the_request(&bench.meet(at, add([has])));
            bench.on(Event::Refused { request, refusal: RequestRefusal::Busy { retry_after: SECOND } });
        }
        let first = gets(&bench.meet(1, add([3, 5, 7, 9])));
        assert!(matches!(first[..], [3 | 7]), "{first:?} with seed {seed}");
        asked.extend(first);
    }
    assert!(asked.contains(&3) && asked.contains(&7));
}

#[test]
fn a_chunk_beyond_the_window_is_requested_when_nobody_has_one_within() {
    let mut bench = Bench::new();
    bench.join(1, WINDOW_CHUNKS_MAX + 9, false);
    assert_eq!(gets(&bench.meet(1, add([WINDOW_CHUNKS_MAX + 5, WINDOW_CHUNKS_MAX + 7]))).len(), 1);
    assert_eq!(
        gets(&bench.meet(2, add([WINDOW_CHUNKS_MAX + 5, WINDOW_CHUNKS_MAX + 7]))),
        [] as [u32; 0],
        "one is on its way"
    );
    assert_eq!(gets(&bench.meet(3, add([3]))), [3], "within the window");
}

/// Four, or eight if the others are far, and twice as many if they have clearly more chunks.
#[test]
fn who_is_behind_keeps_more_requests_open() {
    for (chunks, is_far, open) in [(1, false, 4), (60, false, 8), (1, true, 8), (60, true, 16)] {
        let mut bench = Bench::new();
        bench.join(1, 100, false);
        bench.machine.is_far = is_far;
        let has = |at: u8| if chunks == 1 { vec![u32::from(at) + 50] } else { (0..chunks).collect() };
        let asked = (1..=24).map(|at| gets(&bench.meet(at, add(has(at)))).len());
        assert_eq!(asked.sum::<usize>(), open, "the others have {chunks} of 100, and are far: {is_far}");
    }
}

#[test]
fn one_pick_is_open_beside_the_other_requests() {
    let mut bench = Bench::new();
    bench.join(1, 100, false);
    assert!(matches!(bench.meet(1, News::All)[..], [Action::Pick { .. }]));
    let asked = (2..=9).map(|at| gets(&bench.meet(at, add(0..4))).len());
    assert_eq!(asked.sum::<usize>(), 4);

    let mut bench = Bench::new();
    bench.join(1, 100, false);
    let asked = (2..=9).map(|at| gets(&bench.meet(at, add(0..4))).len());
    assert_eq!(asked.sum::<usize>(), 4);
    assert!(matches!(bench.meet(1, News::All)[..], [Action::Pick { .. }]), "also if they came first");

    let mut bench = Bench::new();
    bench.join(1, 100, false);
    let leechers = (20..=30).map(|at| gets(&bench.meet(at, add([]))).len());
    assert_eq!(leechers.sum::<usize>(), 0);
    let picks: Vec<usize> = (1..=7).map(|at| requests(&bench.meet(at, News::All)).len()).collect();
    assert_eq!(picks, [1, 1, 1, 1, 1, 0, 0], "the first one and as many as requests are open");
}

/// One is not counted. A single chunk can only come from seeders, and a few are soon passed on by others.
#[test]
fn a_small_resource_is_picked_at_few_seeders_and_a_single_chunk_at_many() {
    for (chunks, open) in [(1, 9), (2, 2), (8, 2), (9, 3), (17, 4), (100, 5)] {
        let mut bench = Bench::new();
        bench.join(1, chunks, false);
        (20..=40).for_each(|at| _ = bench.meet(at, add([])));
        let picks = (1..=12).map(|at| requests(&bench.meet(at, News::All)).len());
        assert_eq!(picks.sum::<usize>(), open, "{chunks} chunks");
    }
}

/// A chunk usually takes 10 ms. After 20 ms, when all chunks were requested, another peer is asked for one that will
/// take more than another 15 ms.
#[test]
fn near_the_end_a_second_peer_is_asked_for_a_slow_chunk() {
    for (bytes, is_asked) in [(0, true), (599_000, true), (600_000, false)] {
        let mut bench = Bench::new();
        let mut have = HaveMap::full(ChunkCount::new(20).unwrap());
        (0..2).for_each(|index| _ = have.remove(ChunkIndex(index)));
        bench.on(Event::Join { key: key(1), count: have.count(), have });
        let (_, slow) = the_request(&bench.meet(1, add([0])));
        let (quick, _) = the_request(&bench.meet(2, add([0, 1])));
        bench.wait(MILLISECOND * 10);
        bench.on(Event::Progress { peer: slow, bytes });
        bench.on(Event::Received { request: quick });
        let again = requests(&bench.wait(MILLISECOND * 10));
        assert_eq!(
            again.iter().map(|(_, from)| *from).collect::<Vec<_>>(),
            vec![peer(2); usize::from(is_asked)]
        );
    }
}
