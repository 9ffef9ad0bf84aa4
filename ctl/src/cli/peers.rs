//! `ttctl peers`: its arguments and its help.

use super::names;
use clap::Args;
use clap_complete::ArgValueCandidates;

/// `ttctl peers`
#[derive(Debug, Args)]
#[command(after_help = "\
Without WHAT and without options it shows how often peers were turned away, and
why. A machine counts as fetching from here while it asks at least every 10 s.

Examples:
  ttctl peers lab-2025.img
  ttctl peers --uploads
  ttctl peers --uploads --json | jq '.peers[].addr'")]
pub struct PeersArgs {
    /// The name or id of a file
    #[arg(add = ArgValueCandidates::new(names::here))]
    pub what: Option<String>,
    /// Show only who fetches from this machine: of all files, or of WHAT
    #[arg(long)]
    pub uploads: bool,
    /// Show only whom this machine fetches from: of all files, or of WHAT
    #[arg(long)]
    pub downloads: bool,
}
