//! `ttctl tracker`: its commands and their arguments.

use super::names;
use super::which_tracker::WhichTracker;
use clap::{Args, Subcommand};
use clap_complete::ArgValueCompleter;

/// `ttctl tracker`
#[derive(Debug, Subcommand)]
pub enum TrackerCommand {
    /// List the published files
    #[command(override_usage = "ttctl tracker list [--tracker URL]")]
    List(TrackerListArgs),
    /// Show the peers that have some or all of a file
    #[command(override_usage = "ttctl tracker peers [--tracker URL] NAME|ID")]
    Peers(TrackerPeersArgs),
    /// Show the files that a peer has some or all of
    #[command(override_usage = "ttctl tracker resources [--tracker URL] HOST[:PORT]")]
    Resources(TrackerResourcesArgs),
}

/// `ttctl tracker list`
#[derive(Debug, Args)]
pub struct TrackerListArgs {
    /// Which tracker to ask.
    #[command(flatten)]
    pub which: WhichTracker,
}

/// `ttctl tracker peers`
#[derive(Debug, Args)]
pub struct TrackerPeersArgs {
    /// A name or id
    #[arg(value_name = "NAME|ID", add = ArgValueCompleter::new(names::published))]
    pub what: String,
    /// Which tracker to ask.
    #[command(flatten)]
    pub which: WhichTracker,
}

/// `ttctl tracker resources`
#[derive(Debug, Args)]
pub struct TrackerResourcesArgs {
    /// The peer, as HOST:PORT or HOST (port 7987)
    #[arg(value_name = "HOST[:PORT]")]
    pub peer: String,
    /// Which tracker to ask.
    #[command(flatten)]
    pub which: WhichTracker,
}
