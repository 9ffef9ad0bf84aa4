//! `cargo xtask`: the one runner of the project. What CI runs, it runs.

// A runner talks to the person who started it.
#![allow(clippy::print_stdout)]

mod bare;
mod bench;
mod cargo;
mod ci;
mod crash;
mod demo;
mod dist;
mod docs;
mod fleet;
mod fuzz;
mod idle;
mod interrupt;
mod tidy;
mod tools;

use clap::{Parser, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

/// Runs the project's chores.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Start a tracker and four daemons on this machine, share a file, fetch it three times, check each copy
    Demo {
        /// The file to share; it is not changed. 256 MiB of random bytes if left out
        file: Option<PathBuf>,
    },
    /// Measure how well files reach many machines over shaped links, against other tools; needs root
    #[command(disable_help_flag = true)]
    Bench {
        /// What to measure; nothing shows a short help
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Feed what decodes a stranger's bytes with bytes that are made to break it; needs a C++ compiler
    Fuzz(fuzz::FuzzArgs),
    /// Measure what a daemon with many finished resources costs while nobody wants anything of it
    Idle(idle::IdleArgs),
    /// Boot machines in containers, install the Debian packages, and have them share files; needs root and Debian
    Fleet {
        /// How many machines: "full" is a tracker, a publisher and three servers, "ci" a tracker and one server
        #[arg(long, default_value = "full", value_parser = ["full", "ci"])]
        set: String,
    },
    /// Run everything that CI runs; 10 to 40 minutes on two cores
    Ci,
    /// Run `.ci/run` on a clone of the last commit in a bare Debian root, where nothing may be skipped; needs root
    Bare {
        /// What to run in there instead
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<OsString>,
    },
    /// Kill a daemon at random moments of its downloads, and check what it makes of it
    Crash {
        /// How many downloads; each is killed once
        #[arg(long, default_value_t = 100)]
        runs: u32,
        /// The same seed gives the same files and moments; a random one if left out
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Look for circles of modules, long files and functions, and questions that change what they ask
    Tidy {
        /// Look at these crates only, for example "daemon"
        crates: Vec<String>,
    },
    /// Make the release archive and the Debian packages in target/dist
    Dist,
}

fn main() -> ExitCode {
    let result = match Args::parse().chore {
        Chore::Demo { file } => demo::run(file.as_deref()),
        Chore::Bench { args } => bench::run(&args),
        Chore::Fuzz(args) => fuzz::run(&args),
        Chore::Idle(args) => idle::run(&args),
        Chore::Fleet { set } => fleet::run(&set).and_then(|ran| match ran {
            true => Ok(()),
            false => Err("the fleet did not run".to_owned()),
        }),
        Chore::Ci => ci::run(),
        Chore::Bare { command } => bare::run(&command),
        Chore::Crash { runs, seed } => crash::run(runs, seed),
        Chore::Tidy { crates } => {
            cargo::Workspace::find().and_then(|workspace| tidy::run(&workspace, &crates))
        }
        Chore::Dist => dist::run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
