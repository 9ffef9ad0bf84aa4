//! The swarms whose news a peer is asked for.

use super::*;

#[test]
fn what_was_left_and_joined_again_is_asked_for_anew() {
    let mut bench = Bench::new();
    bench.join(1, 4, false);
    bench.join(2, 4, false);
    bench.on(Event::PeersFound { key: key(1), peers: vec![peer(1)] });
    bench.on(Event::PeersFound { key: key(2), peers: vec![peer(1)] });
    let (id, zone) = (PeerId([7; 16]), String::new());
    let connected = Event::Connected { peer: peer(1), id, zone, round_trip: MILLISECOND };
    let subscribe = |added, removed| [Action::Subscribe { peer: peer(1), added, removed }];
    assert_eq!(bench.on(connected), subscribe(vec![key(1), key(2)], vec![]));
    bench.on(Event::News { peer: peer(1), key: key(2), news: News::All });
    assert_eq!(bench.on(Event::Leave { key: key(2) }).last(), subscribe(vec![], vec![key(2)]).last());
    bench.join(2, 4, false);
    let found = Event::PeersFound { key: key(2), peers: vec![peer(1)] };
    assert_eq!(bench.on(found.clone()), subscribe(vec![key(2)], vec![]));
    assert_eq!(bench.on(found), [], "it is known already");
}

#[test]
fn swarms_beyond_the_most_of_one_peer_wait_until_others_are_done() {
    const MOST: u16 = 4096;
    let mut bench = Bench::new();
    let many = |number: u16| {
        let mut id = [0; 32];
        id[..2].copy_from_slice(&number.to_be_bytes());
        SwarmKey { resource: ResourceId(id), digest: ListDigest([0; 32]) }
    };
    for number in 0..MOST + 2 {
        let (key, count) = (many(number), ChunkCount::new(1).unwrap());
        bench.machine.handle(bench.now, Event::Join { key, count, have: HaveMap::empty(count) });
        bench.machine.handle(bench.now, Event::PeersFound { key, peers: vec![peer(1)] });
    }
    while bench.machine.poll().is_some() {}
    let (id, zone) = (PeerId([7; 16]), String::new());
    let connected = bench.on(Event::Connected { peer: peer(1), id, zone, round_trip: MILLISECOND });
    let [Action::Subscribe { added, .. }] = &connected[..] else { panic!("{} actions", connected.len()) };
    assert_eq!(added.len(), MOST as usize);
    let next = bench.on(Event::Leave { key: many(5) });
    let (added, removed) = (vec![many(MOST)], vec![many(5)]);
    assert_eq!(next, [Action::Subscribe { peer: peer(1), added, removed }]);
}
