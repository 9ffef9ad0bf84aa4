//! The latest events of this machine, for readers that follow them.

use shared::rpc::control::{EventPage, Happened, Happening};
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// How many of the latest events are kept. A reader that is further behind is told how many it missed. With reasons of
/// 512 bytes they take less than 1 MiB.
const EVENTS_MAX: usize = 1024;

/// The latest events.
#[derive(Debug, Default)]
pub struct EventBoard {
    ring: Mutex<Ring>,
    /// The number of the newest event.
    newest: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Ring {
    newest: u64,
    events: VecDeque<Happened>,
}

impl EventBoard {
    /// Adds an event that happened at this time of day.
    pub fn add(&self, at_ms: u64, event: Happening) {
        let mut ring = self.ring();
        let number = ring.newest + 1;
        if ring.events.len() == EVENTS_MAX {
            ring.events.pop_front();
        }
        ring.events.push_back(Happened { number, at_ms, event });
        ring.newest = number;
        drop(ring);
        self.newest.send_replace(number);
    }

    /// Waits for events after the one with the number `after`; returns none when `wait` is over. Without `after`,
    /// returns at once only the number of the newest event.
    pub async fn read(&self, after: Option<u64>, wait: Duration) -> EventPage {
        let Some(after) = after else {
            return EventPage { newest: self.ring().newest, missed: 0, events: Vec::new() };
        };
        let mut newest = self.newest.subscribe();
        // a number that is not reached yet comes from an earlier run
        let is_news = |newest: &u64| *newest != after;
        let _ = tokio::time::timeout(wait, newest.wait_for(is_news)).await;
        self.ring().after(after)
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn after(&self, after: u64) -> EventPage {
        let after = if after > self.newest { 0 } else { after };
        let wanted = self.newest - after;
        let kept = wanted.min(self.events.len() as u64);
        let events = self.events.iter().skip(self.events.len() - kept as usize).cloned().collect();
        EventPage { newest: self.newest, missed: wanted - kept, events }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::rpc::control::TrackerEvent;

    fn event() -> Happening {
        Happening::Tracker { tracker: "tt://a:1".parse().unwrap(), what: TrackerEvent::Back }
    }

    fn numbers(page: &EventPage) -> Vec<u64> {
        page.events.iter().map(|event| event.number).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_gets_each_event_once_and_waits_for_the_next() {
        let (board, wait) = (EventBoard::default(), Duration::from_secs(60));
        assert_eq!(board.read(None, wait).await.newest, 0);
        board.add(5, event());
        board.add(6, event());
        assert_eq!(numbers(&board.read(Some(0), wait).await), [1, 2]);
        assert_eq!(numbers(&board.read(Some(1), wait).await), [2]);
        let page = board.read(Some(2), wait).await;
        assert_eq!((page.newest, page.events.len()), (2, 0), "nothing came in this time");
        let (page, ()) = tokio::join!(board.read(Some(2), wait), async { board.add(7, event()) });
        assert_eq!((numbers(&page), page.newest), (vec![3], 3));
        assert_eq!(numbers(&board.read(Some(99), wait).await), [1, 2, 3], "another run counted anew");
    }

    #[tokio::test]
    async fn a_slow_reader_is_told_how_many_it_missed() {
        let board = EventBoard::default();
        (0..EVENTS_MAX as u64 + 10).for_each(|at_ms| board.add(at_ms, event()));
        let page = board.read(Some(3), Duration::ZERO).await;
        assert_eq!((page.missed, page.events.len()), (7, EVENTS_MAX));
        assert_eq!(page.events[0].number, 11);
        assert_eq!(board.read(Some(10), Duration::ZERO).await.missed, 0);
    }
}
