//! `ttctl create`: its arguments and its help.

use clap::Args;
use shared::url::TrackerUrl;
use std::path::PathBuf;

/// `ttctl create`
#[derive(Debug, Args)]
#[command(after_help = "\
Prints the resource's id and the path of the manifest. With \"-o -\" the manifest
itself goes to the standard output. Without --tracker, the trackers are those
in $TT_TRACKERS, else those of ttd's config file.

Example:
  ttctl create lab-2025.img --tracker tt://tracker.example")]
pub struct CreateArgs {
    /// The file
    pub file: PathBuf,
    /// A tracker for the manifest; may be repeated [env: TT_TRACKERS]
    #[arg(long = "tracker", value_name = "URL")]
    pub trackers: Vec<TrackerUrl>,
    /// Where to write the manifest, instead of FILE.tinytorrent; "-" is the standard output
    #[arg(short, long = "output", value_name = "OUT")]
    pub output: Option<PathBuf>,
}
