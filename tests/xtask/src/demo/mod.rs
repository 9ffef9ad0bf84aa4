//! `cargo xtask demo`: a fleet of four on one machine.
//!
//! A tracker and four daemons start in a temporary directory; the first shares a file or a directory, the others fetch
//! it, and each copy is compared. At the end everything that was started or created is gone, also after ^C and after a
//! failure.

mod compare;
mod display;
mod distribute;
mod file;
mod fleet;
mod machine;
mod table;
mod tree;

use crate::cargo::Workspace;
use crate::interrupt;
use clap::Args;
use cluster::Programs;
use machine::Scene;
use std::path::PathBuf;

/// `cargo xtask demo`
#[derive(Args)]
pub(crate) struct DemoArgs {
    /// The file to share, which is not changed [default: 256 MiB of random bytes]
    file: Option<PathBuf>,
    /// Share a directory, change three of its files, and share it again. A copy of DIR is shared; DIR is not changed
    /// [default: 5,000 files of 10 KiB]
    #[arg(long, value_name = "DIR", num_args = 0..=1, conflicts_with = "file")]
    tree: Option<Option<PathBuf>>,
}

/// Shares a file or a directory with three other daemons.
pub(crate) fn run(args: &DemoArgs) -> Result<(), String> {
    interrupt::watch()?;
    let binaries = Workspace::find()?.build_release()?;
    let scene = Scene::new(Programs::in_dir(&binaries)?)?;
    match &args.tree {
        Some(directory) => tree::run(&scene, directory.as_deref()),
        None => file::run(&scene, args.file.as_deref()),
    }
}
