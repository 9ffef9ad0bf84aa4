//! In tests of whole systems: tells a watcher what the driver is given and does, and every two seconds how everything
//! stands.

use super::Driver;
use super::act::SUSPECTS_MAX;
use super::publish::PUBLISHING_MAX;
use super::restore::PARKED_MAX;
use super::state::RESOURCES_MAX;
use crate::inbox::{Input, TaskInput};
use crate::library::{Phase, Resource, Why};
use shared::have::HaveMap;
use shared::id::{PeerId, SwarmKey};
use shared::name::ResourceName;
use shared::rpc::control::State;
use shared::swarm::{Action, AskEnd, AskId, Event, PeerAddr, Waiting};
use std::cell::RefCell;
use std::fmt::{self, Debug, Write};
use std::net::IpAddr;
use std::rc::Rc;
use tokio::time::Instant;

/// Receives what the drivers of a thread tell.
pub trait Watcher {
    /// An input of the driver that listens at this address, or what followed from one.
    fn line(&self, machine: IpAddr, line: fmt::Arguments<'_>);

    /// It joins a swarm, or is in it already and now has these chunks; or it leaves the swarm.
    fn takes_part(&self, machine: IpAddr, key: SwarmKey, takes_part: bool);

    /// How everything stands there.
    fn facts(&self, machine: IpAddr, facts: Facts);
}

/// How everything stands at one machine.
#[derive(Debug, Clone)]
pub struct Facts {
    /// When that was so.
    pub at: Instant,
    /// The machine's peer id in this life.
    pub peer_id: PeerId,
    /// All resources that are loaded, by their keys.
    pub resources: Vec<ResourceFacts>,
    /// The peers that it has dialed.
    pub links: Vec<PeerAddr>,
    /// The number of questions of peers that wait for the core's answer.
    pub asks: usize,
    /// What is bounded: what it is, how many there are, and how many there may be.
    pub bounds: Vec<(&'static str, usize, usize)>,
}

impl Facts {
    /// How it stands with the resource of this swarm, if it is here.
    pub fn of(&self, key: SwarmKey) -> Option<&ResourceFacts> {
        self.resources.iter().find(|resource| resource.key == key)
    }
}

/// How it stands with one resource.
#[derive(Debug, Clone)]
pub struct ResourceFacts {
    /// Its swarm.
    pub key: SwarmKey,
    /// Its names, each with its state and the reason that is shown.
    pub names: Vec<(ResourceName, State, Option<String>)>,
    /// What is being done with it.
    pub phase: &'static str,
    /// Whether it is complete and served.
    pub is_seeding: bool,
    /// Whether somebody edited it since it was complete, so that it may lack chunks.
    pub is_edited: bool,
    /// Whether a user paused it.
    pub is_paused: bool,
    /// The chunks that are verified and written; all of them if it is complete.
    pub have: HaveMap,
    /// Why nothing arrives, as the core sees it.
    pub waiting: Option<Waiting>,
    /// Why it does not take part in its swarm.
    pub blocked: Option<Why>,
    /// Problems with single names.
    pub troubles: Vec<(ResourceName, Why)>,
}

thread_local! {
    static WATCHER: RefCell<Option<Rc<dyn Watcher>>> = const { RefCell::new(None) };
}

/// From now on this watcher is told what the drivers of this thread do.
pub fn watch(watcher: Rc<dyn Watcher>) {
    WATCHER.set(Some(watcher));
}

fn tell(driver: &Driver, tell: impl FnOnce(&dyn Watcher, IpAddr)) {
    let watcher = WATCHER.with_borrow(Clone::clone);
    if let Some(watcher) = watcher {
        tell(&*watcher, driver.context.listen.ip());
    }
}

/// An input is about to be handled.
pub(super) fn input(driver: &Driver, input: &Input) {
    tell(driver, |watcher, machine| match input {
        // The event itself is told when the core is given it.
        Input::Event(_) | Input::Link { .. } | Input::Ask { .. } => {}
        Input::Command(command) => {
            let what = command.subject().what.unwrap_or_default().to_owned();
            watcher.line(machine, format_args!("command {} {what}", variant(command)));
        }
        Input::Task(task) => watcher.line(machine, format_args!("task {}", task_words(task))),
        Input::Taken { index, peer, taken, .. } => {
            watcher.line(machine, format_args!("taken {index} {peer} {}", taken.is_ok()));
        }
        other => watcher.line(machine, format_args!("input {}", variant(other))),
    });
}

/// A question has ended.
pub(super) fn ask_ended(driver: &Driver, ask: AskId, end: AskEnd) {
    tell(driver, |watcher, machine| watcher.line(machine, format_args!("ended {ask:?} {end:?}")));
}

/// The core is about to be given an event.
pub(super) fn event(driver: &Driver, event: &Event) {
    tell(driver, |watcher, machine| {
        watcher.line(machine, format_args!("event {event:?}"));
        match event {
            Event::Join { key, .. } => watcher.takes_part(machine, *key, true),
            Event::Leave { key } => watcher.takes_part(machine, *key, false),
            _ => {}
        }
    });
}

/// The core wants something done.
pub(super) fn action(driver: &Driver, action: &Action) {
    tell(driver, |watcher, machine| watcher.line(machine, format_args!("action {action:?}")));
}

/// A tick is over.
pub(super) fn tick(driver: &Driver) {
    tell(driver, |watcher, machine| {
        watcher.line(machine, format_args!("tick {}", driver.ticks));
        super::tests::ends::nobody_is_forgotten(driver);
        if driver.ticks.is_multiple_of(8) {
            driver.machine.check_invariants();
            watcher.facts(machine, facts(driver));
        }
    });
}

fn facts(driver: &Driver) -> Facts {
    Facts {
        at: Instant::now(),
        peer_id: driver.context.peer_id,
        resources: driver.library.iter().map(|(key, resource)| facts_of(driver, key, resource)).collect(),
        links: driver.links.keys().copied().collect(),
        asks: driver.asks.len(),
        bounds: bounds(driver),
    }
}

fn bounds(driver: &Driver) -> Vec<(&'static str, usize, usize)> {
    let resources = driver.library.iter().count();
    vec![
        ("resources", resources, RESOURCES_MAX),
        ("resources that are being published", driver.publishing.len(), PUBLISHING_MAX),
        ("resources that wait to be published", driver.to_publish.len(), resources),
        ("chunks in doubt", driver.suspects.len(), SUSPECTS_MAX),
        ("links", driver.links.len(), driver.settings.neighbours_max as usize * resources),
        ("records that are still to be loaded", driver.loading.parked.len(), PARKED_MAX),
    ]
}

fn facts_of(driver: &Driver, key: SwarmKey, resource: &Resource) -> ResourceFacts {
    let before = driver.checks.before();
    let status_of = |name: &ResourceName| driver.status_of(name, key, &before);
    let names = resource.record.names.iter().filter_map(|record| status_of(&record.name));
    let (have, blocked) = match &resource.phase {
        Phase::Seeding(_) => (HaveMap::full(resource.count()), None),
        Phase::Fetching(it) => (it.have.clone(), it.blocked.as_ref().map(|blocked| blocked.why.clone())),
        Phase::Accepted(blocked) => (HaveMap::empty(resource.count()), Some(blocked.why.clone())),
        _ => (HaveMap::empty(resource.count()), None),
    };
    ResourceFacts {
        key,
        names: names.map(|status| (status.name, status.state, status.reason)).collect(),
        phase: phase_of(resource),
        is_seeding: matches!(resource.phase, Phase::Seeding(_)) && !resource.record.paused,
        is_edited: resource.edited.is_some(),
        is_paused: resource.record.paused,
        have,
        waiting: driver.machine.status(key).and_then(|status| status.waiting_at(driver.now())),
        blocked,
        troubles: resource.troubles.iter().map(|(name, why)| (name.clone(), why.clone())).collect(),
    }
}

fn phase_of(resource: &Resource) -> &'static str {
    match resource.phase {
        Phase::Checking(_) => "checking",
        Phase::Accepted(_) => "accepted",
        Phase::Opening(_) => "opening",
        Phase::Fetching(_) => "fetching",
        Phase::Seeding(_) => "seeding",
        Phase::Failed(_) => "failed",
    }
}

/// What is the same in every run of a seed: no path, inode or date of the real file system.
fn task_words(task: &TaskInput) -> String {
    let mut words = variant(task);
    let key = match task {
        TaskInput::Synced { download, synced, .. } => {
            let _ = write!(words, " {}", synced.is_ok());
            Some(download.manifest.key())
        }
        TaskInput::Whole { download, whole } => {
            let _ = write!(words, " {}", whole.is_ok());
            Some(download.manifest.key())
        }
        TaskInput::Noted { download, .. } => Some(download.manifest.key()),
        TaskInput::Published { source, published, .. } => {
            let _ = write!(words, " {}", published.is_ok());
            Some(source.manifest().key())
        }
        TaskInput::Made { key, .. } | TaskInput::Reopened { key, .. } | TaskInput::Checked { key, .. } => {
            Some(*key)
        }
        _ => None,
    };
    if let Some(key) = key {
        let _ = write!(words, " {key}");
    }
    words
}

/// The name of an enum's variant.
fn variant(value: &impl Debug) -> String {
    struct First(String);
    impl Write for First {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            let end = text.find(|letter: char| !letter.is_alphanumeric());
            self.0.push_str(&text[..end.unwrap_or(text.len())]);
            if end.is_some() { Err(fmt::Error) } else { Ok(()) }
        }
    }
    let mut first = First(String::new());
    let _ = write!(first, "{value:?}"); // it stops after the first word
    first.0
}
