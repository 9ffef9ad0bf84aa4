//! Limits how often hosts that do not answer are dialed.
//!
//! The addresses that we dial come from others, such as a tracker that may be hostile. A fleet must not become a weapon
//! against an uninvolved machine, whichever of its ports are named. So each dial costs a host one credit. Credit comes
//! back slowly, and at once when a daemon at that host says hello. No peer is banned because of its host: once one
//! daemon there answers, all of them may be dialed, so a fleet behind one address connects as fast as any other.

use super::event::PeerAddr;
use super::time::Time;
use crate::credit::Credit;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// The time in which a host that has never answered earns one more dial. At this rate even a fleet of 10,000 daemons
/// sends one host 1,000 dials per second in all.
const HOST_DIAL: Duration = Duration::from_secs(10);
/// Limits the dials to one host in a burst. It allows for several daemons at one address, some of which are not
/// running.
const HOST_CREDIT: Credit = Credit::full(HOST_DIAL.saturating_mul(8));
/// The time in which all hosts that do not answer earn one more dial together: 10 per second, far less than a network
/// notices.
const ANY_DIAL: Duration = Duration::from_millis(100);
/// Limits the dials to all such hosts together in a burst: one full list of candidates.
const ANY_CREDIT: Credit = Credit::full(ANY_DIAL.saturating_mul(200));
/// Limits the hosts whose credit is remembered. Beyond it the host with the most credit is forgotten: it is the least
/// suspect.
const HOSTS_MAX: usize = 4096;

/// The dial credit of each host, and of all together.
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
    /// Pays for a dial. Returns the time of the next try if there is no credit.
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

    /// A daemon at this host said hello: the host gets its credit back, and the credit that this dial took from all.
    pub(super) fn answered(&mut self, peer: PeerAddr) {
        self.hosts.remove(&peer.ip());
        self.all.refund(ANY_DIAL);
    }

    /// Forgets the host that will have its whole credit back first.
    fn forget_one(&mut self) {
        let best = self.hosts.iter().min_by_key(|(_, credit)| credit.ready_at(HOST_DIAL));
        if let Some(best) = best.map(|(host, _)| *host) {
            self.hosts.remove(&best);
        }
    }
}

/// Counts, per network, the candidates of a swarm that never answered. An attacker who invents peers has many addresses
/// but few networks.
#[derive(Default)]
pub(super) struct Silence {
    networks: BTreeMap<IpAddr, [u32; 2]>,
}

impl Silence {
    /// Counts a host that never answered.
    pub(super) fn note(&mut self, host: IpAddr) {
        for (wide, network) in networks(host).into_iter().enumerate() {
            self.networks.entry(network).or_default()[wide] += 1;
        }
    }

    /// Sorts peers into groups: first those in whose networks the fewest candidates never answered. The order within a
    /// group is kept.
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

/// The narrow network of a host (24 bits of IPv4, 48 bits of IPv6) and its wide one (16 and 32 bits).
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

    /// How many dials of `wanted` are made within `span` when one is tried every 10 ms.
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
    fn a_host_is_in_a_narrow_network_and_in_a_wide_one() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(networks(ip("10.1.2.3")), ["10.1.2.0", "10.1.0.0"].map(ip));
        assert_eq!(networks(ip("2001:db8:1:2::3")), ["2001:db8:1::", "2001:db8::"].map(ip));
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
