//! Tests that one member represents its host among those that are told first.

use super::elders::{join, swarm};
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

/// However many there are in another network.
#[test]
fn a_lonely_leecher_is_told_of_each_network() {
    let mut swarm = swarm(&[]);
    let crowd = (1..=30).map(|host| [10, 1, 0, host]);
    for ip in crowd.chain([[10, 2, 0, 1], [10, 3, 0, 1]]) {
        join(&mut swarm, &at(ip, 7987), &leeching(key(1)));
    }
    let (asker, mut draw) = (at([10, 1, 0, 1], 7987), Draw::new([1; 32]));
    for _ in 0..50 {
        let drawn = swarm.draw_widely(&mut draw, (asker.addr, asker.peer_id), 6);
        let networks: BTreeSet<u8> = drawn
            .iter()
            .map(|&at| match swarm.members()[at].peer.0.ip() {
                IpAddr::V4(v4) => v4.octets()[1],
                IpAddr::V6(_) => 0,
            })
            .collect();
        assert_eq!((drawn.len(), networks), (6, [1, 2, 3].into()));
    }
}
