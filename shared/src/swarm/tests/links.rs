//! Links to peers: which ones count, and what comes over one that is not expected.

use super::*;

fn connected(at: u8, id: u8) -> Event {
    let (zone, round_trip) = (String::new(), MILLISECOND);
    Event::Connected { peer: peer(at), id: PeerId([id; 16]), zone, round_trip }
}

fn found(at: u8) -> Event {
    Event::PeersFound { key: key(1), peers: vec![peer(at)] }
}

fn dial(at: u8) -> Action {
    Action::Dial { peer: peer(at) }
}

fn one_link() -> Bench {
    let mut bench = Bench::with(SwarmConfig { neighbours_max: 1, ..SwarmConfig::default() });
    bench.join(1, 4, false);
    bench
}

#[test]
fn a_dial_takes_the_place_of_a_link_for_a_second() {
    let mut bench = one_link();
    assert_eq!(bench.on(found(1)), [dial(1)]);
    bench.wait(SECOND - MILLISECOND);
    assert_eq!(bench.on(found(2)), []);
    bench.wait(MILLISECOND);
    assert_eq!(bench.on(found(2)), [dial(2)]);
}

#[test]
fn who_is_not_in_the_swarm_takes_no_place_in_it() {
    let mut bench = one_link();
    bench.meet(1, News::Add(vec![ChunkIndex(1)]));
    assert_eq!(bench.on(found(2)), [], "there is a link");
    let gone = bench.on(Event::News { peer: peer(1), key: key(1), news: News::Gone });
    assert!(gone.contains(&dial(2)), "{gone:?}");
    bench.on(Event::News { peer: peer(1), key: key(1), news: News::Add(vec![]) });
    assert_eq!(bench.on(found(3)), [], "it is back");
}

#[test]
fn a_link_that_was_not_dialled_is_closed_and_one_that_is_up_stays() {
    let hangup = |at: u8| Action::Hangup { peer: peer(at), is_twin: false };
    let mut bench = Bench::new();
    bench.join(1, 4, false);
    assert_eq!(bench.on(connected(1, 1)), [hangup(1)], "nobody knows it");
    bench.on(found(1));
    bench.on(Event::Disconnected { peer: peer(1), for_good: false });
    assert_eq!(bench.on(connected(1, 1)), [hangup(1)], "it rests");
    assert!(bench.wait(SECOND * 2).contains(&dial(1)));
    assert!(matches!(bench.on(connected(1, 1))[..], [Action::Subscribe { .. }]));
    assert_eq!(bench.on(connected(1, 1)), [], "it is up already");
}

#[test]
fn a_peer_of_a_host_without_credit_is_dialled_when_there_is_some() {
    let mut bench = Bench::new();
    bench.join(1, 4, false);
    let at = |port: u16| PeerAddr::from(([192, 0, 2, 1], port));
    bench.on(Event::PeersFound { key: key(1), peers: (1..=9).map(at).collect() });
    let dials = |actions: &[Action]| actions.iter().any(|action| matches!(action, Action::Dial { .. }));
    assert!(!dials(&bench.wait(SECOND * 10 + MILLISECOND * 499)), "not at once: others may wait as well");
    assert!(dials(&bench.wait(SECOND + MILLISECOND)));
}

#[test]
fn a_second_address_is_dialled_ten_seconds_after_the_last_byte_from_the_first() {
    let mut bench = Bench::new();
    bench.join(1, 64, false);
    bench.on(Event::PeersFound { key: key(1), peers: vec![peer(1), peer(2)] });
    bench.wait(SECOND);
    bench.on(connected(1, 7));
    bench.on(Event::Progress { peer: peer(1), bytes: 1000 });
    assert!(bench.on(connected(2, 7)).contains(&Action::Hangup { peer: peer(2), is_twin: true }));
    assert!(!bench.wait(SECOND * 10 - MILLISECOND).contains(&dial(2)));
    assert!(bench.wait(MILLISECOND).contains(&dial(2)));
}

#[test]
fn news_count_only_from_a_linked_peer_of_the_swarm() {
    let mut bench = Bench::new();
    bench.join(1, 4, false);
    bench.join(2, 4, false);
    let news =
        |at: u8, of: u8| Event::News { peer: peer(at), key: key(of), news: News::Add(vec![ChunkIndex(1)]) };
    bench.on(found(1));
    assert_eq!(bench.on(news(1, 1)), [], "it is being dialed");
    bench.on(connected(1, 1));
    assert_eq!(bench.on(news(1, 2)), [], "it is not known as a peer of that swarm");
    the_request(&bench.on(news(1, 1)));
    bench.on(Event::News { peer: peer(1), key: key(1), news: News::Add(vec![ChunkIndex(2)]) });
    assert_eq!(bench.machine.peers(key(1))[0].have, 2, "news add to what was told before");
    let mut have = HaveMap::empty(ChunkCount::new(4).unwrap());
    have.insert(ChunkIndex(3));
    bench.on(Event::News { peer: peer(1), key: key(1), news: News::Replace(have) });
    assert_eq!(bench.machine.peers(key(1))[0].have, 1, "or replace it");
}
