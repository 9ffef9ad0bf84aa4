//! `ttctl status`: its arguments and its help.

use super::names;
use clap::Args;
use clap_complete::ArgValueCompleter;

/// `ttctl status`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ttctl status
  ttctl status lab-2025.img --watch
  ttctl status --json | jq -r '.resources[] | select(.state == \"error\") | .name'")]
pub struct StatusArgs {
    /// Names, ids or patterns such as 'lab-*' [default: all files]
    #[arg(value_name = "NAME|ID", add = ArgValueCompleter::new(names::here))]
    pub what: Vec<String>,
    /// Keep running and refresh
    #[arg(long, short)]
    pub watch: bool,
}
