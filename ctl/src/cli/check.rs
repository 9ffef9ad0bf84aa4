//! `ttctl check`: its arguments.

use clap::Args;
use std::path::PathBuf;

/// `ttctl check`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ttctl check lab-2025.img.tinytorrent
  ttctl check lab-2025.img.tinytorrent /srv/images/lab-2025.img")]
pub struct CheckArgs {
    /// The manifest, a .tinytorrent file
    pub manifest: PathBuf,
    /// The file to compare with the manifest [default: the file that it names, if that is beside it]
    pub file: Option<PathBuf>,
}
