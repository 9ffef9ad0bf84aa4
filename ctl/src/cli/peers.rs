//! `ttctl peers`: its arguments.

use clap::Args;

/// `ttctl peers`
#[derive(Debug, Args)]
pub struct PeersArgs {
    /// The resource's name or id
    pub what: Option<String>,
}
