//! `ttctl create`: its arguments and its help.

use clap::Args;
use shared::url::TrackerUrl;
use std::path::PathBuf;

/// `ttctl create`
#[derive(Debug, Args)]
#[command(after_help = "\
Prints the file's id and the path of the manifest; with \"-o -\", the manifest
itself. Without --tracker, the trackers are those in $TT_TRACKERS, otherwise
those in ttd.toml.

Example:
  ttctl create lab-2025.img --tracker tt://tracker.example")]
pub struct CreateArgs {
    /// The file to describe
    pub file: PathBuf,
    /// Tracker to use, as tt://HOST:PORT; may be repeated [env: TT_TRACKERS]
    #[arg(long = "tracker", value_name = "URL")]
    pub trackers: Vec<TrackerUrl>,
    /// Write the manifest to PATH instead of FILE.tinytorrent; "-" is the standard output
    #[arg(short, long = "output", value_name = "PATH")]
    pub output: Option<PathBuf>,
}
