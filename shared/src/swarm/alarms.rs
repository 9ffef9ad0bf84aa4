//! What the core wants to be woken for, and when: at most one alarm for each purpose.

use super::event::PeerAddr;
use super::time::Time;
use crate::id::SwarmKey;
use std::collections::{BTreeMap, BTreeSet};

/// What to look after when the time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Alarm {
    /// A swarm's requests: back-offs that ended, stalls, slow requests, a lack of peers.
    Swarm(SwarmKey),
    /// A peer may be dialled again.
    Redial(PeerAddr),
    /// Picks and grants that have waited too long.
    Uploads,
}

/// The alarms, by purpose and by time.
#[derive(Default)]
pub(super) struct Alarms {
    times: BTreeMap<Alarm, Time>,
    queue: BTreeSet<(Time, Alarm)>,
}

impl Alarms {
    /// Rings at `time`, or earlier if that was set. An alarm that rings too early does no harm: whoever it
    /// wakes looks again and sets the next one; and so a deadline that moves on need not be followed.
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

    /// When the next one rings.
    pub(super) fn next(&self) -> Option<Time> {
        self.queue.first().map(|&(time, _)| time)
    }

    /// Takes the next alarm that is due.
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
