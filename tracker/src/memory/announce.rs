//! Handles announce and withdraw: a peer takes part in swarms or leaves them, and is told of other peers.

use super::member::Member;
use super::network::peers_at;
use super::refusal::Refusal;
use super::swarm::Swarm;
use super::swarms::{KnownPeer, Swarms, digests_of};
use super::told::nonsense;
use super::who::Who;
use shared::id::SwarmKey;
use shared::rpc::tracker::{
    ANNOUNCE_MAX, Announce, AnnounceAnswer, NEIGHBOURS, PEERS_MAX, PeerEntry, Presence, REPLY_PEERS_MAX,
    Stage,
};
use shared::swarm::Time;
use std::collections::BTreeSet;
use std::time::Duration;

/// Limits the renewals per second of all peers together. With more entries, the intervals become longer.
const RENEWALS_PER_S: u32 = 20_000;
/// An entry expires after this many intervals without an announce: one or two may be lost with a connection.
const INTERVALS: u32 = 3;

impl Swarms {
    pub(super) fn announce(
        &mut self,
        now: Time,
        who: &Who,
        entries: &[Announce],
        is_published: impl Fn(SwarmKey) -> bool,
    ) -> Result<Vec<AnnounceAnswer>, Refusal> {
        if entries.len() > ANNOUNCE_MAX {
            return Err(Refusal::Malformed(format!("more than {ANNOUNCE_MAX} resources in one announce")));
        }
        if let Some(nonsense) = entries.iter().find_map(nonsense) {
            return Err(Refusal::Malformed(nonsense));
        }
        self.reopen(who.key());
        self.check_room(now, who, entries, is_published)?;
        self.mark_former_process(who);
        // The peers are divided among all entries; otherwise the last of many resources would never hear of a peer.
        let share = (REPLY_PEERS_MAX / entries.len().max(1)).max(1);
        let answers = entries.iter().map(|entry| {
            let interval = self.renew(now, who, entry);
            self.answer(now, who, entry, interval, share)
        });
        Ok(answers.collect())
    }

    pub(super) fn withdraw(&mut self, now: Time, who: &Who, keys: &[SwarmKey]) -> Result<(), Refusal> {
        if keys.len() > ANNOUNCE_MAX {
            return Err(Refusal::Malformed(format!("more than {ANNOUNCE_MAX} resources in one withdraw")));
        }
        keys.iter().for_each(|key| self.remove(now, who.key(), *key, Some(Presence::Left)));
        Ok(())
    }

    /// A new process appeared at an address where another process's connection is closed. It is the same machine after
    /// a restart, so entries that it does not announce again end. If the other connection is open, it is another
    /// machine behind the same address.
    fn mark_former_process(&mut self, who: &Who) {
        if self.peers.get(&who.key()).is_some_and(|peer| !peer.swarms.is_empty()) {
            return; // it is not new
        }
        let others = self.peers.range_mut(peers_at(who.addr));
        let former = others.filter(|(key, peer)| {
            **key != who.key() && peer.closed.is_some() && !peer.succeeded && peer.may_be(who.node.as_ref())
        });
        let former = former.max_by_key(|(_, peer)| peer.closed);
        let Some((&key, former)) = former else { return };
        former.succeeded = true;
        self.tell_swarms(key);
    }

    /// Checks the limits before anything is stored, so that an announce is accepted as a whole or not at all. Others
    /// may have been evicted by then.
    fn check_room(
        &mut self,
        now: Time,
        who: &Who,
        entries: &[Announce],
        is_published: impl Fn(SwarmKey) -> bool,
    ) -> Result<(), Refusal> {
        let known = self.peers.get(&who.key()).map(|peer| &peer.swarms);
        let new = entries.iter().filter(|entry| known.is_none_or(|known| !known.contains(&entry.key)));
        let new: Vec<&Announce> = new.collect();
        let known = known.map_or(0, BTreeSet::len);
        if known + new.len() > self.limits.entries_per_peer_max {
            let max = self.limits.entries_per_peer_max;
            return Err(Refusal::Full(format!("at most {max} resources per peer")));
        }
        let max = self.limits.peers_per_address_max;
        let is_open = |peer: &KnownPeer| !peer.swarms.is_empty() && peer.closed.is_none();
        let others = self.peers.range(peers_at(who.addr)).filter(|(_, peer)| is_open(peer));
        if known == 0 && others.take(max).count() == max {
            return Err(Refusal::Full(format!("at most {max} peers behind one address and port")));
        }
        self.make_room(now, new.len());
        self.share_room(now, who.key(), new.len());
        if self.entries + new.len() > self.limits.entries_max {
            return Err(Refusal::Full(format!("at most {} entries", self.limits.entries_max)));
        }
        self.make_room_for_lists(now, who, &new, is_published)
    }

    /// Stores an entry. Returns the time until the next announce.
    fn renew(&mut self, now: Time, who: &Who, entry: &Announce) -> Duration {
        let (key, peer) = (entry.key, who.key());
        let is_new = self.swarms.get(&key).is_none_or(|swarm| swarm.member(peer).is_none());
        if is_new {
            self.take_place_of_former(now, key, who);
            self.entries += 1;
            let known = self.peers.entry(peer).or_default();
            known.swarms.insert(key);
            self.shares.set(peer, known.swarms.len() - 1, known.swarms.len());
        }
        let swarm = self.swarms.entry(key).or_insert_with(|| Swarm::new(now));
        if is_new {
            swarm.add(now, Member::new(now, who, entry));
        }
        swarm.renew(now, peer, entry);
        let least = Duration::from_secs(1) * self.entries as u32 / RENEWALS_PER_S;
        let interval =
            swarm.interval(now).max(least).mul_f64(0.8 + 0.4 * self.draw.below(1001) as f64 / 1000.0);
        let expires = now + interval * INTERVALS;
        swarm.keep_until(peer, expires);
        if expires < swarm.due {
            let former = std::mem::replace(&mut swarm.due, expires);
            self.due.remove(&(former, key));
            self.due.insert((expires, key));
        }
        interval
    }

    /// A peer joins a swarm. If it was there before, as itself or as a former process, the former entry must not be
    /// listed as gone as well.
    fn take_place_of_former(&mut self, now: Time, key: SwarmKey, who: &Who) {
        let peer = who.key();
        if self.gone.remove(key, peer) {
            return;
        }
        let former = self.swarms.get(&key).and_then(|swarm| {
            let others = swarm.range(peers_at(peer.0)).map(|member| member.peer);
            let closed = others.filter_map(|other| {
                let known = self.peers.get(&other).filter(|known| known.may_be(who.node.as_ref()))?;
                Some((known.closed?, other))
            });
            closed.max()
        });
        match former {
            Some((_, former)) => self.remove(now, former, key, None),
            None => self.gone.remove_last_at(key, peer.0),
        }
    }

    fn answer(
        &mut self,
        now: Time,
        who: &Who,
        entry: &Announce,
        interval: Duration,
        peers_max: usize,
    ) -> AnnounceAnswer {
        let conflict = digests_of(&self.swarms, entry.key.resource).nth(1).is_some();
        let swarm = &self.swarms[&entry.key];
        let asked = usize::from(entry.peers_wanted);
        let wanted = asked.min(PEERS_MAX).min(peers_max);
        let drawn = match entry.stage {
            Stage::Seeding => swarm.draw_lonely(&mut self.draw, wanted),
            Stage::Leeching if asked > NEIGHBOURS => swarm.draw_widely(&mut self.draw, who.key(), wanted),
            Stage::Leeching => swarm.draw(&mut self.draw, who.key(), wanted),
        };
        let mut peers: Vec<PeerEntry> = Vec::with_capacity(drawn.len());
        for member in drawn.into_iter().map(|at| &swarm.members()[at]) {
            // A peer behind the caller's own address cannot be dialed by it, and one dial per address is enough.
            let addr = member.peer.0;
            let is_new = addr != who.addr && peers.iter().all(|peer| peer.addr != addr);
            if is_new && member.expires > now {
                peers.push(member.entry(entry.key));
            }
        }
        let (seeders, leechers) = swarm.counts();
        AnnounceAnswer {
            peers,
            interval_ms: interval.as_millis() as u32,
            want_manifest: false,
            conflict,
            shared_at_ms: None,
            seeders,
            leechers,
            newer: Vec::new(),
            bytes: None,
            not_allowed: None,
        }
    }
}
