//! `ttctl status`: its arguments.

use clap::Args;

/// `ttctl status`
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Names, ids, or patterns such as 'lab-*'; all files if left out
    #[arg(value_name = "NAME|ID")]
    pub what: Vec<String>,
    /// Go on, and show each change
    #[arg(long, short)]
    pub watch: bool,
}
