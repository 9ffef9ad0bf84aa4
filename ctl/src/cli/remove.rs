//! `ttctl remove`: its arguments and its help.

use super::names;
use clap::Args;
use clap_complete::ArgValueCompleter;

/// `ttctl remove`
#[derive(Debug, Args)]
#[command(after_help = "\
NAME|ID is a name, an id or the first 8 or more digits of one, or a pattern such
as 'lab-*' (quoted, so that the shell leaves it alone). --all and patterns ask
for confirmation; without a terminal they need --yes. If some fail, the others
are still done, and the exit code is that of the first that failed.

Of a directory, --delete deletes what ttd put there. Files that somebody has
added or edited are kept, and ttctl says how many. The directory is gone while
the others are deleted, and then has its place again, with only these files.

Examples:
  ttctl remove lab-2025.img
  ttctl remove --delete --yes 'forecast-2025-*'")]
pub struct RemoveArgs {
    /// Names, ids or patterns such as 'lab-*'
    #[arg(value_name = "NAME|ID", required_unless_present = "all", add = ArgValueCompleter::new(names::here))]
    pub what: Vec<String>,
    /// All files that are here
    #[arg(long, conflicts_with = "what")]
    pub all: bool,
    /// First unpublish the names at the trackers, even if other machines have the files
    #[arg(long)]
    pub unpublish: bool,
    /// Also delete the files
    #[arg(long)]
    pub delete: bool,
    /// Do not ask for confirmation
    #[arg(long, short)]
    pub yes: bool,
}
