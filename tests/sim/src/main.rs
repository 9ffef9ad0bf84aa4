//! `sim`: runs swarms on virtual time, with the real core.
//!
//! Exit code 0: no failure. 1: something failed, and the command that repeats it was printed. 2: the command line is
//! invalid.

// A tool talks to the person who started it.
#![allow(clippy::print_stdout)]

mod args;
mod commands;

use args::{Args, Command};
use clap::Parser;
use std::process::ExitCode;

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
