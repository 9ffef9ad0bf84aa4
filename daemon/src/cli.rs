//! ttd's command line.

use clap::Parser;
use shared::host::config::{ListenAddr, RateLimit};
use shared::host::program::CommonArgs;
use shared::url::TrackerUrl;
use std::path::PathBuf;

/// The TinyTorrent daemon: fetches files into a shared directory, and serves them to other machines
///
/// ttctl controls it over a Unix socket. With a DIRECTORY, everything is kept there, including the socket, so that
/// several daemons can run on one machine. Without one, ttd uses the system's directory, socket and configuration
/// (of the user, if it does not run as root).
#[derive(Debug, Clone, Parser)]
#[command(name = "ttd", version, after_help = EXAMPLES)]
pub struct Args {
    /// Shared directory; created if it does not exist
    #[arg(value_name = "DIRECTORY")]
    pub folder: Option<PathBuf>,

    /// Listen for peers on this address, or on this port of all addresses [default: port 7987]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<ListenAddr>,

    /// Listen for ttctl on this Unix socket; its parent directory is created if missing
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,

    /// Tracker to use, as tt://HOST:PORT; may be repeated [env: TT_TRACKERS]
    #[arg(long = "tracker", value_name = "URL")]
    pub trackers: Vec<TrackerUrl>,

    /// Limit downloads, all peers together: "50 MB/s", "100 Mbit/s", none, or 0 to pause
    #[arg(long, value_name = "RATE")]
    pub download_limit: Option<RateLimit>,

    /// Limit uploads, all peers together: "50 MB/s", "100 Mbit/s", none, or 0 to pause
    #[arg(long, value_name = "RATE")]
    pub upload_limit: Option<RateLimit>,

    /// Its configuration and its log.
    #[command(flatten)]
    pub common: CommonArgs,
}

const EXAMPLES: &str = "\
Examples:
  ttd /srv/images --tracker tt://tracker.example
  ttd /tmp/a --upload-limit '50 MB/s' --log-level debug
  ttd --check-config

Signals:
  SIGTERM, SIGINT  shut down cleanly
  SIGHUP           reload the configuration

Exit codes:
  0  stopped by a signal
  1  startup failed (e.g. port in use)
  2  usage or configuration error";
