//! How far each tracker was followed, and when it is asked again. Pure: the time and the chance are passed in.

use shared::rpc::tracker::{CataloguePlace, Changes};
use shared::url::TrackerUrl;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// The shortest time between two questions: a tracker that always has more, or asks for more, gets no more.
const POLL_MIN: Duration = Duration::from_millis(500);
/// The time between two pages of one answer.
const PAGE_PAUSE: Duration = Duration::from_millis(20);
/// How many pages are asked for in a row. Each has 256 names.
const PAGES_MAX: u32 = 400;
/// The longest time between two questions, whatever the tracker says.
const POLL_MAX: Duration = Duration::from_secs(120);
/// After this time a tracker is followed from the beginning again. What was told while a clock was wrong is decided anew.
const ANEW_AFTER: Duration = Duration::from_secs(6 * 3600);
/// How long to wait after the first failure; after each further one twice as long.
const AGAIN_MIN: Duration = Duration::from_secs(1);
/// The longest wait after a failure.
const AGAIN_MAX: Duration = Duration::from_secs(60);

/// A tracker that is followed.
#[derive(Debug, Clone)]
struct Followed {
    place: CataloguePlace,
    /// Since when it is followed from the beginning.
    since: Instant,
    /// When it is asked.
    due: Instant,
    is_asked: bool,
    failures: u32,
    error: Option<String>,
    /// Whether it has answered since it is followed.
    has_answered: bool,
    /// The pages that were asked for in a row.
    pages: u32,
}

/// All trackers that are followed.
#[derive(Debug, Default)]
pub struct Follow {
    trackers: BTreeMap<TrackerUrl, Followed>,
}

impl Follow {
    /// Follows these trackers, each from the beginning: rules have changed, and what was told before may be wanted now.
    pub fn begin(&mut self, now: Instant, trackers: &BTreeSet<&TrackerUrl>) {
        let anew = Followed {
            place: CataloguePlace::default(),
            since: now,
            due: now,
            is_asked: false,
            failures: 0,
            error: None,
            has_answered: false,
            pages: 0,
        };
        let followed = trackers.iter().map(|url| {
            let known = self.trackers.get(*url).cloned().unwrap_or_else(|| anew.clone());
            let (place, pages) = (CataloguePlace::default(), 0);
            ((*url).clone(), Followed { place, since: now, due: now, pages, ..known })
        });
        self.trackers = followed.collect();
    }

    /// A tracker to ask now, with the place after which it is to tell changes.
    pub fn ask(&mut self, now: Instant) -> Option<(TrackerUrl, CataloguePlace)> {
        let mut due = self.trackers.iter_mut().filter(|(_, tracker)| !tracker.is_asked && tracker.due <= now);
        let (url, tracker) = due.next()?;
        tracker.is_asked = true;
        Some((url.clone(), tracker.place))
    }

    /// A tracker has answered. `since` is what it was asked; an answer to what is no longer the question does not count, and the
    /// result is false. `draw` is a random number from 0 to 1.
    pub fn answered(
        &mut self,
        now: Instant,
        url: &TrackerUrl,
        since: CataloguePlace,
        changes: &Changes,
        draw: f64,
    ) -> bool {
        let Some(tracker) = self.trackers.get_mut(url) else { return false };
        tracker.is_asked = false;
        if tracker.place != since {
            tracker.due = now;
            return false;
        }
        (tracker.failures, tracker.error, tracker.has_answered) = (0, None, true);
        tracker.place = changes.place;
        if !changes.more && now.saturating_duration_since(tracker.since) >= ANEW_AFTER {
            (tracker.place, tracker.since) = (CataloguePlace::default(), now);
        }
        tracker.pages = if changes.more { tracker.pages + 1 } else { 0 };
        let has_moved = changes.place != since && tracker.pages <= PAGES_MAX;
        tracker.due = now
            + match changes.more && has_moved {
                true => PAGE_PAUSE,
                false => pause(Duration::from_millis(changes.poll_ms.into()), draw),
            };
        true
    }

    /// A tracker did not answer, for this reason.
    pub fn failed(&mut self, now: Instant, url: &TrackerUrl, why: String, draw: f64) {
        let Some(tracker) = self.trackers.get_mut(url) else { return };
        tracker.is_asked = false;
        let wait = AGAIN_MIN.saturating_mul(1 << tracker.failures.min(16)).min(AGAIN_MAX);
        tracker.failures = tracker.failures.saturating_add(1);
        tracker.error = Some(why);
        tracker.due = now + wait.mul_f64(0.5 + draw / 2.0);
    }

    /// A tracker said elsewhere how far its catalogue is. If that is news, it is asked soon.
    pub fn heard(&mut self, now: Instant, url: &TrackerUrl, place: CataloguePlace, draw: f64) {
        if let Some(tracker) = self.trackers.get_mut(url)
            && tracker.has_answered
            && tracker.place != place
        {
            tracker.due = tracker.due.min(now + POLL_MIN.mul_f64(1.0 + draw));
        }
    }

    /// When the next tracker is asked.
    pub fn due(&self) -> Option<Instant> {
        self.trackers.values().filter(|tracker| !tracker.is_asked).map(|tracker| tracker.due).min()
    }

    /// The reason why a tracker cannot be asked; `None` as well while it has not been asked yet.
    pub fn error(&self, url: &TrackerUrl) -> Option<&str> {
        self.trackers.get(url)?.error.as_deref()
    }

    /// Whether a tracker has answered.
    pub fn has_answered(&self, url: &TrackerUrl) -> bool {
        self.trackers.get(url).is_some_and(|tracker| tracker.has_answered)
    }
}

/// The time until the next question, within 20 % of what the tracker asks for, so that the machines of a fleet do not ask at once.
fn pause(asked: Duration, draw: f64) -> Duration {
    asked.clamp(POLL_MIN, POLL_MAX).mul_f64(0.8 + 0.4 * draw)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url() -> TrackerUrl {
        "tt://tracker".parse().unwrap()
    }

    fn place(epoch: u64, sequence: u64) -> CataloguePlace {
        CataloguePlace { epoch, sequence }
    }

    fn answer(place: CataloguePlace, more: bool, poll_ms: u32) -> Changes {
        Changes { place, changes: Vec::new(), more, poll_ms, now_ms: 0 }
    }

    fn follow(now: Instant) -> Follow {
        let mut follow = Follow::default();
        follow.begin(now, &[&url()].into());
        follow
    }

    #[test]
    fn a_tracker_is_asked_when_it_says_and_one_at_a_time() {
        let now = Instant::now();
        let mut follow = follow(now);
        assert_eq!(follow.ask(now), Some((url(), place(0, 0))));
        assert_eq!(follow.ask(now), None, "it has not answered");
        assert!(follow.answered(now, &url(), place(0, 0), &answer(place(7, 3), false, 2_000), 0.5));
        assert_eq!(follow.due(), Some(now + Duration::from_secs(2)));
        assert_eq!(follow.ask(now + Duration::from_millis(1_999)), None);
        let later = now + Duration::from_secs(2);
        assert_eq!(follow.ask(later), Some((url(), place(7, 3))));
        follow.heard(later, &url(), place(7, 4), 0.0);
        assert!(follow.answered(later, &url(), place(7, 3), &answer(place(7, 4), true, 60_000), 0.5));
        assert_eq!(follow.due(), Some(later + PAGE_PAUSE), "there is more");
    }

    #[test]
    fn a_tracker_that_moved_is_asked_soon() {
        let now = Instant::now();
        let mut follow = follow(now);
        follow.ask(now);
        follow.answered(now, &url(), place(0, 0), &answer(place(7, 3), false, 60_000), 0.5);
        follow.heard(now, &url(), place(7, 3), 0.5);
        assert_eq!(follow.due(), Some(now + Duration::from_secs(60)), "that is known");
        follow.heard(now, &url(), place(8, 1), 0.5);
        assert!(follow.due() < Some(now + Duration::from_secs(1)), "it was restarted");
    }

    #[test]
    fn no_tracker_is_asked_without_a_pause_whatever_it_says() {
        let (mut now, begun) = (Instant::now(), Instant::now());
        let mut follow = follow(now);
        for number in 0..1000_u64 {
            let (_, since) = follow.ask(now).unwrap();
            let next = if number % 2 == 0 { since } else { place(7, number) };
            follow.answered(now, &url(), since, &answer(next, true, 0), 0.0);
            now = follow.due().unwrap().max(now);
        }
        assert!(now > begun + Duration::from_secs(300), "{:?}", now - begun);
        follow.ask(now);
        follow.answered(now, &url(), place(7, 999), &answer(place(7, 999), false, u32::MAX), 1.0);
        assert!(follow.due().unwrap() <= now + POLL_MAX.mul_f64(1.2));
        now += ANEW_AFTER;
        let (_, since) = follow.ask(now).unwrap();
        follow.answered(now, &url(), since, &answer(since, false, 2_000), 1.0);
        assert_eq!(
            follow.ask(now + POLL_MAX),
            Some((url(), place(0, 0))),
            "once in a while from the beginning"
        );
    }

    #[test]
    fn a_silent_tracker_is_asked_ever_less_often_and_other_rules_begin_anew() {
        let mut now = Instant::now();
        let mut follow = follow(now);
        let mut last = Duration::ZERO;
        for _ in 0..20 {
            follow.ask(now).unwrap();
            follow.failed(now, &url(), "no".to_owned(), 1.0);
            let wait = follow.due().unwrap() - now;
            assert!(wait >= last && wait <= AGAIN_MAX);
            (now, last) = (now + wait, wait);
        }
        assert_eq!((last, follow.error(&url())), (AGAIN_MAX, Some("no")));
        let (_, since) = follow.ask(now).unwrap();
        follow.answered(now, &url(), since, &answer(place(7, 9), false, 2_000), 0.0);
        assert_eq!(follow.error(&url()), None);
        let (_, since) = follow.ask(now + POLL_MAX).unwrap();
        follow.begin(now, &[&url()].into());
        assert!(!follow.answered(now, &url(), since, &answer(place(7, 10), false, 2_000), 0.0));
        assert_eq!(follow.ask(now), Some((url(), place(0, 0))));
    }
}
