//! Tests of the decisions, with trackers and clocks that do what they like.

use super::super::rules::Rule;
use super::*;
use proptest::prelude::*;
use shared::id::{ListDigest, ResourceId, SwarmKey};
use std::collections::BTreeSet;

fn key(number: u32) -> SwarmKey {
    let id = std::array::from_fn(|at| number.to_be_bytes()[at % 4]);
    SwarmKey { resource: ResourceId(id), digest: ListDigest(id) }
}

fn url(number: usize) -> TrackerUrl {
    format!("tt://tracker-{number}").parse().unwrap()
}

fn change(name: &str, number: u32, shared_at_ms: u64) -> Change {
    Change { name: name.parse().unwrap(), key: key(number), shared_at_ms, bytes: None }
}

fn rules(names: &[&str], trackers: usize) -> Rules {
    let names = names.iter().map(|glob| glob.parse().unwrap()).collect();
    let rule = Rule { names, trackers: Vec::new(), place: "ttd.toml:1".to_owned() };
    Rules::new(vec![rule], (0..trackers).map(url).collect())
}

fn subscribed(names: &[&str]) -> Subscriptions {
    let mut subscriptions = Subscriptions::default();
    subscriptions.configure(rules(names, 1));
    subscriptions
}

const NOW: u64 = 1_800_000_000_000;

fn fetch(subscriptions: &mut Subscriptions, now: Instant) -> Option<(String, SwarmKey)> {
    let order = subscriptions.order(now, 0)?;
    let fetched = (order.name.to_string(), order.version.key);
    subscriptions.ended(now, &order, Ended::Fetched(order.version));
    Some(fetched)
}

#[test]
fn what_no_rule_is_about_is_not_fetched() {
    let (mut subscriptions, now) = (subscribed(&["app-*"]), Instant::now());
    subscriptions.told(now, &url(0), NOW, &[change("other", 1, 1), change("app-1", 2, 1)]);
    subscriptions.told(now, &url(7), NOW, &[change("app-2", 3, 1)]);
    assert_eq!(fetch(&mut subscriptions, now), Some(("app-1".to_owned(), key(2))));
    assert_eq!(fetch(&mut subscriptions, now), None);
    subscriptions.told(now, &url(0), NOW, &[change("app-3", 4, 1)]);
    subscriptions.configure(rules(&["other"], 1));
    assert_eq!(fetch(&mut subscriptions, now), None, "no rule wants it any more");
}

#[test]
fn of_several_versions_that_were_missed_only_the_newest_is_fetched() {
    let (mut subscriptions, now) = (subscribed(&["*"]), Instant::now());
    for number in 1..5 {
        subscriptions.told(now, &url(0), NOW, &[change("img", number, number.into())]);
    }
    subscriptions.told(now, &url(0), NOW, &[change("img", 2, 2)]); // from a tracker that was behind
    assert_eq!(fetch(&mut subscriptions, now), Some(("img".to_owned(), key(4))));
    assert_eq!(fetch(&mut subscriptions, now), None);
}

#[test]
fn a_version_that_is_told_while_another_one_is_begun_comes_after_it() {
    let (mut subscriptions, now) = (subscribed(&["*"]), Instant::now());
    subscriptions.told(now, &url(0), NOW, &[change("img", 1, 1)]);
    let order = subscriptions.order(now, 0).unwrap();
    subscriptions.told(now, &url(0), NOW, &[change("img", 2, 2)]);
    assert_eq!(subscriptions.order(now, 0), None, "one of a name at a time");
    assert!(subscriptions.ended(now, &order, Ended::Fetched(order.version)));
    assert_eq!(fetch(&mut subscriptions, now), Some(("img".to_owned(), key(2))));
    // what was found is the version that was told meanwhile
    subscriptions.told(now, &url(0), NOW, &[change("img", 3, 3)]);
    let order = subscriptions.order(now, 0).unwrap();
    subscriptions.told(now, &url(0), NOW, &[change("img", 4, 4)]);
    subscriptions.ended(now, &order, Ended::Fetched(Version { key: key(4), shared_at_ms: 4 }));
    assert_eq!(fetch(&mut subscriptions, now), None);
}

#[test]
fn only_so_many_are_begun_at_once() {
    let (mut subscriptions, now) = (subscribed(&["*"]), Instant::now());
    let changes: Vec<Change> = (0..100).map(|number| change(&format!("n{number}"), number, 1)).collect();
    subscriptions.told(now, &url(0), NOW, &changes);
    assert_eq!(subscriptions.order(now, DOWNLOADS_MAX), None);
    let orders: Vec<Order> = std::iter::from_fn(|| subscriptions.order(now, 0)).collect();
    assert_eq!(orders.len(), ORDERS_MAX);
    subscriptions.ended(now, &orders[0], Ended::Fetched(orders[0].version));
    assert!(subscriptions.order(now, DOWNLOADS_MAX - ORDERS_MAX).is_some());
    assert!(subscriptions.order(now, 0).is_none());
}

#[test]
fn what_fails_is_tried_ever_less_often_until_it_is_told_again() {
    let (mut subscriptions, mut now) = (subscribed(&["*"]), Instant::now());
    subscriptions.told(now, &url(0), NOW, &[change("img", 1, 1)]);
    let mut last = Duration::ZERO;
    for _ in 0..20 {
        let order = subscriptions.order(now, 0).unwrap();
        assert!(!subscriptions.ended(now, &order, Ended::Failed("no signature".to_owned())));
        assert_eq!(subscriptions.waiting().next().unwrap().2, Some("no signature"));
        let wait = subscriptions.next(now, 0).unwrap() - now;
        assert!(wait >= last && wait <= AGAIN_MAX, "{wait:?}");
        (now, last) = (now + wait, wait);
    }
    let order = subscriptions.order(now, 0).unwrap();
    subscriptions.ended(now, &order, Ended::Failed("no signature".to_owned()));
    assert_eq!(subscriptions.order(now, 0), None);
    subscriptions.told(now, &url(0), NOW, &[change("img", 1, 1)]); // it was signed
    assert!(subscriptions.order(now, 0).is_some());
}

/// A tracker of the model: what each name means there, and since which change.
#[derive(Debug, Clone, Default)]
struct Tracker {
    names: BTreeMap<String, (u64, Change)>,
    sequence: u64,
    /// How far its clock is ahead, in seconds.
    ahead_s: u64,
}

impl Tracker {
    /// Publishes a version that was shared at this second. The newest one is what the name means.
    fn publish(&mut self, name: &str, number: u32, at_s: u64) {
        let shared_at_ms = NOW + (at_s + self.ahead_s) * 1000;
        if self.names.get(name).is_some_and(|(_, change)| change.shared_at_ms > shared_at_ms) {
            return;
        }
        self.sequence += 1;
        self.names.insert(name.to_owned(), (self.sequence, change(name, number, shared_at_ms)));
    }
}

#[derive(Debug, Clone)]
enum Step {
    /// A new version of a name, at these trackers.
    Publish(u8, [bool; 2]),
    /// A tracker starts anew, knows nothing, and has another clock.
    Restart(usize, u64),
    /// Whoever shared the newest version tells a tracker again.
    Again(u8, usize),
    /// The machine asks a tracker, and its own clock is off by these seconds.
    Ask(usize, i64),
    Begin,
    End(bool),
    Wait(u16),
    Kill,
}

fn any_step(trackers: usize, ahead: &'static [u64]) -> impl Strategy<Value = Step> {
    let clock = prop_oneof![3 => Just(0), 1 => -10_000_000..10_000_000_i64];
    prop_oneof![
        4 => (0..3u8, any::<[bool; 2]>()).prop_map(|(name, at)| Step::Publish(name, at)),
        1 => (0..trackers, proptest::sample::select(ahead)).prop_map(|(tracker, ahead)| Step::Restart(tracker, ahead)),
        2 => (0..3u8, 0..trackers).prop_map(|(name, tracker)| Step::Again(name, tracker)),
        6 => (0..trackers, clock).prop_map(|(tracker, off)| Step::Ask(tracker, off)),
        4 => Just(Step::Begin),
        4 => any::<bool>().prop_map(Step::End),
        2 => (1..2000u16).prop_map(Step::Wait),
        1 => Just(Step::Kill),
    ]
}

/// A machine with its trackers, and what it fetched.
struct World {
    trackers: Vec<Tracker>,
    /// What the machine asked for last at each tracker.
    seen: Vec<u64>,
    subscriptions: Subscriptions,
    /// What a restart finds on the disk.
    saved: Vec<Taken>,
    orders: Vec<Order>,
    now: Instant,
    /// The true time of day, in seconds.
    time_s: u64,
    /// The newest version of each name, and when it was shared.
    newest: BTreeMap<String, (u32, u64)>,
    versions: u32,
    fetched: Vec<(ResourceName, SwarmKey)>,
}

impl World {
    fn new(trackers: usize) -> World {
        let mut subscriptions = Subscriptions::default();
        subscriptions.configure(rules(&["*"], trackers));
        World {
            trackers: vec![Tracker::default(); trackers],
            seen: vec![0; trackers],
            subscriptions,
            saved: Vec::new(),
            orders: Vec::new(),
            now: Instant::now(),
            time_s: 1,
            newest: BTreeMap::new(),
            versions: 0,
            fetched: Vec::new(),
        }
    }

    fn step(&mut self, step: Step) {
        self.time_s += 1;
        match step {
            Step::Publish(name, at) => {
                self.versions += 1;
                let name = format!("name-{name}");
                self.newest.insert(name.clone(), (self.versions, self.time_s));
                for (tracker, _) in self.trackers.iter_mut().zip(at).filter(|(_, at)| *at) {
                    tracker.publish(&name, self.versions, self.time_s);
                }
            }
            Step::Restart(tracker, ahead_s) => {
                self.trackers[tracker] = Tracker { ahead_s, ..Tracker::default() };
                self.seen[tracker] = 0;
            }
            Step::Again(name, tracker) => self.again(&format!("name-{name}"), tracker),
            Step::Ask(tracker, off_s) => self.ask(tracker, off_s),
            Step::Begin => self.orders.extend(self.subscriptions.order(self.now, 0)),
            Step::End(is_good) => self.end(is_good),
            Step::Wait(seconds) => {
                self.time_s += u64::from(seconds);
                self.now += Duration::from_secs(seconds.into());
            }
            Step::Kill => {
                let known = self.saved.iter().cloned().collect();
                let trackers = self.trackers.len();
                self.subscriptions = Subscriptions::new(known);
                self.subscriptions.configure(rules(&["*"], trackers));
                self.orders.clear();
                self.seen.fill(0);
            }
        }
    }

    fn again(&mut self, name: &str, tracker: usize) {
        if let Some((number, at_s)) = self.newest.get(name) {
            self.trackers[tracker].publish(name, *number, *at_s);
        }
    }

    fn ask(&mut self, at: usize, off_s: i64) {
        let tracker = &self.trackers[at];
        let changes: Vec<Change> = tracker
            .names
            .values()
            .filter(|(sequence, _)| *sequence > self.seen[at])
            .map(|(_, change)| change.clone())
            .collect();
        self.seen[at] = tracker.sequence;
        let own_ms = NOW.saturating_add_signed(off_s * 1000) + self.time_s * 1000;
        let theirs_ms = NOW + (self.time_s + tracker.ahead_s) * 1000;
        if self.subscriptions.told(self.now, &url(at), own_ms.max(theirs_ms), &changes) {
            self.saved = self.subscriptions.known().in_order();
        }
    }

    /// The oldest order ends: the version is begun, if the tracker still has it.
    fn end(&mut self, is_good: bool) {
        if self.orders.is_empty() {
            return;
        }
        let order = self.orders.remove(0);
        let at = (0..self.trackers.len()).find(|at| url(*at) == order.tracker).unwrap();
        let ended = match self.trackers[at].names.get(order.name.as_str()) {
            _ if !is_good => Ended::Failed("it failed".to_owned()),
            None => Ended::Nothing,
            Some((_, change)) => {
                let version = Version { key: change.key, shared_at_ms: change.shared_at_ms };
                match self.subscriptions.is_news(&order.name, version) {
                    true => Ended::Fetched(version),
                    false => Ended::Nothing,
                }
            }
        };
        if let Ended::Fetched(version) = ended {
            self.fetched.push((order.name.clone(), version.key));
        }
        if self.subscriptions.ended(self.now, &order, ended) {
            self.saved = self.subscriptions.known().in_order();
        }
    }

    /// Everybody is there again, and every clock is right.
    fn settle(&mut self) {
        self.time_s += 100;
        for at in 0..self.trackers.len() {
            self.trackers[at] = Tracker::default();
            self.seen[at] = 0;
            let names: Vec<String> = self.newest.keys().cloned().collect();
            names.iter().for_each(|name| self.again(name, at));
        }
        (0..self.trackers.len()).for_each(|at| self.ask(at, 0));
        for _ in 0..100 {
            self.now += AGAIN_MAX;
            self.orders.extend(self.subscriptions.order(self.now, 0));
            self.end(true);
        }
    }

    fn check(&self) {
        let distinct: BTreeSet<_> = self.fetched.iter().cloned().collect();
        assert_eq!(distinct.len(), self.fetched.len(), "a version was fetched twice: {:?}", self.fetched);
        for (name, (number, _)) in &self.newest {
            let taken = self.subscriptions.known().of(&name.parse().unwrap()).expect("it was published");
            assert_eq!(taken.newest.key, key(*number), "{name}");
        }
        assert_eq!(self.subscriptions.waiting().count(), 0);
    }
}

proptest! {
    /// Two trackers know different things, start anew, and the machine is killed and has a wrong clock.
    #[test]
    fn each_version_is_fetched_once_and_the_newest_in_the_end(
        steps in proptest::collection::vec(any_step(2, &[0]), 1..120),
    ) {
        let mut world = World::new(2);
        steps.into_iter().for_each(|step| world.step(step));
        world.settle();
        world.check();
    }

    /// One tracker, whose clock is more than a year ahead after some of its starts.
    #[test]
    fn a_tracker_with_a_wrong_clock_keeps_no_version_away(
        steps in proptest::collection::vec(any_step(1, &[0, 0, 0, 50_000_000]), 1..120),
    ) {
        let mut world = World::new(1);
        steps.into_iter().for_each(|step| world.step(step));
        world.settle();
        world.check();
    }
}
