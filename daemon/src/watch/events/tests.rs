use super::*;
use crate::library::Reused;

/// Looks at one name, one status after the other.
struct Follower {
    events: Events,
    before: Option<ResourceStatus>,
    start: Instant,
    is_origin: bool,
}

fn name() -> ResourceName {
    "lab.img".parse().unwrap()
}

fn status(state: State, reason: Option<&str>) -> ResourceStatus {
    let status = ResourceStatus::new(name(), ResourceId([1; 32]), state);
    ResourceStatus { reason: reason.map(str::to_owned), bytes_total: Some(7), ..status }
}

/// What happened, in a word; of files with its reason.
fn word(happening: &Happening) -> String {
    match happening {
        Happening::Tracker { tracker, what: TrackerEvent::Lost { reason } } => {
            format!("{tracker} lost: {reason}")
        }
        Happening::Tracker { tracker, what: TrackerEvent::Back } => format!("{tracker} back"),
        Happening::File { what, .. } => match what {
            FileEvent::Shared => "shared".to_owned(),
            FileEvent::Accepted => "accepted".to_owned(),
            FileEvent::Complete { bytes, received, took_ms, sources, .. } => {
                format!("complete: {bytes} B, {received} B in {took_ms} ms from {sources}")
            }
            FileEvent::Waiting { reason } => format!("waiting: {reason}"),
            FileEvent::Stalled { reason, still_s } => format!("stalled: {reason}, {still_s} s"),
            FileEvent::Resumed => "resumed".to_owned(),
            FileEvent::Paused => "paused".to_owned(),
            FileEvent::Removed => "removed".to_owned(),
            FileEvent::Damaged { reason } => format!("damaged: {reason}"),
            FileEvent::Failed { reason } => format!("failed: {reason}"),
            FileEvent::Outdated { reason } => format!("outdated: {reason}"),
        },
    }
}

fn words(happened: &[Happening]) -> Vec<String> {
    happened.iter().map(word).collect()
}

impl Follower {
    fn new(is_origin: bool) -> Follower {
        let (events, start) = (Events::default(), Instant::now());
        Follower { events, before: None, start, is_origin }
    }

    /// The name was there in the last run.
    fn restored(is_origin: bool) -> Follower {
        let mut follower = Follower::new(is_origin);
        follower.events.restored(name());
        follower
    }

    fn at(&self, s: u64) -> Instant {
        self.start + Duration::from_secs(s)
    }

    fn look(&mut self, s: u64, is_published: bool, status: ResourceStatus) -> Vec<String> {
        self.look_at(s, is_published, None, status)
    }

    fn look_at(
        &mut self,
        s: u64,
        is_published: bool,
        fetched: Option<&Fetched>,
        status: ResourceStatus,
    ) -> Vec<String> {
        let now = self.at(s);
        let doing = Doing { status: &status, is_origin: self.is_origin, is_published, fetched };
        let happened = self.events.look(&name(), self.before.as_ref(), Some(doing), now);
        self.before = Some(status);
        words(&happened)
    }
}

/// Four of its seven bytes came from three peers, in 1.5 s.
fn fetched() -> Fetched {
    Fetched {
        name: name(),
        bytes: 7,
        bytes_fetched: 4,
        reused: Reused::default(),
        took: Duration::from_millis(1_500),
        peers: 3,
    }
}

#[test]
fn a_download_is_accepted_and_complete() {
    let mut follower = Follower::new(false);
    assert_eq!(follower.look(0, false, status(State::Checking, None)), ["accepted"]);
    assert!(follower.look(1, false, status(State::Downloading, None)).is_empty());
    assert!(follower.look(2, false, status(State::Checking, None)).is_empty());
    let complete = follower.look_at(4, true, Some(&fetched()), status(State::Seeding, None));
    assert_eq!(complete, ["complete: 7 B, 4 B in 1500 ms from 3"]);
    assert!(follower.look(5, true, status(State::Seeding, Some("a tracker is away"))).is_empty());
    assert!(follower.events.names.is_empty(), "nothing is remembered of what is at rest");
}

#[test]
fn what_was_complete_before_anybody_looked_is_told_all_the_same() {
    let mut follower = Follower::new(false);
    let happened = follower.look_at(1, true, Some(&fetched()), status(State::Seeding, None));
    assert_eq!(happened, ["accepted", "complete: 7 B, 4 B in 1500 ms from 3"]);
}

#[test]
fn of_a_file_that_was_here_nothing_was_fetched() {
    let mut follower = Follower::new(false);
    let happened = follower.look(1, true, status(State::Seeding, None));
    assert_eq!(happened, ["accepted", "complete: 7 B, 0 B in 0 ms from 0"]);
}

#[test]
fn a_name_that_is_added_again_before_anybody_looked_is_an_event() {
    let mut follower = Follower::restored(false);
    follower.events.removed(&name());
    assert_eq!(follower.look(0, false, status(State::Downloading, None)), ["accepted"]);
}

#[test]
fn what_a_former_run_knew_is_no_news_and_its_download_ends_as_any_other() {
    let mut follower = Follower::restored(true);
    assert!(follower.look(0, true, status(State::Checking, None)).is_empty());
    assert!(follower.look(1, true, status(State::Seeding, None)).is_empty());
    let mut follower = Follower::restored(false);
    assert!(follower.look(0, false, status(State::Paused, None)).is_empty());
    assert_eq!(follower.look(1, false, status(State::Waiting, Some("no peers"))), ["resumed"]);
    let complete = follower.look_at(9, true, Some(&fetched()), status(State::Seeding, None));
    assert_eq!(complete, ["complete: 7 B, 4 B in 1500 ms from 3"]);
    assert!(follower.events.restored.is_empty(), "nothing is remembered of what was looked at");
}

#[test]
fn a_download_of_a_former_run_that_ended_before_anybody_looked_is_told() {
    let mut follower = Follower::restored(false);
    let complete = follower.look_at(1, true, Some(&fetched()), status(State::Seeding, None));
    assert_eq!(complete, ["complete: 7 B, 4 B in 1500 ms from 3"]);
    assert!(follower.look_at(2, true, Some(&fetched()), status(State::Seeding, None)).is_empty());
}

#[test]
fn only_a_wait_that_lasts_is_told_and_once() {
    let mut follower = Follower::new(false);
    follower.look(0, false, status(State::Downloading, None));
    let now = |s| follower.start + Duration::from_secs(s);
    let (later, late, too_late) = (now(7), now(9), now(60));
    follower.look(3, false, status(State::Waiting, Some("busy")));
    follower.look(4, false, status(State::Downloading, None));
    follower.look(5, false, status(State::Waiting, Some("busy")));
    follower.look(6, false, status(State::Waiting, Some("no peer has chunk 7")));
    assert!(follower.events.waiting(later).is_empty());
    assert!(follower.events.waiting(late + Duration::from_secs(1)).len() == 1);
    assert!(follower.events.waiting(too_late).is_empty());
    assert_eq!(follower.look(61, false, status(State::Downloading, None)), ["resumed"]);
    assert!(follower.look(62, false, status(State::Downloading, None)).is_empty());
}

#[test]
fn a_stall_ends_when_bytes_come_whatever_the_state() {
    let mut follower = Follower::new(false);
    follower.look(0, false, status(State::Waiting, Some("busy")));
    let stalled = follower.events.stalled(&name(), Duration::from_secs(300), "nothing arrives").unwrap();
    assert_eq!(word(&stalled), "stalled: nothing arrives, 300 s");
    assert!(follower.look(301, false, status(State::Downloading, None)).is_empty());
    assert_eq!(word(&follower.events.goes_on(&name()).unwrap()), "resumed");
    assert!(follower.events.goes_on(&name()).is_none());
    assert!(follower.events.stalled(&"other".parse().unwrap(), Duration::ZERO, "").is_none());
}

#[test]
fn what_is_shared_paused_damaged_mended_and_removed_is_told() {
    let mut follower = Follower::new(true);
    assert_eq!(follower.look(0, true, status(State::Seeding, None)), ["shared"]);
    assert_eq!(follower.look(1, true, status(State::Paused, None)), ["paused"]);
    assert_eq!(follower.look(2, true, status(State::Seeding, None)), ["resumed"]);
    assert!(follower.look(3, true, status(State::Checking, None)).is_empty());
    let damaged = ResourceStatus { kind: Some(ErrorKind::BadData), ..status(State::Error, Some("1 chunk")) };
    assert_eq!(follower.look(4, true, damaged.clone()), ["damaged: 1 chunk"]);
    assert!(follower.look(5, true, damaged).is_empty());
    assert!(follower.look(6, true, status(State::Checking, None)).is_empty());
    assert_eq!(follower.look(7, true, status(State::Seeding, None)), ["resumed"]);
    let gone = follower.events.look(&name(), follower.before.as_ref(), None, follower.at(8));
    assert_eq!(words(&gone), ["removed"]);
    assert!(follower.events.names.is_empty());
}

#[test]
fn a_file_becomes_outdated_once() {
    let mut follower = Follower::restored(false);
    follower.look(0, true, status(State::Seeding, None));
    let outdated = || status(State::Outdated, Some("a newer version is published"));
    assert_eq!(follower.look(1, true, outdated()), ["outdated: a newer version is published"]);
    assert!(follower.look(2, true, outdated()).is_empty());
    assert!(follower.look(3, true, status(State::Seeding, None)).is_empty(), "that is no event");
    assert_eq!(follower.look(4, true, outdated()).len(), 1);
}

#[test]
fn other_content_of_a_name_takes_the_place_of_the_former() {
    let mut follower = Follower::new(true);
    follower.look(0, true, status(State::Seeding, None));
    let other = ResourceStatus { resource: ResourceId([2; 32]), ..status(State::Seeding, None) };
    assert_eq!(follower.look(1, true, other), ["removed", "shared"]);
}

#[test]
fn a_tracker_that_is_lost_and_comes_back_is_told_once_each() {
    let mut events = Events::default();
    let url: TrackerUrl = "tt://a:7986".parse().unwrap();
    let mut look = |trouble: Option<&str>| {
        words(&events.trackers([(url.clone(), trouble.map(str::to_owned))].into_iter()))
    };
    assert!(look(None).is_empty());
    assert_eq!(look(Some("connection refused")), ["tt://a:7986 lost: connection refused"]);
    assert!(look(Some("no answer in time")).is_empty());
    assert_eq!(look(None), ["tt://a:7986 back"]);
    assert!(look(None).is_empty());
    assert!(events.trackers(std::iter::empty()).is_empty(), "one that nobody needs any more is not told of");
}

#[test]
fn a_long_reason_is_cut_between_two_characters() {
    let long = "é".repeat(REASON_BYTES_MAX);
    assert!(cut(&long).len() <= REASON_BYTES_MAX + "…".len());
    assert_eq!(cut("short"), "short");
}
