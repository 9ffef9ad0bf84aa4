//! The commands of `sim`, one in each file. Each returns whether everything is as it must be.

pub(crate) mod check;
pub(crate) mod rules;
pub(crate) mod run;
pub(crate) mod table;

use sim::scenario::{Order, Report, Scenario, run as run_order, scenarios};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// A scenario and its order.
pub(crate) type Job = (&'static Scenario, Order);

/// Names the scenarios.
pub(crate) fn list() -> bool {
    for scenario in scenarios() {
        let sizes = scenario.sizes.iter().map(|size| format!("{} x {}", size.machines, size.chunks));
        println!("{:<14} {}", scenario.name, scenario.about);
        println!("{:<14} {}", "", sizes.collect::<Vec<_>>().join(", "));
    }
    true
}

/// Runs all jobs, as many at once as there are processors, and calls `tell` for each as it ends. The reports are in the
/// order of the jobs.
pub(crate) fn run_all(jobs: &[Job], tell: impl Fn(&Report) + Sync) -> Vec<Report> {
    let next = AtomicUsize::new(0);
    let reports: Vec<OnceLock<Report>> = jobs.iter().map(|_| OnceLock::new()).collect();
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        while let at = next.fetch_add(1, Ordering::Relaxed)
            && let Some((scenario, order)) = jobs.get(at)
        {
            let report = reports[at].get_or_init(|| run_order(scenario, order));
            tell(report);
        }
    };
    thread::scope(|scope| (0..threads).for_each(|_| _ = scope.spawn(work)));
    reports.into_iter().filter_map(OnceLock::into_inner).collect()
}

/// One row of a Markdown table.
pub(crate) fn row(cells: impl IntoIterator<Item = String>) {
    println!("| {} |", cells.into_iter().collect::<Vec<_>>().join(" | "));
}

/// The mean of the runs' time over bound, and the worst.
pub(crate) fn ratio_of(reports: &[Report]) -> String {
    let worst = reports.iter().map(Report::ratio).fold(0.0, f64::max);
    format!("{:.3} ({worst:.3})", mean(reports, Report::ratio))
}

/// The mean of a value over all runs.
pub(crate) fn mean(reports: &[Report], what: impl Fn(&Report) -> f64) -> f64 {
    reports.iter().map(what).sum::<f64>() / reports.len().max(1) as f64
}

/// Prints the failures and the commands that repeat them. Returns whether there are none.
pub(crate) fn nothing_failed(reports: &[Report]) -> bool {
    let failed: Vec<&Report> = reports.iter().filter(|report| !report.failures.is_empty()).collect();
    for report in &failed {
        println!("\n{}", report.line());
        report.failures.iter().for_each(|failure| println!("  {failure}"));
        println!("  again: {}", report.again());
    }
    failed.is_empty()
}
