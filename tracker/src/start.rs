//! Runs the tracker, from the command line to the end of the process.

use crate::cli::Args;
use crate::server::{Handle, Server};
use shared::host::config::{ConfigError, Files, TrackerConfig};
use shared::host::logging::{self, Logging};
use shared::host::paths::Places;
use shared::host::program::{self, Heard, Signals, StartError};
use shared::host::service::Service;
use shared::tls_mode::TlsMode;
use std::io;
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::interval;

/// The longest time between two updates of the status that systemd shows.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Runs a tracker until a signal ends it. Returns the exit code of the process.
pub fn run(args: Args) -> ExitCode {
    let service = Service::of_process();
    program::exit_code("tt-tracker", &service, start(&args, &service))
}

fn start(args: &Args, service: &Service) -> Result<(), StartError> {
    let (files, config) = load(args).map_err(|error| StartError::wrong(error.to_string()))?;
    if args.common.check_config {
        if let Some(missing) = missing_identity(&files, &config) {
            return Err(missing);
        }
        program::say_good(&files);
        return Ok(());
    }
    let logging = logging::init(&config.log_level, config.log_format);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| StartError::failed("cannot start the runtime", &error))?;
    let ended = runtime.block_on(serve(args, config, &logging, service));
    runtime.shutdown_background();
    ended.map_err(|error| StartError { message: error.to_string(), exit: 1 })
}

/// What is missing where TLS is required: without it no machine is let in. It is no reason not to start: the files may be
/// named by a reload.
fn missing_identity(files: &Files, config: &TrackerConfig) -> Option<StartError> {
    let keys = [("tls_identity", &config.tls_identity), ("tls_ca", &config.tls_ca)];
    let missing: Vec<&str> =
        keys.into_iter().filter(|(_, path)| path.is_none()).map(|(key, _)| key).collect();
    if config.tls != TlsMode::Require || missing.is_empty() {
        return None;
    }
    let (place, missing) = (files.place_of("tls"), missing.join(" and "));
    Some(StartError::wrong(format!(
        "{place}: tls = \"require\" is set without {missing}, so no machine would be let in: make an authority with `ttctl ca \
         init`, which sets them, or set {missing}"
    )))
}

/// Loads the configuration and applies the command line to it.
fn load(args: &Args) -> Result<(Files, TrackerConfig), ConfigError> {
    let files = args.common.read_files(&Places::of_process().tracker_config())?;
    let mut config = TrackerConfig::of(&files)?;
    args.apply(&mut config);
    Ok((files, config))
}

async fn serve(args: &Args, config: TrackerConfig, logging: &Logging, service: &Service) -> io::Result<()> {
    let mut signals = Signals::listen()?;
    let server = Server::bind(&config)?;
    let handle = server.handle();
    let mut running = config;
    tracing::info!(listen = %server.local_addr(), "tt-tracker {} is ready", env!("CARGO_PKG_VERSION"));
    if let Some(line) = handle.tls() {
        tracing::info!("{line}");
    }
    let mut told = handle.status();
    service.ready(&told);
    let mut tick = interval(service.alive_every().map_or(LOOK_EVERY, |every| every.min(LOOK_EVERY)));
    // The server runs in this task, so that the watchdog's keep-alive shows that the server is running.
    let mut serving = std::pin::pin!(server.run());
    loop {
        tokio::select! {
            () = &mut serving => break,
            heard = signals.next() => match heard {
                Heard::Reload => {
                    service.reloading();
                    reload(args, &mut running, &handle, logging);
                    service.ready(&handle.status());
                }
                Heard::End(signal) => {
                    tracing::info!("tt-tracker stops ({signal})");
                    break;
                }
            },
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

/// Applies the configuration that was reloaded, except for the keys that need a restart. An invalid configuration
/// changes nothing.
fn reload(args: &Args, running: &mut TrackerConfig, handle: &Handle, logging: &Logging) {
    let (files, mut config) = match load(args) {
        Ok(loaded) => loaded,
        Err(error) => return program::not_reloaded(&error),
    };
    let waiting = config.keep_fixed(running);
    let changed = running.changed(&config);
    logging.set_filter(&config.log_level);
    handle.configure(&config);
    *running = config;
    program::reloaded(&files, &changed, &waiting);
}
