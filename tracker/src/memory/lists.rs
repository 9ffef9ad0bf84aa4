//! Chooses which list of chunk hashes is evicted when a resource has reached its limit of lists. Inventing lists must
//! not keep honest ones out, and a list that only an honest machine has must not be lost.

use super::network::network;
use super::refusal::Refusal;
use super::swarm::{Claim, Swarm};
use super::swarms::{Swarms, digests_of};
use super::who::Who;
use shared::id::{ResourceId, SwarmKey};
use shared::rpc::tracker::{Announce, Stage};
use shared::swarm::Time;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

/// Limits the members of a list's swarm that are looked at, which bounds the work for one answer. Others are as likely
/// to be alive.
const MEMBERS_MAX: usize = 32;

/// The numbers of lists of one resource in which a machine's network, its host and the machine take part.
type Greed = (usize, usize, usize);

/// The numbers of lists of one resource in which each network, host and machine takes part.
#[derive(Debug, Default)]
struct Counts {
    networks: BTreeMap<IpAddr, usize>,
    hosts: BTreeMap<IpAddr, usize>,
    machines: BTreeMap<SocketAddr, usize>,
}

impl Swarms {
    /// Makes room for the lists among these entries that are new to the tracker, by evicting others.
    pub(super) fn make_room_for_lists(
        &mut self,
        now: Time,
        who: &Who,
        new: &[&Announce],
        is_published: impl Fn(SwarmKey) -> bool,
    ) -> Result<(), Refusal> {
        let max = self.limits.digests_max;
        let mut coming: BTreeMap<ResourceId, usize> = BTreeMap::new();
        let lists: Vec<&Announce> =
            new.iter().copied().filter(|entry| !self.swarms.contains_key(&entry.key)).collect();
        for entry in lists {
            let resource = entry.key.resource;
            let before = coming.entry(resource).or_default();
            if digests_of(&self.swarms, resource).count() + *before >= max {
                let other = self.list_that_makes_way(who, entry, *before, &is_published);
                match other.filter(|_| *before < max) {
                    Some(other) => self.drop_list(now, other),
                    None if is_published(entry.key) => {} // the catalogue bounds how many there are
                    None => {
                        return Err(Refusal::Full(format!(
                            "at most {max} lists of chunk hashes per resource"
                        )));
                    }
                }
            }
            *before += 1;
        }
        Ok(())
    }

    /// The list that is evicted for the one that `who` announces, given that `coming` other new lists of the resource
    /// are in the same announce. It is a list of those whose network, host and machine take part in the most lists. If
    /// nobody takes part in more lists than the newcomer, its list must be worth more than the evicted one.
    fn list_that_makes_way(
        &self,
        who: &Who,
        entry: &Announce,
        coming: usize,
        is_published: &impl Fn(SwarmKey) -> bool,
    ) -> Option<SwarmKey> {
        let lists: Vec<(SwarmKey, &Swarm, Vec<SocketAddr>)> = digests_of(&self.swarms, entry.key.resource)
            .map(|(key, swarm)| (*key, swarm, swarm.some_addresses(MEMBERS_MAX)))
            .collect();
        let mut counts = Counts::default();
        lists.iter().for_each(|(_, _, members)| counts.add(members));
        // A list counts as good as the best of its members.
        let greed = |members: &[SocketAddr]| members.iter().map(|addr| counts.of(*addr)).min();
        let order = |(key, swarm, members): &(SwarmKey, &Swarm, Vec<SocketAddr>)| {
            (greed(members), !is_published(*key), Reverse(swarm.claim()), swarm.since, *key)
        };
        let worst = lists.iter().max_by_key(|list| order(list))?;
        let (key, swarm, members) = worst;
        let (theirs, ours) = (greed(members)?, counts.of_newcomer(who.addr, members, coming));
        let claim = claim_of(entry);
        let is_worth_more = is_published(entry.key) || claim > swarm.claim() || claim == Claim::All;
        let makes_way = theirs > ours || theirs == ours && !is_published(*key) && is_worth_more;
        makes_way.then_some(*key)
    }

    fn drop_list(&mut self, now: Time, key: SwarmKey) {
        let members =
            self.swarms.get(&key).map(|swarm| swarm.members().iter().map(|member| member.peer).collect());
        let members: Vec<_> = members.unwrap_or_default();
        members.into_iter().for_each(|peer| self.remove(now, peer, key, None));
    }
}

fn claim_of(entry: &Announce) -> Claim {
    match (entry.stage, entry.have) {
        (Stage::Seeding, _) => Claim::All,
        (Stage::Leeching, 0) => Claim::Nothing,
        (Stage::Leeching, _) => Claim::Part,
    }
}

impl Counts {
    /// Counts a list in which these members take part.
    fn add(&mut self, members: &[SocketAddr]) {
        let machines: BTreeSet<SocketAddr> = members.iter().copied().collect();
        let hosts: BTreeSet<IpAddr> = machines.iter().map(|addr| addr.ip()).collect();
        let networks: BTreeSet<IpAddr> = hosts.iter().map(|host| network(*host).0).collect();
        networks.into_iter().for_each(|network| *self.networks.entry(network).or_default() += 1);
        hosts.into_iter().for_each(|host| *self.hosts.entry(host).or_default() += 1);
        machines.into_iter().for_each(|machine| *self.machines.entry(machine).or_default() += 1);
    }

    fn of(&self, addr: SocketAddr) -> Greed {
        let count = |counts: &BTreeMap<IpAddr, usize>, of: IpAddr| counts.get(&of).copied().unwrap_or(0);
        let machine = self.machines.get(&addr).copied().unwrap_or(0);
        (count(&self.networks, network(addr.ip()).0), count(&self.hosts, addr.ip()), machine)
    }

    /// A newcomer's numbers after the list with these members was evicted for its own.
    fn of_newcomer(&self, addr: SocketAddr, members: &[SocketAddr], coming: usize) -> Greed {
        let (networks, hosts, machines) = self.of(addr);
        let leaves = |is_same: &dyn Fn(&SocketAddr) -> bool| usize::from(members.iter().any(is_same));
        let own = network(addr.ip()).0;
        (
            networks + coming + 1 - leaves(&|member| network(member.ip()).0 == own),
            hosts + coming + 1 - leaves(&|member| member.ip() == addr.ip()),
            machines + coming + 1 - leaves(&|member| *member == addr),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// Networks, hosts and machines are counted after one list has gone and the newcomer's have come.
    #[test]
    fn a_newcomer_counts_with_its_new_lists_and_without_the_one_that_makes_way() {
        let lists = [vec!["10.1.0.1:1"], vec!["10.1.0.1:1", "10.1.0.2:1", "10.1.0.2:2"], vec!["10.2.0.1:1"]];
        let lists = lists.map(|members| members.into_iter().map(addr).collect::<Vec<_>>());
        let mut counts = Counts::default();
        lists.iter().for_each(|members| counts.add(members));
        for (newcomer, of, instead_of, coming, expected) in [
            ("10.1.0.1:1", (2, 2, 2), 0, 0, (2, 2, 2)),
            ("10.1.0.1:1", (2, 2, 2), 0, 3, (5, 5, 5)),
            ("10.1.0.1:1", (2, 2, 2), 2, 3, (6, 6, 6)),
            ("10.1.0.2:2", (2, 1, 1), 0, 2, (4, 4, 4)),
            ("10.1.0.2:3", (2, 1, 0), 1, 1, (3, 2, 2)),
            ("10.3.0.1:1", (0, 0, 0), 1, 4, (5, 5, 5)),
        ] {
            let newcomer = addr(newcomer);
            assert_eq!(counts.of(newcomer), of, "{newcomer}");
            let after = counts.of_newcomer(newcomer, &lists[instead_of], coming);
            assert_eq!(
                after, expected,
                "{newcomer} with {coming} other new lists, instead of list {instead_of}"
            );
        }
    }
}
