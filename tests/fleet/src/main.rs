//! `cargo xtask fleet`: machines in containers that boot systemd, with the Debian packages installed in them.
//!
//! The run has mount, network and process namespaces of its own: a bridge that nobody else sees, and nothing is left
//! behind however it ends. [`needs`] checks the machine, [`root`] makes the Debian root of all machines, [`machine`]
//! boots one, and [`scenario`] contains the steps.

// It prints to the person who started it.
#![allow(clippy::print_stdout)]

mod args;
mod command;
mod journal;
mod machine;
mod needs;
mod network;
mod root;
mod scenario;

use args::Args;
use clap::Parser;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

/// The exit code when this machine cannot run the fleet, which is no failure of the tested programs.
const CANNOT: u8 = 77;

fn main() -> ExitCode {
    let args = Args::parse();
    if let Err(missing) = needs::check() {
        eprintln!("the fleet cannot run here:\n{missing}");
        return ExitCode::from(CANNOT);
    }
    let result = match &args.inside {
        Some(home) => run(&args, home),
        None => enter(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the fleet failed: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs this program once more, in namespaces of its own. Their processes end with their first one.
fn enter() -> Result<(), String> {
    // Outside the namespaces, because it needs the network.
    root::provide()?;
    // Removed outside, when nothing is mounted in it any more.
    let home = tempfile::Builder::new().prefix("tinytorrent-fleet-").tempdir_in("/var/tmp");
    let home = home.map_err(|error| format!("/var/tmp: {error}"))?;
    let this = std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
    let mut command = Command::new("unshare");
    command.args(["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--"]);
    command.arg(this).args(std::env::args_os().skip(1)).arg("--inside").arg(home.path());
    // ^C reaches the process inside, which prints what it was doing.
    let status = command.process_group(0).status();
    let status = status.map_err(|error| format!("cannot run unshare: {error}"))?;
    machine::remove_groups();
    match status.success() {
        true => Ok(()),
        false => Err("see above".to_owned()),
    }
}

fn run(args: &Args, home: &Path) -> Result<(), String> {
    needs::prepare_mounts()?;
    network::make_bridge()?;
    scenario::run(args, home)
}
