//! `ttctl create`: its arguments and its help.

use super::TreeArgs;
use clap::Args;
use shared::url::TrackerUrl;
use std::path::PathBuf;

/// `ttctl create`
#[derive(Debug, Args)]
#[command(after_help = "\
Prints the id and the path of the manifest; with \"-o -\", the manifest itself.
Without --tracker, the trackers are those in $TT_TRACKERS, otherwise those in
ttd.toml.

A directory DIR is described as DIR.tar, a tar that is never written to disk. It
has the files, directories and symbolic links with their permissions and times,
without owners. WHICH is \"inside\" (a link that leads outside is refused), \"any\"
(all are carried) or \"skip\" (those that lead outside are left out).

Examples:
  ttctl create lab-2025.img --tracker tt://tracker.example
  ttctl create /srv/app-2.3 -o app-2.3.tar.tinytorrent")]
pub struct CreateArgs {
    /// The file or directory to describe
    #[arg(value_name = "FILE|DIR")]
    pub file: PathBuf,
    /// Tracker to use, as tt://HOST:PORT; may be repeated [env: TT_TRACKERS]
    #[arg(long = "tracker", value_name = "URL")]
    pub trackers: Vec<TrackerUrl>,
    /// Write the manifest to PATH instead of FILE.tinytorrent or DIR.tar.tinytorrent; "-" is the standard output
    #[arg(short, long = "output", value_name = "PATH")]
    pub output: Option<PathBuf>,
    /// What becomes part of a directory's tar.
    #[command(flatten)]
    pub tree: TreeArgs,
}
