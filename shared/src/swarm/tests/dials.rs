//! Peers that a tracker names are dialed, but no host is flooded.

use super::*;

fn dials(actions: &[Action]) -> Vec<PeerAddr> {
    let dials = actions.iter().filter_map(|action| match action {
        Action::Dial { peer } => Some(*peer),
        _ => None,
    });
    dials.collect()
}

/// Lets a hostile tracker name the peers `named` every second, none of which answers. Returns the peers dialed in that
/// time.
fn bombarded(seconds: u32, named: impl Fn(u32) -> Vec<PeerAddr>) -> Vec<PeerAddr> {
    let mut bench = Bench::new();
    bench.join(1, 4, false);
    let mut dialled = Vec::new();
    for second in 0..seconds {
        let mut now = bench.on(Event::PeersFound { key: key(1), peers: named(second) });
        now.extend(bench.wait(SECOND));
        while !now.is_empty() {
            let tried = dials(&now);
            dialled.extend(&tried);
            let failed = |peer: &PeerAddr| bench.on(Event::Disconnected { peer: *peer, for_good: false });
            now = tried.iter().flat_map(failed).collect();
        }
    }
    dialled
}

#[test]
fn one_address_is_dialled_ever_more_seldom() {
    let victim: PeerAddr = "192.0.2.1:443".parse().unwrap();
    let dialled = bombarded(3600, |_| vec![victim]);
    assert!((20..60).contains(&dialled.len()), "{} dials in an hour", dialled.len());
}

#[test]
fn new_ports_of_a_victim_buy_no_dials() {
    let dialled = bombarded(600, |second| {
        (0..20).map(|at| PeerAddr::from(([192, 0, 2, 1], 1 + (second * 20 + at) as u16))).collect()
    });
    assert!(dialled.len() <= 8 + 600 / 10 + 1, "{} dials in ten minutes", dialled.len());
}

#[test]
fn a_network_is_not_scanned_fast() {
    let dialled = bombarded(60, |second| {
        let host = |at: u32| PeerAddr::from(((0xc000_0200 + second * 20 + at).to_be_bytes(), 22));
        (0..20).map(host).collect()
    });
    assert!(dialled.len() <= 200 + 60 * 10, "{} dials in a minute", dialled.len());
}

#[test]
fn those_behind_an_address_that_answers_are_all_dialled() {
    let mut bench = Bench::new();
    bench.join(1, 4, false);
    let at = |port: u16| PeerAddr::from(([192, 0, 2, 1], port));
    let mut now = bench.on(Event::PeersFound { key: key(1), peers: (1..=30).map(at).collect() });
    let mut met = 0;
    while let Some(&peer) = dials(&now).first() {
        // Others at this address are dead. The test's time stands still.
        let mut next: Vec<Action> = dials(&now)[1..].iter().map(|&peer| Action::Dial { peer }).collect();
        let id = PeerId([peer.port() as u8; 16]);
        let (zone, round_trip) = (String::new(), MILLISECOND);
        next.extend(bench.on(Event::Connected { peer, id, zone, round_trip }));
        met += 1;
        now = next;
    }
    assert_eq!(met, 30, "none is held back");
}

/// Addresses in one network that never answer do not delay those of another network, even if they are many more.
#[test]
fn networks_where_nobody_answered_come_last() {
    let mut bench = Bench::with(SwarmConfig { neighbours_max: 10, ..SwarmConfig::default() });
    bench.join(1, 4, false);
    let invented = |at: u8| PeerAddr::from(([127, 1, 1, at], 7987));
    let tried = dials(&bench.on(Event::PeersFound { key: key(1), peers: (1..=100).map(invented).collect() }));
    assert_eq!(tried.len(), 10);
    let honest = [PeerAddr::from(([127, 0, 0, 1], 7987)), PeerAddr::from(([127, 1, 9, 9], 7987))];
    bench.on(Event::PeersFound { key: key(1), peers: honest.to_vec() });
    for (failed, next) in tried.into_iter().zip(honest) {
        let actions = bench.on(Event::Disconnected { peer: failed, for_good: false });
        assert_eq!(dials(&actions), [next], "fewer around it never answered");
    }
}

/// Addresses that drop packets silently make a dial slow, but do not occupy a link.
#[test]
fn dials_that_take_long_keep_nobody_waiting() {
    let mut bench = Bench::with(SwarmConfig { neighbours_max: 10, ..SwarmConfig::default() });
    bench.join(1, 4, false);
    let invented = |at: u8| PeerAddr::from(([127, 1, at % 7, at], 7987));
    let peers = (1..=100).map(invented).collect();
    assert_eq!(dials(&bench.on(Event::PeersFound { key: key(1), peers })).len(), 10);
    let honest = PeerAddr::from(([127, 0, 0, 1], 7987));
    assert_eq!(bench.on(Event::PeersFound { key: key(1), peers: vec![honest] }), []);
    bench.wait(SECOND * 2);
    let mut dialled = Vec::new();
    for _ in 0..15 {
        dialled.extend(dials(&bench.on(Event::PeersFound { key: key(1), peers: vec![honest] })));
        dialled.extend(dials(&bench.wait(SECOND)));
    }
    assert!(dialled.contains(&honest));
    assert!(dialled.len() <= 100);
}

/// A seeder knocks at leechers that find nobody, within the dial credit of their hosts.
#[test]
fn a_seeder_knocks_where_somebody_is_lonely() {
    let mut bench = Bench::new();
    bench.join(1, 4, true);
    let lonely = |from: u8| Event::LonelyFound { key: key(1), peers: (from..from + 9).map(peer).collect() };
    let knocks =
        |actions: &[Action]| actions.iter().filter(|action| matches!(action, Action::Knock { .. })).count();
    let first = bench.on(lonely(1));
    assert_eq!(first[0], Action::Knock { peer: peer(1), key: key(1) });
    assert_eq!((first.len(), knocks(&first)), (4, 4));
    let again: usize = (0..100).map(|_| knocks(&bench.on(lonely(1)))).sum();
    assert_eq!(again, 4 * 7, "a host that never comes is left alone");
    bench.join(2, 4, false);
    let leeching = Event::LonelyFound { key: key(2), peers: vec![peer(99)] };
    assert_eq!(knocks(&bench.on(leeching)), 0, "who has nothing does not knock");
    bench.on(Event::Lost { key: key(1), index: ChunkIndex(0) });
    assert_eq!(
        knocks(&bench.on(Event::LonelyFound { key: key(1), peers: vec![peer(99)] })),
        0,
        "nor who lost a chunk"
    );
}

#[test]
fn where_nobody_can_listen_nobody_is_dialled() {
    let addresses = ["10.0.0.1:0", "0.0.0.0:7987", "[::]:7987", "224.0.0.1:7987", "[ff02::1]:7987"];
    let mut bench = Bench::new();
    bench.join(1, 4, false);
    for address in addresses.map(|address| address.parse().unwrap()) {
        assert_eq!(bench.on(Event::PeersFound { key: key(1), peers: vec![address] }), [], "{address}");
    }
    assert_eq!(bench.waiting(), Some(Waiting::NoPeers { known: 0 }));
}

/// There is room for three addresses. A new one takes the place of the least promising one.
#[test]
fn whoever_failed_most_often_makes_room_for_a_new_address() {
    let mut bench = Bench::with(SwarmConfig { candidates_max: 3, ..SwarmConfig::default() });
    bench.join(1, 4, false);
    let found = |at: u8| Event::PeersFound { key: key(1), peers: vec![peer(at)] };
    let known = |bench: &Bench, at: u8| bench.machine.peers.contains_key(&peer(at));
    (1..=3).for_each(|at| _ = bench.on(found(at)));
    assert_eq!(bench.on(found(4)), [], "all may still answer");
    for at in [1, 2] {
        bench.on(Event::Disconnected { peer: peer(at), for_good: false });
    }
    while !bench.wait(MILLISECOND * 100).contains(&Action::Dial { peer: peer(1) }) {}
    bench.on(Event::Disconnected { peer: peer(1), for_good: false });
    assert_eq!(bench.on(found(5)), [Action::Dial { peer: peer(5) }]);
    assert!(!known(&bench, 1) && known(&bench, 2), "it failed twice");
    bench.on(Event::Disconnected { peer: peer(3), for_good: true });
    assert_eq!(bench.on(found(6)), [Action::Dial { peer: peer(6) }]);
    assert!(!known(&bench, 3), "it is never dialed again");
}

#[test]
fn whoever_was_held_back_makes_room_for_a_new_address() {
    let mut bench = Bench::with(SwarmConfig { candidates_max: 9, ..SwarmConfig::default() });
    bench.join(1, 4, false);
    let at = |port: u16| PeerAddr::from(([192, 0, 2, 1], port));
    let tried = dials(&bench.on(Event::PeersFound { key: key(1), peers: (1..=9).map(at).collect() }));
    assert_eq!(tried.len(), 8, "the host has no credit for more");
    let found = Event::PeersFound { key: key(1), peers: vec![peer(1)] };
    assert_eq!(dials(&bench.on(found)), [peer(1)]);
}
