//! The driver's state.

use super::followers::Followers;
use super::hashing::Hashing;
use super::loading::Loading;
use super::lookers::Lookers;
use super::noter::Noting;
use super::reusers::Reusers;
use crate::entropy;
use crate::inbox::{Answer, Context, Settings};
use crate::library::{Library, Memory, Why};
use crate::peer::link::Link;
use crate::saver::Saver;
use crate::snapshot::Snapshot;
use crate::store::{Home, Publisher, TreeScan};
use crate::tasks::Tasks;
use crate::tracker::Trackers;
use crate::watch::{Checks, Events, FolderState, Lists, Pace, Slices, Stalls, Strays, TreeScans, Uploads};
use shared::chunk::ChunkIndex;
use shared::id::SwarmKey;
use shared::name::ResourceName;
use shared::swarm::{AskId, Event, Machine, PeerAddr, SwarmConfig, Time};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;
use tokio::sync::{Semaphore, oneshot};

/// How many names a daemon shares or fetches; further ones are refused. A tracker with the default configuration
/// accepts this many from one daemon.
pub(super) const RESOURCES_MAX: usize = 100_000;

/// A name that is being published.
pub(super) struct Publishing {
    pub(super) name: ResourceName,
    /// Whether the name was removed meanwhile together with its file.
    pub(super) delete: bool,
    /// The bytes that are copied for it.
    pub(super) room: u64,
    /// Whether a check waits until it is published: before, the check would not find it where it is.
    pub(super) check_next: bool,
}

/// The state, and all functions that change it.
pub struct Driver {
    pub(super) context: Arc<Context>,
    pub(super) home: Arc<Home>,
    pub(super) publisher: Publisher,
    pub(super) settings: Settings,
    pub(super) saver: Saver,
    pub(super) start: Instant,
    pub(super) machine: Machine,
    pub(super) library: Library,
    pub(super) links: BTreeMap<PeerAddr, Link>,
    /// Questions of peers that wait for the core's answer.
    pub(super) asks: BTreeMap<AskId, oneshot::Sender<Answer>>,
    /// Events that came up while actions were performed.
    pub(super) pending: VecDeque<Event>,
    /// The names that are being published, one for each resource.
    pub(super) publishing: BTreeMap<SwarmKey, Publishing>,
    /// Resources that wait until fewer are being published.
    pub(super) to_publish: BTreeSet<SwarmKey>,
    /// The running and waiting checks.
    pub(super) checks: Checks,
    /// Hashes files to be shared.
    pub(super) hashing: Hashing,
    /// Takes chunks of downloads from what is here.
    pub(super) reusers: Reusers,
    /// The places for followers of shifted content.
    pub(super) followers: Followers,
    /// The place for the directory that is being laid out: one at a time, because each takes all of the disk.
    pub(super) laying_out: Arc<Semaphore>,
    /// Doubted chunks that are being read.
    pub(super) suspects: BTreeSet<(SwarmKey, ChunkIndex)>,
    /// Directories whose files are being looked at.
    pub(super) looks_for_edits: BTreeSet<SwarmKey>,
    pub(super) trackers: Trackers,
    /// Downloads without progress.
    pub(super) stalls: Stalls,
    /// What was sent to which peer, for the log.
    pub(super) uploads: Uploads,
    pub(super) tasks: Tasks,
    /// The tasks that share or compare what may be a directory. There are at most as many as tasks.
    pub(super) noting: BTreeMap<ResourceName, Noting>,
    /// Finished files without records.
    pub(super) strays: Strays,
    /// The memory for chunks that were just written and are still to be hashed.
    pub(super) memory: Memory,
    /// Tells long background work to end.
    pub(super) stop: Arc<AtomicBool>,
    /// The threads that look at files.
    pub(super) lookers: Lookers,
    /// The resources of the last run that are still to be loaded.
    pub(super) loading: Loading,
    /// Whether the shared directory can be used.
    pub(super) folder: FolderState,
    /// Checks whether served files have changed.
    pub(super) slices: Slices,
    /// When files of directories are looked at.
    pub(super) scans: TreeScans,
    /// The directory whose files are being looked at, between two looks.
    pub(super) scan: Option<Box<TreeScan>>,
    /// Why only a restart can help, if that is so.
    pub(super) ending: Option<Why>,
    /// The known lists of chunks of each resource.
    pub(super) lists: Lists,
    /// When something was shared last, in milliseconds since 1970.
    pub(super) newest_ms: u64,
    /// The last snapshot, with the changes since.
    pub(super) snapshot: Snapshot,
    /// Names that were removed since the last snapshot. Some of them may have another resource now.
    pub(super) forgotten: BTreeSet<ResourceName>,
    /// When the next snapshot is made.
    pub(super) pace: Pace,
    /// The events for those who follow them.
    pub(super) events: Events,
    pub(super) ticks: u64,
}

impl Driver {
    /// A driver that is in no swarm yet.
    pub fn new(
        context: Arc<Context>,
        home: Arc<Home>,
        publisher: Publisher,
        settings: Settings,
        stop: Arc<AtomicBool>,
    ) -> Driver {
        let config = SwarmConfig { neighbours_max: settings.neighbours_max, ..SwarmConfig::default() };
        let machine = Machine::new(config, entropy::random());
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
            pending: VecDeque::new(),
            publishing: BTreeMap::new(),
            to_publish: BTreeSet::new(),
            checks: Checks::default(),
            hashing: Hashing::default(),
            reusers: Reusers::default(),
            followers: Followers::default(),
            laying_out: Arc::new(Semaphore::new(1)),
            suspects: BTreeSet::new(),
            looks_for_edits: BTreeSet::new(),
            trackers: Trackers::default(),
            stalls: Stalls::default(),
            uploads: Uploads::new(Instant::now()),
            tasks: Tasks::default(),
            noting: BTreeMap::new(),
            strays: Strays::default(),
            memory: Memory::default(),
            stop,
            lookers,
            loading: Loading::default(),
            folder: FolderState::default(),
            slices: Slices::default(),
            scans: TreeScans::default(),
            scan: None,
            ending: None,
            newest_ms: 0,
            lists: Lists::default(),
            snapshot: Snapshot::default(),
            forgotten: BTreeSet::new(),
            pace: Pace::default(),
            events: Events::default(),
            ticks: 0,
        }
    }

    pub(super) fn now(&self) -> Time {
        Time(u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX))
    }
}
