//! Puts a daemon together, without the process around it: sockets, signals, command line and configuration belong to
//! `start`. Tests on virtual time put together several daemons in one process.

use crate::automate::SubscriptionsHandle;
use crate::control::common::ControlServer;
use crate::control::reception::Reception;
use crate::driver::Driver;
use crate::inbox::{Configured, Context, Input, Settings};
use crate::jobs;
use crate::limits::{Both, LimitBook, Timetable};
use crate::net::Ways;
use crate::store::{Home, Publisher, StoreError};
use crate::throttle::Bucket;
use crate::trust::Policy;
use shared::host::clock::now_ms;
use shared::host::config::{Dscp, HostPort, Network, RateLimit};
use shared::id::PeerId;
use shared::rpc::PROTOCOL_VERSION;
use shared::rpc::control::DaemonInfo;
use shared::swarm::{AskEnd, AskId};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

/// How long the daemon waits at its start until the resources of the shared directory are loaded. Then it accepts
/// callers anyway: a slow disk or many thousand resources take longer, and are loaded meanwhile.
const LOADED_WITHIN: Duration = Duration::from_secs(1);

/// How long the orderly end may take. What is not saved by then is fetched or checked again after the next start. It is
/// well below the 15 s after which the units have systemd kill the service.
const END_WITHIN: Duration = Duration::from_millis(4500);

/// What a daemon is made of.
#[derive(Debug)]
pub struct Parts {
    /// The shared directory.
    pub home: Arc<Home>,
    /// Its peer id of this run.
    pub peer_id: PeerId,
    /// The address at which it listens for peers.
    pub listen: SocketAddr,
    /// Its zone; empty for none.
    pub zone: String,
    /// The address at which others reach it, if it is not that of its connections.
    pub advertise: Option<HostPort>,
    /// How it reaches other machines.
    pub ways: Ways,
    /// The networks from which it serves callers; all if there is none.
    pub served: Vec<Network>,
    /// The mark of packets that carry chunks; `None` for the system's default.
    pub dscp: Option<Dscp>,
    /// The bandwidth limits of the configuration.
    pub limits: Timetable,
    /// Those of the command line, which come first.
    pub options: Both<Option<RateLimit>>,
    /// Gives finished files their mode and group.
    pub publisher: Publisher,
    /// What the driver needs of the configuration.
    pub settings: Settings,
    /// Whose signatures count.
    pub policy: Policy,
}

/// A daemon that is put together. It loads its resources, and does nothing else yet.
pub struct Assembled {
    /// What all its tasks share.
    pub context: Arc<Context>,
    /// Its bandwidth limits.
    pub limits: Arc<LimitBook>,
    /// What this machine subscribes to. They begin when the caller runs them.
    pub subscriptions: SubscriptionsHandle,
    home: Arc<Home>,
    driver: Driver,
    inputs: mpsc::Receiver<Input>,
    ended: mpsc::UnboundedReceiver<(AskId, AskEnd)>,
    loaded: oneshot::Receiver<()>,
}

/// Puts a daemon together.
pub fn assemble(parts: Parts) -> Assembled {
    let Parts {
        home,
        peer_id,
        listen,
        zone,
        advertise,
        ways,
        served,
        dscp,
        limits,
        options,
        publisher,
        settings,
        policy,
    } = parts;
    let bucket = || Bucket::new(RateLimit::None);
    let buckets = Both { download: bucket(), upload: bucket() };
    let limits = Arc::new(LimitBook::open(home.clone(), buckets.clone(), options, limits));
    let (context, inputs, ended) =
        Context::new(peer_id, listen, zone, (buckets.download, buckets.upload), ways);
    context.advertised.send_replace(advertise);
    context.served.send_replace(served);
    context.dscp.send_replace(dscp);
    context.trust.configure(policy);
    context.trust.open(&home);
    let mut driver = Driver::new(context.clone(), home.clone(), publisher, settings, Arc::default());
    let loaded = driver.restore();
    let subscriptions = SubscriptionsHandle::new(context.clone(), home.clone());
    Assembled { context, limits, subscriptions, home, driver, inputs, ended, loaded }
}

impl Assembled {
    /// The service for callers. `socket` is what they are told of the place where it listens.
    ///
    /// # Errors
    /// When the shared directory cannot be looked at.
    pub fn reception(
        &self,
        socket: PathBuf,
        configured: watch::Receiver<Configured>,
    ) -> Result<Reception, StoreError> {
        let Configured { trackers, file_mode, file_group, .. } = configured.borrow().clone();
        let (folder_device, folder_inode) = self.home.device_and_inode()?;
        let info = DaemonInfo {
            version: PROTOCOL_VERSION,
            software: env!("CARGO_PKG_VERSION").to_owned(),
            folder: self.home.folder().to_owned(),
            folder_device,
            folder_inode,
            listen: self.context.listen,
            peer_id: self.context.peer_id,
            pid: std::process::id(),
            trackers,
            file_mode,
            file_group,
            started_at_ms: now_ms(),
        };
        Ok(Reception::new(Arc::new(ControlServer {
            context: self.context.clone(),
            home: self.home.clone(),
            info,
            socket,
            started: Instant::now(),
            configured,
            limits: self.limits.clone(),
            subscriptions: self.subscriptions.clone(),
        })))
    }

    /// Starts the driver. The future ends when the resources are loaded, or after [`LOADED_WITHIN`]: before that, the
    /// daemon should not listen to anybody.
    pub fn run(self) -> (Running, impl Future<Output = ()> + use<>) {
        let Assembled { context, driver, inputs, ended, loaded, .. } = self;
        let driver = jobs::spawn(driver.run(inputs, ended));
        // Most folders are loaded in a moment. The others are loaded while the daemon answers.
        let loaded = async { drop(tokio::time::timeout(LOADED_WITHIN, loaded).await) };
        (Running { context, driver, beside: Vec::new() }, loaded)
    }
}

/// A daemon whose driver runs.
#[derive(Debug)]
pub struct Running {
    /// What all its tasks share.
    pub context: Arc<Context>,
    /// Ends with the driver. The driver says why the process must be restarted, if it must.
    pub driver: JoinHandle<Option<String>>,
    /// What ends before the driver: whoever accepts connections, and the watchdog.
    beside: Vec<JoinHandle<()>>,
}

impl Running {
    /// Starts a task beside the driver, such as one that accepts connections.
    pub fn beside(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.beside.push(jobs::spawn(task));
    }

    /// Stops accepting connections, and gives the driver [`END_WITHIN`] to end in order.
    pub async fn end(self) {
        let Running { context, driver, beside } = self;
        for task in beside {
            task.abort();
            let _ = task.await;
        }
        let ending = async {
            context.tell(Input::Shutdown).await;
            driver.await
        };
        if tokio::time::timeout(END_WITHIN, ending).await.is_err() {
            tracing::warn!("cannot save everything in time; what is missing is fetched or checked again");
        }
    }
}
