//! How often anybody may ask for a certificate. Pure.
//!
//! A token has 128 random bits, so nobody guesses one. The limits are for the disk: each certificate is a line of a file
//! that is synced.

use shared::credit::Credit;
use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

/// How many calls may come at once: from one address (from 64 bits of an IPv6 address), and from all together.
const BURST: u32 = 100;
const BURST_OF_ALL: u32 = 400;
/// The time after which one more may come.
const EVERY: Duration = Duration::from_millis(100);
const EVERY_OF_ALL: Duration = Duration::from_millis(20);

/// How many renewals of one key are done at once. Beyond it there are twenty in the life of a certificate, and at least
/// one per hour.
const RENEWALS: u32 = 8;
const RENEWALS_PER_LIFE: u32 = 20;
const RENEWAL_EVERY_MAX: Duration = Duration::from_secs(3600);
const RENEWAL_EVERY_MIN: Duration = Duration::from_secs(1);

/// Limits the addresses that are remembered, and the keys. One that has asked nothing for a while is forgotten; if that
/// makes no room, a new one waits.
const ADDRESSES_MAX: usize = 4096;
const KEYS_MAX: usize = 1 << 17;

/// The limits of a tracker. Times are counted from its start.
#[derive(Debug)]
pub(super) struct Limits {
    all: Credit,
    addresses: Credits<IpAddr>,
    keys: Credits<[u8; 32]>,
}

impl Limits {
    pub(super) fn new() -> Limits {
        Limits {
            all: Credit::full(EVERY_OF_ALL * BURST_OF_ALL),
            addresses: Credits::new(ADDRESSES_MAX),
            keys: Credits::new(KEYS_MAX),
        }
    }

    /// Counts a call from an address.
    ///
    /// # Errors
    /// How long the caller has to wait.
    pub(super) fn take(&mut self, now: Duration, addr: IpAddr) -> Result<(), Duration> {
        let network = network_of(addr);
        self.addresses.may_spend(now, &network, EVERY)?;
        let ready = self.all.ready_at(EVERY_OF_ALL);
        if ready > now {
            return Err(ready - now);
        }
        self.all.spend(now, EVERY_OF_ALL);
        self.addresses.spend(now, network, EVERY, BURST);
        Ok(())
    }

    /// Whether a key may renew now.
    ///
    /// # Errors
    /// How long it has to wait.
    pub(super) fn may_renew(&mut self, now: Duration, key: &[u8; 32]) -> Result<(), Duration> {
        self.keys.may_spend(now, key, RENEWAL_EVERY_MIN)
    }

    /// Counts a renewal. The request was signed by the key, so no other machine spends the renewals of a key.
    pub(super) fn renewed(&mut self, now: Duration, key: [u8; 32], life: Duration) {
        let every = (life / RENEWALS_PER_LIFE).clamp(RENEWAL_EVERY_MIN, RENEWAL_EVERY_MAX);
        self.keys.spend(now, key, every, RENEWALS);
    }
}

/// What counts as one address: whoever has one IPv6 address has all of its lower 64 bits.
fn network_of(addr: IpAddr) -> IpAddr {
    match addr {
        IpAddr::V4(_) => addr,
        IpAddr::V6(addr) => Ipv6Addr::from_bits(addr.to_bits() >> 64 << 64).into(),
    }
}

/// A credit for each of many, at most `max`.
#[derive(Debug)]
struct Credits<K> {
    of: HashMap<K, Credit>,
    max: usize,
}

impl<K: Eq + Hash> Credits<K> {
    fn new(max: usize) -> Credits<K> {
        Credits { of: HashMap::new(), max }
    }

    /// Whether one may spend `cost`, and has a place.
    fn may_spend(&mut self, now: Duration, who: &K, cost: Duration) -> Result<(), Duration> {
        if let Some(credit) = self.of.get(who) {
            return match credit.ready_at(cost).saturating_sub(now) {
                Duration::ZERO => Ok(()),
                wait => Err(wait),
            };
        }
        if self.of.len() >= self.max {
            self.of.retain(|_, credit| credit.full_at() > now);
        }
        if self.of.len() < self.max { Ok(()) } else { Err(cost) }
    }

    fn spend(&mut self, now: Duration, who: K, cost: Duration, burst: u32) {
        if self.of.len() < self.max || self.of.contains_key(&who) {
            self.of.entry(who).or_insert(Credit::full(cost * burst)).spend(now, cost);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    #[test]
    fn an_address_is_slowed_down_and_others_are_not() {
        let (mut limits, now) = (Limits::new(), Duration::from_secs(9));
        let taken = (0..500).filter(|_| limits.take(now, addr(1)).is_ok()).count();
        assert_eq!(taken, BURST as usize);
        assert_eq!(limits.take(now, addr(1)), Err(EVERY));
        assert_eq!(limits.take(now, addr(2)), Ok(()));
        assert_eq!(limits.take(now + EVERY, addr(1)), Ok(()));
        let six = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(network_of(six("2001:db8:1:2:3::4")), six("2001:db8:1:2::"));
    }

    #[test]
    fn all_together_are_slowed_down() {
        let (mut limits, now) = (Limits::new(), Duration::ZERO);
        let taken = (0..1000).filter(|at: &u32| limits.take(now, addr((at / 50) as u8)).is_ok()).count();
        assert_eq!(taken, BURST_OF_ALL as usize);
        assert_eq!(limits.take(now + EVERY_OF_ALL, addr(200)), Ok(()));
    }

    #[test]
    fn a_key_renews_as_often_as_it_needs() {
        let (mut limits, life) = (Limits::new(), Duration::from_secs(30));
        let renewals = |limits: &mut Limits, now: Duration| {
            let mut count = 0;
            while limits.may_renew(now, &[1; 32]).is_ok() {
                limits.renewed(now, [1; 32], life);
                count += 1;
            }
            count
        };
        assert_eq!(renewals(&mut limits, Duration::ZERO), RENEWALS);
        assert_eq!(renewals(&mut limits, Duration::from_secs(20)), RENEWALS, "at two thirds of its life");
        assert_eq!(limits.may_renew(Duration::from_secs(20), &[2; 32]), Ok(()));
    }

    #[test]
    fn what_is_remembered_is_bounded_and_idle_ones_are_forgotten() {
        let mut credits = Credits::new(2);
        for who in [1, 2] {
            credits.spend(Duration::ZERO, who, EVERY, 1);
        }
        assert_eq!(credits.may_spend(EVERY / 2, &3, EVERY), Err(EVERY));
        credits.spend(EVERY / 2, 3, EVERY, 1);
        assert_eq!(credits.of.len(), 2);
        assert_eq!(credits.may_spend(EVERY, &3, EVERY), Ok(()));
        assert_eq!(credits.of.len(), 0);
    }
}
