//! How many dials a host is worth that does not answer.
//!
//! Whom we dial, others tell us: trackers, which may be hostile. A fleet must not become a weapon against a machine
//! that has nothing to do with it, whatever ports of it are named. So hosts are dialled on credit: a dial costs one,
//! credit comes back slowly, and at once when somebody there says hello. No peer is banned for its host: where one
//! answers, all may be dialled, so that a fleet behind one address meets as fast as any other.

use super::event::PeerAddr;
use super::time::Time;
use crate::credit::Credit;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// A host that has never answered gets one dial back each time that this has passed.
const HOST_DIAL: Duration = Duration::from_secs(10);
/// How many dials a host that has never answered is given at once.
const HOST_CREDIT: Credit = Credit::full(HOST_DIAL.saturating_mul(8));
/// All hosts together that do not answer get one dial back each time that this has passed.
const ANY_DIAL: Duration = Duration::from_millis(100);
/// How many dials all hosts together that do not answer are given at once.
const ANY_CREDIT: Credit = Credit::full(ANY_DIAL.saturating_mul(200));
/// How many hosts are remembered; beyond it those with the most credit are forgotten, which are the least suspect.
const HOSTS_MAX: usize = 4096;

/// What hosts are still worth.
pub(super) struct Dials {
    hosts: BTreeMap<IpAddr, Credit>,
    all: Credit,
}

impl Default for Dials {
    fn default() -> Dials {
        Dials { hosts: BTreeMap::new(), all: ANY_CREDIT }
    }
}

impl Dials {
    /// Pays for a dial; when there is no credit, says when to try again.
    pub(super) fn pay(&mut self, peer: PeerAddr, now: Time) -> Result<(), Time> {
        if self.hosts.len() >= HOSTS_MAX && !self.hosts.contains_key(&peer.ip()) {
            self.forget_one();
        }
        let host = self.hosts.entry(peer.ip()).or_insert(HOST_CREDIT);
        let again = [host.ready_at(HOST_DIAL), self.all.ready_at(ANY_DIAL)];
        let mut again = again.into_iter().map(|again| Time(0) + again);
        if let Some(again) = again.find(|&again| again > now) {
            return Err(again);
        }
        host.spend(now.since(Time(0)), HOST_DIAL);
        self.all.spend(now.since(Time(0)), ANY_DIAL);
        Ok(())
    }

    /// Somebody at this host said hello: it has its credit back, and what was paid for this dial.
    pub(super) fn answered(&mut self, peer: PeerAddr) {
        self.hosts.remove(&peer.ip());
        self.all.refund(ANY_DIAL);
    }

    /// Forgets the host that has its whole credit back first.
    fn forget_one(&mut self) {
        let best = self.hosts.iter().min_by_key(|(_, credit)| credit.ready_at(HOST_DIAL));
        if let Some(best) = best.map(|(host, _)| *host) {
            self.hosts.remove(&best);
        }
    }
}

/// In which networks candidates of a swarm never answered. Whoever invents peers has many addresses, but few networks.
#[derive(Default)]
pub(super) struct Silence {
    networks: BTreeMap<IpAddr, [u32; 2]>,
}

impl Silence {
    /// This one never answered.
    pub(super) fn note(&mut self, host: IpAddr) {
        for (wide, network) in networks(host).into_iter().enumerate() {
            self.networks.entry(network).or_default()[wide] += 1;
        }
    }

    /// Groups of peers, those first around whom the fewest never answered. Within a group the order is kept.
    pub(super) fn in_order(&self, peers: Vec<PeerAddr>) -> Vec<Vec<PeerAddr>> {
        let mut groups: BTreeMap<[u32; 2], Vec<PeerAddr>> = BTreeMap::new();
        for peer in peers {
            groups.entry(self.around(peer.ip())).or_default().push(peer);
        }
        groups.into_values().collect()
    }

    fn around(&self, host: IpAddr) -> [u32; 2] {
        let [narrow, wide] = networks(host);
        let count = |network: IpAddr, at: usize| self.networks.get(&network).map_or(0, |counts| counts[at]);
        [count(wide, 1), count(narrow, 0)]
    }
}

/// The narrow and the wide network that a host is in.
fn networks(host: IpAddr) -> [IpAddr; 2] {
    match host {
        IpAddr::V4(v4) => [8, 16].map(|bits| Ipv4Addr::from(v4.to_bits() >> bits << bits).into()),
        IpAddr::V6(v6) => [80, 96].map(|bits| Ipv6Addr::from(v6.to_bits() >> bits << bits).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(host: u16, port: u16) -> PeerAddr {
        let [high, low] = host.to_be_bytes();
        PeerAddr::from(([10, 0, high, low], port))
    }

    /// How many dials of `wanted` are made within a time, if one is tried every 10 ms.
    fn dialled(dials: &mut Dials, from: Time, span: Duration, wanted: impl Fn(u64) -> PeerAddr) -> u32 {
        let tries = span.as_millis() as u64 / 10;
        let made = |at: &u64| dials.pay(wanted(*at), from + Duration::from_millis(at * 10)).is_ok();
        (0..tries).filter(made).count() as u32
    }

    #[test]
    fn a_host_that_never_answers_is_left_alone_whatever_its_ports() {
        let mut dials = Dials::default();
        let hour = Duration::from_secs(3600);
        let made = dialled(&mut dials, Time(0), hour, |at| peer(1, at as u16));
        assert!(made <= 8 + 3600 / 10, "{made} dials in an hour");
        assert!(made >= 3600 / 10, "it is not forgotten either");
    }

    #[test]
    fn many_hosts_that_never_answer_are_dialled_slowly() {
        let mut dials = Dials::default();
        let made = dialled(&mut dials, Time(0), Duration::from_secs(60), |at| peer(at as u16, 1));
        assert!(made <= 200 + 60 * 10, "{made} dials in a minute");
        assert!(dials.hosts.len() <= HOSTS_MAX);
    }

    #[test]
    fn a_fleet_behind_one_address_meets_at_once() {
        let mut dials = Dials::default();
        for port in 1..=10_000 {
            assert_eq!(dials.pay(peer(1, port), Time(0)), Ok(()), "port {port}");
            dials.answered(peer(1, port));
        }
    }

    #[test]
    fn it_is_said_when_to_try_again() {
        let mut dials = Dials::default();
        let now = Time(0) + Duration::from_secs(100);
        (0..8).for_each(|port| dials.pay(peer(1, port), now).unwrap());
        let again = dials.pay(peer(1, 9), now).unwrap_err();
        assert_eq!(again, now + HOST_DIAL);
        assert_eq!(dials.pay(peer(1, 9), again), Ok(()));
        assert!(dials.pay(peer(2, 9), now).is_ok(), "another host");
    }
}
