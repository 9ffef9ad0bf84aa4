//! `ttctl peers`: its arguments and its help.

use super::names;
use clap::Args;
use clap_complete::ArgValueCompleter;

/// `ttctl peers`
#[derive(Debug, Args)]
#[command(after_help = "\
Without arguments, shows how many peers were turned away, and why. A machine
counts as fetching from here if it sent a request in the last 10 s. The host
names of machines are known to the tracker: see `ttctl tracker peers NAME`.

Examples:
  ttctl peers lab-2025.img
  ttctl peers 'lab-*' other.img
  ttctl peers --uploads
  ttctl peers --uploads --json | jq '.peers[].addr'")]
pub struct PeersArgs {
    /// Names, ids, or patterns such as 'lab-*'
    #[arg(value_name = "NAME|ID", add = ArgValueCompleter::new(names::here))]
    pub what: Vec<String>,
    /// Show only the machines that fetch from here, for all files or those that are named
    #[arg(long)]
    pub uploads: bool,
    /// Show only the machines that are fetched from, for all files or those that are named
    #[arg(long)]
    pub downloads: bool,
}
