//! Tests of the elders of a swarm, of which lonely leechers are told: those that have had chunks for longest, from several
//! hosts and networks.

use super::invented::at;
use super::*;
use crate::memory::member::Member;
use crate::memory::swarm::Swarm;

/// A swarm in which seeders at these addresses appeared one after the other.
pub(super) fn swarm(seeders: &[([u8; 4], u16)]) -> Swarm {
    let mut swarm = Swarm::new(Time(0));
    seeders.iter().for_each(|&(ip, port)| join(&mut swarm, &at(ip, port), &seeding(key(1))));
    swarm
}

pub(super) fn join(swarm: &mut Swarm, who: &Who, entry: &Announce) {
    swarm.add(Time(0), Member::new(Time(0), who, entry));
    swarm.renew(Time(0), (who.addr, who.peer_id), entry);
}

fn elders(swarm: &Swarm) -> Vec<String> {
    let addresses = swarm.some_addresses(usize::MAX); // the elders, and then all members
    addresses[..addresses.len() - swarm.len()].iter().map(SocketAddr::to_string).collect()
}

#[test]
fn elders_are_of_several_hosts_and_networks() {
    let one_host = [([10, 1, 0, 1], 1), ([10, 1, 0, 1], 2), ([10, 1, 0, 2], 1)];
    assert_eq!(elders(&swarm(&one_host)), ["10.1.0.1:1", "10.1.0.2:1"]);
    let one_network: Vec<_> = (1..=5).map(|host| ([10, 1, 0, host], 1)).chain([([10, 2, 0, 1], 1)]).collect();
    assert_eq!(elders(&swarm(&one_network)), ["10.1.0.1:1", "10.1.0.2:1", "10.1.0.3:1", "10.2.0.1:1"]);
    let many_networks: Vec<_> = (1..=10).map(|network| ([10, network, 0, 1], 1)).collect();
    let expected: Vec<String> = (1..=8).map(|network| format!("10.{network}.0.1:1")).collect();
    assert_eq!(elders(&swarm(&many_networks)), expected);
}

#[test]
fn who_has_no_chunk_or_no_connection_is_no_elder() {
    let mut swarm = swarm(&[([10, 1, 0, 1], 1), ([10, 2, 0, 1], 1)]);
    join(&mut swarm, &at([10, 3, 0, 1], 1), &leeching(key(1)));
    join(&mut swarm, &at([10, 4, 0, 1], 1), &Announce { have: 1, ..leeching(key(1)) });
    assert_eq!(elders(&swarm), ["10.1.0.1:1", "10.2.0.1:1", "10.4.0.1:1"]);
    let first = at([10, 1, 0, 1], 1);
    swarm.close((first.addr, first.peer_id));
    assert_eq!(elders(&swarm), ["10.2.0.1:1", "10.4.0.1:1"]);
}
