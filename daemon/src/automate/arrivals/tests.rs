mod any_order;

use super::*;
use crate::automate::entry::{OPEN_QUIET, QUIET_AT_LEAST};
use crate::inbox::Served;

const SETTLE: Duration = Duration::from_secs(2);

fn name(name: &str) -> ResourceName {
    name.parse().unwrap()
}

fn seen(inode: u64, bytes: u64, modified: i64, changed: i64) -> Seen {
    let identity = FileIdentity::of_parts(inode, bytes, modified, 0);
    Seen { identity, print: Print(changed, 0), is_tree: false }
}

fn there(seen: Seen) -> Sight {
    Sight::There { seen, has_links: false }
}

fn after(start: Instant, seconds: u64) -> Instant {
    start + Duration::from_secs(seconds)
}

/// A file that is shared, as it was seen.
fn shared(start: Instant, seen: Seen) -> Arrivals {
    let mut arrivals = Arrivals::new(SETTLE);
    arrivals.heard(&name("x"), Heard::Closed);
    arrivals.saw(start, &name("x"), there(seen));
    arrivals.saw(after(start, 2), &name("x"), there(seen));
    assert_eq!(arrivals.decide(after(start, 2), &name("x"), Holding::Nothing), Some(Job::Share));
    arrivals.ended(after(start, 2), &name("x"), Outcome::Good);
    arrivals.saw(after(start, 2), &name("x"), there(seen));
    assert_eq!(arrivals.counts().shared, 1);
    arrivals
}

#[test]
fn a_closed_file_is_shared_when_it_stood_still_for_the_time_to_settle() {
    let (start, x) = (Instant::now(), name("x"));
    let mut arrivals = Arrivals::new(SETTLE);
    arrivals.heard(&x, Heard::Written);
    assert_eq!(arrivals.looks(start, 9), std::slice::from_ref(&x));
    arrivals.saw(start, &x, there(seen(1, 0, 0, 0)));
    assert_eq!(arrivals.next_look(start), Some(start + OPEN_QUIET), "somebody has it open");
    arrivals.heard(&x, Heard::Closed);
    assert_eq!(arrivals.looks(after(start, 5), 9), std::slice::from_ref(&x));
    arrivals.saw(after(start, 5), &x, there(seen(1, 7, 0, 5)));
    assert_eq!((arrivals.next_look(start), arrivals.candidate()), (Some(after(start, 7)), None));
    assert_eq!(arrivals.looks(after(start, 7), 9), std::slice::from_ref(&x));
    arrivals.saw(after(start, 7), &x, there(seen(1, 7, 0, 5)));
    assert_eq!(arrivals.candidate().as_ref(), Some(&x));
    assert_eq!(arrivals.decide(after(start, 7), &x, Holding::Nothing), Some(Job::Share));
    assert_eq!(arrivals.candidate(), None, "one at a time");
}

#[test]
fn a_file_of_which_only_a_scan_tells_must_stand_still_for_longer() {
    let (start, x) = (Instant::now(), name("x"));
    let mut arrivals = Arrivals::new(SETTLE);
    let file = there(seen(1, 7, 0, 5));
    arrivals.scanned(&BTreeMap::from([(x.clone(), file)]), 0);
    assert_eq!(arrivals.looks(start, 9), std::slice::from_ref(&x));
    arrivals.saw(start, &x, file);
    assert_eq!(arrivals.next_look(start), Some(start + QUIET_AT_LEAST));
    arrivals.scanned(&BTreeMap::from([(x.clone(), file)]), 0);
    assert!(arrivals.looks(start, 9).is_empty(), "the scan says nothing new");
    arrivals.saw(after(start, 10), &x, file);
    assert_eq!(arrivals.candidate(), Some(x));
}

#[test]
fn a_hard_link_is_closed_by_nobody() {
    let (start, x) = (Instant::now(), name("x"));
    let mut arrivals = Arrivals::new(SETTLE);
    arrivals.heard(&x, Heard::Written);
    arrivals.saw(start, &x, Sight::There { seen: seen(1, 7, 0, 5), has_links: true });
    assert_eq!(arrivals.looks(start, 9).len(), 1);
    assert_eq!(arrivals.next_look(start), Some(start + QUIET_AT_LEAST));
}

#[test]
fn what_ttd_has_is_not_shared_again() {
    let (start, x) = (Instant::now(), name("x"));
    let mut arrivals = Arrivals::new(SETTLE);
    let file = seen(1, 7, 3, 5);
    arrivals.heard(&x, Heard::Closed);
    arrivals.saw(start, &x, there(file));
    arrivals.saw(after(start, 2), &x, there(file));
    assert_eq!(arrivals.decide(after(start, 2), &x, Holding::Busy), None, "it is being downloaded");
    arrivals.saw(after(start, 4), &x, there(file));
    let held = Holding::File { identity: file.identity, served: Served::Yes };
    assert_eq!(arrivals.decide(after(start, 4), &x, held), None);
    assert_eq!((arrivals.counts().shared, arrivals.candidate()), (1, None));
}

#[test]
fn another_file_of_the_same_inode_size_and_time_is_compared_at_once_and_shared_if_it_differs() {
    let (start, x) = (Instant::now(), name("x"));
    for was_seen_gone in [false, true] {
        let mut arrivals = shared(start, seen(1, 7, 3, 5));
        let (other, now) = (seen(1, 7, 3, 6), after(start, 20));
        if was_seen_gone {
            arrivals.saw(now, &x, Sight::Gone);
        }
        arrivals.heard(&x, Heard::Closed);
        arrivals.saw(now, &x, there(other));
        let held = Holding::File { identity: other.identity, served: Served::Yes };
        assert_eq!(arrivals.decide(now, &x, held), Some(Job::Check));
        arrivals.ended(now, &x, Outcome::Differs);
        arrivals.saw(now, &x, there(other));
        assert_eq!(arrivals.candidate(), None);
        arrivals.saw(after(start, 22), &x, there(other));
        assert_eq!(arrivals.decide(after(start, 22), &x, held), Some(Job::Share));
    }
}

#[test]
fn another_mode_costs_a_comparison_and_nothing_is_shared() {
    let (start, x) = (Instant::now(), name("x"));
    let mut arrivals = shared(start, seen(1, 7, 3, 5));
    let (same, now) = (seen(1, 7, 3, 6), after(start, 20));
    arrivals.saw(now, &x, there(same));
    let held = Holding::File { identity: same.identity, served: Served::Yes };
    assert_eq!(arrivals.decide(now, &x, held), Some(Job::Check));
    arrivals.ended(now, &x, Outcome::Good);
    arrivals.saw(now, &x, there(same));
    assert_eq!((arrivals.counts().shared, arrivals.candidate()), (1, None));
}

#[test]
fn what_cannot_be_shared_is_told_and_tried_again() {
    let (start, x) = (Instant::now(), name("x"));
    let mut arrivals = Arrivals::new(SETTLE);
    arrivals.saw(start, &x, Sight::Never("it is a symbolic link"));
    assert_eq!(arrivals.refused().next(), Some((&x, "it is a symbolic link")));
    let file = there(seen(1, 7, 3, 5));
    arrivals.saw(start, &x, file);
    arrivals.saw(after(start, 10), &x, file);
    let mut now = after(start, 10);
    for wait in [60, 120, 240, 480, 960, 1920, 3600, 3600] {
        assert_eq!(arrivals.decide(now, &x, Holding::Nothing), Some(Job::Share));
        arrivals.ended(now, &x, Outcome::Failed("permission denied".to_owned()));
        assert_eq!(arrivals.looks(now, 9).len(), 1);
        arrivals.saw(now, &x, file);
        assert_eq!(arrivals.refused().next(), Some((&x, "permission denied")));
        assert_eq!(arrivals.next_look(now), Some(after(now, wait)));
        now = after(now, wait);
        arrivals.saw(now, &x, file);
    }
    arrivals.saw(now, &x, there(seen(1, 7, 3, 6)));
    assert_eq!(arrivals.counts().settling, 1, "its mode changed");
}

#[test]
fn names_beyond_the_limit_are_counted() {
    let start = Instant::now();
    let mut arrivals = Arrivals::new(SETTLE);
    let all: BTreeMap<ResourceName, Sight> =
        (0..NAMES_MAX as u64 + 5).map(|at| (name(&at.to_string()), there(seen(at, 1, 1, 1)))).collect();
    arrivals.scanned(&all, 2);
    assert_eq!((arrivals.counts().beyond, arrivals.counts().settling), (7, NAMES_MAX));
    arrivals.heard(&name("one more"), Heard::Closed);
    arrivals.saw(start, &name("one more"), there(seen(1, 1, 1, 1)));
    assert_eq!(arrivals.counts().settling, NAMES_MAX);
    let gone = arrivals.looks(start, 1).remove(0);
    arrivals.saw(start, &gone, Sight::Gone);
    assert_eq!(arrivals.counts().settling, NAMES_MAX - 1, "what was never seen is forgotten at once");
    arrivals.heard(&gone, Heard::Closed);
    arrivals.saw(start, &gone, there(seen(1, 1, 1, 1)));
    arrivals.saw(start, &gone, Sight::Gone);
    arrivals.heard(&name("one more"), Heard::Closed);
    assert_eq!(arrivals.counts().settling, NAMES_MAX, "what is gone makes way");
}

fn tree(print: i64) -> Seen {
    Seen { print: Print(print, 0), is_tree: true, ..seen(1, 0, 0, 0) }
}

#[test]
fn a_directory_is_shared_when_nothing_in_it_changed_for_a_while_and_anew_after_a_change() {
    let (start, app) = (Instant::now(), name("app"));
    let mut arrivals = Arrivals::new(SETTLE);
    let served = Holding::Tree { served: Served::Yes };
    arrivals.heard(&app, Heard::Closed);
    arrivals.saw(start, &app, there(tree(1)));
    arrivals.saw(after(start, 5), &app, there(tree(2)));
    assert_eq!(arrivals.next_look(start), Some(start), "something was heard of it");
    assert_eq!(arrivals.looks(start, 9).len(), 1);
    assert_eq!(arrivals.next_look(start), Some(after(start, 15)));
    arrivals.saw(after(start, 15), &app, there(tree(2)));
    assert!(arrivals.is_tree(&app));
    assert_eq!(arrivals.decide(after(start, 15), &app, Holding::Nothing), Some(Job::Share));
    arrivals.ended(after(start, 16), &app, Outcome::Good);
    arrivals.saw(after(start, 16), &app, there(tree(2)));
    assert_eq!(arrivals.counts().shared, 1);
    arrivals.saw(after(start, 20), &app, there(tree(3)));
    arrivals.saw(after(start, 30), &app, there(tree(3)));
    assert_eq!(arrivals.decide(after(start, 30), &app, served), Some(Job::Share));
    arrivals.ended(after(start, 30), &app, Outcome::Good);
    assert_eq!(arrivals.trees().collect::<Vec<_>>(), [(&app, Print(3, 0))]);

    // The next run.
    for (print, job) in [(3, None), (4, Some(Job::Share))] {
        let mut arrivals = Arrivals::new(SETTLE);
        arrivals.recall(app.clone(), Print(3, 0));
        assert_eq!(arrivals.looks(start, 9), std::slice::from_ref(&app));
        arrivals.saw(start, &app, there(tree(print)));
        arrivals.saw(after(start, 10), &app, there(tree(print)));
        assert_eq!(arrivals.decide(after(start, 10), &app, served), job);
    }
}

#[test]
fn a_directory_that_was_fetched_is_not_shared_and_a_file_does_not_take_its_name() {
    let (start, app) = (Instant::now(), name("app"));
    for (seen, job, refused) in [(tree(1), None, 0), (seen(1, 1, 1, 1), None, 1)] {
        let mut arrivals = Arrivals::new(SETTLE);
        arrivals.saw(start, &app, there(seen));
        arrivals.saw(after(start, 10), &app, there(seen));
        assert_eq!(arrivals.decide(start, &app, Holding::Tree { served: Served::Yes }), job);
        assert_eq!((arrivals.counts().refused, arrivals.counts().shared), (refused, 1 - refused));
    }
}
