//! How the core treats hostile peers, one event at a time.

use super::tests::{Bench, MILLISECOND, SECOND, key, peer, requests, the_request, window};
use super::*;
use crate::chunk::ChunkIndex;
use crate::id::PeerId;

fn dropped(actions: &[Action]) -> Vec<(PeerAddr, DropReason)> {
    let drops = actions.iter().filter_map(|action| match action {
        Action::Drop { peer, reason, .. } => Some((*peer, *reason)),
        _ => None,
    });
    drops.collect()
}

fn connected(at: u8, id: u8) -> Event {
    let (zone, round_trip) = (String::new(), MILLISECOND);
    Event::Connected { peer: peer(at), id: PeerId([id; 16]), zone, round_trip }
}

/// Refuses every request at once until a peer is dropped. Returns how many requests that took, and the last actions.
fn refuse_all(bench: &mut Bench, mut actions: Vec<Action>, refusal: RequestRefusal) -> (usize, Vec<Action>) {
    let mut refused = 0;
    while dropped(&actions).is_empty() && bench.now < Time(0) + SECOND * 600 {
        let open = requests(&actions);
        actions = Vec::new();
        for (request, _) in open {
            refused += 1;
            actions.extend(bench.on(Event::Refused { request, refusal }));
        }
        actions.extend(bench.wait(MILLISECOND * 100));
    }
    (refused, actions)
}

#[test]
fn who_never_has_what_it_claims_is_dropped() {
    let all = News::All;
    let half = News::Add((0..32).map(ChunkIndex).collect());
    for news in [all, half] {
        let mut bench = Bench::new();
        bench.join(1, 64, false);
        let actions = bench.meet(1, news);
        let (refused, actions) = refuse_all(&mut bench, actions, RequestRefusal::NotHere);
        assert_eq!(dropped(&actions), [(peer(1), DropReason::Empty)]);
        assert_eq!(refused, 8);
    }
}

#[test]
fn who_is_busy_or_kept_us_waiting_in_its_queue_is_not_dropped() {
    let mut bench = Bench::new();
    bench.join(1, 64, false);
    let actions = bench.meet(1, News::All);
    let (refused, _) = refuse_all(&mut bench, actions, RequestRefusal::Busy { retry_after: SECOND });
    assert!(refused > 100, "{refused}");
    let mut bench = Bench::new();
    bench.join(1, 64, false);
    let mut actions = bench.meet(1, News::All);
    for _ in 0..20 {
        let (request, _) = the_request(&actions);
        bench.wait(SECOND * 10);
        actions = bench.on(Event::Refused { request, refusal: RequestRefusal::NotHere });
        assert_eq!(dropped(&actions), []);
        actions.extend(bench.wait(SECOND * 10));
    }
}

#[test]
fn who_answers_no_pick_is_dropped() {
    let mut bench = Bench::new();
    bench.join(1, 64, false);
    let mut actions = bench.meet(1, News::All);
    let mut asked = 0;
    while dropped(&actions).is_empty() {
        asked += 1;
        assert!(asked <= 5);
        let (request, _) = the_request(&actions);
        bench.wait(SECOND * 15);
        actions = bench.on(Event::Refused { request, refusal: RequestRefusal::Failed });
        actions.extend(bench.wait(SECOND * 40));
    }
    assert_eq!(dropped(&actions), [(peer(1), DropReason::Stalled)]);
}

#[test]
fn who_sends_next_to_nothing_is_dropped() {
    let mut bench = Bench::new();
    bench.join(1, 64, false);
    let mut actions = bench.meet(1, News::All);
    let mut given_up = 0;
    for _ in 0..400 {
        // Each pick is granted, and no chunk ever arrives completely.
        while let Some(at) = actions.iter().position(|action| matches!(action, Action::Pick { .. })) {
            let Action::Pick { request, wanted, .. } = actions.remove(at) else { continue };
            if let Some(index) = wanted.iter().next() {
                actions.extend(bench.on(Event::Picked { request, index }));
            }
        }
        actions.extend(bench.on(Event::Progress { peer: peer(1), bytes: 1 }));
        actions.extend(bench.wait(SECOND));
        if !dropped(&actions).is_empty() {
            assert_eq!(dropped(&actions), [(peer(1), DropReason::Stalled)]);
            assert!(bench.now > Time(0) + SECOND * 60, "it had its time");
            assert_eq!(given_up, 1, "the first chunk that crawls may be an accident");
            return;
        }
        given_up += actions.iter().filter(|action| matches!(action, Action::Cancel { .. })).count();
    }
    panic!("one byte per second is taken for a download");
}

#[test]
fn what_the_driver_saw_drops_a_peer_that_was_dialled_and_no_other() {
    let mut bench = Bench::new();
    bench.join(1, 4, false);
    let reason = DropReason::Flood;
    assert_eq!(bench.on(Event::Misbehaved { peer: peer(1), reason }), []);
    bench.meet(1, News::All);
    let actions = bench.on(Event::Misbehaved { peer: peer(1), reason });
    assert_eq!(dropped(&actions), [(peer(1), reason)]);
    assert!(!bench.wait(SECOND * 300).contains(&Action::Dial { peer: peer(1) }));
}

#[test]
fn a_stolen_id_keeps_its_owner_out_only_for_a_while() {
    let mut bench = Bench::new();
    bench.join(1, 64, false);
    bench.on(Event::PeersFound { key: key(1), peers: vec![peer(1), peer(2)] });
    bench.on(connected(1, 7));
    bench.on(Event::News { peer: peer(1), key: key(1), news: News::All });
    assert!(bench.on(connected(2, 7)).contains(&Action::Hangup { peer: peer(2), is_twin: true }));
    // Nothing comes from the first address.
    assert!(bench.wait(SECOND * 11).contains(&Action::Dial { peer: peer(2) }));
    assert!(!bench.on(connected(2, 7)).contains(&Action::Hangup { peer: peer(2), is_twin: true }));
    assert_eq!(bench.machine.status(key(1)).unwrap().peers, 2);
}

#[test]
fn a_second_address_of_one_that_is_of_use_is_not_dialled() {
    let mut bench = Bench::new();
    bench.join(1, 64, false);
    bench.on(Event::PeersFound { key: key(1), peers: vec![peer(1), peer(2)] });
    bench.on(connected(1, 7));
    bench.on(connected(2, 7));
    for _ in 0..60 {
        bench.on(Event::Progress { peer: peer(1), bytes: 1000 });
        assert!(!bench.wait(SECOND).contains(&Action::Dial { peer: peer(2) }));
    }
}

#[test]
fn addresses_that_are_never_to_be_dialled_make_room() {
    let mut bench = Bench::with(SwarmConfig { candidates_max: 3, ..SwarmConfig::default() });
    bench.join(1, 4, false);
    bench.on(Event::PeersFound { key: key(1), peers: (1..=3).map(peer).collect() });
    (1..=3).for_each(|at| _ = bench.on(Event::Disconnected { peer: peer(at), for_good: true }));
    let actions = bench.on(Event::PeersFound { key: key(1), peers: vec![peer(9)] });
    assert_eq!(actions, [Action::Dial { peer: peer(9) }]);
}

#[test]
fn who_takes_next_to_nothing_gives_its_slots_to_others_and_gets_no_more() {
    let mut bench = Bench::with(SwarmConfig { seeder_slots: 2, ..SwarmConfig::default() });
    bench.join(1, 64, true);
    let (slow, _) = bench.ask(1, ChunkIndex(0));
    bench.ask(1, ChunkIndex(1));
    let is_served = |actions: &[Action]| matches!(actions, [Action::Serve { .. }]);
    assert!(!is_served(&bench.ask(2, ChunkIndex(0)).1), "all slots are taken");
    let (_, actions) = bench.pick(2, window(0..9));
    assert_eq!(actions, [], "it waits in the queue");
    let granted = |actions: &[Action]| actions.iter().any(|action| matches!(action, Action::Grant { .. }));
    assert!(granted(&bench.wait(SECOND * 6)));
    assert!(is_served(&bench.ask(3, ChunkIndex(0)).1), "the other slot is free, too");
    bench.wait(SECOND * 3);
    assert!(!is_served(&bench.ask(1, ChunkIndex(2)).1), "not for the one that takes nothing");
    bench.on(Event::AskEnded { ask: slow, end: AskEnd::TakenBack });
    assert!(!is_served(&bench.ask(1, ChunkIndex(2)).1), "it takes another one still");
}
