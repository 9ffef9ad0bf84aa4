//! The peers that fetch from this machine, for display only: no decision depends on it.

use super::event::PeerAddr;
use super::time::Time;
use crate::id::SwarmKey;
use std::collections::BTreeMap;
use std::time::Duration;

/// A peer counts as fetching from here if it asked for something within this time.
const FETCHES_FOR: Duration = Duration::from_secs(10);
/// A peer that asked for nothing for this time is shown like a new one when it comes back: its rate and its number of
/// chunks begin anew. It is longer than a chunk takes over a slow link.
const AWAY_FOR: Duration = Duration::from_secs(60);
/// The rate of a peer is taken over one to two times this span.
const RATE_SPAN: Duration = Duration::from_secs(3);
/// Limits the remembered peers of all swarms together. Further peers are not shown; they are served all the same. It is
/// far more than fetch from one machine within a minute.
const TAKERS_MAX: usize = 4096;

/// The peers that fetch from here, in all swarms.
#[derive(Debug, Default)]
pub(super) struct Takers(BTreeMap<(SwarmKey, PeerAddr), Taker>);

#[derive(Debug, Clone, Copy)]
pub(super) struct Taker {
    pub(super) asked_at: Time,
    /// When it asked first.
    pub(super) since: Time,
    pub(super) sent: u64,
    /// When the two last spans for its rate began, the older one first, and how much had been sent then.
    marks: [(Time, u64); 2],
}

impl Taker {
    fn new(now: Time) -> Taker {
        Taker { asked_at: now, since: now, sent: 0, marks: [(now, 0); 2] }
    }

    fn count(&mut self, now: Time) {
        (self.asked_at, self.sent) = (now, self.sent + 1);
        if now.since(self.marks[1].0) >= RATE_SPAN {
            self.marks = [self.marks[1], (now, self.sent)];
        }
    }

    /// How many chunks it got lately, and in which span.
    pub(super) fn lately(&self, now: Time) -> (u64, Duration) {
        let (at, sent) = self.marks[0];
        (self.sent - sent, now.since(at))
    }
}

impl Takers {
    /// Notes that a peer asked for something.
    pub(super) fn asked(&mut self, key: SwarmKey, peer: PeerAddr, now: Time) {
        if let Some(taker) = self.0.get_mut(&(key, peer)) {
            if now.since(taker.asked_at) < AWAY_FOR {
                taker.asked_at = now;
            } else {
                *taker = Taker::new(now);
            }
            return;
        }
        if self.0.len() >= TAKERS_MAX {
            self.0.retain(|_, taker| is_recent(taker, now));
        }
        if self.0.len() < TAKERS_MAX {
            self.0.insert((key, peer), Taker::new(now));
        }
    }

    /// Notes that a peer got a chunk.
    pub(super) fn sent(&mut self, key: SwarmKey, peer: PeerAddr, now: Time) {
        if let Some(taker) = self.0.get_mut(&(key, peer)) {
            taker.count(now);
        }
    }

    pub(super) fn of(&self, key: SwarmKey) -> impl Iterator<Item = (PeerAddr, &Taker)> {
        let first = PeerAddr::from(([0, 0, 0, 0], 0));
        let from_first = self.0.range((key, first)..).take_while(move |((other, _), _)| *other == key);
        from_first.map(|(&(_, peer), taker)| (peer, taker))
    }
}

pub(super) fn is_recent(taker: &Taker, now: Time) -> bool {
    now.since(taker.asked_at) < FETCHES_FOR
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Bench, SECOND, key, peer, window};
    use super::super::{AskEnd, Event};
    use super::*;
    use crate::chunk::ChunkIndex;

    fn shown(bench: &Bench) -> Vec<(PeerAddr, u32, u64)> {
        let takers = bench.machine.takers(bench.now, key(1));
        assert_eq!(bench.machine.takers_count(bench.now, key(1)) as usize, takers.len());
        takers.into_iter().map(|taker| (taker.peer, taker.in_flight, taker.chunks_sent)).collect()
    }

    #[test]
    fn who_asks_is_shown_until_it_has_asked_for_nothing_for_a_while() {
        let mut bench = Bench::new();
        bench.join(1, 90, true);
        bench.join(2, 90, true);
        bench.pick(1, window(0..90));
        bench.ask(2, ChunkIndex(7));
        assert_eq!(shown(&bench), [(peer(1), 0, 0), (peer(2), 1, 0)]);
        assert!(bench.machine.takers(bench.now, key(2)).is_empty());
        bench.wait(FETCHES_FOR * 2);
        assert_eq!(shown(&bench), [(peer(2), 1, 0)], "a chunk is still on its way to it");
        let (ask, _) = bench.ask(3, ChunkIndex(8));
        bench.on(Event::AskEnded { ask, end: AskEnd::Served });
        assert_eq!(shown(&bench), [(peer(2), 1, 0), (peer(3), 0, 1)]);
        bench.on(Event::Leave { key: key(1) });
        bench.wait(SECOND);
        assert_eq!(shown(&bench).len(), 2, "what is on its way goes on to its end");
    }

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let (mut takers, start) = (Takers::default(), Time(0));
        let at = |quarters: u32| start + Duration::from_millis(250) * quarters;
        takers.asked(key(1), peer(1), start);
        (1..=40).for_each(|quarters| takers.sent(key(1), peer(1), at(quarters)));
        let lately = |takers: &Takers, now| takers.of(key(1)).next().unwrap().1.lately(now);
        let (chunks, span) = lately(&takers, at(40));
        assert!((RATE_SPAN..=RATE_SPAN * 2).contains(&span), "{span:?}");
        assert_eq!(chunks, span.as_secs() * 4 + u64::from(span.subsec_millis()) / 250);
        assert_eq!(lately(&takers, at(80)).0, chunks, "what pauses becomes slower");
        assert!(lately(&takers, at(80)).1 > RATE_SPAN * 3);
    }

    #[test]
    fn a_peer_that_was_away_begins_anew() {
        let (mut takers, start) = (Takers::default(), Time(0));
        takers.asked(key(1), peer(1), start);
        takers.sent(key(1), peer(1), start + SECOND);
        let back = start + AWAY_FOR * 2;
        takers.asked(key(1), peer(1), back);
        let (_, taker) = takers.of(key(1)).next().unwrap();
        assert_eq!((taker.sent, taker.since), (0, back));
    }

    #[test]
    fn the_remembered_peers_are_bounded() {
        let mut takers = Takers::default();
        let at = |port: usize| PeerAddr::from(([10, 0, 0, 1], port as u16));
        (0..2 * TAKERS_MAX).for_each(|port| takers.asked(key(1), at(port), Time(0)));
        assert_eq!(takers.0.len(), TAKERS_MAX);
        takers.asked(key(1), at(2 * TAKERS_MAX), Time(0) + FETCHES_FOR);
        assert_eq!(takers.0.len(), 1, "those that asked long ago make room");
    }
}
