//! `ttctl check`: its arguments and its help.

use super::TreeArgs;
use clap::Args;
use std::path::PathBuf;

/// `ttctl check`
#[derive(Debug, Args)]
#[command(after_help = "\
A directory matches if its files with their permissions and times are those that
the manifest was made of. If it was made without times, they do not count.
Symbolic links that lead outside count unless --symlinks skip is given.

Examples:
  ttctl check lab-2025.img.tinytorrent
  ttctl check lab-2025.img.tinytorrent /srv/images/lab-2025.img
  ttctl check app-2.3.tar.tinytorrent /srv/app-2.3")]
pub struct CheckArgs {
    /// The manifest, a .tinytorrent file
    pub manifest: PathBuf,
    /// The file or directory to compare with the manifest [default: what it names, if that is beside it]
    #[arg(value_name = "FILE|DIR")]
    pub file: Option<PathBuf>,
    /// What becomes part of a directory's tar.
    #[command(flatten)]
    pub tree: TreeArgs,
}
