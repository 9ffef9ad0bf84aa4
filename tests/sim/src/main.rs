//! `sim`: runs swarms on virtual time, with the real core.
//!
//! Exit code 0: all is as it must be. 1: something failed, and the command that repeats it was printed.
//! 2: the command line makes no sense.

// A tool talks to the person who started it.
#![allow(clippy::print_stdout)]

mod commands;

use clap::{Parser, Subcommand};
use sim::scenario::{Scenario, find};
use std::process::ExitCode;

/// Runs swarms on virtual time: the real core, an in-memory network, and no clock.
#[derive(Parser)]
#[command(name = "sim")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Name the scenarios, with their usual sizes
    List,
    /// Run one scenario and report
    Run(RunArgs),
    /// Print the tables of docs/strategy.md
    Table {
        /// How many seeds each
        #[arg(long, default_value_t = 3)]
        runs: u64,
        /// Also the fleets of 1,000 and 10,000 machines, which take minutes
        #[arg(long)]
        large: bool,
    },
    /// Print what each rule is worth: the same fleets with one setting changed each time
    Rules {
        /// How many seeds each
        #[arg(long, default_value_t = 3)]
        runs: u64,
    },
    /// Run what CI runs: every scenario that ends soon, with a fixed seed and with a random one
    Check {
        /// Instead of the random one
        #[arg(long)]
        seed: Option<u64>,
    },
}

/// What to run.
#[derive(clap::Args)]
struct RunArgs {
    /// Its name
    #[arg(value_parser = scenario)]
    scenario: &'static Scenario,
    /// All chance comes from it
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Leechers
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    machines: Option<u32>,
    /// Chunks of 1 MiB
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    chunks: Option<u32>,
    /// How many runs, each with the next seed
    #[arg(long, default_value_t = 1)]
    runs: u64,
    /// One JSON object per run
    #[arg(long)]
    json: bool,
}

impl std::fmt::Debug for RunArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "run {}", self.scenario.name)
    }
}

fn scenario(name: &str) -> Result<&'static Scenario, String> {
    find(name).ok_or_else(|| "no such scenario: see `sim list`".to_string())
}

fn main() -> ExitCode {
    let good = match Args::parse().command {
        Command::List => commands::list(),
        Command::Run(args) => commands::run::run(&args),
        Command::Table { runs, large } => commands::table::table(runs, large),
        Command::Rules { runs } => commands::rules::rules(runs),
        Command::Check { seed } => commands::check::check(seed),
    };
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
