//! `sim check`: what CI runs.

use super::{Job, nothing_failed, run_all};
use sim::scenario::{Order, Scenario, Size, scenarios};
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::Instant;

/// The seed of the runs that are the same each time.
const FIXED_SEED: u64 = 1;

/// Runs each size of each scenario with the fixed seed, and the default size with a new one.
pub(crate) fn check(seed: Option<u64>) -> bool {
    let began = Instant::now();
    let seed = seed.unwrap_or_else(|| RandomState::new().build_hasher().finish());
    println!("the random seed is {seed}: `sim check --seed {seed}` is this run");
    let mut jobs: Vec<Job> = Vec::new();
    for scenario in scenarios().iter().filter(|scenario| scenario.in_check) {
        let job = |&size: &Size, seed| (scenario as &'static Scenario, Order { seed, size, change: |_| {} });
        jobs.extend(scenario.sizes.iter().map(|size| job(size, FIXED_SEED)));
        if cost(&scenario.sizes[0]) < 200_000 {
            jobs.push(job(&scenario.sizes[0], seed));
        }
    }
    // The longest runs first, so that no processor is idle at the end.
    jobs.sort_by_key(|(_, order)| std::cmp::Reverse(cost(&order.size)));
    let reports = run_all(&jobs, |report| println!("{}", report.line()));
    let failed = reports.iter().filter(|report| !report.failures.is_empty()).count();
    let good = nothing_failed(&reports);
    println!("{} runs, {failed} failed, {:.0} s", reports.len(), began.elapsed().as_secs_f64());
    good
}

fn cost(size: &Size) -> usize {
    size.machines * size.chunks as usize
}
