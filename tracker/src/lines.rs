//! Limits the log lines that one connection causes, so that a stranger cannot fill the log.

use shared::credit::Credit;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Limits the lines at once. Beyond it, what happens is only logged at the level `debug`. It is enough for a user who
/// unpublishes a directory.
const AT_ONCE_MAX: u32 = 100;
/// The time after which there is room for one more line: at most 86,400 lines a day beside the bursts.
const EVERY: Duration = Duration::from_secs(1);

/// The log lines of one connection.
#[derive(Debug)]
pub(crate) struct Lines {
    start: Instant,
    credit: Mutex<Credit>,
}

impl Lines {
    pub(crate) fn new() -> Lines {
        Lines { start: Instant::now(), credit: Mutex::new(Credit::full(EVERY * AT_ONCE_MAX)) }
    }

    /// Whether there is room for a line, which is taken.
    pub(crate) fn take(&self) -> bool {
        self.take_at(self.start.elapsed())
    }

    fn take_at(&self, now: Duration) -> bool {
        let mut credit = self.credit.lock().unwrap_or_else(PoisonError::into_inner);
        let has_room = credit.ready_at(EVERY) <= now;
        if has_room {
            credit.spend(now, EVERY);
        }
        has_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_lines_is_cut_and_goes_on_slowly() {
        let lines = Lines::new();
        let taken = |now| (0..5_000).filter(|_| lines.take_at(now)).count() as u32;
        assert_eq!(taken(Duration::ZERO), AT_ONCE_MAX);
        assert_eq!(taken(EVERY * 7), 7);
        assert_eq!(taken(EVERY * (7 + AT_ONCE_MAX * 3)), AT_ONCE_MAX);
    }
}
