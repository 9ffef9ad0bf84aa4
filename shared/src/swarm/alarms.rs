//! When the core must be woken, and for what: at most one alarm per purpose.

use super::event::PeerAddr;
use super::time::Time;
use crate::id::SwarmKey;
use std::collections::{BTreeMap, BTreeSet};

/// The purpose of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Alarm {
    /// Look at a swarm's requests: rests that ended, stalls, slow requests, a lack of peers.
    Swarm(SwarmKey),
    /// Dial a peer again.
    Redial(PeerAddr),
    /// End picks, grants and uploads that have waited too long.
    Uploads,
}

/// The alarms, by purpose and by time.
#[derive(Default)]
pub(super) struct Alarms {
    times: BTreeMap<Alarm, Time>,
    queue: BTreeSet<(Time, Alarm)>,
}

impl Alarms {
    /// Rings at `time`, or earlier if an earlier time was set. An alarm that rings too early does no harm: its handler
    /// looks again and sets the next one. So when a deadline moves to a later time, its alarm need not be changed.
    pub(super) fn set(&mut self, alarm: Alarm, time: Time) {
        match self.times.get(&alarm) {
            Some(&set) if set <= time => return,
            Some(&set) => _ = self.queue.remove(&(set, alarm)),
            None => {}
        }
        self.times.insert(alarm, time);
        self.queue.insert((time, alarm));
    }

    pub(super) fn clear(&mut self, alarm: Alarm) {
        if let Some(time) = self.times.remove(&alarm) {
            self.queue.remove(&(time, alarm));
        }
    }

    /// When the next alarm rings.
    pub(super) fn next(&self) -> Option<Time> {
        self.queue.first().map(|&(time, _)| time)
    }

    /// Removes and returns the next alarm that is due.
    pub(super) fn pop_due(&mut self, now: Time) -> Option<Alarm> {
        let &(time, alarm) = self.queue.first().filter(|&&(time, _)| time <= now)?;
        self.queue.remove(&(time, alarm));
        self.times.remove(&alarm);
        Some(alarm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earlier_time_stands() {
        let mut alarms = Alarms::default();
        alarms.set(Alarm::Uploads, Time(50));
        alarms.set(Alarm::Uploads, Time(70));
        assert_eq!(alarms.next(), Some(Time(50)));
        alarms.set(Alarm::Uploads, Time(20));
        assert_eq!(alarms.pop_due(Time(19)), None);
        assert_eq!(alarms.pop_due(Time(20)), Some(Alarm::Uploads));
        assert_eq!(alarms.next(), None);
        alarms.set(Alarm::Uploads, Time(80));
        alarms.clear(Alarm::Uploads);
        assert_eq!(alarms.next(), None);
    }
}
