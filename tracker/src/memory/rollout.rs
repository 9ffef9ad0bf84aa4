//! Collects what a watched rollout shows: the machines of a resource, and those that have a former version of its name.

use super::member::Member;
use super::name_digest::NameDigest;
use super::network::PeerKey;
use super::swarm::Swarm;
use super::swarms::{Swarms, keys_of};
use shared::id::{ResourceId, SwarmKey};
use shared::rpc::tracker::{Fleet, FleetMachine, FleetPlace, OUTDATED_SHOWN_MAX, Presence};
use shared::swarm::Time;
use std::collections::BTreeMap;
use std::ops::Bound;

/// The resource that is rolled out, and the content that it replaces.
#[derive(Debug)]
pub(super) struct Rollout {
    pub(super) resource: ResourceId,
    /// How long ago it was shared under the name, in milliseconds; without a name, the longest under any name. `None` if
    /// unknown.
    pub(super) shared_ago_ms: Option<u64>,
    /// The name, and the swarms of other content that was published under it.
    pub(super) former: Option<(NameDigest, Vec<SwarmKey>)>,
}

/// The machines of a swarm that belong to a fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// All of them, including those that are gone.
    All,
    /// Those that take part and have the resource under this name. A machine that is gone may have a newer version by
    /// now.
    Holders(NameDigest),
}

impl Swarms {
    /// The machines in order of swarms, addresses and ids, after `after`: at most `machines_max`. The counts are always
    /// complete.
    pub(super) fn fleet(
        &self,
        now: Time,
        rollout: &Rollout,
        after: Option<FleetPlace>,
        machines_max: usize,
    ) -> Fleet {
        let (resource, shared_ago_ms) = (Some(rollout.resource), rollout.shared_ago_ms);
        let mut fleet = Fleet { resource, shared_ago_ms, ..Fleet::default() };
        let parts = self.parts(rollout);
        for (&key, part) in &parts {
            match *part {
                Part::All => {
                    let (seeders, leechers) = self.counts(key);
                    fleet.seeders += seeders;
                    fleet.leechers += leechers;
                    fleet.gone_unfinished += self.gone.unfinished(key);
                }
                Part::Holders(name) => {
                    fleet.outdated += self.holders(key, name);
                    let room = OUTDATED_SHOWN_MAX - fleet.some_outdated.len();
                    fleet.some_outdated.extend(self.machines(now, key, *part, None, room));
                }
            }
        }
        for (key, part) in parts.into_iter().filter(|(key, _)| after.is_none_or(|after| after.key <= *key)) {
            let after = after.filter(|after| after.key == key).map(|after| (after.addr, after.peer_id));
            let room = machines_max - fleet.machines.len();
            // With one machine more than fit, we know whether there is a next page.
            fleet.machines.extend(self.machines(now, key, part, after, room + 1));
            if fleet.machines.len() > machines_max {
                fleet.machines.truncate(machines_max);
                let place = |machine: &FleetMachine| {
                    let FleetMachine { key, addr, peer_id, .. } = *machine;
                    FleetPlace { key, addr, peer_id }
                };
                fleet.next = fleet.machines.last().map(place);
                break;
            }
        }
        fleet
    }

    /// The swarms of a rollout that have or had members.
    fn parts(&self, rollout: &Rollout) -> BTreeMap<SwarmKey, Part> {
        let (first, last) = keys_of(rollout.resource);
        let alive = self.swarms.range(first..=last).map(|(key, _)| *key);
        let mut parts: BTreeMap<SwarmKey, Part> =
            alive.chain(self.gone.keys(first, last)).map(|key| (key, Part::All)).collect();
        if let Some((name, former)) = &rollout.former {
            let held = former.iter().filter(|key| self.holders(**key, *name) > 0);
            parts.extend(held.map(|key| (*key, Part::Holders(*name))));
        }
        parts
    }

    /// The number of members of former versions' swarms, all of which are looked at to find those with the name.
    pub(super) fn breadth(&self, rollout: &Rollout) -> usize {
        let Some((name, former)) = &rollout.former else { return 0 };
        let held = former.iter().filter(|key| self.holders(**key, *name) > 0);
        held.filter_map(|key| self.swarms.get(key)).map(Swarm::len).sum()
    }

    fn holders(&self, key: SwarmKey, name: NameDigest) -> u32 {
        self.swarms.get(&key).map_or(0, |swarm| swarm.holders(name))
    }

    /// Machines of one swarm, in order of addresses and ids.
    fn machines(
        &self,
        now: Time,
        key: SwarmKey,
        part: Part,
        after: Option<PeerKey>,
        machines_max: usize,
    ) -> Vec<FleetMachine> {
        let range = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let belongs = |member: &&Member| match part {
            Part::All => true,
            Part::Holders(name) => member.has_as(name),
        };
        let here = self.swarms.get(&key).into_iter().flat_map(|swarm| swarm.range(range).filter(belongs));
        let here = here.map(|member| {
            member.trend.machine(now, (member.peer, key), &member.labels, member.count, Presence::Here)
        });
        let mut machines: Vec<FleetMachine> = here.take(machines_max).collect();
        if part == Part::All {
            let gone = self.gone.range(key, range).map(|(&peer, gone)| {
                gone.trend.machine(now, (peer, key), &gone.labels, gone.count, gone.presence)
            });
            machines.extend(gone.take(machines_max));
        }
        machines.sort_by_key(|machine| (machine.addr, machine.peer_id));
        machines.truncate(machines_max);
        machines
    }
}
