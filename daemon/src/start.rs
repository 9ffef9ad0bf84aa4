//! Starts the daemon and ends it: settings, folder, sockets, tasks, signals; each in order, each failure with a
//! clear word.

use crate::cli::Args;
use crate::context::Context;
use crate::control::server::{self as control, ControlServer};
use crate::descriptors::Descriptors;
use crate::driver::{Driver, Input, Settings};
use crate::peer::room::Caps;
use crate::peer::server as peer;
use crate::store::{Home, Publisher};
use crate::throttle::Bucket;
use shared::host::config::{DaemonConfig, RateLimit};
use shared::host::{logging, paths::Places};
use shared::id::PeerId;
use shared::rpc::PROTOCOL_VERSION;
use shared::rpc::control::DaemonInfo;
use shared::rpc::{local, wire};
use shared::swarm::SwarmConfig;
use shared::url::PEER_PORT;
use std::fmt::Display;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

/// The last port that a daemon with a FOLDER tries on its own.
const LAST_PORT: u16 = 8018;

/// How long the end may take.
const END_WITHIN: Duration = Duration::from_millis(4500);

/// Why the daemon cannot start, and what it exits with.
struct StartError {
    message: String,
    exit: u8,
}

/// Everything that is settled before the daemon starts.
struct Plan {
    config: DaemonConfig,
    config_file: PathBuf,
    folder: PathBuf,
    has_own_folder: bool,
    socket: PathBuf,
}

/// Runs the daemon until a signal ends it.
pub fn run(args: Args) -> ExitCode {
    let ended = plan(&args).and_then(|plan| {
        if args.check_config {
            publisher(&plan.config)?;
            let what = match plan.config_file.exists() {
                true => "good",
                false => "there is no such file, so all is as by default",
            };
            // a reader that is gone has seen enough
            let _ = writeln!(io::stdout(), "{}: {what}", plan.config_file.display());
            return Ok(());
        }
        logging::init(&plan.config.log_level, plan.config.log_format);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .thread_name("ttd")
            .build()
            .map_err(|error| failed("cannot start the runtime", &error))?;
        let ended = runtime.block_on(serve(plan));
        runtime.shutdown_timeout(Duration::from_millis(200));
        ended
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ttd: {}", error.message);
            ExitCode::from(error.exit)
        }
    }
}

fn failed(doing: &str, error: &dyn Display) -> StartError {
    StartError { message: format!("{doing}: {error}"), exit: 1 }
}

/// Brings command line, configuration and the usual places together.
fn plan(args: &Args) -> Result<Plan, StartError> {
    let places = Places::of_process();
    let config_file = args.config.clone().unwrap_or_else(|| places.daemon_config());
    let loaded = match &args.config {
        Some(path) => DaemonConfig::load(path),
        None => DaemonConfig::load_or_default(&config_file),
    };
    let mut config = loaded.map_err(|error| StartError { message: error.to_string(), exit: 2 })?;
    config.listen = args.listen.or(config.listen);
    if !args.trackers.is_empty() {
        config.trackers.clone_from(&args.trackers);
    }
    config.download_limit = args.download_limit.unwrap_or(config.download_limit);
    config.upload_limit = args.upload_limit.unwrap_or(config.upload_limit);
    config.log_level = args.log_level.clone().unwrap_or(config.log_level);
    config.log_format = args.log_format.unwrap_or(config.log_format);
    let folder = places.shared_folder(args.folder.as_deref(), config.folder.as_deref());
    let socket =
        places.daemon_socket(args.socket.as_deref(), args.folder.as_deref(), config.socket.as_deref());
    Ok(Plan { config, config_file, folder, has_own_folder: args.folder.is_some(), socket })
}

async fn serve(plan: Plan) -> Result<(), StartError> {
    let mut terminate =
        signal(SignalKind::terminate()).map_err(|error| failed("cannot wait for signals", &error))?;
    let mut interrupt =
        signal(SignalKind::interrupt()).map_err(|error| failed("cannot wait for signals", &error))?;
    let config = &plan.config;
    let home = Arc::new(Home::open(&plan.folder).map_err(|error| failed("cannot start", &error))?);
    let publisher = publisher(config)?;
    let descriptors = Descriptors::raise();
    let (peers, listen) = listen_for_peers(&plan).await?;
    let bucket = |limit: RateLimit| limit.0.map(Bucket::new);
    let limits = (bucket(config.download_limit), bucket(config.upload_limit));
    let zone = config.zone.as_str().to_owned();
    let peer_id = PeerId(rand::random());
    let (context, inputs, ended) = Context::new(peer_id, listen, zone, rand::random(), limits);
    let settings = Settings {
        trackers: config.trackers.clone(),
        min_free_bytes: config.min_free_space.bytes(),
        sync_every: config.sync_every.duration(),
        stall_warning: config.stall_warning.duration(),
        neighbours_max: descriptors.at_most(SwarmConfig::default().neighbours_max, 8),
    };
    let stop = Arc::new(AtomicBool::new(false));
    let mut driver = Driver::new(context.clone(), home.clone(), publisher, settings, stop);
    driver.restore().map_err(|error| failed("cannot start", &error))?;
    let callers = listen_for_callers(&plan)?;
    let info = info(config, &home, &context).map_err(|error| failed("cannot start", &error))?;
    let server =
        Arc::new(ControlServer { context: context.clone(), home, info, revision: driver.revision() });
    let caps = Caps {
        peers_max: descriptors.at_most(config.peer_connections_max.get(), 4) as usize,
        strangers_max: descriptors.at_most(config.unknown_connections_max.get(), 4) as usize,
    };
    tracing::info!(folder = %plan.folder.display(), socket = %plan.socket.display(), %listen, id = %peer_id,
        version = env!("CARGO_PKG_VERSION"), "ttd is ready");
    let mut driver = tokio::spawn(driver.run(inputs, ended));
    let accepting = [
        tokio::spawn(peer::accept(context.clone(), peers, caps)),
        tokio::spawn(control::accept(server, callers)),
    ];
    let signal = tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
        died = &mut driver => return Err(failed("the driver ended by itself", &format!("{died:?}"))),
    };
    tracing::info!(signal, "ttd is ending");
    end(&context, driver, accepting).await;
    tracing::info!("ttd has ended");
    Ok(())
}

/// No new work, then an orderly end of what goes on, within a few seconds.
async fn end(context: &Context, driver: JoinHandle<()>, accepting: [JoinHandle<()>; 2]) {
    for task in accepting {
        task.abort();
        let _ = task.await;
    }
    let ending = async {
        context.tell(Input::Shutdown).await;
        driver.await
    };
    if tokio::time::timeout(END_WITHIN, ending).await.is_err() {
        tracing::warn!("not everything was saved in time; what is missing is fetched or checked again");
    }
}

fn info(
    config: &DaemonConfig,
    home: &Home,
    context: &Context,
) -> Result<DaemonInfo, crate::store::StoreError> {
    let (folder_device, folder_inode) = home.device_and_inode()?;
    Ok(DaemonInfo {
        version: PROTOCOL_VERSION,
        software: env!("CARGO_PKG_VERSION").to_owned(),
        folder: home.folder().to_owned(),
        folder_device,
        folder_inode,
        listen: context.listen,
        peer_id: context.peer_id,
        pid: std::process::id(),
        trackers: config.trackers.clone(),
    })
}

fn publisher(config: &DaemonConfig) -> Result<Publisher, StartError> {
    let group = match &config.file_group {
        Some(name) => Some(group_id(name.as_str()).ok_or_else(|| StartError {
            message: format!("there is no group {} (`file_group` in the configuration)", name.as_str()),
            exit: 2,
        })?),
        None => None,
    };
    Ok(Publisher { mode: config.file_mode.bits(), group })
}

/// A group's number, by number or by its name in /etc/group.
fn group_id(name: &str) -> Option<u32> {
    if let Ok(number) = name.parse() {
        return Some(number);
    }
    let groups = std::fs::read_to_string("/etc/group").ok()?;
    let line = groups.lines().find(|line| line.split(':').next() == Some(name))?;
    line.split(':').nth(2)?.parse().ok()
}

fn listen_for_callers(plan: &Plan) -> Result<local::Listener, StartError> {
    let socket = &plan.socket;
    if let Some(folder) = socket.parent() {
        make_runtime_folder(folder)
            .map_err(|error| failed(&format!("cannot make {}", folder.display()), &error))?;
    }
    local::listen(socket, plan.config.socket_mode.bits())
        .map_err(|error| failed(&format!("cannot listen for ttctl at {}", socket.display()), &error))
}

/// The last folder of the socket's path is made, should it be missing.
fn make_runtime_folder(folder: &Path) -> io::Result<()> {
    match std::fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists && !folder.is_dir() => Err(error),
        _ => Ok(()),
    }
}

/// Listens where it was told to. A daemon with a FOLDER and no word on where takes the next port that is free.
async fn listen_for_peers(plan: &Plan) -> Result<(TcpListener, SocketAddr), StartError> {
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
                let tried = if first == last { "" } else { " (nor on any port before it)" };
                let doing = format!("{error}{tried}; name another one with --listen");
                return Err(StartError { message: doing, exit: 1 });
            }
        }
    };
    if let Some(name) = &plan.config.congestion_control
        && let Err(error) = wire::set_congestion_control(&listener, name.as_str())
    {
        tracing::warn!(congestion_control = %name, %error, "the system does not grant it; its own is used");
    }
    let address = listener.local_addr().map_err(|error| failed("cannot listen for peers", &error))?;
    Ok((listener, address))
}
