//! `ttctl limit`: its arguments and its help.

use clap::Args;
use shared::host::config::RateLimit;

/// `ttctl limit`
#[derive(Debug, Args)]
#[command(after_help = "\
A limit binds all peers together, near and far. At 0 no chunk is begun; those
that are under way are finished.

Without --save a limit holds until ttd ends or reads its configuration again.
With --save it also holds after that: ttd keeps it in .tinytorrent/limits.toml of
its shared directory. A saved limit comes before the keys download_limit and
upload_limit of ttd.toml and its drop-ins; the options --download-limit and
--upload-limit of ttd come before a saved limit.

Examples:
  ttctl limit
  ttctl limit --upload \"20 MB/s\" --download none
  ttctl limit --upload 0
  ttctl limit --upload \"20 MB/s\" --save
  ttctl limit --reset")]
pub struct LimitArgs {
    /// Receive no faster than this: "50 MB/s", "100 Mbit/s", none, or 0 to pause
    #[arg(long, value_name = "RATE")]
    pub download: Option<RateLimit>,
    /// Send no faster than this: "50 MB/s", "100 Mbit/s", none, or 0 to pause
    #[arg(long, value_name = "RATE")]
    pub upload: Option<RateLimit>,
    /// Keep the limits that are given over restarts of ttd; without any, those that hold now
    #[arg(long)]
    pub save: bool,
    /// Forget what was saved, and use the limits of the configuration again
    #[arg(long, conflicts_with_all = ["save", "download", "upload"])]
    pub reset: bool,
}
