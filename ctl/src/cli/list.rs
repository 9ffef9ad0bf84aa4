//! `ttctl list`: its arguments and its help.

use clap::Args;

/// `ttctl list`
#[derive(Debug, Args)]
#[command(after_help = "\
Shows each file with its id, its size, its state, and when it was shared or its
download began. `ttctl status` shows progress, rates and problems.

In a pipe, ids are complete, times have an offset from UTC, and the path is
always shown.

Examples:
  ttctl list
  ttctl list --long
  ttctl list --json | jq -r '.resources[] | select(.state == \"seeding\") | .path'")]
pub struct ListArgs {
    /// Also show the path of each file
    #[arg(long, short)]
    pub long: bool,
}
