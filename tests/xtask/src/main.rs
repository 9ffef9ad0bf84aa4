//! `cargo xtask`: the commands for working on the project. CI runs them, too.

// It prints to the person who started it.
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
mod mutants;
mod tidy;
mod tools;
mod whole;

use clap::{Parser, Subcommand};
use std::ffi::OsString;
use std::process::ExitCode;

/// Build, test, measure and package TinyTorrent
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Show TinyTorrent at work: share a file or directory among four daemons on this machine, and check each copy
    Demo(demo::DemoArgs),
    /// Measure how fast files reach many machines over shaped links, also with other tools; needs root
    #[command(disable_help_flag = true)]
    Bench {
        /// A command of the benchmark and its options [default: show its help]
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Fuzz everything that decodes bytes from other machines or users; needs a C++ compiler
    Fuzz(fuzz::FuzzArgs),
    /// Measure the memory and processor time of a daemon that shares many files while nobody fetches them
    Idle(idle::IdleArgs),
    /// Boot containers, install the Debian packages and share files among them; needs root and Debian
    Fleet {
        /// The machines: "full" has a tracker, a publisher and three servers, "ci" a tracker and one server
        #[arg(long, default_value = "full", value_parser = ["full", "ci"])]
        set: String,
    },
    /// Run everything that CI runs; takes 10 to 40 minutes on two cores
    Ci,
    /// Run `.ci/run` for the last commit on a bare Debian, with nothing skipped; needs root and Debian
    Bare {
        /// The command to run there instead
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<OsString>,
    },
    /// Kill a daemon at random moments of its downloads, and check that the files still arrive intact
    Crash {
        /// How many downloads; the daemon is killed once in each
        #[arg(long, default_value_t = 100)]
        runs: u32,
        /// The seed for the files and the moments, to repeat a run [default: random]
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Live through many worlds of several machines on virtual time, with faults, each under a seed
    Whole(whole::WholeArgs),
    /// Change the code in many small ways, and look whether a test fails each time; takes hours
    Mutants(mutants::MutantsArgs),
    /// Find circular imports, files and functions that are too long, and `is_...` functions that change something
    Tidy {
        /// The crates to check, for example "daemon" [default: all]
        crates: Vec<String>,
    },
    /// Build the release archive and the Debian packages in target/dist
    Dist,
}

fn main() -> ExitCode {
    let result = match Args::parse().chore {
        Chore::Demo(args) => demo::run(&args),
        Chore::Bench { args } => bench::run(&args),
        Chore::Fuzz(args) => fuzz::run(&args),
        Chore::Idle(args) => idle::run(&args),
        Chore::Fleet { set } => fleet::run(&set).and_then(|ran| match ran {
            true => Ok(()),
            false => Err("this machine cannot run the fleet; see above".to_owned()),
        }),
        Chore::Ci => ci::run(),
        Chore::Bare { command } => bare::run(&command),
        Chore::Crash { runs, seed } => crash::run(runs, seed),
        Chore::Whole(args) => whole::run(&args),
        Chore::Mutants(args) => mutants::run(&args),
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
