//! How many dials a host is worth that does not answer.
//!
//! Whom we dial, others tell us: trackers, which may be hostile. A fleet must not become a weapon against a machine
//! that has nothing to do with it, whatever ports of it are named. So hosts are dialled on credit: a dial costs one,
//! credit comes back slowly, and at once when somebody there says hello. No peer is banned for its host: where one
//! answers, all may be dialled, so that a fleet behind one address meets as fast as any other.

use super::event::PeerAddr;
use super::time::Time;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// So many dials a host is given that has never answered.
const HOST_CREDIT: u32 = 8;
/// After that, one more each time that so long has passed.
const HOST_CREDIT_AFTER: Duration = Duration::from_secs(10);
/// So many hosts are remembered; beyond it those with the most credit are forgotten, which are the least suspect.
const HOSTS_MAX: usize = 4096;
/// All hosts together that do not answer are given so many dials …
const ALL_CREDIT: u32 = 200;
/// … and after that so many a second.
const ALL_CREDIT_PER_S: u32 = 10;

/// What hosts are still worth.
pub(super) struct Dials {
    hosts: BTreeMap<IpAddr, Credit>,
    all: Credit,
}

/// Dials that may be made.
#[derive(Debug, Clone, Copy)]
struct Credit {
    left: u32,
    /// Up to when the credit was counted.
    counted: Time,
}

impl Credit {
    fn count(&mut self, now: Time, max: u32, every: Duration) {
        let earned = now.since(self.counted).as_micros() / every.as_micros().max(1);
        let earned = u32::try_from(earned).unwrap_or(u32::MAX);
        if earned >= max - self.left.min(max) {
            (self.left, self.counted) = (max, now);
        } else {
            (self.left, self.counted) = (self.left + earned, self.counted + every * earned);
        }
    }

    fn next(&self, every: Duration) -> Time {
        self.counted + every
    }
}

impl Default for Dials {
    fn default() -> Dials {
        let all = Credit { left: ALL_CREDIT, counted: Time(0) };
        Dials { hosts: BTreeMap::new(), all }
    }
}

impl Dials {
    /// Pays for a dial; when there is no credit, says when to try again.
    pub(super) fn pay(&mut self, peer: PeerAddr, now: Time) -> Result<(), Time> {
        let every = Duration::from_secs(1) / ALL_CREDIT_PER_S;
        self.all.count(now, ALL_CREDIT, every);
        if self.hosts.len() >= HOSTS_MAX && !self.hosts.contains_key(&peer.ip()) {
            self.forget_one();
        }
        let host = self.hosts.entry(peer.ip()).or_insert(Credit { left: HOST_CREDIT, counted: now });
        host.count(now, HOST_CREDIT, HOST_CREDIT_AFTER);
        if host.left == 0 {
            return Err(host.next(HOST_CREDIT_AFTER));
        }
        if self.all.left == 0 {
            return Err(self.all.next(every));
        }
        host.left -= 1;
        self.all.left -= 1;
        Ok(())
    }

    /// Somebody at this host said hello: it has its credit back, and what was paid for this dial.
    pub(super) fn answered(&mut self, peer: PeerAddr) {
        self.hosts.remove(&peer.ip());
        self.all.left = (self.all.left + 1).min(ALL_CREDIT);
    }

    fn forget_one(&mut self) {
        let best = self.hosts.iter().max_by_key(|(_, credit)| credit.left).map(|(host, _)| *host);
        best.map(|host| self.hosts.remove(&host));
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
        assert_eq!(again, now + HOST_CREDIT_AFTER);
        assert_eq!(dials.pay(peer(1, 9), again), Ok(()));
        assert!(dials.pay(peer(2, 9), now).is_ok(), "another host");
    }
}
