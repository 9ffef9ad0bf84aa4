//! From the command line to the end of the process.

use crate::cli::Args;
use crate::server::{Handle, Server};
use shared::host::config::{ConfigError, Files, TrackerConfig};
use shared::host::logging::{self, Logging};
use shared::host::paths::Places;
use shared::host::service::Service;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::interval;

/// It cannot start.
const FAILED: u8 = 1;
/// The command line or the configuration is wrong.
const USAGE: u8 = 2;

/// How often the status is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Runs a tracker until a signal ends it; the exit code is the process's.
pub fn run(args: Args) -> ExitCode {
    let service = Service::of_process();
    match start(&args, &service) {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, why)) => {
            service.status(&why);
            logging::complain("tt-tracker", &why);
            ExitCode::from(code)
        }
    }
}

fn start(args: &Args, service: &Service) -> Result<(), (u8, String)> {
    let (files, config) = load(args).map_err(|error| (USAGE, error.to_string()))?;
    if args.check_config {
        // a reader that is gone has seen enough
        let _ = io::stdout().write_all(files.verdict().as_bytes());
        return Ok(());
    }
    let logging = logging::init(&config.log_level, config.log_format);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| (FAILED, format!("cannot start the runtime: {error}")))?;
    let ended = runtime.block_on(serve(args, config, &logging, service));
    runtime.shutdown_background();
    ended.map_err(|error| (FAILED, error.to_string()))
}

/// The configuration, with what the command line says in its place. A file that was named must be there; the one
/// at the usual place need not.
fn load(args: &Args) -> Result<(Files, TrackerConfig), ConfigError> {
    let files = match &args.config {
        Some(path) => Files::read(path)?,
        None => Files::read_if_any(&Places::of_process().tracker_config())?,
    };
    let mut config = TrackerConfig::of(&files)?;
    args.apply(&mut config);
    Ok((files, config))
}

async fn serve(args: &Args, config: TrackerConfig, logging: &Logging, service: &Service) -> io::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let server = Server::bind(&config)?;
    let handle = server.handle();
    let mut running = config;
    tracing::info!(listen = %server.local_addr(), version = env!("CARGO_PKG_VERSION"), "the tracker is up");
    let mut told = handle.status();
    service.ready(&told);
    let mut tick = interval(service.alive_every().map_or(LOOK_EVERY, |every| every.min(LOOK_EVERY)));
    // On this one task, so that a sign of life says that the server gets its turn.
    let mut serving = std::pin::pin!(server.run());
    loop {
        tokio::select! {
            () = &mut serving => break,
            () = received(&mut terminate) => { tracing::info!("SIGTERM: the tracker ends"); break }
            () = received(&mut interrupt) => { tracing::info!("SIGINT: the tracker ends"); break }
            () = received(&mut hangup) => {
                service.reloading();
                reload(args, &mut running, &handle, logging);
                service.ready(&handle.status());
            }
            _ = tick.tick(), if service.is_watched() => {
                let status = handle.status();
                if status != told {
                    service.status(&status);
                    told = status;
                }
                service.alive();
            }
        }
    }
    service.stopping("ending");
    Ok(())
}

/// Takes over what the configuration says now, as far as a running tracker can. A mistake changes nothing.
fn reload(args: &Args, running: &mut TrackerConfig, handle: &Handle, logging: &Logging) {
    let (files, mut config) = match load(args) {
        Ok(loaded) => loaded,
        Err(error) => {
            tracing::error!("the configuration is wrong, and nothing was changed: {error}");
            return;
        }
    };
    let waiting = config.keep_fixed(running);
    let changed = running.changed(&config);
    logging.set_filter(&config.log_level);
    handle.set_limits(&config);
    *running = config;
    tracing::info!(changed = changed.join(", "), "{files} was read again");
    if !waiting.is_empty() {
        tracing::warn!(keys = waiting.join(", "), "what else was changed in {files} needs a restart");
    }
}

async fn received(signal: &mut Signal) {
    if signal.recv().await.is_none() {
        std::future::pending().await // no more signals will come
    }
}
