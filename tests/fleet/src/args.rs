//! The command line.

use clap::{Parser, ValueEnum};
use std::path::PathBuf;

/// Boots machines in containers, installs the packages, and has them share files.
#[derive(Debug, Parser)]
#[command(name = "fleet")]
pub(crate) struct Args {
    /// How many machines
    #[arg(long, value_enum, default_value = "full")]
    pub(crate) set: Set,
    /// The package tinytorrent
    #[arg(long)]
    pub(crate) daemon: PathBuf,
    /// The package tinytorrent-tracker
    #[arg(long)]
    pub(crate) tracker: PathBuf,
    /// The package tinytorrent in a later version
    #[arg(long)]
    pub(crate) upgrade: PathBuf,
    /// Where the machines are kept; set when it runs in its own namespaces
    #[arg(long, hide = true)]
    pub(crate) inside: Option<PathBuf>,
}

/// Which machines there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Set {
    /// A tracker that publishes, and one server
    Ci,
    /// A tracker, a publisher, and three servers
    Full,
}
