//! From the command line to the end of the process.

use crate::cli::Args;
use crate::server::Server;
use shared::host::config::{ConfigError, TrackerConfig};
use shared::host::logging;
use shared::host::paths::Places;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// It cannot start.
const FAILED: u8 = 1;
/// The command line or the configuration is wrong.
const USAGE: u8 = 2;

/// Runs a tracker until a signal ends it; the exit code is the process's.
pub fn run(args: Args) -> ExitCode {
    let (path, config) = load(&args);
    let mut config = match config {
        Ok(config) => config,
        Err(error) => return end(USAGE, &error.to_string()),
    };
    args.apply(&mut config);
    if args.check_config {
        let what = if path.exists() { "good" } else { "there is no such file, so all is as by default" };
        // a reader that is gone has seen enough
        let _ = writeln!(io::stdout(), "{}: {what}", path.display());
        return ExitCode::SUCCESS;
    }
    logging::init(&config.log_level, config.log_format);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return end(FAILED, &format!("cannot start the runtime: {error}")),
    };
    let ended = runtime.block_on(serve(&config));
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => end(FAILED, &error.to_string()),
    }
}

/// A file that was named must be there; the one at the usual place need not.
fn load(args: &Args) -> (PathBuf, Result<TrackerConfig, ConfigError>) {
    match &args.config {
        Some(path) => (path.clone(), TrackerConfig::load(path)),
        None => {
            let path = Places::of_process().tracker_config();
            let config = TrackerConfig::load_or_default(&path);
            (path, config)
        }
    }
}

async fn serve(config: &TrackerConfig) -> io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let server = Server::bind(config)?;
    tracing::info!(listen = %server.local_addr(), version = env!("CARGO_PKG_VERSION"), "the tracker is up");
    tokio::select! {
        () = server.run() => {}
        () = received(&mut terminate) => tracing::info!("SIGTERM: the tracker ends"),
        () = received(&mut interrupt) => tracing::info!("SIGINT: the tracker ends"),
    }
    Ok(())
}

async fn received(signal: &mut Signal) {
    if signal.recv().await.is_none() {
        std::future::pending().await // no more signals will come
    }
}

/// The error goes to stderr whatever is logged.
fn end(code: u8, why: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "tt-tracker: {why}");
    ExitCode::from(code)
}
