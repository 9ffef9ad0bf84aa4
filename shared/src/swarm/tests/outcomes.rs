//! What follows from the answers to our requests.

use super::*;

/// Connects a peer whose answer to hello took this long.
fn meet(bench: &mut Bench, at: u8, news: News, round_trip: Duration) -> Vec<Action> {
    bench.on(Event::PeersFound { key: key(1), peers: vec![peer(at)] });
    let (id, zone) = (PeerId([at; 16]), String::new());
    bench.on(Event::Connected { peer: peer(at), id, zone, round_trip });
    bench.on(Event::News { peer: peer(at), key: key(1), news })
}

/// Something that makes the swarm look for more to ask for.
fn look(bench: &mut Bench) -> Vec<Action> {
    bench.on(Event::Prefer { key: key(1), chunks: 0 })
}

fn picks(actions: &[Action]) -> Vec<RequestId> {
    let picks = actions.iter().filter_map(|action| match action {
        Action::Pick { request, .. } => Some(*request),
        _ => None,
    });
    picks.collect()
}

fn gets(actions: &[Action]) -> Vec<(RequestId, ChunkIndex)> {
    let gets = actions.iter().filter_map(|action| match action {
        Action::Get { request, index, .. } => Some((*request, *index)),
        _ => None,
    });
    gets.collect()
}

fn dropped(actions: &[Action]) -> bool {
    actions.iter().any(|action| matches!(action, Action::Drop { .. }))
}

/// For how long a peer is asked for nothing.
fn rest(bench: &Bench, at: u8) -> Duration {
    bench.machine.swarms[&key(1)].members.get(peer(at)).unwrap().rests_until.since(bench.now)
}

fn is_about(rest: Duration, span: Duration) -> bool {
    (span / 2..span * 3 / 2).contains(&rest)
}

/// A seeder with a round trip of 10 ms that granted a pick after this time. Another pick is open there.
fn granted_after(took: Duration) -> (Bench, RequestId) {
    let mut bench = Bench::new();
    bench.join(1, 900, false);
    let (request, _) = the_request(&meet(&mut bench, 1, News::All, MILLISECOND * 10));
    bench.wait(took);
    let next = picks(&bench.on(Event::Picked { request, index: ChunkIndex(0) }));
    assert_eq!(next.len(), 1);
    (bench, next[0])
}

/// At once means within one and a half round trips, and a millisecond for the two processes.
#[test]
fn a_seeder_that_grants_at_once_is_asked_for_several_chunks() {
    for (took_ms, more) in [(1, true), (16, true), (17, false), (100, false)] {
        let (mut bench, _) = granted_after(MILLISECOND * took_ms);
        assert_eq!(!picks(&look(&mut bench)).is_empty(), more, "granted after {took_ms} ms");
    }
}

#[test]
fn a_refusal_because_of_a_newer_pick_is_no_reason_to_rest() {
    let busy = |request| Event::Refused { request, refusal: RequestRefusal::Busy { retry_after: SECOND } };
    let (mut bench, first) = granted_after(MILLISECOND);
    let second = picks(&look(&mut bench))[0];
    bench.on(busy(first));
    assert_eq!(rest(&bench, 1), Duration::ZERO);
    bench.on(busy(second));
    assert!(rest(&bench, 1) >= SECOND, "that was the newest one");

    let (mut bench, only) = granted_after(MILLISECOND);
    bench.on(busy(only));
    assert!(rest(&bench, 1) >= SECOND);
}

/// Before anything was measured, a chunk counts as 10 ms.
#[test]
fn a_busy_peer_rests_for_half_a_chunk_time_and_doubles_that_twice() {
    let mut bench = Bench::new();
    bench.join(1, 20, false);
    let mut actions = bench.meet(1, News::Add((0..9).map(ChunkIndex).collect()));
    let refusal = RequestRefusal::Busy { retry_after: Duration::ZERO };
    for span_ms in [5, 10, 20, 20] {
        let (request, _) = the_request(&actions);
        bench.on(Event::Refused { request, refusal });
        let rest = rest(&bench, 1);
        assert!(is_about(rest, MILLISECOND * span_ms), "{rest:?} instead of about {span_ms} ms");
        actions = bench.wait(rest);
    }
    let (request, _) = the_request(&actions);
    let (request, _) = the_request(&bench.on(Event::Received { request }));
    bench.on(Event::Refused { request, refusal });
    let rest = rest(&bench, 1);
    assert!(is_about(rest, MILLISECOND * 5), "{rest:?} after it sent a chunk");
}

#[test]
fn a_peer_that_stalls_rests_twice_as_long_each_time() {
    let mut bench = Bench::new();
    bench.join(1, 64, false);
    let mut actions = bench.meet(1, News::All);
    for seconds in [1, 2, 4, 8] {
        let (request, _) = the_request(&actions);
        bench.wait(SECOND * 11);
        bench.on(Event::Refused { request, refusal: RequestRefusal::Failed });
        let rest = rest(&bench, 1);
        assert!(is_about(rest, SECOND * seconds), "{rest:?} instead of about {seconds} s");
        actions = bench.wait(rest);
    }
}

/// A pick may wait for ten seconds. An answer that a seeder owes no longer than that is no stall, and one that took five
/// seconds does not say that the seeder has nothing.
#[test]
fn picks_that_fail_in_time_are_no_offense() {
    for (waited, refusal) in [
        (MILLISECOND, RequestRefusal::Failed),
        (SECOND * 10, RequestRefusal::Failed),
        (SECOND * 5, RequestRefusal::NotHere),
    ] {
        let mut bench = Bench::new();
        bench.join(1, 64, false);
        let mut actions = bench.meet(1, News::All);
        for _ in 0..20 {
            let (request, _) = the_request(&actions);
            bench.wait(waited);
            actions = bench.on(Event::Refused { request, refusal });
            assert!(!dropped(&actions), "{refusal:?} after {waited:?}");
            let rest = rest(&bench, 1);
            actions.extend(bench.wait(rest));
        }
    }
}

#[test]
fn the_third_corrupt_chunk_is_one_too_many() {
    let mut bench = Bench::new();
    bench.join(1, 20, false);
    let mut actions = bench.meet(1, News::Add((0..9).map(ChunkIndex).collect()));
    for chunk in 1..=3 {
        let (request, index) = gets(&actions)[0];
        actions = bench.on(Event::Received { request });
        let corrupt = bench.on(Event::Corrupt { key: key(1), index, peer: peer(1) });
        assert_eq!(dropped(&corrupt), chunk == 3, "chunk {chunk}");
        actions.extend(corrupt);
    }
}

#[test]
fn bytes_beyond_a_whole_chunk_belong_to_the_next_one() {
    let (mut bench, second) = granted_after(MILLISECOND);
    bench.on(Event::Picked { request: second, index: ChunkIndex(1) });
    for bytes in [1 << 20, 7, 5] {
        bench.on(Event::Progress { peer: peer(1), bytes });
    }
    let so_far = |bench: &Bench| {
        let open = bench.machine.swarms[&key(1)].requests.iter();
        let so_far = open.filter_map(|(&id, request)| match request.stage {
            state::RequestStage::Getting { index, bytes, .. } => Some((id, index.0, bytes)),
            state::RequestStage::Picking { .. } => None,
        });
        so_far.collect::<Vec<_>>()
    };
    let [(first, 0, 1_048_576), (_, 1, 12)] = so_far(&bench)[..] else { panic!("{:?}", so_far(&bench)) };
    bench.on(Event::Received { request: first });
    bench.on(Event::Progress { peer: peer(1), bytes: 3 });
    assert_eq!(so_far(&bench)[0].2, 15);
}

#[test]
fn the_patience_with_a_silent_peer_grows_with_its_gaps_and_stalls() {
    let mut bench = Bench::new();
    bench.join(1, 4, false);
    bench.meet(1, News::Add(vec![]));
    let patience = |bench: &mut Bench, gap_s: u32, stalls: u32| {
        let known = bench.machine.peers.get_mut(&peer(1)).unwrap();
        (known.gap, known.stalls) = (SECOND * gap_s, stalls);
        bench.machine.patience(peer(1))
    };
    // before anything was measured
    for (gap_s, stalls, seconds) in
        [(0, 0, 5), (1, 0, 5), (2, 0, 8), (0, 1, 10), (0, 3, 40), (2, 2, 32), (30, 1, 120)]
    {
        assert_eq!(patience(&mut bench, gap_s, stalls), SECOND * seconds, "gap {gap_s} s, {stalls} stalls");
    }
    for at in 0..2000 {
        bench.machine.downlink.arrived(Time(1_000_000 + at * 1000), 5_000);
    }
    let chunk_time = bench.machine.downlink.chunk_time();
    assert_eq!(patience(&mut bench, 0, 0), chunk_time * 10);
    assert_eq!(patience(&mut bench, 1, 0), SECOND * 4);
}

/// The other chunks are in other words of the map, or beside it in the same one.
#[test]
fn a_corrupt_chunk_is_asked_of_the_same_peer_a_minute_later_and_others_at_once() {
    for others in [vec![], vec![6], vec![70], vec![133], vec![135]] {
        let mut bench = Bench::new();
        bench.join(1, 200, false);
        let (request, index) = gets(&bench.meet(1, News::Add(vec![ChunkIndex(134)])))[0];
        bench.wait(MILLISECOND * 700);
        bench.on(Event::Received { request });
        assert_eq!(bench.on(Event::Corrupt { key: key(1), index, peer: peer(1) }), []);
        let news = News::Add(others.iter().copied().map(ChunkIndex).collect());
        let asked = gets(&bench.on(Event::News { peer: peer(1), key: key(1), news }));
        assert_eq!(asked.iter().map(|(_, index)| index.0).collect::<Vec<_>>(), others);
        for (request, index) in asked {
            bench.on(Event::Received { request });
            bench.on(Event::Stored { key: key(1), index });
        }
        assert_eq!(gets(&bench.wait(SECOND * 60 - MILLISECOND)), []);
        let again = gets(&bench.wait(MILLISECOND));
        assert_eq!(again.iter().map(|(_, index)| *index).collect::<Vec<_>>(), [index]);
    }
}

#[test]
fn who_leaves_a_swarm_waits_for_none_of_its_chunks() {
    let mut bench = Bench::with(SwarmConfig { verifying_max: 1, ..SwarmConfig::default() });
    bench.join(1, 4, false);
    bench.join(2, 4, false);
    let (request, _) = the_request(&bench.meet(1, News::Add(vec![ChunkIndex(1)])));
    bench.on(Event::Received { request });
    bench.on(Event::PeersFound { key: key(2), peers: vec![peer(1)] });
    let news = Event::News { peer: peer(1), key: key(2), news: News::Add(vec![ChunkIndex(1)]) };
    assert_eq!(gets(&bench.on(news)), [], "one chunk is being written");
    assert_eq!(gets(&bench.on(Event::Leave { key: key(1) })).len(), 1);
    bench.on(Event::Stored { key: key(1), index: ChunkIndex(1) });
}

#[test]
fn peers_are_shown_with_what_came_from_them() {
    let mut bench = Bench::new();
    bench.join(1, 20, false);
    let mut actions = bench.meet(1, News::Add((0..9).map(ChunkIndex).collect()));
    for is_good in [true, true, false] {
        let (request, index) = gets(&actions)[0];
        actions = bench.on(Event::Received { request });
        bench.on(match is_good {
            true => Event::Stored { key: key(1), index },
            false => Event::Corrupt { key: key(1), index, peer: peer(1) },
        });
    }
    bench.on(Event::PeersFound { key: key(1), peers: vec![peer(2), peer(3)] });
    bench.on(Event::Disconnected { peer: peer(3), for_good: false });
    let of = |at, connected| PeerStatus {
        peer: peer(at),
        have: 0,
        in_flight: 0,
        chunks_received: 0,
        chunks_corrupt: 0,
        connected,
    };
    let first = PeerStatus { have: 9, in_flight: 1, chunks_received: 2, chunks_corrupt: 1, ..of(1, true) };
    assert_eq!(bench.machine.peers(key(1)), [first, of(2, false)], "3 has no link");
    let status = bench.machine.status(key(1)).unwrap();
    assert_eq!((status.have, status.in_flight, status.verifying), (2, 1, 0));
    assert_eq!((status.peers, status.seeders, status.asked), (1, 0, 1));
    bench.meet(4, News::Add(vec![]));
    let status = bench.machine.status(key(1)).unwrap();
    assert_eq!((status.peers, status.asked), (2, 1), "4 has nothing to ask for");
}
