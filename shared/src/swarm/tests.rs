//! The core's decisions, one event at a time. Whole swarms are tested on virtual time, in tests/sim.

use super::*;
use crate::chunk::{ChunkCount, ChunkIndex};
use crate::have::HaveMap;
use crate::id::{ListDigest, PeerId, ResourceId, SwarmKey};
use crate::window::Window;
use std::time::Duration;

mod bounds;
mod choice;
mod dials;
mod far;
mod given;
mod links;
mod outcomes;
mod reasons;
mod slow;
mod subscriptions;
mod uploads;
mod withheld;
mod zones;

pub(super) const MILLISECOND: Duration = Duration::from_millis(1);
pub(super) const SECOND: Duration = Duration::from_secs(1);

pub(super) fn key(at: u8) -> SwarmKey {
    SwarmKey { resource: ResourceId([at; 32]), digest: ListDigest([0; 32]) }
}

pub(super) fn peer(at: u8) -> PeerAddr {
    PeerAddr::from(([10, 0, 0, at], 7987))
}

pub(super) fn window(indices: impl IntoIterator<Item = u32>) -> Window {
    Window::of(ChunkIndex(0), indices.into_iter().map(ChunkIndex))
}

/// A machine and the current time of its test.
pub(super) struct Bench {
    pub(super) machine: Machine,
    pub(super) now: Time,
    asks: u64,
}

impl Bench {
    pub(super) fn new() -> Bench {
        Bench::with(SwarmConfig::default())
    }

    pub(super) fn with(config: SwarmConfig) -> Bench {
        Bench { machine: Machine::new(config, [1; 32]), now: Time(0), asks: 0 }
    }

    pub(super) fn on(&mut self, event: Event) -> Vec<Action> {
        self.machine.handle(self.now, event);
        self.machine.check_invariants();
        std::iter::from_fn(|| self.machine.poll()).collect()
    }

    /// Lets time pass, with a timeout whenever one is due.
    pub(super) fn wait(&mut self, span: Duration) -> Vec<Action> {
        let (end, mut actions) = (self.now + span, Vec::new());
        while let Some(next) = self.machine.next_timeout().filter(|&next| next <= end) {
            self.now = self.now.max(next);
            actions.extend(self.on(Event::Timeout));
        }
        self.now = end;
        actions
    }

    pub(super) fn join(&mut self, at: u8, chunks: u32, full: bool) -> Vec<Action> {
        let count = ChunkCount::new(chunks).unwrap();
        let have = if full { HaveMap::full(count) } else { HaveMap::empty(count) };
        self.on(Event::Join { key: key(at), count, have })
    }

    /// Connects a peer of swarm 1 that tells this news.
    pub(super) fn meet(&mut self, at: u8, news: News) -> Vec<Action> {
        self.on(Event::PeersFound { key: key(1), peers: vec![peer(at)] });
        self.on(Event::Connected {
            peer: peer(at),
            id: PeerId([at; 16]),
            zone: String::new(),
            round_trip: MILLISECOND,
        });
        self.on(Event::News { peer: peer(at), key: key(1), news })
    }

    pub(super) fn pick(&mut self, from: u8, wanted: Window) -> (AskId, Vec<Action>) {
        self.asks += 1;
        let ask = AskId(self.asks);
        (ask, self.on(Event::PickAsked { ask, peer: peer(from), key: key(1), wanted }))
    }

    pub(super) fn ask(&mut self, from: u8, index: ChunkIndex) -> (AskId, Vec<Action>) {
        self.asks += 1;
        let ask = AskId(self.asks);
        (ask, self.on(Event::ChunkAsked { ask, peer: peer(from), key: key(1), index }))
    }

    fn waiting(&self) -> Option<Waiting> {
        self.machine.status(key(1)).unwrap().waiting
    }
}

/// The requests among the actions, and the peers that they go to.
pub(super) fn requests(actions: &[Action]) -> Vec<(RequestId, PeerAddr)> {
    let requests = actions.iter().filter_map(|action| match action {
        Action::Pick { request, peer, .. } | Action::Get { request, peer, .. } => Some((*request, *peer)),
        _ => None,
    });
    requests.collect()
}

/// The only request among the actions, and the peer that it goes to.
pub(super) fn the_request(actions: &[Action]) -> (RequestId, PeerAddr) {
    let requests = requests(actions);
    assert_eq!(requests.len(), 1, "{actions:?}");
    requests[0]
}

fn granted(actions: &[Action]) -> Option<ChunkIndex> {
    actions.iter().find_map(|action| match action {
        Action::Grant { index, .. } => Some(*index),
        _ => None,
    })
}

fn refusal(actions: &[Action]) -> Option<RequestRefusal> {
    actions.iter().find_map(|action| match action {
        Action::Refuse { refusal, .. } => Some(*refusal),
        _ => None,
    })
}

// -- links

#[test]
fn a_leecher_dials_subscribes_and_hangs_up_when_it_has_everything() {
    let mut bench = Bench::new();
    bench.join(1, 1, false);
    let found = Event::PeersFound { key: key(1), peers: vec![peer(1), peer(1)] };
    assert_eq!(bench.on(found), [Action::Dial { peer: peer(1) }]);
    let connected =
        Event::Connected { peer: peer(1), id: PeerId([1; 16]), zone: String::new(), round_trip: MILLISECOND };
    assert_eq!(
        bench.on(connected),
        [Action::Subscribe { peer: peer(1), added: vec![key(1)], removed: Vec::new() }]
    );
    let (request, _) = the_request(&bench.on(Event::News { peer: peer(1), key: key(1), news: News::All }));
    let actions = bench.on(Event::Picked { request, index: ChunkIndex(0) });
    let get = Action::Get { request, peer: peer(1), key: key(1), index: ChunkIndex(0) };
    assert_eq!(actions, [get], "after a pick the same request goes on");
    assert_eq!(bench.on(Event::Received { request }), []);
    let (key, index) = (key(1), ChunkIndex(0));
    let end = [
        Action::TellHave { key, index },
        Action::Complete { key },
        Action::Hangup { peer: peer(1), is_twin: false },
    ];
    assert_eq!(bench.on(Event::Stored { key, index }), end);
    assert_eq!(bench.machine.next_timeout(), None, "nothing is left to be done");
}

#[test]
fn a_seeder_dials_nobody() {
    let mut bench = Bench::new();
    assert_eq!(bench.join(1, 4, true), []);
    assert_eq!(bench.on(Event::PeersFound { key: key(1), peers: vec![peer(1)] }), []);
    assert_eq!(bench.on(Event::PeerSubscribed { key: key(1), peer: peer(2) }), []);
}

#[test]
fn a_lost_link_is_dialled_again_later_and_later() {
    let mut bench = Bench::new();
    bench.join(1, 4, false);
    bench.meet(1, News::Gone); // it answered once
    let mut pauses = Vec::new();
    for _ in 0..8 {
        bench.on(Event::Disconnected { peer: peer(1), for_good: false });
        let start = bench.now;
        while !bench.wait(MILLISECOND * 100).contains(&Action::Dial { peer: peer(1) }) {}
        pauses.push(bench.now.since(start));
    }
    assert!(pauses[0] <= SECOND * 2 && pauses[7] >= SECOND * 7 && pauses[7] <= SECOND * 23, "{pauses:?}");
    bench.on(Event::Disconnected { peer: peer(1), for_good: true });
    assert!(!bench.wait(SECOND * 100).contains(&Action::Dial { peer: peer(1) }));
}

#[test]
fn one_daemon_behind_two_addresses_is_linked_once() {
    let mut bench = Bench::new();
    bench.join(1, 4, false);
    bench.join(2, 4, false);
    bench.on(Event::PeersFound { key: key(1), peers: vec![peer(1)] });
    bench.on(Event::PeersFound { key: key(2), peers: vec![peer(2)] });
    bench.on(Event::Connected {
        peer: peer(1),
        id: PeerId([7; 16]),
        zone: String::new(),
        round_trip: MILLISECOND,
    });
    let second = bench.on(Event::Connected {
        peer: peer(2),
        id: PeerId([7; 16]),
        zone: String::new(),
        round_trip: MILLISECOND,
    });
    let subscribe = Action::Subscribe { peer: peer(1), added: vec![key(2)], removed: Vec::new() };
    assert_eq!(second, [Action::Hangup { peer: peer(2), is_twin: true }, subscribe]);
    let lost = bench.on(Event::Disconnected { peer: peer(1), for_good: false });
    assert_eq!(lost, [Action::Dial { peer: peer(2) }], "the other address may do");
}

#[test]
fn news_that_cannot_be_are_nonsense() {
    for news in [News::Add(vec![ChunkIndex(4)]), News::Replace(HaveMap::full(ChunkCount::new(0).unwrap()))] {
        let mut bench = Bench::new();
        bench.join(1, 4, false);
        let drop = Action::Drop { peer: peer(1), id: Some(PeerId([1; 16])), reason: DropReason::Nonsense };
        assert_eq!(bench.meet(1, news), [drop]);
        assert!(!bench.wait(SECOND * 60).contains(&Action::Dial { peer: peer(1) }));
    }
}

#[test]
fn links_and_addresses_are_bounded() {
    let mut bench =
        Bench::with(SwarmConfig { neighbours_max: 3, candidates_max: 5, ..SwarmConfig::default() });
    bench.join(1, 4, false);
    let dials = bench.on(Event::PeersFound { key: key(1), peers: (1..=100).map(peer).collect() });
    assert_eq!(dials.len(), 3);
    assert_eq!(bench.waiting(), Some(Waiting::Connecting { peers: 5 }));
}

// -- requests

#[test]
fn a_pick_outside_the_window_is_nonsense() {
    let mut bench = Bench::new();
    bench.join(1, 20, false);
    let (request, _) = the_request(&bench.meet(1, News::All));
    let actions = bench.on(Event::Picked { request, index: ChunkIndex(20) });
    assert_eq!(
        actions,
        [Action::Drop { peer: peer(1), id: Some(PeerId([1; 16])), reason: DropReason::Nonsense }]
    );
}

#[test]
fn a_granted_chunk_that_is_not_wanted_any_more_is_declined() {
    let mut bench = Bench::new();
    bench.join(1, 20, false);
    let (request, _) = the_request(&bench.meet(1, News::All));
    bench.on(Event::Stored { key: key(1), index: ChunkIndex(3) });
    let actions = bench.on(Event::Picked { request, index: ChunkIndex(3) });
    let nothing = |action: &Action| matches!(action, Action::Pick { wanted, .. } if wanted.is_empty());
    assert!(actions.iter().any(nothing), "{actions:?}");
    assert!(!actions.iter().any(|action| matches!(action, Action::Get { .. })));
}

#[test]
fn no_leecher_is_asked_for_two_chunks_at_once() {
    let mut bench = Bench::new();
    bench.join(1, 20, false);
    let (request, _) = the_request(&bench.meet(1, News::Add((0..9).map(ChunkIndex).collect())));
    assert_eq!(
        bench.on(Event::News { peer: peer(1), key: key(1), news: News::Add(vec![ChunkIndex(9)]) }),
        []
    );
    the_request(&bench.on(Event::Received { request }));
}

#[test]
fn a_busy_peer_is_left_alone_for_a_while() {
    let mut bench = Bench::new();
    bench.join(1, 20, false);
    let (request, _) = the_request(&bench.meet(1, News::Add(vec![ChunkIndex(1)])));
    let retry_after = Duration::from_secs(3600);
    assert_eq!(bench.on(Event::Refused { request, refusal: RequestRefusal::Busy { retry_after } }), []);
    assert_eq!(bench.waiting(), Some(Waiting::Busy { peers: 1 }));
    assert_eq!(bench.wait(SECOND * 9), []);
    the_request(&bench.wait(SECOND * 2)); // although it asked for an hour
}

#[test]
fn a_chunk_that_came_corrupt_is_not_asked_of_the_same_peer() {
    let mut bench = Bench::new();
    bench.join(1, 20, false);
    let (request, _) = the_request(&bench.meet(1, News::Add(vec![ChunkIndex(1)])));
    bench.on(Event::Received { request });
    let corrupt = Event::Corrupt { key: key(1), index: ChunkIndex(1), peer: peer(1) };
    assert!(!bench.on(corrupt).iter().any(|action| matches!(action, Action::Get { .. })));
    let only = Waiting::OnlyCorrupt { chunks: vec![ChunkIndex(1)], peers: vec![peer(1)] };
    assert_eq!(bench.waiting(), Some(only));
    let (_, elsewhere) = the_request(&bench.meet(2, News::Add(vec![ChunkIndex(1)])));
    assert_eq!(elsewhere, peer(2));
}

#[test]
fn a_slow_disk_stops_the_asking() {
    let mut bench = Bench::with(SwarmConfig { verifying_max: 2, ..SwarmConfig::default() });
    bench.join(1, 20, false);
    bench.meet(1, News::Add((0..9).map(ChunkIndex).collect()));
    let mut request = RequestId(1);
    (request, _) = the_request(&bench.on(Event::Received { request }));
    assert_eq!(bench.on(Event::Received { request }), [], "two chunks wait for the disk");
    assert_eq!(bench.waiting(), None);
    let stored = (0..9).map(ChunkIndex).find(|&index| {
        let actions = bench.on(Event::NotStored { key: key(1), index });
        actions.iter().any(|action| matches!(action, Action::Get { .. }))
    });
    assert!(stored.is_some(), "it goes on when one of them is dealt with");
}

#[test]
fn when_nobody_has_it_the_tracker_is_asked_now_and_then() {
    let mut bench = Bench::new();
    bench.join(1, 3, false);
    bench.meet(1, News::Add(Vec::new()));
    let chunks = [0, 1, 2].map(ChunkIndex).to_vec();
    assert_eq!(bench.waiting(), Some(Waiting::NoSource { chunks, total: 3 }));
    let find = Action::FindPeers { key: key(1) };
    assert_eq!(bench.wait(SECOND * 21).iter().filter(|&action| *action == find).count(), 10);
}

#[test]
fn leaving_takes_everything_back() {
    let mut bench = Bench::new();
    bench.join(1, 20, false);
    let (request, _) = the_request(&bench.meet(1, News::All));
    let actions = bench.on(Event::Leave { key: key(1) });
    assert_eq!(
        actions,
        [Action::Cancel { request, peer: peer(1) }, Action::Hangup { peer: peer(1), is_twin: false }]
    );
    assert_eq!(bench.machine.status(key(1)), None);
    assert_eq!(bench.machine.next_timeout(), None);
}

#[test]
fn where_answers_take_long_more_chunks_are_under_way() {
    for (round_trip, depth) in [(MILLISECOND, 4), (MILLISECOND * 40, 8)] {
        let mut bench = Bench::new();
        bench.join(1, 900, false);
        let all = || News::Add((0..899).map(ChunkIndex).collect());
        let mut open = Vec::new();
        for at in 1..=30 {
            bench.on(Event::PeersFound { key: key(1), peers: vec![peer(at)] });
            let zone = String::new();
            bench.on(Event::Connected { peer: peer(at), id: PeerId([at; 16]), zone, round_trip });
            open.extend(requests(&bench.on(Event::News { peer: peer(at), key: key(1), news: all() })));
        }
        // The downlink is full, and a chunk takes 80 ms on it.
        for _ in 0..400 {
            bench.now = bench.now + MILLISECOND * 10;
            open.extend(requests(&bench.on(Event::Progress { peer: open[0].1, bytes: 131_072 })));
            if open.len() > depth {
                open.extend(requests(&bench.on(Event::Received { request: open[0].0 })));
                open.remove(0);
            }
        }
        assert_eq!(open.len(), depth, "answers after {round_trip:?}");
    }
}
