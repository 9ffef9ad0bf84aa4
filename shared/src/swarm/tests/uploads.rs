//! Which peers are served, and how soon.

use super::*;
use std::collections::BTreeSet;

#[test]
fn a_seeder_gives_each_chunk_once_before_any_twice() {
    let mut bench = Bench::new();
    bench.join(1, 9, true);
    let mut given = BTreeSet::new();
    for _ in 0..9 {
        let (_, actions) = bench.pick(1, window(0..9));
        let index = granted(&actions).expect("a slot is free");
        assert!(given.insert(index), "{index} again");
        let (ask, actions) = bench.ask(1, index);
        assert_eq!(actions, [Action::Serve { ask, key: key(1), index }]);
        bench.on(Event::AskEnded { ask, end: AskEnd::Served });
    }
}

#[test]
fn picks_wait_in_line_and_a_newer_one_keeps_the_place() {
    let mut bench = Bench::new();
    bench.join(1, 90, true);
    let mut grants: Vec<_> =
        (1..=6).map(|at| (at, granted(&bench.pick(at, window(0..90)).1).unwrap())).collect();
    let (old, waits) = bench.pick(7, window([0]));
    assert_eq!((waits, bench.pick(8, window([1])).1), (vec![], vec![]));
    let (new, actions) = bench.pick(7, window([2]));
    assert!(
        matches!(refusal(&actions), Some(RequestRefusal::Busy { .. })),
        "{old:?} is answered: {actions:?}"
    );
    let (at, index) = grants.remove(0);
    let (ask, _) = bench.ask(at, index);
    let freed = bench.on(Event::AskEnded { ask, end: AskEnd::Served });
    assert_eq!(freed, [Action::Grant { ask: new, index: ChunkIndex(2) }]);
}

#[test]
fn the_oldest_pick_and_that_of_who_lacks_most_are_next_by_turns() {
    let mut bench = Bench::new();
    bench.join(1, 90, true);
    (1..=6).for_each(|at| _ = bench.pick(at, window(0..90)));
    let lacking = [(7, 10), (8, 20), (9, 50), (10, 51), (11, 30)];
    let asks = lacking.map(|(at, chunks)| (bench.pick(at, window(0..chunks)).0, at));
    let order = (1..=5).map(|at| {
        let granted = ChunkIndex(u32::from(at) - 1);
        let actions = bench.pick(at, Window::of(granted, [])).1; // it declines, which frees a slot
        let next = actions.iter().find_map(|action| match action {
            Action::Grant { ask, .. } => asks.iter().find(|(other, _)| other == ask),
            _ => None,
        });
        next.expect("the slot is given to who waits").1
    });
    // 50 and 51 missing chunks rank the same.
    assert_eq!(order.collect::<Vec<_>>(), [9, 7, 10, 8, 11]);
}

#[test]
fn a_grant_that_is_not_used_or_declined_frees_its_slot() {
    let mut bench = Bench::new();
    bench.join(1, 90, true);
    (1..=6).for_each(|at| _ = bench.pick(at, window(0..90)));
    assert_eq!(bench.pick(7, window(0..90)).1, []);
    assert!(granted(&bench.pick(1, Window::of(ChunkIndex(0), [])).1).is_some(), "the first one declined");
    assert_eq!(bench.pick(8, window(0..90)).1, []);
    assert!(granted(&bench.wait(SECOND * 2)).is_some(), "the others never asked");
}

#[test]
fn a_pick_waits_ten_seconds_at_most() {
    let config = SwarmConfig { grant_wait_max: SECOND * 60, overdue_max: 0, ..SwarmConfig::default() };
    let mut bench = Bench::with(config);
    bench.join(1, 90, true);
    for at in 1..=6 {
        let index = granted(&bench.pick(at, window(0..90)).1).unwrap();
        bench.ask(at, index);
    }
    bench.pick(7, window(0..90));
    assert_eq!(bench.wait(SECOND * 9), []);
    assert_eq!(refusal(&bench.wait(SECOND * 2)), Some(RequestRefusal::NotHere));
}

#[test]
fn a_leecher_serves_four_and_never_queues() {
    let mut bench = Bench::new();
    bench.join(1, 90, false);
    bench.on(Event::Stored { key: key(1), index: ChunkIndex(3) });
    for at in 1..=4 {
        let (ask, actions) = bench.ask(at, ChunkIndex(3));
        assert_eq!(actions, [Action::Serve { ask, key: key(1), index: ChunkIndex(3) }]);
    }
    assert!(matches!(refusal(&bench.ask(5, ChunkIndex(3)).1), Some(RequestRefusal::Busy { .. })));
    assert_eq!(refusal(&bench.ask(5, ChunkIndex(4)).1), Some(RequestRefusal::NotHere));
    assert_eq!(refusal(&bench.ask(5, ChunkIndex(u32::MAX)).1), Some(RequestRefusal::NotHere));
    assert_eq!(refusal(&bench.pick(5, window(0..90)).1), Some(RequestRefusal::NotHere));
    bench.on(Event::AskEnded { ask: AskId(1), end: AskEnd::Served });
    assert!(refusal(&bench.ask(5, ChunkIndex(3)).1).is_none());
}

#[test]
fn of_few_chunks_few_are_served_at_once() {
    for (chunks, leecher, seeder) in
        [(1, 1, 1), (2, 2, 2), (8, 2, 2), (9, 2, 3), (16, 2, 3), (48, 3, 4), (49, 4, 6)]
    {
        let mut bench = Bench::new();
        bench.join(1, chunks, true);
        let granted = (1..=9).filter(|&at| granted(&bench.pick(at, window(0..chunks)).1).is_some()).count();
        assert_eq!(granted, seeder, "a seeder of {chunks}");
        if chunks > 1 {
            let mut bench = Bench::new();
            bench.join(1, chunks, false);
            bench.on(Event::Stored { key: key(1), index: ChunkIndex(0) });
            let served = (1..=9).filter(|&at| refusal(&bench.ask(at, ChunkIndex(0)).1).is_none()).count();
            assert_eq!(served, leecher, "a leecher of {chunks}");
        }
    }
}

#[test]
fn what_is_lost_is_not_served() {
    let mut bench = Bench::new();
    bench.join(1, 20, true);
    let (key, index) = (key(1), ChunkIndex(3));
    assert_eq!(bench.on(Event::Lost { key, index }), [Action::TellLost { key, index }]);
    assert_eq!(refusal(&bench.ask(1, index).1), Some(RequestRefusal::NotHere));
    assert_eq!(refusal(&bench.pick(1, window([3])).1), Some(RequestRefusal::NotHere));
    assert_eq!(bench.machine.status(key).unwrap().waiting, None, "the driver decides whether it is fetched");
    assert_eq!(bench.on(Event::Stored { key, index }), [Action::TellHave { key, index }]);
}

#[test]
fn leaving_refuses_what_waits() {
    let mut bench = Bench::new();
    bench.join(1, 90, true);
    (1..=6).for_each(|at| _ = bench.pick(at, window(0..90)));
    bench.pick(7, window(0..90));
    assert_eq!(refusal(&bench.on(Event::Leave { key: key(1) })), Some(RequestRefusal::Unknown));
    assert_eq!(refusal(&bench.ask(1, ChunkIndex(0)).1), Some(RequestRefusal::Unknown));
}

/// A slot becomes free about every 20 ms. Half of that is when it is worth to ask again.
#[test]
fn a_refused_peer_is_told_to_ask_again_when_a_slot_may_be_free() {
    let mut bench = Bench::new();
    bench.join(1, 90, true);
    let (ask, _) = bench.ask(1, ChunkIndex(0));
    bench.wait(MILLISECOND * 120);
    bench.on(Event::AskEnded { ask, end: AskEnd::Served });
    (1..=6).for_each(|at| _ = bench.ask(at, ChunkIndex(0)));
    let refused = refusal(&bench.ask(7, ChunkIndex(0)).1);
    assert_eq!(refused, Some(RequestRefusal::Busy { retry_after: MILLISECOND * 10 }));
}

/// Half a second, or eight times as long as peers usually take to request what they were granted.
#[test]
fn an_unused_grant_frees_its_slot_after_a_multiple_of_the_usual_time() {
    for (used_after_ms, waits_ms) in [(None, 500), (Some(1), 50), (Some(20), 160), (Some(3000), 2000)] {
        let mut bench = Bench::new();
        bench.join(1, 90, true);
        if let Some(used_after_ms) = used_after_ms {
            let index = granted(&bench.pick(1, window(0..90)).1).unwrap();
            bench.now = bench.now + MILLISECOND * used_after_ms;
            let (ask, _) = bench.ask(1, index);
            bench.on(Event::AskEnded { ask, end: AskEnd::Served });
        }
        (1..=6).for_each(|at| _ = bench.pick(at, window(0..90)));
        assert_eq!(bench.pick(7, window(0..90)).1, []);
        let early = granted(&bench.wait(MILLISECOND * waits_ms - MILLISECOND));
        let late = granted(&bench.wait(MILLISECOND));
        assert_eq!((early.is_some(), late.is_some()), (false, true), "{used_after_ms:?} ms");
    }
}

#[test]
fn a_question_that_ends_before_it_is_served_takes_nothing_from_others() {
    let mut bench = Bench::new();
    bench.join(1, 90, true);
    let granted = [1, 2, 3, 4, 5, 6].map(|at| bench.pick(at, window(0..90)).0);
    let waiting = [7, 8].map(|at| bench.pick(at, window(0..90)).0);
    let end = |ask| Event::AskEnded { ask, end: AskEnd::BrokenOff };
    assert_eq!(bench.on(end(waiting[0])), []);
    let next = bench.on(end(granted[0]));
    assert!(matches!(next[..], [Action::Grant { ask, .. }] if ask == waiting[1]), "{next:?}");
    assert_eq!(bench.pick(9, window(0..90)).1, [], "the other slots are still taken");
}

#[test]
fn what_waits_in_another_swarm_goes_on_when_one_is_left() {
    let mut bench = Bench::new();
    (1..=2).for_each(|at| _ = bench.join(at, 90, true));
    let pick = |bench: &mut Bench, ask: u64, of: u8| {
        let (ask, peer, key) = (AskId(ask), peer(ask as u8), key(of));
        bench.on(Event::PickAsked { ask, peer, key, wanted: window(0..90) })
    };
    for ask in 1..=6 {
        assert!(granted(&pick(&mut bench, ask, 1 + (ask % 2) as u8)).is_some());
    }
    assert_eq!(pick(&mut bench, 7, 2), [], "the slots are those of all swarms together");
    assert_eq!(pick(&mut bench, 8, 1), []);
    let left = bench.on(Event::Leave { key: key(1) });
    assert!(
        matches!(left[..], [Action::Refuse { ask: AskId(8), .. }, Action::Grant { ask: AskId(7), .. }]),
        "{left:?}"
    );
}

#[test]
fn two_chunks_at_most_are_granted_to_a_peer_that_requests_none() {
    let mut bench = Bench::new();
    bench.join(1, 90, true);
    let grants = [(); 3].map(|()| granted(&bench.pick(1, window(0..90)).1));
    assert_eq!(grants, [Some(ChunkIndex(0)), Some(ChunkIndex(1)), None]);
}

#[test]
fn a_question_that_is_known_is_not_asked_again() {
    let mut bench = Bench::new();
    bench.join(1, 90, true);
    (1..=6).for_each(|at| _ = bench.ask(at, ChunkIndex(0)));
    let (waiting, _) = bench.pick(7, window(0..90));
    let (key, index) = (key(1), ChunkIndex(1));
    assert_eq!(bench.on(Event::PickAsked { ask: waiting, peer: peer(8), key, wanted: window(0..90) }), []);
    assert_eq!(bench.on(Event::ChunkAsked { ask: AskId(1), peer: peer(1), key, index }), []);
}
