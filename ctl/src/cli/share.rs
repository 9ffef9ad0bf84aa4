//! `ttctl share`: its arguments and its help.

use clap::Args;
use shared::url::TrackerUrl;
use std::path::PathBuf;

/// `ttctl share`
#[derive(Debug, Args)]
#[command(after_help = "\
Prints each file's resource id and the path of its manifest. A file that lies
in ttd's shared directory is shared where it is; any other is copied into
that directory, read with your own rights. To share from another directory
without a copy, run a second ttd on it: ttd@NAME.service does.

With --move the file is renamed into ttd's directory if it lies on the same file
system and you may do so (as root, or as the directory's owner with a file of
your own). Else it is copied, and deleted when the copy is verified and shared.

A name that another machine shares with other content is not taken without
--replace. It ends with exit code 4 then, and when a file is shared but no
tracker publishes it under its name: the error says why, and so does
`ttctl status`. Trackers that cannot be reached are told later.

Examples:
  ttctl share /srv/images/lab-2025.img
  ttctl share forecast-*.grib2 --tracker tt://tracker.example
  ttctl share --move /srv/build/lab-2025.img")]
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
    /// Move the files into ttd's directory instead of copying them
    #[arg(long = "move")]
    pub moves: bool,
}
