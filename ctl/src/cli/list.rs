//! `ttctl list`: its arguments and its help.

use super::names;
use clap::Args;
use clap_complete::ArgValueCompleter;

/// `ttctl list`
#[derive(Debug, Args)]
#[command(after_help = "\
Shows each file with its id, its size, its state, and when it was shared or its
download began. `ttctl status` shows progress, rates and problems.

In a pipe, ids are complete, times have an offset from UTC, and the path is
always shown.

Examples:
  ttctl list
  ttctl list 'lab-*' --long
  ttctl list --json | jq -r '.resources[] | select(.state == \"seeding\") | .path'")]
pub struct ListArgs {
    /// Names, ids, or patterns such as 'lab-*'; all files if left out
    #[arg(value_name = "NAME|ID", add = ArgValueCompleter::new(names::here))]
    pub what: Vec<String>,
    /// Also show the path of each file
    #[arg(long, short)]
    pub long: bool,
}
