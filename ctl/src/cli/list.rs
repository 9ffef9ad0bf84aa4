//! `ttctl list`: its arguments and its help.

use clap::Args;

/// `ttctl list`
#[derive(Debug, Args)]
#[command(after_help = "\
Shows what is here: each file with its id, its size, the time when it was shared
or its download began, and its state in a word. `ttctl status` shows how the
files are doing: how far, how fast, and why not.

In a pipe the id is whole, the time has its offset from UTC, and the path is
always shown.

Examples:
  ttctl list
  ttctl list --long
  ttctl list --json | jq -r '.resources[] | select(.state == \"seeding\") | .path'")]
pub struct ListArgs {
    /// Show the path of each file, too
    #[arg(long, short)]
    pub long: bool,
}
