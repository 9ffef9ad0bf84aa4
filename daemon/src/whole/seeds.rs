//! The seeds: one, some in a test, or thousands by `cargo xtask whole`.

use super::children::{Said, Seeds, run_all, run_one};
use super::run::run;
use super::scenario::{ALL, Scenario, named};
use std::fs::File;
use std::time::Instant;

/// The seeds of `many`, unless `TT_SEEDS` says another number.
const SEEDS: u64 = 300;

/// After this number of seeds `many` says that it is still at work.
const TELL_EVERY: u64 = 1000;

/// A number from the environment.
fn number(variable: &str) -> Option<u64> {
    std::env::var(variable)
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is no number")))
}

/// The scenario of a seed: the one that is asked for, or one that follows from the seed.
fn scenario_of(seed: u64) -> Scenario {
    match std::env::var("TT_SCENARIO") {
        Ok(name) => named(&name).unwrap_or_else(|| {
            let names: Vec<&str> = ALL.iter().map(|scenario| scenario.name).collect();
            panic!("no scenario is called {name}; there are {}", names.join(", "))
        }),
        Err(_) => ALL[(seed % ALL.len() as u64) as usize],
    }
}

/// One seed, in this process: `TT_SEED`, and if wanted `TT_SCENARIO` and the file `TT_TRACE`.
#[test]
#[ignore = "the process of one seed, which the other tests start"]
#[expect(clippy::print_stdout, reason = "the process that started this one reads it")]
fn one() {
    let (seed, begin) = (number("TT_SEED").unwrap_or(0), Instant::now());
    let scenario = scenario_of(seed);
    let file = std::env::var_os("TT_TRACE").map(|path| File::create(path).expect("TT_TRACE can be written"));
    let outcome = run(seed, scenario, file);
    let (failure, digest) = (outcome.failure.clone(), format!("{:016x}", outcome.digest));
    outcome.last.iter().for_each(|line| println!("{line}"));
    println!("\n{}", Said { seed, scenario: scenario.name.to_owned(), failure, digest }.printed());
    let (lines, lasted) = (outcome.lines, outcome.lasted.as_secs());
    println!("{lines} lines, {lasted} virtual s, {} real ms", begin.elapsed().as_millis());
    assert_eq!(outcome.failure, None, "seed {seed} fails");
}

/// The seeds that `cargo xtask whole` asks for: `TT_SEEDS` from `TT_FROM` on, with `TT_SCENARIO` if that is set.
#[test]
#[ignore = "takes as long as it is asked for"]
#[expect(clippy::print_stdout, reason = "it is a command")]
fn many() {
    let (from, count) = (number("TT_FROM").unwrap_or(0), number("TT_SEEDS").unwrap_or(SEEDS));
    scenario_of(from); // a name that no scenario has fails here
    let (seeds, begin) = (Seeds { from, count, scenario: std::env::var("TT_SCENARIO").ok() }, Instant::now());
    let failed = run_all(&seeds, |failed, done| {
        if let Some(failed) = failed {
            println!("{failed}");
        }
        if done.is_multiple_of(TELL_EVERY) && done < count {
            println!("... {done} seeds in {} s", begin.elapsed().as_secs());
        }
    });
    let (bad, span) = (failed.len() as u64, begin.elapsed().as_secs());
    println!("{count} seeds: {} passed, {bad} failed, in {span} s", count - bad);
    assert_eq!(bad, 0, "some seeds fail");
}

/// Two processes with the same seed hand the same inputs to each driver in the same order, and another seed gives
/// another order.
#[test]
fn a_download_ends_and_the_same_seed_is_the_same_run() {
    let said = run_one(1, Some("one-download"));
    assert_eq!(said.failure, None);
    assert_eq!(said, run_one(1, Some("one-download")));
    let other = run_one(2, Some("one-download"));
    assert_eq!(other.failure, None);
    assert_ne!(said.digest, other.digest);
}

/// Each scenario with some seeds, so that whoever changes the daemon hears of it soon. CI runs hundreds of seeds.
#[test]
fn every_scenario_passes_with_some_seeds() {
    for scenario in ALL {
        let seeds = Seeds { from: 1, count: 2, scenario: Some(scenario.name.to_owned()) };
        let failed = run_all(&seeds, |_, _| {});
        assert!(failed.is_empty(), "{}", failed[0]);
    }
}

/// What the runner says of the seeds 5 and 6 with a scenario that fails on purpose.
fn said_of(scenario: &str) -> Vec<String> {
    let seeds = Seeds { from: 5, count: 2, scenario: Some(scenario.to_owned()) };
    let mut said: Vec<String> = run_all(&seeds, |_, _| {}).iter().map(Said::to_string).collect();
    said.sort();
    said
}

#[test]
fn a_seed_that_fails_is_named() {
    let said = said_of("panics");
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].starts_with("seed 5 panics FAILED: ") && said[0].contains("on purpose"), "{said:?}");
    assert!(said[1].contains("\nreplay: TT_SEED=6 TT_SCENARIO=panics cargo test "), "{said:?}");
}

#[test]
fn a_seed_in_which_no_time_passes_fails() {
    let said = said_of("never-ends");
    assert!(said.len() == 2 && said[0].contains("no time passes"), "{said:?}");
}

/// Only some of the seeds are run twice.
#[test]
fn a_seed_whose_two_runs_differ_fails() {
    let seeds = Seeds { from: 15, count: 2, scenario: Some("differs".to_owned()) };
    let failed = run_all(&seeds, |_, _| {});
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert!(failed[0].seed == 16 && failed[0].to_string().contains("two runs differ"), "{failed:?}");
}
