//! The driver's state. Each verb has a file of its own; [`run`](super::run) is the loop.

use super::hashing::Hashing;
use super::loading::Loading;
use super::lookers::Lookers;
use crate::inbox::{Answer, Context, Settings};
use crate::library::{Library, Memory, Why};
use crate::peer::link::Link;
use crate::saver::Saver;
use crate::snapshot::Snapshot;
use crate::store::{Home, Publisher};
use crate::tasks::Tasks;
use crate::tracker::Trackers;
use crate::watch::{Checks, FolderState, Lists, Pace, Slices, Stalls, Strays};
use shared::chunk::ChunkIndex;
use shared::id::SwarmKey;
use shared::name::ResourceName;
use shared::swarm::{AskId, Event, Machine, PeerAddr, SwarmConfig, Time};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;
use tokio::sync::oneshot;

/// How many resources a daemon remembers.
pub(super) const RESOURCES_MAX: usize = 100_000;

/// A name that is being published.
pub(super) struct Publishing {
    pub(super) name: ResourceName,
    /// It was removed meanwhile, its file with it.
    pub(super) delete: bool,
    /// The bytes that are copied for it.
    pub(super) room: u64,
}

/// The daemon's state, and all that may change it.
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
    /// What is being published: one name of a resource at a time.
    pub(super) publishing: BTreeMap<SwarmKey, Publishing>,
    /// What waits to be published: too many are at once.
    pub(super) to_publish: BTreeSet<SwarmKey>,
    /// The checks that run and those that wait for their turn.
    pub(super) checks: Checks,
    /// Hashes what is shared.
    pub(super) hashing: Hashing,
    /// Chunks that are in doubt, and being looked at.
    pub(super) suspects: BTreeSet<(SwarmKey, ChunkIndex)>,
    pub(super) trackers: Trackers,
    /// Which downloads make no progress.
    pub(super) stalls: Stalls,
    pub(super) tasks: Tasks,
    /// Finished files that nobody remembers.
    pub(super) strays: Strays,
    /// For chunks that were just written.
    pub(super) memory: Memory,
    /// Ends background work that takes long.
    pub(super) stop: Arc<AtomicBool>,
    /// Look at files.
    pub(super) lookers: Lookers,
    /// What was not looked at yet since the start.
    pub(super) loading: Loading,
    /// Whether the shared folder can be used.
    pub(super) folder: FolderState,
    /// Whether the files in it are still the ones that were hashed.
    pub(super) slices: Slices,
    /// Why only a restart can help.
    pub(super) ending: Option<Why>,
    /// What is known of other lists of chunks.
    pub(super) lists: Lists,
    /// When something was shared last, in milliseconds since 1970.
    pub(super) newest_ms: u64,
    /// How everything was doing when the last snapshot was made, and what was found out since.
    pub(super) snapshot: Snapshot,
    /// Names that were taken away since: most are gone, some have another resource now.
    pub(super) forgotten: BTreeSet<ResourceName>,
    /// When the next snapshot is made.
    pub(super) pace: Pace,
    pub(super) ticks: u64,
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
            memory: Memory::default(),
            stop,
            lookers,
            loading: Loading::default(),
            folder: FolderState::default(),
            slices: Slices::default(),
            ending: None,
            newest_ms: 0,
            lists: Lists::default(),
            snapshot: Snapshot::default(),
            forgotten: BTreeSet::new(),
            pace: Pace::default(),
            ticks: 0,
        }
    }

    pub(super) fn now(&self) -> Time {
        Time(u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX))
    }
}
