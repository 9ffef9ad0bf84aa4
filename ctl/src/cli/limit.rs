//! `ttctl limit`: its arguments and its help.

use clap::Args;
use shared::host::config::RateLimit;

/// `ttctl limit`
#[derive(Debug, Args)]
#[command(after_help = "\
A limit binds all peers together, near and far. What is set here holds until
ttd ends or reads its configuration again; the keys download_limit and
upload_limit of ttd.toml are for good. At 0 no chunk is begun; those that are
under way come to their end.

Examples:
  ttctl limit
  ttctl limit --upload \"20 MB/s\" --download none
  ttctl limit --upload 0")]
pub struct LimitArgs {
    /// Receive no faster than this: "50 MB/s", "100 Mbit/s", none, or 0 to pause
    #[arg(long, value_name = "RATE")]
    pub download: Option<RateLimit>,
    /// Send no faster than this: "50 MB/s", "100 Mbit/s", none, or 0 to pause
    #[arg(long, value_name = "RATE")]
    pub upload: Option<RateLimit>,
}
