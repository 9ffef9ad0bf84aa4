//! A world: machines, trackers and the network between them, on one line of virtual time and under one seed.

use super::cable::{Cables, Settings};
use super::checks::{self, Check};
use super::content::{self, Content};
use super::machine::{Death, Machine, Setup};
use super::panics;
use super::trace::Trace;
use super::tracker::Tracker;
use super::wishes::{Commands, Wish};
use crate::driver::tap;
use crate::jobs::life;
use crate::store::Home;
use shared::chance::splitmix;
use shared::id::ResourceId;
use shared::name::ResourceName;
use shared::url::TrackerUrl;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

/// The time between two looks of the checks.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How long everybody has to end after calm: several times the longest honest wait, which is 60 s.
const ENDS_WITHIN: Duration = Duration::from_secs(300);

/// The same in a world in which a link was held for so long that a peer may have been dropped as stalled.
const ENDS_LATE_WITHIN: Duration = Duration::from_secs(700);

/// A link that is held for longer than this may be dropped as stalled.
const HELD_LONG: Duration = Duration::from_secs(20);

/// A world.
#[derive(Debug)]
pub(crate) struct World {
    /// The connections.
    pub(crate) cables: Arc<Cables>,
    /// What happened.
    pub(crate) trace: Rc<Trace>,
    pub(super) wishes: RefCell<Vec<Wish>>,
    pub(super) commands: RefCell<BTreeMap<(u8, String), Commands>>,
    chance: Cell<u64>,
    machines: RefCell<Vec<Rc<Machine>>>,
    trackers: RefCell<Vec<Rc<Tracker>>>,
    contents: RefCell<Vec<Rc<Content>>>,
    right: RefCell<BTreeMap<ResourceName, BTreeSet<ResourceId>>>,
    checks: RefCell<Vec<Box<dyn Check>>>,
    calm_since: Cell<Option<Instant>>,
    was_held_long: Cell<bool>,
    root: TempDir,
    lives: life::World,
}

impl World {
    /// A world without machines. Everything in it follows from the seed.
    pub(crate) fn new(seed: u64, trace: Trace) -> World {
        let mut state = seed;
        let trace = Rc::new(trace);
        tap::watch(trace.clone());
        World {
            cables: Cables::new(splitmix(&mut state), Settings::default()),
            trace,
            wishes: RefCell::default(),
            commands: RefCell::default(),
            chance: Cell::new(splitmix(&mut state)),
            machines: RefCell::default(),
            trackers: RefCell::default(),
            contents: RefCell::default(),
            right: RefCell::default(),
            checks: RefCell::new(checks::all()),
            calm_since: Cell::default(),
            was_held_long: Cell::default(),
            root: tempfile::tempdir_in(place()).expect("a place for files in memory"),
            lives: life::World::begin(),
        }
    }

    // -- chance

    /// A random number.
    pub(crate) fn draw(&self) -> u64 {
        let mut state = self.chance.get();
        let number = splitmix(&mut state);
        self.chance.set(state);
        number
    }

    /// A number below `n`; 0 if `n` is 0.
    pub(crate) fn below(&self, n: u64) -> u64 {
        self.draw().checked_rem(n).unwrap_or(0)
    }

    /// A number of a range.
    pub(crate) fn between(&self, range: RangeInclusive<u64>) -> u64 {
        range.start() + self.below(range.end() - range.start() + 1)
    }

    /// True once in `n` times.
    pub(crate) fn one_in(&self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// A random time from this range, in ms.
    pub(crate) fn ms(&self, range: RangeInclusive<u64>) -> Duration {
        Duration::from_millis(self.between(range))
    }

    /// One of them.
    ///
    /// # Panics
    /// If there is none.
    pub(crate) fn one_of<T: Clone>(&self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize].clone()
    }

    /// Waits a random time from this range, in ms.
    pub(crate) async fn sleep_ms(&self, range: RangeInclusive<u64>) {
        sleep(self.ms(range)).await;
    }

    // -- what there is

    /// Adds a tracker and starts it. Machines that are added later use it.
    pub(crate) fn add_tracker(&self) -> Rc<Tracker> {
        let tracker = Rc::new(Tracker::new(self.trackers.borrow().len() as u8 + 1));
        self.trackers.borrow_mut().push(tracker.clone());
        tracker.start(self);
        tracker
    }

    /// Adds a machine and starts it.
    pub(crate) async fn add_machine(&self, setup: Setup) -> Rc<Machine> {
        let number = self.machines.borrow().len() as u8 + 1;
        let uplink = setup.uplink;
        let machine = Rc::new(Machine::new(number, setup, self.root.path()));
        self.cables.set_uplink(machine.ip, uplink);
        self.machines.borrow_mut().push(machine.clone());
        machine.start(self).await;
        machine
    }

    /// Adds this number of machines of the same kind and starts them.
    pub(crate) async fn add_machines(&self, count: u64, setup: &Setup) -> Vec<Rc<Machine>> {
        let mut machines = Vec::new();
        for _ in 0..count {
            machines.push(self.add_machine(setup.clone()).await);
        }
        machines
    }

    /// The machine with this number.
    pub(crate) fn machine(&self, number: u8) -> Rc<Machine> {
        self.machines.borrow()[usize::from(number) - 1].clone()
    }

    /// All machines, in order of their numbers.
    pub(crate) fn machines(&self) -> Vec<Rc<Machine>> {
        self.machines.borrow().clone()
    }

    /// All trackers, in order of their numbers.
    pub(crate) fn trackers(&self) -> Vec<Rc<Tracker>> {
        self.trackers.borrow().clone()
    }

    fn urls(&self) -> Vec<TrackerUrl> {
        self.trackers.borrow().iter().map(|tracker| tracker.url.clone()).collect()
    }

    /// Random content of this name, which all trackers know.
    pub(crate) fn content(&self, name: &str) -> Rc<Content> {
        let bytes = content::bytes(self, content::size(self));
        self.content_of(name, bytes)
    }

    /// Content of this name with these bytes, which all trackers know.
    pub(crate) fn content_of(&self, name: &str, bytes: Vec<u8>) -> Rc<Content> {
        let content = Rc::new(Content::new(name, bytes, self.urls()));
        self.contents.borrow_mut().push(content.clone());
        content
    }

    /// All content that was made so far.
    pub(crate) fn contents(&self) -> Vec<Rc<Content>> {
        self.contents.borrow().clone()
    }

    /// From now on this is right under this name.
    pub(crate) fn allow(&self, name: &ResourceName, resource: ResourceId) {
        self.right.borrow_mut().entry(name.clone()).or_default().insert(resource);
    }

    /// All that the name ever rightly meant.
    pub(crate) fn right_contents(&self, name: &str) -> BTreeSet<ResourceId> {
        let name = name.parse().ok();
        name.and_then(|name: ResourceName| self.right.borrow().get(&name).cloned()).unwrap_or_default()
    }

    /// Notes in the trace what the scenario does.
    pub(crate) fn note(&self, line: fmt::Arguments<'_>) {
        self.trace.note(line);
    }

    // -- faults, and their end

    /// Holds back what one machine sends another, for this time.
    pub(crate) fn hold_for(&self, from: &Machine, to: &Machine, span: Duration) {
        self.note(format_args!("m{} sends m{} nothing for {span:?}", from.number, to.number));
        self.cables.hold(from.ip, to.ip, Instant::now() + span);
        if span > HELD_LONG {
            self.was_held_long.set(true);
        }
    }

    /// A machine has dropped another one as stalled, and waits for it.
    pub(crate) fn may_end_late(&self) {
        self.was_held_long.set(true);
    }

    /// Ends all faults: links are good, disks work, and all machines and trackers run.
    pub(crate) async fn calm(&self) {
        self.note(format_args!("calm"));
        self.cables.calm();
        self.trackers().iter().for_each(|tracker| tracker.start(self));
        for machine in self.machines() {
            machine.calm();
            machine.start(self).await;
        }
        self.calm_since.set(Some(Instant::now()));
    }

    /// Since when there are no faults.
    pub(crate) fn calm_since(&self) -> Option<Instant> {
        self.calm_since.get()
    }

    // -- what is checked

    /// Has all checks look, again and again.
    pub(super) async fn be_checked(&self) {
        loop {
            sleep(LOOK_EVERY).await;
            self.look();
        }
    }

    /// Has all checks look.
    fn look(&self) {
        let panicked = panics::first();
        assert!(panicked.is_none(), "a task panicked: {panicked:?}");
        for check in self.checks.borrow_mut().iter_mut() {
            check.look(self);
        }
    }

    /// A machine starts again.
    pub(super) fn returns(&self, machine: &Machine, home: &Home) {
        for check in self.checks.borrow_mut().iter_mut() {
            check.returns(self, machine, home);
        }
    }

    /// A machine has died.
    pub(super) fn died(&self, machine: &Machine) {
        for check in self.checks.borrow_mut().iter_mut() {
            check.died(self, machine);
        }
    }

    /// Waits until all has happened that users may expect, and checks it. Then ends all machines.
    ///
    /// # Panics
    /// If that does not happen in time, or if something is wrong.
    pub(super) async fn end(&self) {
        let begin = Instant::now();
        loop {
            sleep(LOOK_EVERY).await;
            self.look();
            let checks = self.checks.borrow();
            let missing: Vec<String> = checks.iter().filter_map(|check| check.is_over(self).err()).collect();
            if missing.is_empty() {
                break;
            }
            let within = if self.was_held_long.get() { ENDS_LATE_WITHIN } else { ENDS_WITHIN };
            assert!(begin.elapsed() < within, "not in {within:?} after calm: {}", missing.join("; "));
        }
        for check in self.checks.borrow_mut().iter_mut() {
            check.end(self);
        }
        for machine in self.machines() {
            machine.end(self, Death::Stop).await;
        }
        for tracker in self.trackers() {
            tracker.end(self).await;
        }
        assert!(!self.lives.is_stuck(), "no time passes");
    }
}

/// A directory in memory, if there is one.
fn place() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() }
}
