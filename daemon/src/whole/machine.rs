//! A machine of a world: a real daemon on a faulty disk, which starts, ends, dies and comes back.

use super::world::World;
use crate::assemble::{Parts, Running, assemble};
use crate::control::reception::Reception;
use crate::driver::tap::Facts;
use crate::inbox::{Configured, Context, Requests, Settings, WatchSettings};
use crate::jobs::life::{Life, Pace};
use crate::limits::Both;
use crate::net::{Listener, Network};
use crate::peer::room::Caps;
use crate::peer::server as peer;
use crate::store::faulty::{DiskFault, Faulty};
use crate::store::{Disk, Home, Publisher};
use shared::host::config::{DaemonConfig, RateLimit, ReuseScope};
use shared::id::PeerId;
use shared::rpc::local::Credentials;
use std::cell::{Cell, RefCell};
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::Instant;

/// The user whose programs ask the daemons of a world.
pub(crate) const USER: u32 = 1000;

/// How long it takes until everything is saved that a disk refused before.
const SAVED_WITHIN: Duration = Duration::from_secs(30);

/// How often the runtime is given the chance to drop the tasks of a dead machine.
const DROPPED_WITHIN: usize = 1_000;

/// What a machine is like.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    /// Its zone; empty for none.
    pub(crate) zone: String,
    /// How often arrived chunks are synced.
    pub(crate) sync_every: Duration,
    /// How long work takes on its disk.
    pub(crate) pace: Pace,
    /// What it sends at most, in bytes per second.
    pub(crate) uplink: Option<u64>,
    /// The files that it takes chunks from. A file that may be replaced is searched by a thread that waits in real
    /// time: with anything but `None`, nothing may be replaced.
    pub(crate) reuse: ReuseScope,
}

impl Default for Setup {
    fn default() -> Setup {
        let (zone, sync_every, pace) = (String::new(), Duration::from_secs(2), Pace::default());
        Setup { zone, sync_every, pace, uplink: None, reuse: ReuseScope::None }
    }
}

/// How a machine ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Death {
    /// In order, as when systemd stops the daemon.
    Stop,
    /// At once, as by SIGKILL. The disk loses nothing.
    Kill,
    /// At once, and the disk loses any part of what was not synced.
    PowerCut,
}

/// A machine.
#[derive(Debug)]
pub(crate) struct Machine {
    /// Its number, counted from 1.
    pub(crate) number: u8,
    /// Its address.
    pub(crate) ip: IpAddr,
    /// Its disk.
    pub(crate) disk: Arc<Faulty>,
    setup: Setup,
    pace: Cell<Pace>,
    ahead_s: Cell<i64>,
    folder: PathBuf,
    lives: Cell<u8>,
    run: RefCell<Option<Run>>,
    fault: Cell<Option<(DiskFault, Instant)>>,
    healed_at: Cell<Option<Instant>>,
    /// When the last fault of its disk began that kept it from saving.
    unsaved_since: Cell<Option<Instant>>,
}

/// One run of its daemon.
#[derive(Debug)]
struct Run {
    life: Arc<Life>,
    since: Instant,
    requests: Requests,
    reception: Reception,
    running: Running,
    home: Weak<Home>,
}

impl Machine {
    /// The machine with this number, which does not run yet. Its files are below `root`.
    pub(crate) fn new(number: u8, setup: Setup, root: &Path) -> Machine {
        let place = root.join(format!("m{number}"));
        let folder = place.join("shared");
        fs::create_dir_all(&folder).expect("the directory of a test is writable");
        Machine {
            number,
            ip: IpAddr::from([10, 0, 0, number]),
            disk: Arc::new(Faulty::new(&place.join("grave"))),
            pace: Cell::new(setup.pace),
            ahead_s: Cell::new(0),
            setup,
            folder,
            lives: Cell::new(0),
            run: RefCell::default(),
            fault: Cell::default(),
            healed_at: Cell::default(),
            unsaved_since: Cell::default(),
        }
    }

    /// Where it listens for peers.
    pub(crate) fn listen(&self) -> SocketAddr {
        SocketAddr::new(self.ip, 7987)
    }

    /// Its shared directory.
    pub(crate) fn dir(&self) -> &Path {
        &self.folder
    }

    /// Whether its daemon runs.
    pub(crate) fn is_up(&self) -> bool {
        self.run.borrow().is_some()
    }

    /// The number of its life, if its daemon runs.
    pub(crate) fn life(&self) -> Option<u8> {
        self.is_up().then(|| self.lives.get())
    }

    /// Since when its daemon runs.
    pub(crate) fn up_since(&self) -> Option<Instant> {
        self.run.borrow().as_ref().map(|run| run.since)
    }

    /// Asks its driver, while its daemon runs.
    pub(crate) fn requests(&self) -> Option<Requests> {
        self.run.borrow().as_ref().map(|run| run.requests.clone())
    }

    /// What the tasks of its daemon share. Whoever keeps it keeps the daemon from its end.
    pub(crate) fn context(&self) -> Option<Arc<Context>> {
        self.run.borrow().as_ref().map(|run| run.running.context.clone())
    }

    /// Connects a program of a user to its daemon, while it runs.
    pub(crate) fn connect(&self, program: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        if let Some(run) = &*self.run.borrow() {
            let who = Credentials { uid: USER, gid: USER, pid: 0 };
            run.life.enter(|| run.reception.receive(program, who));
        }
    }

    /// How it stood at its last look in this life.
    pub(crate) fn facts(&self, world: &World) -> Option<Facts> {
        world.trace.facts_of(self.ip)
    }

    // -- its life

    /// Starts its daemon, if it does not run, as `start` does.
    pub(crate) async fn start(&self, world: &World) {
        if self.is_up() {
            return;
        }
        self.disk.revive();
        world.cables.power_on(self.ip);
        let life = Life::new(world.draw(), self.pace.get());
        life.set_ahead_s(self.ahead_s.get());
        self.lives.set(self.lives.get().wrapping_add(1));
        world.note(format_args!("m{} starts its life {}", self.number, self.lives.get()));
        let begun = life.enter(|| self.begin(world, &life));
        let Some((run, loaded)) = begun else {
            return world.note(format_args!("m{} cannot start: its disk fails", self.number));
        };
        self.run.replace(Some(run));
        loaded.await;
        if let Some(run) = &mut *self.run.borrow_mut()
            && Arc::ptr_eq(&run.life, &life)
            && !life.is_dead()
        {
            let listener = Listener::Cable(world.cables.listen(self.listen()));
            let caps = Caps { peers_max: 128, strangers_max: 64 };
            let context = run.running.context.clone();
            life.enter(|| run.running.beside(peer::accept(context, listener, caps)));
        }
    }

    /// Begins a run of its daemon; `None` if its disk refuses that.
    fn begin(&self, world: &World, life: &Arc<Life>) -> Option<(Run, impl Future<Output = ()> + use<>)> {
        let home = match Home::open_on(Disk::on(self.disk.clone()), &self.folder) {
            Err(_) if self.fault.get().is_some() => return None,
            home => Arc::new(home.expect("a healthy disk opens the shared directory")),
        };
        world.returns(self, &home);
        let mut id = [0; 16];
        id[..8].copy_from_slice(&world.draw().to_be_bytes());
        (id[8], id[9]) = (self.number, self.lives.get());
        let trackers: Vec<_> = world.trackers().iter().map(|tracker| tracker.url.clone()).collect();
        let assembled = assemble(Parts {
            home: home.clone(),
            peer_id: PeerId(id),
            listen: self.listen(),
            zone: self.setup.zone.clone(),
            advertise: None,
            ways: Network::Cables(world.cables.clone()).into(),
            served: Vec::new(),
            dscp: None,
            limits: Both { download: RateLimit::None, upload: RateLimit::None }.into(),
            options: Both { download: None, upload: None },
            publisher: Publisher { mode: 0o644, group: None },
            policy: Default::default(),
            settings: Settings {
                trackers: trackers.clone(),
                min_free_bytes: 0,
                sync_every: self.setup.sync_every,
                stall_warning: Duration::from_secs(3600),
                reuse: self.setup.reuse,
                neighbours_max: 40,
            },
        });
        let configured = Configured {
            trackers,
            file_mode: 0o644,
            file_group: None,
            subscribe: Vec::new(),
            files: Vec::new(),
            watch: WatchSettings::of(&DaemonConfig::default()),
        };
        let reception = assembled.reception(self.folder.join("socket"), watch::channel(configured).1);
        let reception = reception.expect("a healthy disk shows the shared directory");
        let requests = Requests::new(&assembled.context);
        let (running, loaded) = assembled.run();
        let (life, since, home) = (life.clone(), Instant::now(), Arc::downgrade(&home));
        Some((Run { life, since, requests, reception, running, home }, loaded))
    }

    /// Starts a task of its daemon, if it runs.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(run) = &*self.run.borrow() {
            run.life.spawn(task);
        }
    }

    /// Ends its daemon, if it runs.
    ///
    /// # Panics
    /// If something of the daemon outlives it.
    pub(crate) async fn end(&self, world: &World, death: Death) {
        let Some(Run { life, running, home, .. }) = self.run.take() else { return };
        world.note(format_args!("m{} ends: {death:?}", self.number));
        let context = Arc::downgrade(&running.context);
        if death == Death::Stop && !life.is_dead() {
            running.end().await;
        } else {
            drop(running);
        }
        self.disk.stop_at(0, false);
        if death == Death::PowerCut {
            world.cables.power_off(self.ip);
        }
        life.die();
        life.drop_tasks();
        drop(life);
        for _ in 0..DROPPED_WITHIN {
            if context.strong_count() == 0 && home.strong_count() == 0 {
                break;
            }
            tokio::task::yield_now().await;
        }
        let left = (context.strong_count(), home.strong_count());
        assert_eq!(left, (0, 0), "something of the daemon of m{} outlives it", self.number);
        world.trace.forget_facts(self.ip);
        // What a daemon accepts while its disk refuses is only in its memory until it has been saved.
        let is_saved = self.fault.get().is_none()
            && self.healed_at.get().is_none_or(|healed| healed.elapsed() > SAVED_WITHIN);
        if let Some(since) = self.unsaved_since.get().filter(|_| !is_saved) {
            world.forget_since(self, since);
        }
        if death == Death::PowerCut {
            self.disk.cut_power(|| world.one_in(2));
            world.forget_pauses(self);
        }
        world.died(self);
    }

    /// Has its daemon die at a step on its disk, counted from now on: that step does not happen, or only half of it. It
    /// must still be [ended](Machine::end).
    pub(crate) fn die_at(&self, step: u64, torn: bool) {
        let life = self.run.borrow().as_ref().map(|run| run.life.clone());
        if let Some(life) = life {
            self.disk.stop_at_and_tell(self.disk.steps() + step, torn, move || life.die());
        }
    }

    /// Sets its time of day, in seconds ahead of the world's; behind it if they are negative.
    pub(crate) fn set_clock(&self, ahead_s: i64) {
        self.ahead_s.set(ahead_s);
        if let Some(run) = &*self.run.borrow() {
            run.life.set_ahead_s(ahead_s);
        }
    }

    // -- its disk

    /// A user puts a file into its shared directory, in one step.
    pub(crate) fn put_file(&self, name: &str, bytes: &[u8]) {
        let aside = self.folder.with_extension("aside");
        let put = fs::write(&aside, bytes).and_then(|()| fs::rename(&aside, self.folder.join(name)));
        put.expect("the directory of a test is writable");
    }

    /// Has its disk fail from now on.
    pub(crate) fn break_disk(&self, fault: DiskFault) {
        self.disk.refuse_from(0, fault);
        self.fault.set(Some((fault, Instant::now())));
        if !matches!(fault, DiskFault::WriteBack | DiskFault::WriteBackOf(_)) {
            self.unsaved_since.set(Some(Instant::now()));
        }
    }

    /// Ends the fault of its disk.
    pub(crate) fn heal_disk(&self) {
        self.disk.heal();
        if self.fault.take().is_some() {
            self.healed_at.set(Some(Instant::now()));
        }
    }

    /// The fault of its disk that is in force, and since when.
    pub(crate) fn disk_fault(&self) -> Option<(DiskFault, Instant)> {
        self.fault.get()
    }

    /// When a fault of its disk ended last.
    pub(crate) fn disk_healed_at(&self) -> Option<Instant> {
        self.healed_at.get()
    }

    /// Sets how long work takes on its disk from now on.
    pub(crate) fn set_pace(&self, pace: Pace) {
        self.pace.set(pace);
        if let Some(run) = &*self.run.borrow() {
            run.life.set_pace(pace);
        }
    }

    /// Whether work takes seconds on its disk.
    pub(crate) fn is_slow(&self) -> bool {
        let Pace { happens_max_ms, known_max_ms, late_max_ms } = self.pace.get();
        happens_max_ms.max(known_max_ms).max(late_max_ms) >= 1_000
    }

    /// Has its disk work as at the begin.
    pub(crate) fn calm(&self) {
        self.heal_disk();
        self.set_pace(self.setup.pace);
    }
}
