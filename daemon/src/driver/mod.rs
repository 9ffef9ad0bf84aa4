//! The driver: the one task that owns the core and the library. Everything that happens comes in as an
//! [`Input`]; what the core decides goes out to links, answers, disk and trackers. It waits for nothing but
//! its inputs, and leaves reading, writing and hashing to other threads; only a few calls for metadata are its own.
//!
//! One verb per file: [`act`] performs the core's actions, [`download`] takes a download to its end, [`check`]
//! compares what is on disk with its manifest, in the turns that [`checks`] gives, [`adopt`] takes what lies under a wanted
//! name already, [`blocked`] waits while the disk refuses, [`folder`] while the shared folder is not there, [`share`] and
//! [`get`] take new resources in, [`naming`] asks whose a name is, [`another`] puts another list of chunks in the place of a
//! false one, [`revive`] looks at one that is asked for again, [`manage`] pauses, resumes and removes, [`status`] says how
//! things are, [`restore`] brings back what a former run knew, [`strays`] finds what it did not. [`command`] gives each
//! command to its verb.

mod act;
mod adopt;
mod another;
mod blocked;
mod check;
mod checks;
mod command;
mod download;
mod folder;
mod get;
mod hashing;
mod input;
mod lookers;
mod manage;
mod naming;
mod restore;
mod revive;
mod room;
mod share;
mod stalls;
mod status;
mod strays;
#[cfg(test)]
mod tests;
mod turns;
mod work;

pub use folder::FolderAnswer;
pub use get::Asked;
pub use input::{Answer, Command, Input, Reply, Wanted};
pub use lookers::Seen;
pub use share::store_error;
pub use strays::Stray;
pub use turns::Turn;
pub use work::{Panicked, caught};

use crate::context::Context;
use crate::library::{Library, Phase, Room};
use crate::peer::link::Link;
use crate::saver::Saver;
use crate::store::{Home, Publisher};
use crate::tasks::{TaskInput, Tasks};
use crate::tracker::{Entry, Found, TrackerCommand, Trackers};
use another::Lists;
use checks::Checks;
use folder::Folder;
use hashing::Hashing;
use lookers::Lookers;
use restore::Loading;
use shared::chunk::ChunkIndex;
use shared::have::HaveMap;
use shared::id::SwarmKey;
use shared::name::ResourceName;
use shared::rpc::tracker::Stage;
use shared::rpc::wire::buffers;
use shared::swarm::{AskEnd, AskId, Event, Machine, PeerAddr, SwarmConfig, Time};
use shared::url::TrackerUrl;
use stalls::Stalls;
use status::Shown;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use strays::Strays;
use tokio::sync::{mpsc, oneshot, watch};

/// How often rates are sampled, syncs begun and blocked downloads looked at.
const TICK: Duration = Duration::from_millis(250);

/// How many inputs are handled before the clock is looked at.
const BATCH: usize = 64;

/// How long the trackers have to hear our farewell.
const FAREWELL: Duration = Duration::from_secs(2);

/// What the operator settled.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The trackers for what is shared and fetched by name.
    pub trackers: Vec<TrackerUrl>,
    /// Room that is left on the disk, in bytes.
    pub min_free_bytes: u64,
    /// How often what has arrived is synced.
    pub sync_every: Duration,
    /// A download without progress for so long is worth a warning.
    pub stall_warning: Duration,
    /// Links of one swarm that we dial.
    pub neighbours_max: u32,
}

/// A name that is being published.
struct Publishing {
    name: ResourceName,
    /// It was removed meanwhile, its file with it.
    delete: bool,
    /// The bytes that are copied for it.
    room: u64,
}

/// The daemon's state, and all that may change it.
pub struct Driver {
    context: Arc<Context>,
    home: Arc<Home>,
    publisher: Publisher,
    settings: Settings,
    saver: Saver,
    start: Instant,
    machine: Machine,
    library: Library,
    links: BTreeMap<PeerAddr, Link>,
    /// Questions of peers that wait for the core's answer.
    asks: BTreeMap<AskId, oneshot::Sender<Answer>>,
    /// Chunks that are on their way out.
    serving: BTreeMap<AskId, (SwarmKey, ChunkIndex)>,
    /// Events that came up while actions were performed.
    pending: VecDeque<Event>,
    /// What is being published: one name of a resource at a time.
    publishing: BTreeMap<SwarmKey, Publishing>,
    /// What waits to be published: too many are at once.
    to_publish: BTreeSet<SwarmKey>,
    /// The checks that run and those that wait for their turn.
    checks: Checks,
    /// Hashes what is shared.
    hashing: Hashing,
    /// Chunks that are in doubt, and being looked at.
    suspects: BTreeSet<(SwarmKey, ChunkIndex)>,
    trackers: Trackers,
    /// Which downloads make no progress.
    stalls: Stalls,
    tasks: Tasks,
    /// Finished files that nobody remembers.
    strays: Strays,
    /// For chunks that were just written.
    room: Room,
    /// Ends background work that takes long.
    stop: Arc<AtomicBool>,
    /// Look at files.
    lookers: Lookers,
    /// What was not looked at yet since the start.
    loading: Loading,
    /// Whether the shared folder can be used.
    folder: Folder,
    /// Why only a restart can help.
    ending: Option<String>,
    /// What is known of other lists of chunks.
    lists: Lists,
    /// When something was shared last, in milliseconds since 1970.
    newest_ms: u64,
    /// Counts the changes that a watcher may want to see.
    revision: Arc<watch::Sender<u64>>,
    /// What watchers of everything are shown for now.
    shown: Option<Shown>,
    ticks: u64,
}

impl Driver {
    /// A driver in no swarm yet.
    pub fn new(
        context: Arc<Context>,
        home: Arc<Home>,
        publisher: Publisher,
        settings: Settings,
        stop: Arc<AtomicBool>,
    ) -> Driver {
        let config = SwarmConfig { neighbours_max: settings.neighbours_max, ..SwarmConfig::default() };
        let machine = Machine::new(config, rand::random());
        let machine = machine.in_zone(context.peer_id, &context.zone);
        let lookers = Lookers::new(context.clone(), home.clone(), stop.clone());
        Driver {
            context,
            home,
            publisher,
            settings,
            saver: Saver::start(),
            start: Instant::now(),
            machine,
            library: Library::default(),
            links: BTreeMap::new(),
            asks: BTreeMap::new(),
            serving: BTreeMap::new(),
            pending: VecDeque::new(),
            publishing: BTreeMap::new(),
            to_publish: BTreeSet::new(),
            checks: Checks::default(),
            hashing: Hashing::default(),
            suspects: BTreeSet::new(),
            trackers: Trackers::default(),
            stalls: Stalls::default(),
            tasks: Tasks::default(),
            strays: Strays::default(),
            room: Room::default(),
            stop,
            lookers,
            loading: Loading::default(),
            folder: Folder::default(),
            ending: None,
            newest_ms: 0,
            lists: Lists::default(),
            revision: Arc::new(watch::Sender::new(1)),
            shown: None,
            ticks: 0,
        }
    }

    /// What changes with every change that a watcher may want to see.
    pub fn revision(&self) -> Arc<watch::Sender<u64>> {
        self.revision.clone()
    }

    /// Works until it is told to shut down, or only a restart can help: then it says why. What has arrived is synced
    /// and the trackers are told.
    pub async fn run(
        mut self,
        mut inputs: mpsc::Receiver<Input>,
        mut ended: mpsc::UnboundedReceiver<(AskId, AskEnd)>,
    ) -> Option<String> {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut batch = Vec::with_capacity(BATCH);
        'working: while self.ending.is_none() {
            let timeout = self.machine.next_timeout().map(|time| self.start + Duration::from_micros(time.0));
            let far = self.start + Duration::from_secs(365 * 24 * 3600);
            tokio::select! {
                _ = inputs.recv_many(&mut batch, BATCH) => {}
                Some((ask, end)) = ended.recv() => self.ask_ended(ask, end),
                () = tokio::time::sleep_until(timeout.unwrap_or(far).into()) => self.event(Event::Timeout),
                _ = tick.tick() => self.tick(),
            }
            for input in batch.drain(..) {
                if matches!(input, Input::Shutdown) {
                    break 'working;
                }
                self.handle(input);
            }
        }
        drop((inputs, ended)); // nobody waits for an answer that does not come
        let why = self.ending.take();
        self.end().await;
        why
    }

    fn handle(&mut self, input: Input) {
        match input {
            Input::Event(event) => self.event(event),
            Input::Link { peer, link, event } => self.link_event(peer, link, event),
            Input::Ask { ask, event, answer } => {
                self.asks.insert(ask, answer);
                self.event(event);
            }
            Input::Doubt { key, index, peer } => self.doubt(key, index, peer),
            Input::SourceChanged { key, published } => self.source_changed(key, &published),
            Input::Taken { download, index, peer, taken } => self.taken(&download, index, peer, taken),
            Input::Found(found) => self.found(found),
            Input::Standing { key, tracker, standing } => self.stands(key, tracker, standing),
            Input::Command(command) => self.command(command),
            Input::Settled(settings, publisher) => (self.settings, self.publisher) = (settings, publisher),
            Input::Task(task) => self.task(task),
            Input::Shutdown => {}
        }
    }

    fn task(&mut self, task: TaskInput) {
        match task {
            TaskInput::Hashed { task, request, hashed } => self.hashed(task, request, hashed),
            TaskInput::Cleared { task, request, hashed, other } => {
                self.cleared(task, &request, hashed, other)
            }
            TaskInput::Imported { task, request, imported } => self.imported(task, &request, imported),
            TaskInput::Asked { asked, place, here } => self.asked(asked, place, here),
            TaskInput::Inspected { what, here, changed, reply } => {
                self.inspected(&what, here, &changed, reply);
            }
            TaskInput::Compared { task, wanted, checked } => self.compared(task, wanted, checked),
            TaskInput::Shown(shown) => self.shown(shown),
            TaskInput::Stray(stray) => self.stray(stray),
            TaskInput::Copied { key, check, copied } => self.copied(key, &check, copied),
            TaskInput::Opened { wanted, record, place, opened, reply } => {
                self.opened(&wanted, *record, &place, opened, reply);
            }
            TaskInput::Made { key, check, opened } => self.made(key, &check, opened),
            TaskInput::Listed(places) => self.listed(places),
            TaskInput::Seen(seen) => self.seen(seen),
            TaskInput::Another { key, found } => self.another(key, found),
            TaskInput::Answered { number, answer } => self.answered(number, answer),
            TaskInput::Looked { number, here, changed } => self.looked(number, here, changed),
            TaskInput::Checked { key, check, turn, checked, here } => {
                self.checked(key, &check, turn, checked, here);
            }
            TaskInput::Synced { download, have, synced } => self.synced(&download, have, synced),
            TaskInput::Noted { download, have, is_probe, noted } => {
                self.noted(&download, &have, is_probe, noted);
            }
            TaskInput::Whole { download, whole } => self.whole(&download, whole),
            TaskInput::Published { source, name, published } => self.published(&source, &name, published),
            TaskInput::Suspected { key, index, peer, good } => self.suspected(key, index, peer, good),
        }
    }

    /// Hands one event to the core and performs all that it asks for, and what comes of that.
    fn event(&mut self, event: Event) {
        self.pending.push_back(event);
        while let Some(event) = self.pending.pop_front() {
            tracing::trace!(?event);
            self.note(&event);
            let now = self.now();
            self.machine.handle(now, event);
            while let Some(action) = self.machine.poll() {
                tracing::trace!(?action);
                self.perform(action);
            }
        }
    }

    fn now(&self) -> Time {
        Time(u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    fn tick(&mut self) {
        self.ticks += 1;
        let now = Instant::now();
        let served: BTreeSet<SwarmKey> = self.serving.values().map(|(key, _)| *key).collect();
        let mut busy = self.library.sample(now, |key| served.contains(&key));
        busy |= self.checks.are_running();
        self.sync_due(now);
        self.retry_blocked(now);
        if self.ticks.is_multiple_of(8) {
            buffers::trim();
            self.report_progress();
            self.check_for_askers();
            self.look_for_stalls(now);
            self.look_for_other_lists(now);
            self.look_at_clock();
            self.refuse_parked(now);
            self.ask_folder(now);
            self.look_at_files();
            if self.ticks.is_multiple_of(24) && !self.folder.is_away() {
                self.save_again();
            }
        }
        if busy {
            self.changed();
        }
    }

    /// Something changed that a watcher may want to see.
    fn changed(&self) {
        self.revision.send_modify(|number| *number += 1);
    }

    // -- swarms

    /// Takes part in the swarm of a resource, as far as it is able to.
    fn join(&mut self, key: SwarmKey) {
        if self.library.get(key).is_some_and(|resource| matches!(resource.phase, Phase::Seeding(_))) {
            self.is_proven(key);
        }
        let Some(resource) = self.library.get(key) else { return };
        let have = match &resource.phase {
            Phase::Seeding(_) => HaveMap::full(resource.count()),
            Phase::Fetching(fetching) if fetching.blocked.is_none() => fetching.have.clone(),
            _ => return,
        };
        if resource.record.paused || self.folder.is_away() {
            return;
        }
        self.context.board.put(key, have.clone());
        let count = resource.count();
        self.event(Event::Join { key, count, have });
        self.announce(key);
        self.changed();
    }

    /// Leaves the swarm of a resource.
    fn leave(&mut self, key: SwarmKey) {
        self.context.board.remove(key);
        self.event(Event::Leave { key });
        self.trackers.command_all(|| TrackerCommand::Remove(key));
        self.changed();
    }

    /// Tells a resource's trackers how far we are, unless it takes no part in its swarm.
    fn announce(&mut self, key: SwarmKey) {
        let Some(resource) = self.library.get(key) else { return };
        let stands_still = match &resource.phase {
            Phase::Checking(_) | Phase::Accepted(_) | Phase::Failed(_) => true,
            Phase::Fetching(fetching) => fetching.blocked.is_some(),
            Phase::Seeding(_) => false,
        };
        if stands_still || resource.record.paused || self.folder.is_away() {
            return;
        }
        let stage =
            if matches!(resource.phase, Phase::Seeding(_)) { Stage::Seeding } else { Stage::Leeching };
        let names = resource.record.names.iter();
        let manifests = names.map(|record| resource.manifest.with_name(record.name.clone())).collect();
        let (shared_at_ms, origin) = (resource.record.shared_at_ms, resource.record.origin);
        let (claims, undated) = (resource.record.claims.clone(), resource.record.undated.clone());
        let entry = Entry { stage, have: resource.have(), manifests, shared_at_ms, origin, claims: false };
        for url in resource.trackers() {
            let shared_at_ms = if undated.contains(&url) { 0 } else { shared_at_ms };
            let entry = Entry { claims: claims.contains(&url), shared_at_ms, ..entry.clone() };
            self.trackers.command(&self.context, &url, TrackerCommand::Put(key, entry));
        }
    }

    /// Tells the trackers how downloads progress.
    fn report_progress(&mut self) {
        for (key, resource) in self.library.stirring() {
            if let Phase::Fetching(fetching) = &resource.phase {
                let have = fetching.have.len();
                self.trackers.command_all(|| TrackerCommand::Have(key, have));
            }
        }
    }

    fn found(&mut self, found: Found) {
        let Some(resource) = self.library.get_mut(found.key) else { return };
        // Each tracker has a word of its own: two that disagree are not news every few seconds.
        let is_news = match found.conflict {
            true => resource.conflicts.insert(found.tracker.clone()),
            false => {
                resource.conflicts.remove(&found.tracker);
                false
            }
        };
        if is_news {
            tracing::warn!(resource = %found.key, tracker = %found.tracker,
                "the tracker knows the same resource with another list of chunks: one of the two manifests is false");
        }
        if let Some(shared_at_ms) =
            found.shared_at_ms.filter(|&at| at > 0 && resource.record.shared_at_ms == 0)
        {
            resource.record.shared_at_ms = shared_at_ms;
            self.saver.save(&resource.slot, &resource.record);
        }
        self.is_overtaken(found.key, found.tracker, found.overtaken);
        let (key, peers) = (found.key, found.peers);
        if !peers.is_empty() {
            self.event(if found.seeds {
                Event::LonelyFound { key, peers }
            } else {
                Event::PeersFound { key, peers }
            });
        }
    }

    /// Ends well: no chunk that is on disk is fetched again, no tracker sends anybody to us.
    async fn end(mut self) {
        self.stop.store(true, std::sync::atomic::Ordering::Relaxed);
        self.links.clear();
        self.sync_all();
        let trackers = std::mem::take(&mut self.trackers);
        tokio::join!(trackers.end(FAREWELL), self.saver.end());
    }
}
