//! A simulation of a fleet that subscribes: how soon all machines hear of a publication. It runs what machines and the tracker
//! decide on virtual time.

use super::follow::Follow;
use shared::chance::Chance;
use shared::chunk::ChunkCount;
use shared::id::{ChunkHash, ListDigest, ResourceId, SwarmKey};
use shared::rpc::tracker::{CHANGES_MAX, Offer, Publication, Role};
use shared::swarm::Time;
use shared::url::TrackerUrl;
use std::time::{Duration, Instant};
use tracker::follow::{Following, poll_ms};
use tracker::memory::{Registry, RegistryLimits};
use tracker::rights::Rights;

/// How long it takes until all machines have heard of a publication, to within a step.
fn heard_within(machines: usize, seed: u64, step: Duration) -> Duration {
    let (begin, url) = (Instant::now(), "tt://tracker".parse::<TrackerUrl>().unwrap());
    let mut chance = Chance::new([seed as u8; 32]);
    let mut draw = move || chance.below(1_000_001) as f64 / 1_000_000.0;
    let mut registry = Registry::new(RegistryLimits::default(), [1; 32]);
    let granted = Rights::default().of(None);
    let interval = Duration::from_millis(poll_ms(machines).into());
    let mut fleet: Vec<(Follow, bool)> = (0..machines)
        .map(|_| {
            let mut follow = Follow::default();
            follow.begin(begin + interval.mul_f64(draw()), &[&url].into());
            (follow, false)
        })
        .collect();
    let published_at = interval * 3;
    let mut is_published = false;
    for number in 0.. {
        let passed = step * number;
        let (now, time) = (begin + passed, Time::default() + passed);
        if passed >= published_at && !is_published {
            publish(&mut registry, time);
            is_published = true;
        }
        for (follow, has_heard) in &mut fleet {
            while let Some((url, since)) = follow.ask(now) {
                let mut following = Following::new(1, since, CHANGES_MAX as u32);
                while !following.is_complete() {
                    following.look(&registry, &granted, time);
                }
                let answer = following.answer(machines, 0);
                *has_heard |= !answer.changes.is_empty();
                follow.answered(now, &url, since, &answer, draw());
            }
        }
        if fleet.iter().all(|(_, has_heard)| *has_heard) {
            return passed - published_at;
        }
        assert!(passed < published_at + Duration::from_secs(300), "some never hear");
    }
    unreachable!("the loop has no end")
}

fn publish(registry: &mut Registry, now: Time) {
    let hash = ChunkHash::of(b"new");
    let publication = Publication {
        name: "app".parse().unwrap(),
        key: SwarmKey { resource: ResourceId(hash.0), digest: ListDigest::of(&[hash]) },
        count: ChunkCount::new(1).unwrap(),
        trackers: Vec::new(),
        shared_at_ms: 1,
        bytes: None,
        signature: None,
    };
    let offer = Offer { publication, role: Role::Shares };
    let by = "10.0.0.1:7987".parse().unwrap();
    registry.publish_whole(now, 1, by, offer, &hash.0).unwrap();
}

#[test]
fn a_thousand_machines_hear_of_a_publication_within_three_seconds() {
    for seed in 0..4 {
        let within = heard_within(1_000, seed, Duration::from_millis(10));
        assert!(within < Duration::from_secs(3), "{within:?} with seed {seed}");
    }
}

#[test]
fn ten_thousand_machines_hear_of_a_publication_within_twenty_seconds() {
    let within = heard_within(10_000, 1, Duration::from_millis(200));
    assert!(within < Duration::from_secs(20), "{within:?}");
}
