//! Starts the daemon and ends it: folder, sockets, tasks and signals, in this order; each failure says what to do.

use crate::assemble::{Parts, assemble};
use crate::automate;
use crate::cli::Args;
use crate::descriptors::Descriptors;
use crate::entropy;
use crate::identity::{self, Membership, Settled};
use crate::inbox::Context;
use crate::jobs;
use crate::limits::Both;
use crate::net::{Listener, Network, Ways};
use crate::peer::room::Caps;
use crate::peer::server as peer;
use crate::plan::{self, Plan};
use crate::reload::{self, Reloader};
use crate::store::Home;
use crate::tracker::enrol;
use crate::watchdog;
use shared::host::doors::Keeper;
use shared::host::logging::{self, Logging};
use shared::host::program::{self, Heard, Signals, StartError};
use shared::host::service::Service;
use shared::id::PeerId;
use shared::rpc::{local, wire};
use shared::swarm::SwarmConfig;
use shared::url::PEER_PORT;
use std::fmt::Display;
use std::fs::DirBuilder;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The last port that a daemon with a DIRECTORY argument tries when no port is configured.
const LAST_PORT: u16 = 8018;

/// Runs the daemon until a signal ends it.
pub fn run(args: Args) -> ExitCode {
    let service = Arc::new(Service::of_process());
    let ended = start(args, &service);
    program::exit_code("ttd", &service, ended)
}

fn start(args: Args, service: &Arc<Service>) -> Result<(), StartError> {
    let mut plan = Plan::make(&args)?;
    let group_unknown = plan.group_unknown.take();
    if args.common.check_config {
        if let Some(error) = plan.key_unread {
            return Err(error); // a reload would be refused
        }
        if let Some(error) = plan.missing_identity() {
            return Err(error);
        }
        // A failed lookup does not make the files wrong. A running daemon keeps the group that it has, so the check
        // before a reload must not fail here.
        if let Some(error) = group_unknown {
            logging::complain("ttd", &error.message);
        }
        program::say_good(&plan.files);
        return Ok(());
    }
    if let Some(error) = group_unknown {
        return Err(error);
    }
    let logging = logging::init(&plan.config.log_level, plan.config.log_format);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers())
        .enable_all()
        .thread_name("ttd")
        .build()
        .map_err(|error| failed("cannot start the runtime", &error))?;
    let ended = runtime.block_on(serve(args, plan, logging, service.clone()));
    runtime.shutdown_timeout(Duration::from_millis(200));
    ended
}

/// Reads what this machine joined a fleet with.
async fn open_membership(plan: &Plan) -> Result<Arc<Membership>, StartError> {
    let membership = Arc::new(Membership::default());
    let (opened, credentials, tls) = (membership.clone(), plan.credentials.clone(), plan.tls.clone());
    let open = jobs::run(move || opened.open(credentials, tls));
    open.await.map_err(|error| failed("cannot start", &error))?;
    Ok(membership)
}

/// The most threads that move bytes: more of them are not expected to move more.
const WORKERS_MAX: usize = 8;

/// How many threads move bytes between sockets and buffers: half of the processors. Hashing and the disk have threads
/// of their own, and idle workers that wake one another cost more than they carry: with 16 leechers on two cores 8 to
/// 14 % of the processor time.
fn workers() -> usize {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    (processors / 2).clamp(1, WORKERS_MAX)
}

fn failed(doing: &str, error: &dyn Display) -> StartError {
    StartError::failed(doing, error)
}

async fn serve(args: Args, plan: Plan, logging: Logging, service: Arc<Service>) -> Result<(), StartError> {
    let mut signals = Signals::listen().map_err(|error| failed("cannot wait for signals", &error))?;
    let config = &plan.config;
    let home = Arc::new(open_home(&plan)?);
    let shares = Descriptors::raise().share(
        config.unknown_connections_max.get(),
        config.peer_connections_max.get(),
        SwarmConfig::default().neighbours_max,
    );
    let (peers, listen) = listen_for_peers(&plan).await?;
    let membership = open_membership(&plan).await?;
    let Settled { mode, places } = membership.known().settled.clone();
    let (keeper, doors) = Keeper::start(mode, places)
        .map_err(|error| failed("cannot start the thread that looks at certificates", &error))?;
    let assembled = assemble(Parts {
        home: home.clone(),
        peer_id: PeerId(entropy::random()),
        listen,
        zone: config.zone.as_str().to_owned(),
        advertise: config.advertise.clone(),
        ways: Ways { network: Network::System, doors, membership: membership.clone() },
        served: config.allow_networks.clone(),
        dscp: config.dscp,
        limits: plan::limits(config),
        options: Both { download: args.download_limit, upload: args.upload_limit },
        publisher: plan.publisher.clone(),
        settings: reload::settings(config, shares.links),
        policy: plan.policy.clone(),
    });
    if let Some(error) = &plan.key_unread {
        tracing::error!(error = %error.message, "what needs a signature by this key is refused");
    }
    let callers = listen_for_callers(&plan).await?;
    let (configured, known) = watch::channel(reload::configured(config, &plan.publisher, &plan.files));
    let reception = assembled.reception(plan.socket.clone(), known.clone());
    let reception = reception.map_err(|error| failed("cannot start", &error))?;
    let (context, limits) = (assembled.context.clone(), assembled.limits.clone());
    let subscriptions = assembled.subscriptions.clone();
    let (mut running, loaded) = assembled.run();
    loaded.await;
    let caps = Caps { peers_max: shares.peers as usize, strangers_max: shares.strangers as usize };
    running.beside(peer::accept(context.clone(), peers, caps));
    running.beside(reception.accept(callers));
    running.beside(watchdog::watch(service.clone(), context.clone()));
    running.beside(identity::follow(membership, keeper));
    running.beside(automate::watch(context.clone(), home.clone(), known.clone()));
    running.beside(enrol::run(context.clone()));
    running.beside(enrol::run_beside(context.clone()));
    running.beside(limits.clone().follow());
    running.beside(subscriptions.run(known));
    log_ready(&plan, listen, &context);
    say_ready(&service, &context).await;
    let mut reloader = Reloader {
        args,
        running: plan.config,
        publisher: plan.publisher,
        limits,
        context,
        logging,
        configured,
        neighbours_max: shares.links,
    };
    let signal = until_signal(&mut signals, &mut running.driver, &mut reloader, &service).await?;
    tracing::info!("ttd stops ({signal})");
    service.stopping("stopping");
    running.end().await;
    tracing::info!("ttd has stopped");
    Ok(())
}

/// Reloads the configuration whenever a signal asks for it, until a signal ends the daemon. Returns the name of that
/// signal. It is an error if the driver ends before.
async fn until_signal(
    signals: &mut Signals,
    driver: &mut JoinHandle<Option<String>>,
    reloader: &mut Reloader,
    service: &Service,
) -> Result<&'static str, StartError> {
    let mut known = reloader.context.membership.subscribe();
    loop {
        let heard = tokio::select! {
            heard = signals.next() => heard,
            Ok(()) = known.changed() => {
                reloader.joined().await;
                continue;
            }
            died = &mut *driver => return Err(match died {
                Ok(Some(why)) => failed("ttd must be restarted", &why),
                died => failed("the driver stopped unexpectedly", &format!("{died:?}")),
            }),
        };
        if let Heard::End(signal) = heard {
            return Ok(signal);
        }
        service.reloading();
        reloader.reload().await;
        say_ready(service, &reloader.context).await;
    }
}

/// All that an administrator wants to know of this run, in one line.
fn log_ready(plan: &Plan, listen: SocketAddr, context: &Context) {
    let config = &plan.config;
    // Saved limits and options of the command line come before the configuration.
    let (download_limit, upload_limit) = (context.down.limit(), context.up.limit());
    let trackers = config.trackers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let trackers = if trackers.is_empty() { "none".to_owned() } else { trackers };
    let zone = Some(config.zone.as_str()).filter(|zone| !zone.is_empty());
    tracing::info!(
        directory = %plan.folder.display(), %listen, tls = %context.doors().line, socket = %plan.socket.display(), trackers, zone,
        %download_limit, %upload_limit, peer_id = %context.peer_id,
        "ttd {} is ready", env!("CARGO_PKG_VERSION")
    );
}

async fn say_ready(service: &Service, context: &Context) {
    if service.is_watched() {
        service.ready(&watchdog::line(context).await);
    }
}

/// Opens the shared directory. The parent of a folder that was named must exist: otherwise a disk that is not mounted
/// would go unnoticed. The default place of a new user is made if it is missing, with access for nobody else, as the
/// XDG Base Directory Specification asks.
fn open_home(plan: &Plan) -> Result<Home, StartError> {
    if let Some(place) = plan.folder.parent().filter(|_| !plan.is_folder_named) {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(place);
        made.map_err(|error| failed(&format!("cannot create {}", place.display()), &error))?;
    }
    Home::open(&plan.folder).map_err(|error| no_home(&plan.folder, &error))
}

/// The message when the folder cannot be opened. If a service may not write there, it says where that is changed: in
/// its unit or by the folder's owner and mode.
fn no_home(folder: &Path, error: &dyn std::error::Error) -> StartError {
    let mut failed = failed("cannot start", &error);
    let kind = error.source().and_then(|source| source.downcast_ref::<io::Error>()).map(io::Error::kind);
    let is_shut = matches!(kind, Some(io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied));
    if is_shut && std::env::var_os("INVOCATION_ID").is_some() {
        let folder = folder.display();
        failed.message += &format!(
            "; as a service ttd needs ReadWritePaths={folder} in its unit (`systemctl edit ttd`) and must own the directory"
        );
    }
    failed
}

async fn listen_for_callers(plan: &Plan) -> Result<local::Listener, StartError> {
    let socket = &plan.socket;
    if let Some(folder) = socket.parent() {
        make_runtime_folder(folder)
            .map_err(|error| failed(&format!("cannot create {}", folder.display()), &error))?;
    }
    local::listen(socket, plan.config.socket_mode.bits())
        .await
        .map_err(|error| failed(&format!("cannot listen for ttctl on {}", socket.display()), &error))
}

/// Makes the folder of the socket if it is missing, but not the folders above it.
fn make_runtime_folder(folder: &Path) -> io::Result<()> {
    match std::fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists && !folder.is_dir() => Err(error),
        _ => Ok(()),
    }
}

/// Listens at the configured address. A daemon with a DIRECTORY argument and no configured address takes the first free
/// port from [`PEER_PORT`] to [`LAST_PORT`].
async fn listen_for_peers(plan: &Plan) -> Result<(Listener, SocketAddr), StartError> {
    let all = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    let (ip, first, last) = match plan.config.listen {
        Some(listen) => (listen.0.ip(), listen.0.port(), listen.0.port()),
        None if plan.has_own_folder => (all, PEER_PORT, LAST_PORT),
        None => (all, PEER_PORT, PEER_PORT),
    };
    let mut port = first;
    let listener = loop {
        match shared::rpc::listen(SocketAddr::new(ip, port)) {
            Ok(listener) => break listener,
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && port < last => port += 1,
            Err(error) => {
                let what = match first == last || error.kind() != io::ErrorKind::AddrInUse {
                    true => error.to_string(),
                    false => format!("cannot listen: all ports from {first} to {last} are in use"),
                };
                let message = format!("{what}; choose another port with --listen or `listen` in ttd.toml");
                return Err(StartError { message, exit: 1 });
            }
        }
    };
    if let Some(name) = &plan.config.congestion_control
        && let Err(error) = wire::set_congestion_control(&listener, name.as_str())
    {
        // The default configuration asks for it on every machine, so this is no warning.
        tracing::info!(congestion_control = %name, %error, "the kernel does not allow it, and its default is used; \
            net.ipv4.tcp_allowed_congestion_control lists what it allows");
    }
    let address = listener.local_addr().map_err(|error| failed("cannot listen for peers", &error))?;
    Ok((Listener::Tcp(listener), address))
}
