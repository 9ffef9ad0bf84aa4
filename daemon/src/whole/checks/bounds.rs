//! Everything that others can make grow stays within its bound.

use super::all::Check;
use crate::whole::machine::Machine;
use crate::whole::world::World;
use std::collections::BTreeSet;

/// The connections of a machine to a tracker: the announcer's, and those of questions.
const CONNECTIONS_MAX: usize = 4;

/// The requests of one connection and the connections of one peer, as in `peer::server` and `peer::room`.
const REQUESTS_MAX: usize = 32;
const PER_PEER_MAX: usize = 8;

/// Counts the lives of machines, since a tracker may keep an entry of each for a while.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    deaths: usize,
}

impl Check for Bounds {
    fn look(&mut self, world: &World) {
        let machines = world.machines();
        for machine in &machines {
            let Some(facts) = machine.facts(world) else { continue };
            for &(what, count, most) in &facts.bounds {
                assert!(count <= most, "m{} has {count} {what}, and {most} are allowed", machine.number);
            }
            let most = REQUESTS_MAX * PER_PEER_MAX * (machines.len() - 1);
            assert!(facts.asks <= most, "m{} has {} questions of peers", machine.number, facts.asks);
            let others = machines.iter().filter(|other| other.ip != machine.ip);
            let others: BTreeSet<_> = others.map(|other| other.listen()).collect();
            let strangers: Vec<_> = facts.links.iter().filter(|peer| !others.contains(peer)).collect();
            assert!(strangers.is_empty(), "m{} dials {strangers:?}, where no machine is", machine.number);
        }
        for tracker in world.trackers() {
            let Some(handle) = tracker.handle() else { continue };
            let size = handle.size();
            let (lives, contents) = (machines.len() + self.deaths, world.contents().len());
            let most = lives * contents;
            assert!(size.entries <= most, "{} has {} entries of at most {most}", tracker.addr, size.entries);
            assert!(size.swarms <= contents, "{} has {} swarms of {contents}", tracker.addr, size.swarms);
        }
    }

    fn died(&mut self, _: &World, _: &Machine) {
        self.deaths += 1;
    }

    fn end(&mut self, world: &World) {
        for tracker in world.trackers() {
            let connections = tracker.handle().map_or(0, |handle| handle.connections());
            let most = world.machines().len() * CONNECTIONS_MAX;
            assert!(connections <= most, "{} has {connections} connections", tracker.addr);
        }
    }
}
