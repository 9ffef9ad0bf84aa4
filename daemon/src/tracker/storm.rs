//! A simulation of a power cut: two thousand daemons return at once. It runs their announcers' schedules and the
//! tracker's registry on virtual time.

use super::schedule::{Backoff, Schedule, return_pause};
use shared::chance::Chance;
use shared::chunk::ChunkCount;
use shared::id::{ListDigest, PeerId, ResourceId, SwarmKey};
use shared::rpc::tracker::{Announce, Stage};
use shared::swarm::Time;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tracker::memory::{Registry, RegistryLimits, Who};

const DAEMONS: usize = 2_000;
const RESOURCES: u8 = 10;
const STEP: Duration = Duration::from_millis(10);

struct Daemon {
    who: Who,
    schedule: Schedule,
    backoff: Backoff,
    /// When it dials next; `None` while it is connected.
    dials_at: Option<Instant>,
}

/// Counts of events, for each tenth of a second.
#[derive(Default)]
struct Seen {
    dials: BTreeMap<u64, u32>,
    announces: BTreeMap<u64, u32>,
    /// When the tracker knew the last daemon.
    all_known: Option<Duration>,
}

impl Seen {
    /// The most events within any second after `after`.
    fn peak(counts: &BTreeMap<u64, u32>, after: Duration) -> u32 {
        let from = after.as_millis() as u64 / 100;
        counts
            .range(from..)
            .map(|(&from, _)| counts.range(from..from + 10).map(|(_, count)| count).sum())
            .max()
            .unwrap_or(0)
    }
}

fn key(number: u8) -> SwarmKey {
    SwarmKey { resource: ResourceId([number; 32]), digest: ListDigest([number; 32]) }
}

fn seeding(key: SwarmKey) -> Announce {
    let count = ChunkCount::new(10).unwrap();
    Announce { key, stage: Stage::Seeding, have: 10, count, peers_wanted: 0, names: Vec::new(), bytes: None }
}

/// A random number from 0 up to, but not including, 1.
fn share(chance: &mut Chance) -> f64 {
    const PARTS: usize = 1 << 20;
    chance.below(PARTS) as f64 / PARTS as f64
}

/// Simulates a fleet for `span`. The tracker runs from `tracker_at` on; daemons first dial after `first`.
fn play(tracker_at: Duration, span: Duration, first: impl Fn(f64, &mut Backoff) -> Duration) -> Seen {
    let (start, mut chance) = (Instant::now(), Chance::new([7; 32]));
    let mut registry = Registry::new(RegistryLimits::default(), [7; 32]);
    let mut daemons: Vec<Daemon> = (0..DAEMONS)
        .map(|number| {
            let [.., high, low] = (number as u32).to_be_bytes();
            let addr = SocketAddr::from(([10, 0, high, low], 7987));
            let (peer_id, node) = (PeerId([low; 16]), None);
            let who = Who { addr, peer_id, zone: "".into(), host: "".into(), node };
            let (mut schedule, mut backoff) = (Schedule::default(), Backoff::new());
            (0..RESOURCES).for_each(|at| schedule.now(key(at), start));
            let dials_at = Some(start + first(share(&mut chance), &mut backoff));
            Daemon { who, schedule, backoff, dials_at }
        })
        .collect();
    let mut seen = Seen::default();
    let mut at = Duration::ZERO;
    while at < span {
        let now = start + at;
        let tenth = at.as_millis() as u64 / 100;
        for daemon in &mut daemons {
            if daemon.dials_at.is_some_and(|dials_at| dials_at <= now) {
                *seen.dials.entry(tenth).or_default() += 1;
                daemon.dials_at = (at < tracker_at).then(|| now + daemon.backoff.pause(share(&mut chance)));
                daemon.schedule.all(now);
            }
            if daemon.dials_at.is_some() {
                continue;
            }
            loop {
                let batch = daemon.schedule.batch(now);
                if batch.is_empty() {
                    break;
                }
                *seen.announces.entry(tenth).or_default() += 1;
                let entries: Vec<Announce> = batch.iter().map(|key| seeding(*key)).collect();
                let answers = registry.announce(Time(0) + at, &daemon.who, &entries).unwrap();
                for (key, answer) in batch.into_iter().zip(answers) {
                    daemon.schedule.told(key, now, Duration::from_millis(answer.interval_ms.into()));
                }
            }
        }
        if seen.all_known.is_none() && registry.size().entries == DAEMONS * usize::from(RESOURCES) {
            seen.all_known = Some(at);
        }
        at += STEP;
    }
    seen
}

#[test]
fn after_a_power_cut_all_are_known_within_two_seconds() {
    let seen = play(Duration::ZERO, Duration::from_secs(20), |chance, _| return_pause(chance));
    let (dials, announces) =
        (Seen::peak(&seen.dials, Duration::ZERO), Seen::peak(&seen.announces, Duration::ZERO));
    assert!(seen.all_known.is_some_and(|at| at <= Duration::from_secs(2)), "{:?}", seen.all_known);
    // 2,000 in two seconds; later each of ten resources every 2 to 5 s, most of them together.
    assert!(dials <= 1_200, "{dials} connections in a second");
    assert!(announces <= 2_500, "{announces} announces in a second");
}

#[test]
fn when_the_tracker_comes_back_last_all_are_known_within_fifteen_seconds() {
    let away = Duration::from_secs(300);
    let seen = play(away, away + Duration::from_secs(20), |chance, backoff| backoff.pause(chance));
    let known = seen.all_known.map(|at| at - away);
    assert!(known.is_some_and(|took| took <= Duration::from_secs(15)), "{known:?}");
    let dials = Seen::peak(&seen.dials, away);
    assert!(dials <= 400, "{dials} connections in a second");
}

#[test]
fn a_tracker_that_restarts_is_not_overrun() {
    let seen = play(Duration::ZERO, Duration::from_secs(20), |chance, backoff| backoff.pause(chance));
    assert!(seen.all_known.is_some_and(|at| at <= Duration::from_secs(3)), "{:?}", seen.all_known);
    let dials = Seen::peak(&seen.dials, Duration::ZERO);
    assert!(dials <= 1_000, "{dials} connections in a second");
}
