//! Tests that one member represents its host among those that are told first.

use super::elders::swarm;
use super::invented::at;
use super::*;
use crate::memory::draw::Draw;
use crate::memory::swarm::Swarm;
use std::collections::BTreeSet;

/// The members that are told first.
fn told_first(swarm: &Swarm) -> Vec<String> {
    let mut draw = Draw::new([1; 32]);
    let one = |_| {
        let mut drawn = Vec::new();
        swarm.draw_more(&mut draw, None, 1, &mut drawn);
        swarm.members()[drawn[0]].peer.0.to_string()
    };
    (0..100).map(one).collect::<BTreeSet<_>>().into_iter().collect()
}

#[test]
fn one_member_represents_its_host_whoever_comes_and_goes() {
    let (host, other) = ([10, 1, 0, 1], [10, 2, 0, 1]);
    let key_of = |port| (at(host, port).addr, at(host, port).peer_id);
    let mut swarm = swarm(&[(other, 1), (host, 1), (host, 2), (host, 3)]);
    assert_eq!(told_first(&swarm), ["10.1.0.1:3", "10.2.0.1:1"], "the last one that announced");
    swarm.remove(key_of(3));
    assert_eq!(told_first(&swarm), ["10.1.0.1:1", "10.2.0.1:1"]);
    swarm.renew(Time(0), key_of(2), &seeding(key(1)));
    assert_eq!(told_first(&swarm), ["10.1.0.1:2", "10.2.0.1:1"]);
    swarm.close(key_of(2));
    assert_eq!(told_first(&swarm), ["10.1.0.1:1", "10.2.0.1:1"]);
}
