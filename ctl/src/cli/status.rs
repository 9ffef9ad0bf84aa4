//! `ttctl status`: its arguments.

use super::names;
use clap::Args;
use clap_complete::ArgValueCandidates;

/// `ttctl status`
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Names, ids, or patterns such as 'lab-*'; all files if left out
    #[arg(value_name = "NAME|ID", add = ArgValueCandidates::new(names::here))]
    pub what: Vec<String>,
    /// Go on, and show each change
    #[arg(long, short)]
    pub watch: bool,
}
