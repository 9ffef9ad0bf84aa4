//! Every wait is reported with the correct reason.

use super::*;

/// The reason at the driver's current time, which may be later than the last event.
fn waiting_at(bench: &Bench, now: Time) -> Option<Waiting> {
    bench.machine.status(key(1)).unwrap().waiting_at(now)
}

fn corrupt(bench: &mut Bench, request: RequestId, index: u32) -> Vec<Action> {
    bench.on(Event::Received { request });
    bench.on(Event::Corrupt { key: key(1), index: ChunkIndex(index), peer: peer(1) })
}

#[test]
fn a_peer_that_is_being_dialled_is_not_unreachable() {
    let mut bench = Bench::new();
    bench.join(1, 4, false);
    assert_eq!(bench.waiting(), Some(Waiting::NoPeers { known: 0 }));
    bench.on(Event::PeersFound { key: key(1), peers: vec![peer(1), peer(2)] });
    assert_eq!(bench.waiting(), Some(Waiting::Connecting { peers: 2 }));
    bench.on(Event::Disconnected { peer: peer(1), for_good: false });
    assert_eq!(bench.waiting(), Some(Waiting::Connecting { peers: 1 }));
    bench.on(Event::Disconnected { peer: peer(2), for_good: true });
    assert_eq!(bench.waiting(), Some(Waiting::NoPeers { known: 2 }));
}

#[test]
fn chunks_in_flight_that_bring_no_byte_are_no_progress() {
    let mut bench = Bench::new();
    bench.join(1, 4, false);
    the_request(&bench.meet(1, News::Add(vec![ChunkIndex(1)])));
    assert_eq!(waiting_at(&bench, bench.now + SECOND), None, "it may come yet");
    assert_eq!(waiting_at(&bench, bench.now + SECOND * 5), Some(Waiting::Silent { peers: 1 }));
    bench.wait(SECOND * 4);
    bench.on(Event::Progress { peer: peer(1), bytes: 1 });
    assert_eq!(waiting_at(&bench, bench.now + SECOND * 4), None, "one byte is progress");
    assert_eq!(waiting_at(&bench, bench.now + SECOND * 5), Some(Waiting::Silent { peers: 1 }));
    // The request was canceled and the peer rests. That does not count as busy.
    let request = bench.machine.owners.keys().next().copied().unwrap();
    bench.on(Event::Refused { request, refusal: RequestRefusal::Failed });
    assert_eq!(bench.waiting(), Some(Waiting::Silent { peers: 1 }));
    let (request, _) = the_request(&bench.wait(SECOND * 2));
    bench.on(Event::Refused { request, refusal: RequestRefusal::Busy { retry_after: SECOND } });
    assert_eq!(bench.waiting(), Some(Waiting::Busy { peers: 1 }), "it has answered");
}

#[test]
fn a_seeder_that_never_grants_is_not_busy_for_ever() {
    let mut bench = Bench::new();
    bench.join(1, 4, false);
    the_request(&bench.meet(1, News::All));
    assert_eq!(bench.waiting(), Some(Waiting::Busy { peers: 1 }), "its queue may be long");
    bench.wait(SECOND * 11);
    bench.on(Event::Timeout);
    assert_eq!(bench.waiting(), Some(Waiting::Silent { peers: 1 }));
}

#[test]
fn only_those_count_that_have_what_is_missing() {
    let mut bench = Bench::new();
    bench.join(1, 4, false);
    let (request, _) = the_request(&bench.meet(1, News::Add(vec![ChunkIndex(1)])));
    bench.meet(2, News::Replace(HaveMap::empty(ChunkCount::new(4).unwrap())));
    bench.on(Event::Refused { request, refusal: RequestRefusal::Busy { retry_after: SECOND } });
    assert_eq!(bench.waiting(), Some(Waiting::Busy { peers: 1 }));
}

#[test]
fn a_peer_that_was_dropped_is_named_with_what_it_did() {
    let mut bench = Bench::with(SwarmConfig { corrupt_max: 1, ..SwarmConfig::default() });
    bench.join(1, 4, false);
    let (request, _) = the_request(&bench.meet(1, News::Add(vec![ChunkIndex(1)])));
    corrupt(&mut bench, request, 1);
    let only = Waiting::OnlyCorrupt { chunks: vec![ChunkIndex(1)], peers: vec![peer(1)] };
    assert_eq!(bench.waiting(), Some(only), "what is known of a chunk says more");

    let mut bench = Bench::new();
    bench.join(1, 4, false);
    bench.meet(1, News::All);
    bench.on(Event::News { peer: peer(1), key: key(1), news: News::Add(vec![ChunkIndex(9)]) });
    let dropped = Waiting::Dropped { peers: vec![(peer(1), DropReason::Nonsense)] };
    assert_eq!(bench.waiting(), Some(dropped));
}

#[test]
fn a_disk_that_takes_nothing_is_named_in_every_swarm() {
    let mut bench = Bench::with(SwarmConfig { verifying_max: 1, ..SwarmConfig::default() });
    bench.join(1, 4, false);
    bench.join(2, 4, false);
    let (request, _) = the_request(&bench.meet(1, News::Add(vec![ChunkIndex(1)])));
    bench.on(Event::Received { request });
    assert_eq!(waiting_at(&bench, bench.now + SECOND), None);
    assert_eq!(waiting_at(&bench, bench.now + SECOND * 5), Some(Waiting::Disk { chunks: 1 }));
    bench.on(Event::PeersFound { key: key(2), peers: vec![peer(1)] });
    bench.on(Event::News { peer: peer(1), key: key(2), news: News::All });
    assert_eq!(bench.machine.status(key(2)).unwrap().waiting, Some(Waiting::Disk { chunks: 1 }));
}

#[test]
fn a_swarm_that_waits_for_its_turn_says_so() {
    let mut bench = Bench::with(SwarmConfig { requests_max: 1, ..SwarmConfig::default() });
    bench.join(1, 4, false);
    bench.join(2, 4, false);
    the_request(&bench.meet(1, News::Add(vec![ChunkIndex(1)])));
    bench.on(Event::PeersFound { key: key(2), peers: vec![peer(1)] });
    bench.on(Event::News { peer: peer(1), key: key(2), news: News::All });
    assert_eq!(bench.machine.status(key(2)).unwrap().waiting, Some(Waiting::Turn));
}
