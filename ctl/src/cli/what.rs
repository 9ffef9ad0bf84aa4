//! Resources on the command line, by name or id.

use super::names;
use clap::Args;
use clap_complete::ArgValueCompleter;

/// Resources that the daemon knows.
#[derive(Debug, Args)]
#[command(after_help = "\
NAME|ID is a name, an id or the first 8 or more digits of one, or a pattern such
as 'lab-*' (quoted, so that the shell leaves it alone). If some fail, the others
are still done, and the exit code is that of the first that failed.")]
pub struct WhatsArgs {
    /// Names, ids or patterns such as 'lab-*'
    #[arg(value_name = "NAME|ID", required_unless_present = "all", add = ArgValueCompleter::new(names::here))]
    pub what: Vec<String>,
    /// All files that are here
    #[arg(long, conflicts_with = "what")]
    pub all: bool,
}

/// The name of a resource; the name of its manifest is accepted as well.
pub fn resource_name(what: &str) -> &str {
    what.strip_suffix(shared::name::MANIFEST_SUFFIX).filter(|name| !name.is_empty()).unwrap_or(what)
}
