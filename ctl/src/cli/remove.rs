//! `ttctl remove`: its arguments and its help.

use super::names;
use clap::Args;
use clap_complete::ArgValueCandidates;

/// `ttctl remove`
#[derive(Debug, Args)]
#[command(after_help = "\
NAME|ID is a name, a pattern such as 'lab-*' (quoted, or the shell takes it for
files of its own), an id, or the first 8 or more digits of one. --all, and
patterns with --delete, ask before anything is removed; where nobody can be
asked they need --yes.

Examples:
  ttctl remove lab-2025.img
  ttctl remove --delete --yes 'forecast-2025-*'")]
pub struct RemoveArgs {
    /// Names or ids of files that are here
    #[arg(value_name = "NAME|ID", required_unless_present = "all", add = ArgValueCandidates::new(names::here))]
    pub what: Vec<String>,
    /// All files that are here
    #[arg(long, conflicts_with = "what")]
    pub all: bool,
    /// Take the names back from the trackers first, also if other machines have the files
    #[arg(long)]
    pub unpublish: bool,
    /// Delete the files, too
    #[arg(long)]
    pub delete: bool,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
}
