//! `ttctl share`: its arguments and its help.

use clap::Args;
use shared::url::TrackerUrl;
use std::path::PathBuf;

/// `ttctl share`
#[derive(Debug, Args)]
#[command(after_help = "\
Prints each file's resource id and the path of its manifest. A file that lies
in ttd's shared directory is shared where it is; any other is copied into
that directory, read with your own rights.

A name that another machine shares with other content is not taken without
--replace. It ends with exit code 4 then, and when a file is shared but no
tracker publishes it under its name: the error says why, and so does
`ttctl status`. Trackers that cannot be reached are told later.

Examples:
  ttctl share /srv/images/lab-2025.img
  ttctl share forecast-*.grib2 --tracker tt://tracker.example")]
pub struct ShareArgs {
    /// The files
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// A tracker for the manifest, instead of those that ttd is configured with; may be repeated [env: TT_TRACKERS]
    #[arg(long = "tracker", value_name = "URL")]
    pub trackers: Vec<TrackerUrl>,
    /// Take the place of another resource of the same name, here and at the trackers
    #[arg(long, short = 'f', visible_alias = "force")]
    pub replace: bool,
}
