//! ttd: arguments, run, exit.

use clap::Parser;
use daemon::{cli::Args, start};
use std::process::ExitCode;

/// glibc's malloc gives 1 MiB buffers back to the kernel after each chunk, which costs a third of the throughput.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    start::run(Args::parse())
}
