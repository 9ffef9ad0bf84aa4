//! The command line.

use clap::{Parser, Subcommand};
use sim::scenario::{Scenario, find};

/// Runs swarms on virtual time: the real core, an in-memory network, and no clock.
#[derive(Parser)]
#[command(name = "sim")]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
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
pub(crate) struct RunArgs {
    /// Its name
    #[arg(value_parser = scenario)]
    pub(crate) scenario: &'static Scenario,
    /// All chance comes from it
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Leechers
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub(crate) machines: Option<u32>,
    /// Chunks of 1 MiB
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) chunks: Option<u32>,
    /// How many runs, each with the next seed
    #[arg(long, default_value_t = 1)]
    pub(crate) runs: u64,
    /// One JSON object per run
    #[arg(long)]
    pub(crate) json: bool,
}

impl std::fmt::Debug for RunArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "run {}", self.scenario.name)
    }
}

fn scenario(name: &str) -> Result<&'static Scenario, String> {
    find(name).ok_or_else(|| "no such scenario: see `sim list`".to_string())
}
