//! `ttctl remove`: its arguments.

use clap::Args;

/// `ttctl remove`
#[derive(Debug, Args)]
pub struct RemoveArgs {
    /// The resources' names or ids
    #[arg(required = true)]
    pub what: Vec<String>,
    /// Delete the files, too
    #[arg(long)]
    pub delete: bool,
}
