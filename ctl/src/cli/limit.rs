//! `ttctl limit`: its arguments and its help.

use clap::Args;
use shared::host::config::RateLimit;

/// `ttctl limit`
#[derive(Debug, Args)]
#[command(after_help = "\
A limit applies to all peers together. At 0 no new chunk is started; chunks in
flight are finished.

Without --save, a limit lasts until ttd stops or reloads its configuration. With
--save, ttd stores it in .tinytorrent/limits.toml of its shared directory. A
saved limit overrides download_limit, upload_limit and [[limit]] in ttd.toml;
the options --download-limit and --upload-limit of ttd override a saved limit.

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
    /// Keep the given limits across restarts of ttd; without any, keep the current ones
    #[arg(long)]
    pub save: bool,
    /// Forget saved limits, and use those of the configuration again
    #[arg(long, conflicts_with_all = ["save", "download", "upload"])]
    pub reset: bool,
}
