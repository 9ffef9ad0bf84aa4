//! The tracker that a command keeps asking. The counts of two trackers differ, and each question to a dead tracker
//! costs a timeout, so the tracker that answered first is asked until it fails for good.

use shared::url::TrackerUrl;
use std::time::{Duration, Instant};

/// How long a tracker may fail before another one is asked. A restart takes less.
const FAILS_MAX: Duration = Duration::from_secs(15);

/// Chooses the tracker to ask.
#[derive(Debug)]
pub(crate) struct Kept {
    tracker: Option<TrackerUrl>,
    /// Whether the command line names it, so that no other is ever asked.
    is_named: bool,
    /// When the first of the questions was asked that it has not answered since.
    failing_since: Option<Instant>,
}

impl Kept {
    /// Begins with the tracker that the command line names, or with none.
    pub(crate) fn new(named: Option<TrackerUrl>) -> Kept {
        Kept { is_named: named.is_some(), tracker: named, failing_since: None }
    }

    /// The tracker to ask; `None` if ttd may choose.
    pub(crate) fn tracker(&self) -> Option<TrackerUrl> {
        self.tracker.clone()
    }

    /// Records that a tracker has answered: it is asked from now on.
    pub(crate) fn answered(&mut self, tracker: &TrackerUrl) {
        self.tracker = Some(tracker.clone());
        self.failing_since = None;
    }

    /// Records that the tracker did not answer a question from the time `asked`. One error is not enough to change it:
    /// a tracker that restarts is back in seconds, and another one may not know the resource.
    pub(crate) fn failed(&mut self, asked: Instant, now: Instant) {
        let since = *self.failing_since.get_or_insert(asked);
        if !self.is_named && now.saturating_duration_since(since) >= FAILS_MAX {
            (self.tracker, self.failing_since) = (None, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> TrackerUrl {
        text.parse().unwrap()
    }

    #[test]
    fn a_tracker_that_answered_is_kept_until_it_has_failed_for_long() {
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let mut kept = Kept::new(None);
        kept.failed(at(0), at(20));
        assert_eq!(kept.tracker(), None);
        kept.answered(&url("tt://b"));
        kept.failed(at(30), at(31));
        kept.failed(at(32), at(44));
        assert_eq!(kept.tracker(), Some(url("tt://b")));
        // An answer cancels all failures before it.
        kept.answered(&url("tt://b"));
        kept.failed(at(46), at(50));
        assert_eq!(kept.tracker(), Some(url("tt://b")));
        kept.failed(at(52), at(61));
        assert_eq!(kept.tracker(), None);
        kept.answered(&url("tt://a"));
        // A tracker that hangs is given up after one question.
        kept.failed(at(70), at(90));
        assert_eq!(kept.tracker(), None);
    }

    #[test]
    fn a_tracker_that_is_named_is_never_let_go() {
        let begin = Instant::now();
        let mut kept = Kept::new(Some(url("tt://named")));
        kept.failed(begin, begin + Duration::from_secs(100));
        kept.failed(begin, begin + Duration::from_secs(200));
        assert_eq!(kept.tracker(), Some(url("tt://named")));
    }
}
