//! `ttctl tracker`: its commands and their arguments.

use super::names;
use super::which_tracker::WhichTracker;
use clap::{Args, Subcommand};
use clap_complete::ArgValueCandidates;

/// `ttctl tracker`
#[derive(Debug, Subcommand)]
pub enum TrackerCommand {
    /// List what is published
    List(TrackerListArgs),
    /// Show the peers that have some or all of a resource
    Peers(TrackerPeersArgs),
    /// Show the resources that a peer has some or all of
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
    /// The resource's name or id
    #[arg(add = ArgValueCandidates::new(names::published))]
    pub what: String,
    /// Which tracker to ask.
    #[command(flatten)]
    pub which: WhichTracker,
}

/// `ttctl tracker resources`
#[derive(Debug, Args)]
pub struct TrackerResourcesArgs {
    /// The peer, as HOST:PORT (7987 if the port is left out)
    pub peer: String,
    /// Which tracker to ask.
    #[command(flatten)]
    pub which: WhichTracker,
}
