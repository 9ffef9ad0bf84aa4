//! tt-tracker: arguments, run, exit.

use clap::Parser;
use std::process::ExitCode;
use tracker::{cli::Args, start};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    start::run(Args::parse())
}
