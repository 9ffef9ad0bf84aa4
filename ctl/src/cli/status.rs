//! `ttctl status`: its arguments.

use clap::Args;

/// `ttctl status`
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// The resource's name or id; all resources if left out
    pub what: Option<String>,
    /// Go on, and show each change
    #[arg(long, short)]
    pub watch: bool,
}
