//! `ttctl check`: its arguments.

use clap::Args;
use std::path::PathBuf;

/// `ttctl check`
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The .tinytorrent file
    pub manifest: PathBuf,
    /// The file to compare with it; if left out, the one that it names, if that lies beside it
    pub file: Option<PathBuf>,
}
