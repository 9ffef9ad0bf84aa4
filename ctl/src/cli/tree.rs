//! The options of the commands that read a directory.

use clap::{Args, ValueEnum};
use shared::tree::{Symlinks, TreeOptions};

/// What becomes part of the directory's tar.
#[derive(Debug, Clone, Copy, Args)]
pub struct TreeArgs {
    /// Directories: what to do with symbolic links that lead outside
    #[arg(long, value_enum, default_value_t = SymlinksArg::Inside, value_name = "WHICH", hide_possible_values = true)]
    pub symlinks: SymlinksArg,
    /// Directories: leave out FIFOs, sockets and devices
    #[arg(long)]
    pub skip_special: bool,
    /// Directories: carry no times, so that the same content has the same id
    #[arg(long)]
    pub no_times: bool,
}

/// Which symbolic links are carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SymlinksArg {
    /// Refuse the directory if one leads outside of it.
    Inside,
    /// Carry all as they are.
    Any,
    /// Leave out those that lead outside.
    Skip,
}

/// Which directories are fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LinksArg {
    /// Those of which no symbolic link leads outside.
    Inside,
    /// All.
    Any,
}

impl TreeArgs {
    /// The options of the walk.
    pub(crate) fn options(self) -> TreeOptions {
        let symlinks = match self.symlinks {
            SymlinksArg::Inside => Symlinks::Inside,
            SymlinksArg::Any => Symlinks::Any,
            SymlinksArg::Skip => Symlinks::Skip,
        };
        TreeOptions { symlinks, skip_special: self.skip_special, has_times: !self.no_times }
    }
}
