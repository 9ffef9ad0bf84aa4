//! A machine of a world: a real daemon on a faulty disk, which starts, ends, dies and comes back.

use super::world::World;
use crate::driver::Driver;
use crate::driver::tap::Facts;
use crate::inbox::{Context, Input, Requests, Settings};
use crate::jobs::life::{Life, Pace};
use crate::net::{Listener, Network};
use crate::peer::room::Caps;
use crate::peer::server as peer;
use crate::store::faulty::{DiskFault, Faulty};
use crate::store::{Disk, Home, Publisher};
use crate::throttle::Bucket;
use shared::host::config::{RateLimit, ReuseScope};
use shared::id::PeerId;
use std::cell::{Cell, RefCell};
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

/// How long a daemon that starts waits until its resources are loaded, before it accepts peers. As in `start`.
const LOADED_WITHIN: Duration = Duration::from_secs(1);

/// How long an end in order may take. The process would be ended by then.
const END_WITHIN: Duration = Duration::from_millis(4500);

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
}

impl Default for Setup {
    fn default() -> Setup {
        let (zone, sync_every, pace) = (String::new(), Duration::from_secs(2), Pace::default());
        Setup { zone, sync_every, pace, uplink: None }
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
    folder: PathBuf,
    lives: Cell<u8>,
    run: RefCell<Option<Run>>,
    fault: Cell<Option<(DiskFault, Instant)>>,
    healed_at: Cell<Option<Instant>>,
}

/// One run of its daemon.
#[derive(Debug)]
struct Run {
    life: Arc<Life>,
    since: Instant,
    requests: Requests,
    context: Weak<Context>,
    home: Weak<Home>,
    driver: JoinHandle<Option<String>>,
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
            setup,
            folder,
            lives: Cell::new(0),
            run: RefCell::default(),
            fault: Cell::default(),
            healed_at: Cell::default(),
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
        self.run.borrow().as_ref().and_then(|run| run.context.upgrade())
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
        self.lives.set(self.lives.get().wrapping_add(1));
        world.note(format_args!("m{} starts its life {}", self.number, self.lives.get()));
        let (run, loaded) = life.enter(|| self.begin(world, &life));
        self.run.replace(Some(run));
        let _ = timeout(LOADED_WITHIN, loaded).await;
        let context = if life.is_dead() { None } else { self.context() };
        if let Some(context) = context {
            let listener = Listener::Cable(world.cables.listen(self.listen()));
            let caps = Caps { peers_max: 128, strangers_max: 64 };
            life.enter(|| life.spawn(peer::accept(context, listener, caps)));
        }
    }

    fn begin(&self, world: &World, life: &Arc<Life>) -> (Run, oneshot::Receiver<()>) {
        let home = Home::open_on(Disk::on(self.disk.clone()), &self.folder);
        let home = Arc::new(home.expect("a healthy disk opens the shared directory"));
        world.returns(self, &home);
        let limits = (Bucket::new(RateLimit::None), Bucket::new(RateLimit::None));
        let network = Network::Cables(world.cables.clone());
        let mut id = [0; 16];
        id[..8].copy_from_slice(&world.draw().to_be_bytes());
        (id[8], id[9]) = (self.number, self.lives.get());
        let (context, inputs, ended) =
            Context::new(PeerId(id), self.listen(), self.setup.zone.clone(), limits, network);
        let settings = Settings {
            trackers: world.trackers().iter().map(|tracker| tracker.url.clone()).collect(),
            min_free_bytes: 0,
            sync_every: self.setup.sync_every,
            stall_warning: Duration::from_secs(3600),
            reuse: ReuseScope::None,
            neighbours_max: 40,
        };
        let publisher = Publisher { mode: 0o644, group: None };
        let mut driver = Driver::new(context.clone(), home.clone(), publisher, settings, Arc::default());
        let loaded = driver.restore();
        let (requests, weak) = (Requests::new(&context), Arc::downgrade(&context));
        let driver = life.spawn(driver.run(inputs, ended));
        let (life, since, home) = (life.clone(), Instant::now(), Arc::downgrade(&home));
        (Run { life, since, requests, context: weak, home, driver }, loaded)
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
        let Some(Run { life, requests, context, home, driver, .. }) = self.run.take() else { return };
        world.note(format_args!("m{} ends: {death:?}", self.number));
        drop(requests);
        if death == Death::Stop && !life.is_dead() {
            let ending = async {
                if let Some(context) = context.upgrade() {
                    context.tell(Input::Shutdown).await;
                }
                driver.await
            };
            let _ = timeout(END_WITHIN, ending).await;
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
        if death == Death::PowerCut {
            self.disk.cut_power(|| world.one_in(2));
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
