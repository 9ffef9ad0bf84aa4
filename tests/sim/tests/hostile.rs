//! Tests that the core accepts any sequence of events: it neither panics nor violates its invariants, and never asks
//! for more than a bounded number of actions. Also swarms with hostile machines.

use proptest::prelude::*;
use shared::chunk::{ChunkCount, ChunkIndex};
use shared::have::HaveMap;
use shared::id::{ListDigest, PeerId, ResourceId, SwarmKey};
use shared::swarm::{
    Action, AskEnd, AskId, DropReason, Event, Machine, News, PeerAddr, RequestId, RequestRefusal,
    SwarmConfig, Time,
};
use shared::window::Window;
use sim::{Fault, Link, NodeId, Setup, World};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::time::Duration;

/// The chunks of the swarms' resources.
const COUNTS: [u32; 3] = [0, 9, 70];
/// The most actions for one event. A swarm that ends cancels all its requests and closes all its links.
const ACTIONS_MAX: usize = 200;

fn key(at: usize) -> SwarmKey {
    SwarmKey { resource: ResourceId([at as u8; 32]), digest: ListDigest([0; 32]) }
}

fn any_key() -> impl Strategy<Value = SwarmKey> {
    (0..COUNTS.len() + 1).prop_map(key)
}

fn any_peer() -> impl Strategy<Value = PeerAddr> {
    (0u16..6).prop_map(|at| PeerAddr::from(([10, 0, 0, 1], at)))
}

fn any_index() -> impl Strategy<Value = ChunkIndex> {
    prop_oneof![9 => 0u32..12, 3 => 0u32..80, 1 => Just(u32::MAX)].prop_map(ChunkIndex)
}

fn any_have() -> impl Strategy<Value = HaveMap> {
    (0..COUNTS.len(), prop::collection::vec(any_index(), 0..12), any::<bool>()).prop_map(
        |(at, indices, full)| {
            let count = ChunkCount::new(COUNTS[at]).unwrap();
            let mut have = if full { HaveMap::full(count) } else { HaveMap::empty(count) };
            indices.into_iter().for_each(|index| _ = have.insert(index));
            have
        },
    )
}

fn any_request() -> impl Strategy<Value = RequestId> {
    (0u64..120).prop_map(RequestId)
}

fn any_news() -> impl Strategy<Value = News> {
    prop_oneof![
        any_have().prop_map(News::Replace),
        Just(News::All),
        prop::collection::vec(any_index(), 0..6).prop_map(News::Add),
        Just(News::Gone),
    ]
}

fn any_refusal() -> impl Strategy<Value = RequestRefusal> {
    prop_oneof![
        any::<u64>().prop_map(|millis| RequestRefusal::Busy { retry_after: Duration::from_millis(millis) }),
        Just(RequestRefusal::NotHere),
        Just(RequestRefusal::Unknown),
        Just(RequestRefusal::Failed),
    ]
}

fn any_reason() -> impl Strategy<Value = DropReason> {
    prop_oneof![Just(DropReason::Flood), Just(DropReason::Protocol), Just(DropReason::Stalled)]
}

fn any_window() -> impl Strategy<Value = Window> {
    (any_index(), prop::collection::vec(any_index(), 0..9))
        .prop_map(|(first, wanted)| Window::of(first, wanted))
}

/// An event. Those that carry an `AskId` get it when they are handed in, because a driver never uses one twice.
fn any_event() -> impl Strategy<Value = Event> {
    let ask = AskId(0);
    prop_oneof![
        1 => (any_key(), any_have()).prop_map(|(key, have)| Event::Join { key, count: have.count(), have }),
        1 => (0..COUNTS.len()).prop_map(|at| {
            let count = ChunkCount::new(COUNTS[at]).unwrap();
            Event::Join { key: key(at), count, have: HaveMap::empty(count) }
        }),
        1 => any_key().prop_map(|key| Event::Leave { key }),
        2 => (any_key(), any_have()).prop_map(|(key, chunks)| Event::Withhold { key, chunks }),
        5 => (any_key(), prop::collection::vec(any_peer(), 0..5))
            .prop_map(|(key, peers)| Event::PeersFound { key, peers }),
        1 => (any_key(), any_peer()).prop_map(|(key, peer)| Event::PeerSubscribed { key, peer }),
        9 => (any_peer(), 0u8..5, "[ab]?").prop_map(|(peer, id, zone)| Event::Connected {
            peer,
            id: PeerId([id; 16]),
            zone,
            round_trip: Duration::from_millis(1)
        }),
        1 => (any_peer(), any_reason()).prop_map(|(peer, reason)| Event::Misbehaved { peer, reason }),
        1 => (any_peer(), 0..9).prop_map(|(peer, at)| Event::Disconnected { peer, for_good: at == 0 }),
        9 => (any_peer(), any_key(), any_news()).prop_map(|(peer, key, news)| Event::News { peer, key, news }),
        9 => (any_request(), any_index()).prop_map(|(request, index)| Event::Picked { request, index }),
        3 => (any_request(), any_refusal()).prop_map(|(request, refusal)| Event::Refused { request, refusal }),
        3 => (any_peer(), any::<u64>()).prop_map(|(peer, bytes)| Event::Progress { peer, bytes }),
        9 => any_request().prop_map(|request| Event::Received { request }),
        5 => (any_key(), any_index()).prop_map(|(key, index)| Event::Stored { key, index }),
        2 => (any_key(), any_index(), any_peer())
            .prop_map(|(key, index, peer)| Event::Corrupt { key, index, peer }),
        1 => (any_key(), any_index()).prop_map(|(key, index)| Event::NotStored { key, index }),
        1 => (any_key(), any_index()).prop_map(|(key, index)| Event::Lost { key, index }),
        5 => (any_peer(), any_key(), any_window())
            .prop_map(move |(peer, key, wanted)| Event::PickAsked { ask, peer, key, wanted }),
        5 => (any_peer(), any_key(), any_index())
            .prop_map(move |(peer, key, index)| Event::ChunkAsked { ask, peer, key, index }),
        5 => (0u64..100, prop_oneof![Just(AskEnd::Served), Just(AskEnd::TakenBack), Just(AskEnd::BrokenOff)])
            .prop_map(|(ask, end)| Event::AskEnded { ask: AskId(ask), end }),
        5 => Just(Event::Timeout),
    ]
}

fn any_step() -> impl Strategy<Value = (u64, Event)> {
    (prop_oneof![8 => 0u64..5_000, 2 => 0u64..3_000_000, 1 => 0u64..100_000_000], any_event())
}

fn small_config() -> SwarmConfig {
    SwarmConfig {
        candidates_max: 4,
        neighbours_max: 3,
        pick_queue_max: 3,
        requests_max: 7,
        verifying_max: 3,
        seeder_slots: 3,
        leecher_slots: 2,
        overdue_max: 2,
        ..SwarmConfig::default()
    }
}

/// Hands the steps to a machine, checks the invariants after each, and returns the log of its actions.
fn run(config: SwarmConfig, zone: &str, steps: &[(u64, Event)]) -> String {
    let mut machine = Machine::new(config, [7; 32]).in_zone(PeerId([9; 16]), zone);
    let (mut now, mut log, mut asks, mut answered) = (Time(0), String::new(), 0, BTreeSet::new());
    for (pause, event) in steps {
        now = now + Duration::from_micros(*pause);
        let mut event = event.clone();
        if let Event::PickAsked { ask, .. } | Event::ChunkAsked { ask, .. } = &mut event {
            asks += 1;
            *ask = AskId(asks);
        }
        let was_timeout = event == Event::Timeout;
        machine.handle(now, event);
        let mut actions = 0;
        while let Some(action) = machine.poll() {
            actions += 1;
            if let Action::Grant { ask, .. } | Action::Serve { ask, .. } | Action::Refuse { ask, .. } = action
            {
                assert!(answered.insert(ask), "{ask:?} is answered once");
            }
            log.push_str(&format!("{action:?}\n"));
        }
        assert!(actions <= ACTIONS_MAX, "{actions} actions at once");
        machine.check_invariants();
        for at in 0..COUNTS.len() {
            machine.status(key(at));
            machine.peers(key(at));
        }
        if was_timeout {
            assert!(machine.next_timeout().is_none_or(|next| next > now), "it does not wake at once again");
        }
    }
    log
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn no_events_break_the_core(steps in prop::collection::vec(any_step(), 1..250)) {
        prop_assert_eq!(run(small_config(), "", &steps), run(small_config(), "", &steps));
    }

    #[test]
    fn nor_with_the_default_settings(steps in prop::collection::vec(any_step(), 1..120)) {
        run(SwarmConfig::default(), "", &steps);
    }

    #[test]
    fn nor_in_a_zone(steps in prop::collection::vec(any_step(), 1..250)) {
        prop_assert_eq!(run(small_config(), "a", &steps), run(small_config(), "a", &steps));
    }
}

const GIGABIT: Link = Link { up: 125_000_000, down: 125_000_000 };

/// A disk that is a hundred times slower than the network: no more chunks are requested than it can write.
#[test]
fn a_slow_disk_bounds_what_is_in_memory() {
    let setup = Setup { verify: Duration::from_secs(1), ..Setup::default() };
    let config = setup.config.clone();
    let (mut world, key) = World::fleet(setup, 2, 200, GIGABIT);
    let most = Cell::new(0);
    world.run_until(Duration::from_secs(120), |world| {
        for node in [1, 2].map(NodeId) {
            let is = world.machine(node).status(key);
            most.set(is.map_or(0, |is| is.in_flight + is.verifying).max(most.get()));
        }
        world.all_complete()
    });
    let bound = config.verifying_max + 2 * config.far_slots;
    assert!((config.verifying_max..=bound).contains(&most.get()), "{} chunks in memory", most.get());
}

/// Each kind of false seeder is detected, and no honest one is dropped.
#[test]
fn false_seeders_are_dropped_and_nobody_else() {
    let faults = [
        (Fault::Silent, DropReason::Stalled),
        (Fault::CorruptNext(u64::MAX), DropReason::Corrupt),
        (Fault::Link(Link { up: 1_000, ..GIGABIT }), DropReason::Stalled),
        (Fault::Hollow, DropReason::Empty),
    ];
    for (fault, reason) in faults {
        // The honest seeder is slow enough that there is time for all of them.
        let (mut world, key) = World::fleet(Setup::default(), 2, 400, GIGABIT);
        world.fault(NodeId(0), Fault::Link(Link { up: 2_000_000, ..GIGABIT }), Duration::ZERO);
        let hostile = world.add_node(GIGABIT);
        world.seed(hostile, key);
        world.fault(hostile, fault.clone(), Duration::ZERO);
        world.run_to_end(Duration::from_secs(1200));
        for node in [1, 2].map(NodeId) {
            assert!(world.dropped().contains(&(node, hostile, reason)), "{fault:?}: {:?}", world.dropped());
        }
        assert!(
            world.dropped().iter().all(|&(_, who, _)| who == hostile),
            "{fault:?}: {:?}",
            world.dropped()
        );
    }
}
