//! `cargo xtask whole`: lives through many worlds of several machines on virtual time, each under a seed. The worlds are
//! in `daemon/src/whole`; a test of the daemon runs them, because they need its private parts.

use crate::cargo::Workspace;
use clap::Args;
use std::io::{self, BufRead, BufReader};
use std::process::{Command, Stdio};

/// The test that runs the seeds.
const TEST: &str = "whole::seeds::many";

/// The seeds of CI. They take half a minute on two fast cores, and must stay below three minutes on slow ones.
const SEEDS_IN_CI: u64 = 180;

/// From this number of seeds on the tests are built with optimization: building them takes minutes, and each seed then
/// takes a fraction of the time.
const OPTIMIZED_FROM: u64 = 2000;

/// Which worlds.
#[derive(Args)]
pub(crate) struct WholeArgs {
    /// How many seeds
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// The first seed
    #[arg(long, value_name = "N", default_value_t = 0)]
    from: u64,
    /// The scenario of all seeds, such as "disks" [default: the seed chooses]
    #[arg(long, value_name = "NAME")]
    scenario: Option<String>,
}

impl WholeArgs {
    /// The same seeds each time: what CI runs.
    pub(crate) fn brief() -> WholeArgs {
        WholeArgs { seeds: SEEDS_IN_CI, from: 0, scenario: None }
    }
}

/// Builds the daemon's tests by themselves, and runs the seeds.
pub(crate) fn run(args: &WholeArgs) -> Result<(), String> {
    run_in(&Workspace::find()?, args, &["--package", "daemon", "--lib"])
}

/// Runs the seeds. `targets` are what cargo builds and runs; the test is in one of them. Where other tests are built as
/// well, they must be the same ones here: cargo builds a crate anew when other targets ask for other features of its
/// dependencies. A seed that fails is the error; the test has printed it, and how to replay it.
pub(crate) fn run_in(workspace: &Workspace, args: &WholeArgs, targets: &[&str]) -> Result<(), String> {
    let mut cargo = workspace.cargo();
    cargo.arg("test").args(profile(args.seeds)).args(targets);
    cargo.args(["--", "--exact", "--ignored", "--nocapture", TEST]);
    cargo.env("TT_SEEDS", args.seeds.to_string()).env("TT_FROM", args.from.to_string());
    cargo.env_remove("TT_SCENARIO").envs(args.scenario.as_ref().map(|name| ("TT_SCENARIO", name)));
    let is_summed_up = has_summed_up(&mut cargo, args.seeds)?;
    // The test harness also succeeds when no test has that name.
    if is_summed_up { Ok(()) } else { Err(format!("no seed ran: the daemon has no test {TEST}")) }
}

/// How the tests are built. The profile `whole` keeps all checks of `dev`.
fn profile(seeds: u64) -> &'static [&'static str] {
    if seeds < OPTIMIZED_FROM { &[] } else { &["--profile", "whole"] }
}

/// Runs a command that must succeed, and passes on what it prints. Returns whether that contains the line that the test
/// prints at its end.
fn has_summed_up(command: &mut Command, seeds: u64) -> Result<bool, String> {
    let failed = |error: io::Error| format!("cannot run cargo test: {error}");
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(failed)?;
    let output = child.stdout.take().expect("it is piped");
    let end = format!("{seeds} seeds: ");
    let mut is_summed_up = false;
    for line in BufReader::new(output).lines() {
        let line = line.map_err(failed)?;
        println!("{line}");
        is_summed_up |= line.contains(&end);
    }
    match child.wait().map_err(failed)? {
        status if status.success() => Ok(is_summed_up),
        _ => Err("some seeds fail; the lines above say which, why, and how to replay each".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(script: &str) -> Result<bool, String> {
        has_summed_up(Command::new("sh").args(["-c", script]), 20)
    }

    #[test]
    fn only_many_seeds_are_worth_another_build() {
        assert!(profile(WholeArgs::brief().seeds).is_empty());
        assert_eq!(profile(10_000), ["--profile", "whole"]);
    }

    #[test]
    fn a_run_without_any_seed_is_told_from_one_that_passed() {
        assert_eq!(says("echo 20 seeds: 20 passed, 0 failed, in 3 s"), Ok(true));
        assert_eq!(says("echo 'test result: ok. 0 passed; 0 failed; 0 ignored'"), Ok(false));
        assert!(
            says("echo 20 seeds: 19 passed, 1 failed; exit 101").unwrap_err().starts_with("some seeds fail")
        );
    }
}
