//! ttd: arguments, run, exit.

use clap::Parser;
use daemon::{cli::Args, start};
use std::process::ExitCode;

/// mimalloc, because glibc's malloc gives buffers of 1 MiB back to the kernel after each chunk, which costs a third of
/// the throughput.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    start::run(Args::parse())
}
